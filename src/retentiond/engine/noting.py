"""What a run writes down for people to look at: records up for review, and records that no rule can be applied to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from retentiond.engine.assignment import Assignment
from retentiond.model.decision import Reason
from retentiond.model.record import Action, RecordRef
from retentiond.store import Store

MOST = 10_000
"""How many records of a kind are remembered one by one; a rule with more has another trouble than the single record."""

Key = tuple[str, ...]


class Notes:
    """Collects them while one step is planned, and keeps them once the plan is whole."""

    def __init__(self, store: Store, assignment: Assignment, now: datetime) -> None:
        self._store = store
        self._assignment = assignment
        self._now = now
        self._reviews: list[tuple[Key, datetime]] = []
        self._findings: dict[Reason, list[Key]] = {Reason.UNDATABLE: [], Reason.CONTESTED: []}

    def review(self, ref: RecordRef, due: datetime) -> None:
        """A record that is up for review since `due` (UTC)."""
        if len(self._reviews) < MOST:
            self._reviews.append((ref.key, due))

    def finding(self, reason: Reason, ref: RecordRef) -> None:
        """A record without a provable date, or claimed by two data sets."""
        if len(self._findings[reason]) < MOST:
            self._findings[reason].append(ref.key)

    def keep(self, action: Action, gone: Sequence[Key]) -> None:
        """Write down what was found by the step that looks at every record which is to go.

        `gone` are records about which something was decided and that are no longer there.
        """
        rule = self._assignment.rule
        if action is not rule.action:
            return
        if rule.review_after is not None:
            self._store.note_reviews(rule.id, self._assignment.target.target, self._reviews, rule.review_after.owner, self._now)
            self._store.close_reviews(rule.id, [*gone, *self._settled()])
        for reason, keys in self._findings.items():
            self._store.note_findings(rule.id, reason.value, keys, self._now, whole=len(keys) < MOST)

    def _settled(self) -> list[Key]:
        """The records that wait in the queue and are no longer up for review, because they went or their date moved."""
        if len(self._reviews) == MOST:
            return []
        still = {key for key, _ in self._reviews}
        waiting = (item for item in self._store.reviews() if item.rule == self._assignment.rule.id and item.waiting)
        return [item.key for item in waiting if item.key not in still]
