"""Approved plans: which records a person allowed, as keyed digests that tell nothing to who lacks the key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa

from retentiond.store.part import Part
from retentiond.store.tables import plan_records, plans
from retentiond.store.values import PlanHeader

T = TypeVar("T")

CHUNK = 500
"""How many records one statement names; far below what any of the databases takes."""


class Plans(Part):
    """The part of the store that knows what approved plans name."""

    def save_plan(self, header: PlanHeader, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep a plan with handle and fingerprint of each of its records; the same plan saved again takes its own place.

        All or nothing, and in constant memory: `records` is read once, in pieces.
        """
        with self._transaction() as connection:
            _drop(connection, plans.c.digest == header.digest)
            connection.execute(
                sa.insert(plans).values(**{name: getattr(header, name) for name in PlanHeader.__dataclass_fields__})
            )
            for chunk in _chunks(records):
                connection.execute(
                    sa.insert(plan_records), [{"plan": header.digest, "ref": ref, "fingerprint": mark} for ref, mark in chunk]
                )

    def plan(self, digest: str) -> PlanHeader | None:
        """The plan of this digest, expired or not; None where it was never saved, or was dropped."""
        with self._transaction() as connection:
            row = connection.execute(sa.select(plans).where(plans.c.digest == digest)).mappings().first()
        return None if row is None else PlanHeader(**{name: row[name] for name in PlanHeader.__dataclass_fields__})

    def plan_lists(self, digest: str, refs: Sequence[bytes]) -> dict[bytes, bytes]:
        """Of the handles asked for, those that the plan names, each with its record's fingerprint then."""
        found: dict[bytes, bytes] = {}
        with self._transaction() as connection:
            for chunk in _chunks(refs):
                rows = connection.execute(
                    sa.select(plan_records.c.ref, plan_records.c.fingerprint).where(
                        plan_records.c.plan == digest, plan_records.c.ref.in_(chunk)
                    )
                )
                found.update((bytes(row.ref), bytes(row.fingerprint)) for row in rows)
        return found

    def drop_plans(self, now: datetime) -> int:
        """Forget the plans that have expired at `now`, with all they name; how many those were."""
        with self._transaction() as connection:
            return _drop(connection, plans.c.expires_at <= now)


def _drop(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    connection.execute(sa.delete(plan_records).where(plan_records.c.plan.in_(sa.select(plans.c.digest).where(which))))
    return connection.execute(sa.delete(plans).where(which)).rowcount


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
