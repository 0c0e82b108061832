"""`retentiond task`: what only a person can delete, and their word that it is done."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from retentiond.cli.registering import By, day_of, hand_on
from retentiond.cli.session import settings_of, target_of
from retentiond.cli.state import registers_of
from retentiond.cli.terminal import say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import open_store_of
from retentiond.engine.tasking import Stage, Tasked, add_task, finish_task, tasked
from retentiond.engine.workplace import read_workplace
from retentiond.errors import ConfigurationError
from retentiond.report.tasks import tasks_json, tasks_text

task = typer.Typer(no_args_is_help=True, help="What only a person can delete.")

Where = Annotated[str, typer.Argument(metavar="SYSTEM/DATASET", help="The data set of tasks.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="What the task is called.")]


@task.command("list")
def list_(
    context: typer.Context,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that wait for longer than they may.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """List the tasks of persons. What waits, what is to be done, and what is overdue."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    found = tasked(workplace, registers_of(settings, workplace), now)
    if overdue:
        found = Tasked(tuple(found.at(Stage.OVERDUE)), found.troubles)
    if json:
        say_json(tasks_json(found))
    else:
        say(tasks_text(found))
    raise typer.Exit(1 if found.troubles else 0)


@task.command("add")
def add(
    context: typer.Context,
    where: Where,
    key: Key,
    dates: Annotated[
        list[str],
        typer.Option("--date", metavar="NAME=DAY", help="A date of the task, such as due_on=2027-01-31; may be repeated."),
    ],
) -> None:
    """Enter a task. Its data set's rule says by these dates when it is due."""
    settings = settings_of(context)
    add_task(read_workplace(settings), target_of(where), key, _dates(dates))
    say(["Entered; `retentiond task list` tells when it is due."])


@task.command("done")
def done(
    context: typer.Context,
    where: Where,
    key: Key,
    evidence: Annotated[str, typer.Option("--evidence", metavar="REFERENCE", help="Where the evidence is on file; no name.")],
    by: By,
    document: Annotated[
        Path | None, typer.Option("--document", metavar="FILE", help="What it rests on; only its digest is recorded.")
    ] = None,
) -> None:
    """Say that a task is done. The next run closes it, as known by a person's word."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    with open_store_of(settings) as store:
        finish_task(workplace, store, target_of(where), key, evidence, by, now, document)
    hand_on(settings, now)
    say(["Recorded. Once it is due the next run closes it, as done by a person's word."])


def _dates(texts: list[str]) -> dict[str, date]:
    dates: dict[str, date] = {}
    for text in texts:
        name, equals, day = text.partition("=")
        if not equals or not name or name in dates:
            raise ConfigurationError("Write each date once, as --date NAME=DAY, such as due_on=2027-01-31. Nothing was done.")
        dates[name] = day_of(day, "--date")
    return dates
