"""`retentiond audit prove` and `audit checkpoint`: what can be handed to somebody who trusts nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from retentiond import __version__
from retentiond.audit import LogReader, open_log, read_log
from retentiond.audit.proving import checkpoint_of
from retentiond.cli.session import regular_file, settings_of, target_of
from retentiond.cli.terminal import say, say_json
from retentiond.connector.registry import bind
from retentiond.connector.registry import connectors as installed
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import log_place
from retentiond.errors import ConfigurationError, StateError
from retentiond.model.record import Target
from retentiond.report.log import Trace
from retentiond.report.proof import Proven, proven_json, proven_text
from retentiond.settings import Settings

NOTHING = 1
"""The exit status where there is nothing to prove."""


def prove(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="SYSTEM/DATASET", help="The data set.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The record's key, as the connector writes it.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Write the proof files into this folder.")] = None,
    opening: Annotated[
        bool, typer.Option("--opening", help="Also write what shows which record the entries are about. Personal data.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Prove what the log says about one record. Exit status 1 where it says nothing."""
    if opening and out is None:
        raise ConfigurationError("Say with --out into which folder the proofs go; an opening is personal data, and never shown.")
    settings, target = settings_of(context), target_of(dataset)
    with read_log(log_place(settings)) as log:
        parts = _key_of(settings, target, key)
        outcomes = log.find(target, parts)
        traces = [Trace(entry, log.entry(int(entry.fields["i"]))) for entry in outcomes if int(entry.fields["i"]) >= log.first]
        proofs = {index: log.proof(index) for trace in traces for index in (trace.intent.index, trace.outcome.index)}
        files = {f"{index}.tlog-proof": text for index, text in proofs.items()}
        if opening:
            found = log.find_openings(target, parts, outcomes)
            files |= {f"{one.index}.opening.json": one.text() for one in found}
        size, remarks = checkpoint_of(log.newest).size if traces else 0, _remarks(log, opened=opening, traces=traces)
        if out is not None and traces:
            _write(out, files | {"log.vkey": log_place(settings).public_key.read_text(encoding="utf-8")})
    written = [str(out / name) for name in files] if out is not None and traces else []
    proven = Proven(target, traces, size, settings.origin, written, remarks)
    if json:
        say_json(proven_json(proven))
    else:
        say(proven_text(proven))
    raise typer.Exit(0 if traces else NOTHING)


def checkpoint(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write the checkpoint into this file.")] = None,
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="SIZE", min=1, max=2**53, help="Also prove that the log of this size is its beginning."),
    ] = None,
) -> None:
    """Sign the log as it is now, and show the checkpoint: give it to whoever is to notice if the log is ever rewritten."""
    settings, now = settings_of(context), utc_now()
    place = log_place(settings)
    if out is not None:
        regular_file(out, "--out")
    with read_log(place):
        pass  # a log that never began is not begun by this
    with open_log(place, now, f"retentiond {__version__}") as log:
        log.checkpoint(now)
    with read_log(place) as reader:
        text = reader.newest.note if since is None else reader.consistency_file(since)
    if out is not None:
        _write(out.parent, {out.name: text})
    say([text.rstrip("\n")])


def _key_of(settings: Settings, target: Target, key: str) -> tuple[str, ...]:
    bound = bind(settings.systems, installed(), settings.document).get(target)
    if bound is None:
        raise ConfigurationError(f"The settings know no data set {target}; without it nobody knows how its keys are written.")
    return bound.connector.key(key)


def _remarks(log: LogReader, *, opened: bool, traces: list[Trace]) -> list[str]:
    """What a proof, or the want of one, does not say."""
    remarks = []
    if traces and not opened:
        remarks.append("A proof shows that the entry is in the log, not whose it is: --opening shows that, to who may know it.")
    if not traces and log.first:
        remarks.append(f"Entries before {log.first:,} were pruned by the log's own rule.")
    if not traces and (shredded := log.shredded):
        remarks.append(f"The keys that find records were shredded for: {', '.join(shredded)}.")
    return remarks


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write files for their owner alone, replacing older ones of the same name."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, text in files.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                os.fchmod(out.fileno(), 0o600)
                out.write(text)
    except OSError as error:
        raise StateError(f"{folder} cannot be written ({error.strerror}).") from None
