"""`retentiond run`: one pass now."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from retentiond.cli.plan import Rules
from retentiond.cli.session import settings_of
from retentiond.cli.terminal import note, progress_bars, say, say_json
from retentiond.daemon.clock import read_clock, utc_now
from retentiond.engine.evidence import open_evidence
from retentiond.engine.runner import run as run_once
from retentiond.engine.workplace import read_workplace
from retentiond.report.run import run_json, run_text


def run(
    context: typer.Context,
    rule: Rules = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Do now what is due and approved. Reads back that it happened, and writes the deletion log."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    workplace.chosen(rule or [])
    reading = read_clock()
    with open_evidence(settings, reading.at) as evidence, stopped_by_signals() as stop, progress_bars() as progress:
        report = run_once(
            workplace, evidence, reading=reading, trigger="command", clock=utc_now, stop=stop, progress=progress, only=rule or []
        )
    if json:
        say_json(run_json(report))
    else:
        say(run_text(report))
    if report.anchoring and report.anchoring.contradicted:
        raise typer.Exit(report.exit_status)
    if report.bugs:
        raise report.bugs[0]
    raise typer.Exit(report.exit_status)


@contextmanager
def stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """Hand out a function that is true once SIGTERM or SIGINT asked to end; the batch in hand is finished first.

    A second SIGINT ends at once; the log then tells of an open batch, which the next run looks up.
    """
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)
        note("Asked to stop: the batch in hand is finished first.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
