"""Approved plans: which records a person allowed, as keyed digests that tell nothing to who lacks the key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

import sqlalchemy as sa

from retentiond.store.part import Part
from retentiond.store.tables import plan_records, plans
from retentiond.store.values import PlanHeader

CHUNK = 500
"""How many records one statement names; far below what any of the databases takes."""

AT_ONCE = 20_000
"""How many records one transaction takes: well under a second, so that nobody who waits for the store gives up."""


class Plans(Part):
    """The part of the store that knows what approved plans name."""

    def save_plan(self, header: PlanHeader, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep a plan with handle and fingerprint of each of its records; the same plan saved again takes its own place.

        It is there as a whole or, for all who ask, not at all. In constant memory: `records` is read once, in pieces.
        """
        values = {name: getattr(header, name) for name in PlanHeader.__dataclass_fields__}
        with self._transaction() as connection:
            _drop(connection, plans.c.digest == header.digest)
            connection.execute(sa.insert(plans).values(**values, whole=False))
        rest = iter(records)
        while piece := list(islice(rest, AT_ONCE)):
            with self._transaction() as connection:
                connection.execute(
                    sa.insert(plan_records), [{"plan": header.digest, "ref": ref, "fingerprint": mark} for ref, mark in piece]
                )
        with self._transaction() as connection:
            connection.execute(sa.update(plans).where(plans.c.digest == header.digest).values(whole=True))

    def plan(self, digest: str) -> PlanHeader | None:
        """The plan of this digest, expired or not; None where it was never saved, or was dropped."""
        with self._transaction() as connection:
            row = connection.execute(sa.select(plans).where(plans.c.digest == digest, plans.c.whole)).mappings().first()
        return None if row is None else PlanHeader(**{name: row[name] for name in PlanHeader.__dataclass_fields__})

    def plan_lists(self, digest: str, refs: Sequence[bytes]) -> dict[bytes, bytes]:
        """Of the handles asked for, those that the plan names, each with its record's fingerprint then."""
        found: dict[bytes, bytes] = {}
        whole = sa.select(plan_records).join(plans).where(plans.c.digest == digest, plans.c.whole)
        with self._transaction() as connection:
            for start in range(0, len(refs), CHUNK):
                rows = connection.execute(whole.where(plan_records.c.ref.in_(refs[start : start + CHUNK])))
                found.update((bytes(row.ref), bytes(row.fingerprint)) for row in rows)
        return found

    def drop_plans(self, now: datetime) -> int:
        """Forget the plans that have expired at `now`, with all they name; how many those were."""
        with self._transaction() as connection:
            return _drop(connection, plans.c.expires_at <= now)


def _drop(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    connection.execute(sa.delete(plan_records).where(plan_records.c.plan.in_(sa.select(plans.c.digest).where(which))))
    return connection.execute(sa.delete(plans).where(which)).rowcount
