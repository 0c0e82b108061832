"""Tasks of persons as a list: whose they are, what is to be done, and what is overdue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from rich.console import RenderableType

from retentiond.engine.tasking import Stage, Standing, Tasked
from retentiond.report.layout import lines, table
from retentiond.report.shown import day_or_moment, moment, shown, stamp


class TaskJson(TypedDict):
    """One task that is not over."""

    system: str
    dataset: str
    key: str
    owner: str
    instructions: str
    dates: dict[str, str | None]
    rule: str | None
    state: str
    due_at: str | None
    overdue_from: str | None


class TasksJson(TypedDict):
    """What `task list --json` writes."""

    tasks: list[TaskJson]
    troubles: list[str]


def tasks_json(tasked: Tasked) -> TasksJson:
    """The list for a program."""
    return {"tasks": [_task_json(one) for one in tasked.tasks], "troubles": list(tasked.troubles)}


def tasks_text(tasked: Tasked) -> Iterator[RenderableType]:
    """The list for a person: what waits, with what is to be done about it below."""
    yield from (shown(one) for one in tasked.troubles)
    if not tasked.tasks:
        if not tasked.troubles:
            yield "There is no task."
        return
    grid = table("task", "state", "due", "overdue from", "owner")
    for one in tasked.tasks:
        due = moment(one.due_at, one.zone) if one.due_at else "-"
        late = moment(one.overdue_from, one.zone) if one.overdue_from else "-"
        grid.add_row(shown(f"{one.target} {one.task.ref.key[0]}"), one.stage.value, due, late, shown(one.task.owner))
    yield grid
    for target in dict.fromkeys(one.target for one in tasked.at(Stage.WAITING, Stage.OVERDUE)):
        task = next(one.task for one in tasked.tasks if one.target == target)
        yield ""
        yield f"{shown(str(target))}:"
        yield lines(shown(task.instructions))
        yield lines(f"Then: retentiond task done {shown(str(target))} KEY --evidence REFERENCE --by STAFF-ID")


def _task_json(one: Standing) -> TaskJson:
    task = one.task
    return {
        "system": one.target.system,
        "dataset": one.target.dataset,
        "key": task.ref.key[0],
        "owner": task.owner,
        "instructions": task.instructions,
        "dates": {name: None if day is None else day_or_moment(day) for name, day in sorted(task.ref.dates.items())},
        "rule": one.rule,
        "state": one.stage.value,
        "due_at": stamp(one.due_at) if one.due_at else None,
        "overdue_from": stamp(one.overdue_from) if one.overdue_from else None,
    }
