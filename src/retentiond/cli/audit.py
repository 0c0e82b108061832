"""`retentiond audit`: the deletion log."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from retentiond.audit import LogReader, read_log
from retentiond.cli.proving import checkpoint, prove
from retentiond.cli.pruning import prune, rotate, shred
from retentiond.cli.session import settings_of, target_of
from retentiond.cli.terminal import note, say, say_json
from retentiond.cli.verification import verified
from retentiond.connector.registry import bind
from retentiond.connector.registry import connectors as installed
from retentiond.engine.evidence import log_place
from retentiond.errors import ConfigurationError
from retentiond.model.record import Target
from retentiond.report.log import (
    Trace,
    entries_text,
    entry_json,
    entry_text,
    trace_json,
    trace_text,
    verification_json,
    verification_text,
)
from retentiond.settings import Settings

UNTRUSTWORTHY = 5
MOST = 50
LARGEST = 2**31 - 1
"""No log has so many entries; a larger number is a slip, and more than the store can count."""

audit = typer.Typer(no_args_is_help=True, help="Read and verify the deletion log.")

audit.command("prove")(prove)
audit.command("checkpoint")(checkpoint)
audit.command("prune")(prune)
audit.command("rotate")(rotate)
audit.command("shred")(shred)

Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")]


@audit.command("list")
def list_(
    context: typer.Context,
    rule: Annotated[str | None, typer.Option(metavar="RULE", help="Only entries of this rule.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only entries of this run.")] = None,
    limit: Annotated[
        int, typer.Option(metavar="NUMBER", min=0, max=LARGEST, help="The newest so many entries; 0 for all.")
    ] = MOST,
    json: Json = False,
) -> None:
    """List entries, oldest first."""
    with read_log(log_place(settings_of(context))) as log:
        entries = deque(log.entries(rule=rule, run=run), maxlen=limit or None)
    if json:
        say_json({"entries": [entry_json(entry) for entry in entries]})
    else:
        say(entries_text(entries))
    if limit and len(entries) == limit:
        note(f"These are the newest {limit:,} entries; --limit 0 lists all.")


@audit.command("show")
def show(
    context: typer.Context,
    index: Annotated[
        int | None, typer.Argument(metavar="INDEX", min=0, max=LARGEST, show_default=False, help="The entry's place in the log.")
    ] = None,
    record: Annotated[
        tuple[str, str] | None,
        typer.Option("--record", metavar="SYSTEM/DATASET KEY", help="Instead: everything about the record under this key."),
    ] = None,
    json: Json = False,
) -> None:
    """Show one entry with all its fields, or what the log says about one record."""
    if (index is None) == (record is None):
        raise ConfigurationError("Say which entry: its index, or --record SYSTEM/DATASET KEY.")
    settings = settings_of(context)
    with read_log(log_place(settings)) as log:
        if record is not None:
            _show_record(settings, log, target_of(record[0]), record[1], json=json)
        elif index is not None:
            entry = log.entry(index)
            if json:
                say_json(entry_json(entry))
            else:
                say(entry_text(entry))


def _show_record(settings: Settings, log: LogReader, target: Target, key: str, *, json: bool) -> None:
    bound = bind(settings.systems, installed(), settings.document).get(target)
    if bound is None:
        raise ConfigurationError(f"The settings know no data set {target}; without it nobody knows how its keys are written.")
    traces = [Trace(entry, log.entry(int(entry.fields["i"]))) for entry in log.find(target, bound.connector.key(key))]
    if json:
        say_json({"system": target.system, "dataset": target.dataset, "traces": [trace_json(trace) for trace in traces]})
    else:
        say([trace_text(trace) for trace in traces] or ["The deletion log has no entry about a record under this key."])


@audit.command("verify")
def verify(
    context: typer.Context,
    vkey: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The log's verifier key as you were given it; otherwise the one in the state."),
    ] = None,
    elsewhere: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", metavar="FILE", help="A checkpoint kept elsewhere, to be found in the log; repeatable."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Also compare what finds and opens records with the entries.")] = False,
    json: Json = False,
) -> None:
    """Recompute the whole log and check it against its signed checkpoints. Exit status 5 where it is not trustworthy."""
    found = verified(settings_of(context), vkey, elsewhere or (), full=full)
    if json:
        say_json(verification_json(found))
    else:
        say(verification_text(found))
    raise typer.Exit(UNTRUSTWORTHY if found.problems else 0)
