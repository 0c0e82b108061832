"""Tasks of persons: which wait and which are overdue by the rules, and a person's word that one is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from retentiond.connector.registry import BoundTarget
from retentiond.connector.tasks import Said, Task
from retentiond.engine.approval import staff_id
from retentiond.engine.assignment import Assignment
from retentiond.engine.holding import reference
from retentiond.engine.registers import Registers
from retentiond.engine.reviewing import document_digest
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.decision import Verdict
from retentiond.model.due import later_by
from retentiond.model.record import Target
from retentiond.store import Entry, Store


class Stage(StrEnum):
    """How far a task is."""

    UNRULED = "unruled"
    """No rule is about it, so nobody can say when it is due."""
    UNDATED = "undated"
    """A date that decides is unknown."""
    TO_COME = "to-come"
    HELD = "held"
    """It would be due, but a hold, a tax year or a request is in the way."""
    WAITING = "waiting"
    """It is due, and its person has not said that it is done."""
    OVERDUE = "overdue"
    """It waits for longer than it may."""
    DONE = "done"
    """Its person said that it is done; a run closes it once it is due."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One task, and how it stands."""

    target: Target
    task: Task
    stage: Stage
    rule: str | None
    zone: str
    due_at: datetime | None
    """From when it is due (UTC); None where that is unknown, open or held."""
    overdue_from: datetime | None


@dataclass(frozen=True, slots=True)
class Tasked:
    """All tasks of all data sets that hold any."""

    tasks: tuple[Standing, ...] = ()
    troubles: tuple[str, ...] = ()
    """Which data sets could not be read, as finished sentences: their tasks are missing here."""

    def at(self, *stages: Stage) -> list[Standing]:
        """Those at one of these stages."""
        return [one for one in self.tasks if one.stage in stages]


def tasked(workplace: Workplace, registers: Registers, now: datetime) -> Tasked:
    """Look at every task, as of `now` (aware UTC); a data set that cannot be read stops no other."""
    ruled = {one.target.target: one for one in workplace.at(now).assignments}
    found: list[Standing] = []
    troubles: list[str] = []
    for bound in keepers(workplace):
        try:
            with bound.tasks() as keeper:
                tasks = keeper.tasks()
        except (ConnectorError, ConfigurationError) as error:
            troubles.append(str(error))
            continue
        found += _standing(bound.target, tasks, ruled.get(bound.target), registers, now)
    return Tasked(tuple(found), tuple(troubles))


def keepers(workplace: Workplace) -> list[BoundTarget]:
    """The data sets that hold tasks of persons, in the order of their names."""
    return [one for _, one in sorted(workplace.targets.items(), key=lambda item: str(item[0])) if one.connector.tasks is not None]


def add_task(workplace: Workplace, target: Target, key: str, dates: Mapping[str, date]) -> None:
    """Enter a task; raises `ConfigurationError`, and changes nothing, where it cannot be one."""
    with _keeper(workplace, target).tasks() as keeper:
        keeper.add(key, dates)


def finish_task(
    workplace: Workplace,
    store: Store,
    target: Target,
    key: str,
    evidence: str,
    by: str,
    now: datetime,
    document: Path | None = None,
) -> None:
    """Record a person's word that a task is done. The deletion log is told first, so that it tells of every word.

    `evidence` is a reference to a file; of a `document` the digest alone is kept. Raises `ConfigurationError`, and changes
    nothing, where there is no such open task.
    """
    by, evidence = staff_id(by), reference(evidence)
    digest = None if document is None else document_digest(document)
    with _keeper(workplace, target).tasks() as keeper:
        open_ones = [one for one in keeper.tasks() if one.ref.key == (key,) and not one.done]
        if not open_ones:
            raise ConfigurationError(
                f"There is no open task of {target} under that key; look at `retentiond task list`. Nothing was done."
            )
        mark = store.task_mark(str(target), key, open_ones[0].ref.fingerprint, evidence, digest or "")
        fields = {"subject": f"task {target}", "digest": mark, "decision": "done", "by": by}
        store.enqueue(Entry("approval", now, fields if digest is None else {**fields, "document": digest}))
        keeper.finish(key, Said(now, by, evidence, digest))


def _keeper(workplace: Workplace, target: Target) -> BoundTarget:
    for bound in keepers(workplace):
        if bound.target == target:
            return bound
    known = ", ".join(str(one.target) for one in keepers(workplace)) or "none"
    raise ConfigurationError(f"{target} is no data set of tasks; there are: {known}. Nothing was done.")


def _standing(
    target: Target, tasks: Sequence[Task], assignment: Assignment | None, registers: Registers, now: datetime
) -> Iterator[Standing]:
    if assignment is None:
        for task in tasks:
            yield Standing(target, task, Stage.DONE if task.done else Stage.UNRULED, None, "UTC", None, None)
        return
    rule, zone, standing = assignment.rule.id, assignment.zone, registers.for_rule(assignment)
    for task in tasks:
        decision = standing.decide(task.ref, now)
        due = decision.act_from
        late = later_by(due, task.within, zone) if due is not None else None
        overdue = late if isinstance(late, datetime) else None
        if task.done:
            stage = Stage.DONE
        elif decision.verdict is Verdict.UNDATABLE:
            stage = Stage.UNDATED
        elif decision.verdict is Verdict.HELD:
            stage = Stage.HELD
        elif due is None or due > now:
            stage = Stage.TO_COME
        else:
            stage = Stage.OVERDUE if overdue is not None and overdue <= now else Stage.WAITING
        yield Standing(target, task, stage, rule, zone, due, overdue)
