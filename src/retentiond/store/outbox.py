"""Entries on their way to the deletion log: what a register learns while a run has the log's only writer in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from retentiond.store.part import Part
from retentiond.store.tables import outbox


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry that the log is to take in."""

    kind: str
    """The kind of leaf."""
    at: datetime
    fields: Mapping[str, str]
    """What the leaf says beside kind and time; no personal data."""


class Outbox(Part):
    """The part of the store that keeps entries until the log has taken them in."""

    def enqueue(self, entry: Entry) -> None:
        """Keep an entry that belongs to nothing else that is written."""
        with self._transaction() as connection:
            insert_entry(connection, entry)

    def pending(self) -> list[tuple[int, Entry]]:
        """The entries that wait, oldest first, each with its number."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(outbox).order_by(outbox.c.id)).mappings().all()
        return [(row["id"], Entry(row["kind"], row["at"], row["fields"])) for row in rows]

    def dequeue(self, number: int) -> None:
        """Forget an entry that the log has taken in."""
        with self._transaction() as connection:
            connection.execute(sa.delete(outbox).where(outbox.c.id == number))


def insert_entry(connection: sa.Connection, entry: Entry | None) -> None:
    """Put an entry, where there is one, into the transaction that it belongs to."""
    if entry is not None:
        connection.execute(sa.insert(outbox).values(kind=entry.kind, at=entry.at, fields=dict(entry.fields)))
