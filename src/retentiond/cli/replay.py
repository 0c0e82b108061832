"""`retentiond replay`: does again what a restore of a system undid."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.cli.run import stopped_by_signals
from retentiond.cli.session import moment_of, settings_of
from retentiond.cli.state import registers_of
from retentiond.cli.terminal import progress_bars, say, say_json
from retentiond.daemon.clock import read_clock, utc_now
from retentiond.engine.evidence import log_place, open_evidence
from retentiond.engine.redoing import replay as replay_now
from retentiond.engine.redoing import too_many
from retentiond.engine.replay import plan_replay
from retentiond.engine.workplace import read_workplace
from retentiond.errors import ConfigurationError
from retentiond.report.replay import replay_json, replay_text


def replay(
    context: typer.Context,
    system: Annotated[str, typer.Option("--system", metavar="SYSTEM", help="The system that was restored.")],
    since: Annotated[
        str,
        typer.Option("--since", metavar="WHEN", help="When the backup was made (ISO 8601; a day alone begins in UTC)."),
    ],
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="DATASET", help="Only this data set of it; may be given more than once."),
    ] = None,
    go: Annotated[bool, typer.Option("--go", help="Do it; otherwise only the plan is shown.")] = False,
    by: Annotated[
        str | None, typer.Option("--by", metavar="STAFF-ID", help="Who says so: a staff id rather than a name; it is logged.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", metavar="NUMBER", min=1, help="So many acts there may be, whatever the limits say.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Do again what a restore undid. Without `--go` it only shows what came back, and changes nothing."""
    if go != (by is not None):
        raise ConfigurationError("To do it a person is needed: give `--go --by STAFF-ID`, or neither of both. Nothing was done.")
    settings = settings_of(context)
    workplace = read_workplace(settings)
    now = utc_now()
    backup_at = moment_of(since, now, "--since")
    datasets = dataset or []
    if by is None:
        with progress_bars() as progress:
            registers = registers_of(settings, workplace)
            plan = plan_replay(
                workplace, registers, log_place(settings), system, backup_at, now, datasets=datasets, progress=progress
            )
        if json:
            say_json(replay_json(plan, None))
        else:
            say(replay_text(plan, None, too_many(workplace.at(now), plan, most)))
        raise typer.Exit(1 if any(one.findings for one in plan.datasets) else 0)
    with open_evidence(settings, now) as evidence, stopped_by_signals() as stop, progress_bars() as progress:
        report = replay_now(
            workplace,
            evidence,
            system=system,
            backup_at=backup_at,
            by=by,
            reading=read_clock(),
            clock=utc_now,
            datasets=datasets,
            most=most,
            stop=stop,
            progress=progress,
        )
    if json:
        say_json(replay_json(report.plan, report))
    else:
        say(replay_text(report.plan, report))
    raise typer.Exit(report.exit_status)
