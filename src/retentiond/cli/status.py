"""`retentiond status`: is it alive and true?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from retentiond.audit import Verification, verify_log
from retentiond.cli.session import settings_of
from retentiond.cli.state import existing_store
from retentiond.cli.terminal import say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import log_place
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.report import schedule
from retentiond.report.status import StatusReport, status_json, status_text


def status(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Tell the last run, the next, what may act and whether the log verifies. Exit status 1 where runs were missed."""
    report = _look(read_workplace(settings_of(context)), utc_now())
    if json:
        say_json(status_json(report))
    else:
        say(status_text(report))
    raise typer.Exit(report.exit_status)


def _look(workplace: Workplace, now: datetime) -> StatusReport:
    settings = workplace.settings
    with existing_store(settings) as store:
        last = store.last_run() if store else None
        due = schedule.before(settings.schedule, settings.schedule_zone, now, 2)
        second = due[1] if len(due) > 1 else None
        return StatusReport(
            at=now,
            workplace=workplace,
            last_run=last,
            last_success=store.last_success() if store else None,
            results=store.results(last.run) if store and last else (),
            late_since=second if last and second and last.started_at < second else None,
            next_due=schedule.after(settings.schedule, settings.schedule_zone, now),
            heartbeat=store.heartbeat() if store else None,
            approvals=store.approvals() if store else (),
            log=_verification(workplace),
        )


def _verification(workplace: Workplace) -> Verification | None:
    """How the deletion log verifies; None before the first run or approval made one."""
    settings = workplace.settings
    if settings.database is None and not (settings.state / "log.db").is_file():
        return None
    return verify_log(log_place(settings))
