"""`retentiond status`: whether it is alive and true."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from retentiond.audit import remains
from retentiond.cli.session import settings_of
from retentiond.cli.terminal import say, say_json
from retentiond.cli.verification import never_begun, verified
from retentiond.daemon.clock import utc_now
from retentiond.engine.anchoring import coverage_of
from retentiond.engine.duties import NO_DUTIES, duties_of
from retentiond.engine.evidence import existing_store, log_place
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.report import schedule
from retentiond.report.status import StatusReport, status_json, status_text

PERIODS = 2
"""Of the schedule; so long nobody needs to worry."""

BY_DAEMON = ("schedule", "catch-up")
LOOKED_AT = 200
"""How many stored runs are searched for one that counts."""


def status(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Tell whether all is alive and true. The last run and the next, what may act, whether the log verifies."""
    report = _look(read_workplace(settings_of(context)), utc_now())
    if json:
        say_json(status_json(report))
    else:
        say(status_text(report))
    raise typer.Exit(report.exit_status)


def _look(workplace: Workplace, now: datetime) -> StatusReport:
    settings = workplace.settings
    due = schedule.before(settings.schedule, settings.schedule_zone, now, PERIODS)
    with existing_store(settings) as store:
        runs = store.runs(LOOKED_AT) if store else []
        beat = store.heartbeat() if store else None
        # Where a daemon is in use, only its own runs tell that it lives: one by hand may have been for a single rule.
        # A run of a clock that was ahead says nothing about now.
        counting = [run for run in runs if (beat is None or run.trigger in BY_DAEMON) and run.started_at <= now]
        since = max((run.started_at for run in counting), default=None)
        log = None if never_begun(settings) else verified(settings)
        return StatusReport(
            at=now,
            workplace=workplace,
            last_run=runs[0] if runs else None,
            last_success=store.last_success() if store else None,
            results=store.results(runs[0].run) if store and runs else (),
            late_since=due[-1] if len(due) == PERIODS and runs and (since is None or since < due[-1]) else None,
            next_due=schedule.after(settings.schedule, settings.schedule_zone, now),
            heartbeat=beat,
            approvals=store.approvals() if store else (),
            versions=store.versions() if store else (),
            log=log,
            duties=duties_of(workplace, store, now) if store else NO_DUTIES,
            covered=coverage_of(settings) if log and log.in_order else None,
            remains=remains(log_place(settings)),
        )
