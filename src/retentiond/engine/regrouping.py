"""Sorts what is to be done again into steps: one for each action, and each version of a rule by which it was done before."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from retentiond.audit import Intent
from retentiond.engine.registers import Standing
from retentiond.engine.replay import Again
from retentiond.engine.spool import Spool, open_spool
from retentiond.engine.values import DueRecord
from retentiond.model.record import Action, Target

ORDER = (Action.UNBLOCK, Action.BLOCK, Action.ANONYMIZE, Action.DELETE)
"""In which order acts are done again; within it, in that of the log."""

PAGE = 1000
"""How many records are spooled at once."""


@dataclass(slots=True)
class Group:
    """What is done again as one step: one action, once done by one version of one rule."""

    standing: Standing
    like: Intent
    """How it was intended then."""
    spool: Spool
    indexes: array[int] = field(default_factory=lambda: array("q"))
    """For each record the entry by which it was dealt with."""
    waiting: list[DueRecord] = field(default_factory=list)
    """Records on their way to the spool, which takes them by the page."""

    def add(self, again: Again) -> None:
        """Take in one act."""
        self.indexes.append(again.act.index)
        self.waiting.append(DueRecord(again.ref, again.act.intent.due))
        if len(self.waiting) == PAGE:
            self._spool_waiting()

    def _spool_waiting(self) -> None:
        if self.waiting:
            self.spool.add(self.waiting)
            self.waiting.clear()

    def batches(self, size: int, marks: dict[tuple[str, ...], int]) -> Iterator[Sequence[DueRecord]]:
        """Yield the records, at most `size` at a time, having noted their entries in `marks`."""
        self._spool_waiting()
        indexes = iter(self.indexes)
        for batch in self.spool.batches(size):
            marks.update((record.ref.key, next(indexes)) for record in batch)
            yield batch


@dataclass(slots=True)
class Groups:
    """Takes in what is to be done again; on the disk but for a number each."""

    directory: Path
    stack: ExitStack
    found: dict[tuple[Target, Action, str], Group] = field(default_factory=dict)

    def add(self, standing: Standing, again: Again) -> None:
        """Take in one act."""
        intent = again.act.intent
        about = intent.target, intent.action, intent.rule
        group = self.found.get(about)
        if group is None:
            group = self.found[about] = Group(standing, intent, self.stack.enter_context(open_spool(self.directory)))
        group.add(again)

    def ordered(self) -> list[Group]:
        """The groups in the order in which they are to be done."""
        return sorted(self.found.values(), key=lambda group: (ORDER.index(group.like.action), min(group.indexes)))
