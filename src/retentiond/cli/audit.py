"""`retentiond audit`: the deletion log."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from retentiond.audit import LogReader, read_log
from retentiond.cli.exporting import check_export, export
from retentiond.cli.proving import checkpoint, prove
from retentiond.cli.pruning import generation, prune, rotate, shred
from retentiond.cli.session import settings_of, target_of
from retentiond.cli.terminal import note, say, say_json
from retentiond.cli.verification import refuse_untrustworthy, verified
from retentiond.connector.registry import bind
from retentiond.connector.registry import connectors as installed
from retentiond.daemon.clock import utc_now
from retentiond.engine.anchoring import anchor as hand_over
from retentiond.engine.anchoring import coverage_of, due_types
from retentiond.engine.evidence import log_place, open_evidence
from retentiond.errors import ConfigurationError
from retentiond.model.record import Target
from retentiond.report.anchors import anchoring_json, anchoring_text
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

audit.command("export")(export)
audit.command("prove")(prove)
audit.command("checkpoint")(checkpoint)
audit.command("prune")(prune)
audit.command("rotate")(rotate)
audit.command("shred")(shred)
audit.command("generation")(generation)

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
    anchor: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A receipt kept outside: anchor file, mail, time stamp …; may be given more than once."
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Also compare what finds and opens records with the entries.")] = False,
    exported: Annotated[
        Path | None,
        typer.Option("--export", metavar="FOLDER", help="Check this export instead, without settings or state; needs --vkey."),
    ] = None,
    json: Json = False,
) -> None:
    """Recompute the whole log, check it against its signatures and anchors. Exit status 5 where it is not trustworthy."""
    if exported is not None:
        raise typer.Exit(0 if check_export(exported, vkey, elsewhere or ()) else UNTRUSTWORTHY)
    settings = settings_of(context)
    found = verified(settings, vkey, elsewhere or (), anchor or (), full=full)
    covered = coverage_of(settings) if found.in_order else None
    if json:
        say_json(verification_json(found, covered))
    else:
        say(verification_text(found, covered))
    raise typer.Exit(UNTRUSTWORTHY if found.problems else 0)


@audit.command("anchor")
def anchor(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Hand it also to those who took one within the last day.")] = False,
    json: Json = False,
) -> None:
    """Hand the log's newest checkpoint to the anchors of the settings. Exit status 5 where one of them contradicts the log."""
    settings = settings_of(context)
    if not settings.anchors:
        raise ConfigurationError(
            "The settings name no anchor, so there is nobody to hand a checkpoint to. Add one under `anchors`."
        )
    with open_evidence(settings, utc_now()) as evidence:
        refuse_untrustworthy(evidence)
        done = hand_over(settings, evidence.log, utc_now, types=None if now else due_types(settings, utc_now()))
    if json:
        say_json(anchoring_json(done))
    else:
        say(anchoring_text(done))
    raise typer.Exit(UNTRUSTWORTHY if done.contradicted else 1 if done.troubles else 0)
