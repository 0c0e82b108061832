"""How long records have had a trouble that no rule can mend. Kept are keyed marks, so that none of them can be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from retentiond.store.part import Part
from retentiond.store.tables import findings
from retentiond.store.values import FindingAge

_CHUNK = 500


class Findings(Part):
    """The part of the store that knows the ages of findings."""

    def note_findings(self, rule: str, kind: str, keys: Sequence[tuple[str, ...]], at: datetime, *, whole: bool) -> None:
        """Note which records have the trouble at `at`; one that had it before keeps its first day.

        With `whole` these, and those noted at the same moment before, are all there are: every other one is forgotten.
        """
        marks = list(dict.fromkeys(self._seal.mark("finding", rule, kind, *key) for key in keys))
        with self._transaction() as connection:
            for chunk in _chunks(marks):
                there = findings.c.mark.in_(chunk)
                known = {bytes(mark) for mark in connection.execute(sa.select(findings.c.mark).where(there)).scalars()}
                connection.execute(sa.update(findings).where(there).values(last_seen=at))
                new = [
                    {"mark": mark, "rule": rule, "kind": kind, "first_seen": at, "last_seen": at}
                    for mark in chunk
                    if mark not in known
                ]
                if new:
                    connection.execute(sa.insert(findings), new)
            if whole:
                connection.execute(
                    sa.delete(findings).where(findings.c.rule == rule, findings.c.kind == kind, findings.c.last_seen != at)
                )

    def findings(self) -> list[FindingAge]:
        """For each rule and kind, how many and since when; in order of the rules' names."""
        counted = (
            sa.select(findings.c.rule, findings.c.kind, sa.func.count().label("count"), sa.func.min(findings.c.first_seen))
            .group_by(findings.c.rule, findings.c.kind)
            .order_by(findings.c.rule, findings.c.kind)
        )
        with self._transaction() as connection:
            return [FindingAge(rule, kind, count, oldest) for rule, kind, count, oldest in connection.execute(counted)]


def _chunks(marks: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [marks[start : start + _CHUNK] for start in range(0, len(marks), _CHUNK)]
