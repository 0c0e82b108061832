"""The suppression list: who must not be contacted again, as keyed marks from which nobody can tell who that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from retentiond.errors import StateError
from retentiond.model.subject import Subject
from retentiond.store.outbox import Entry, insert_entry
from retentiond.store.part import Part
from retentiond.store.tables import suppressions

_LIST = "suppression list"
"""What the mark of the list itself is made of: with it there, the key is the one by which the others were made."""


class Suppressions(Part):
    """The part of the store that knows who is suppressed. Outlives everything else that is known about the person."""

    def suppress(self, person: Subject, case: str, at: datetime) -> None:
        """Put an identifier on the list, since `at`; one that is on it stays as it is. `case` is a reference, no name."""
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        marks = (self._seal.mark(_LIST), self._suppression(person))
        entries = [{"mark": mark, "case_ref": case, "since": at} for mark in marks]
        with self._list() as connection:
            # A run and a command may say the same at one time.
            connection.execute(insert(suppressions).on_conflict_do_nothing(), entries)

    def suppressed(self, person: Subject) -> datetime | None:
        """Since when exactly this identifier is on the list (UTC); None where it is not."""
        wanted = sa.select(suppressions.c.since).where(suppressions.c.mark == self._suppression(person))
        with self._list() as connection:
            since: datetime | None = connection.execute(wanted).scalar_one_or_none()
        return since

    def unsuppress(self, person: Subject, at: datetime, entry: Entry | None = None) -> bool:
        """Take an identifier off the list, by a consent given at `at`; True where it was on it and no later objection is.

        Nothing of the entry is kept.
        """
        mark = self._suppression(person)
        with self._list() as connection:
            gone = sa.delete(suppressions).where(suppressions.c.mark == mark, suppressions.c.since <= at)
            if connection.execute(gone).rowcount != 1:
                return False
            insert_entry(connection, entry)
            return True

    def suppression_mark(self, person: Subject) -> str:
        """What stands for the identifier where it must not be told (hex)."""
        return self._suppression(person).hex()

    def suppression_marks(self) -> list[tuple[str, datetime]]:
        """What stands on the list (hex), each with since when (UTC), oldest first."""
        wanted = sa.select(suppressions.c.mark, suppressions.c.since).where(suppressions.c.mark != self._seal.mark(_LIST))
        with self._list() as connection:
            rows = connection.execute(wanted.order_by(suppressions.c.since, suppressions.c.mark)).all()
        return [(bytes(mark).hex(), since) for mark, since in rows]

    def remove_suppression(self, mark: str, since: datetime) -> bool:
        """Take what is called `mark` (hex) off the list, if it is there since just then; True where it was."""
        gone = sa.delete(suppressions).where(suppressions.c.mark == bytes.fromhex(mark), suppressions.c.since == since)
        with self._list() as connection:
            return connection.execute(gone).rowcount == 1

    @contextmanager
    def _list(self) -> Iterator[sa.Connection]:
        """The list; raises `StateError` where it was made with another key, by which everybody on it would look free."""
        with self._transaction() as connection:
            marks = sa.select(suppressions.c.mark)
            mine = connection.execute(marks.where(suppressions.c.mark == self._seal.mark(_LIST))).first()
            if mine is None and connection.execute(marks.limit(1)).first() is not None:
                raise StateError(
                    "The suppression list was made with another `register.key` than the one in the state directory, so nobody "
                    "can tell who is on it. Restore the key from the backup of the state directory."
                )
            yield connection

    def _suppression(self, person: Subject) -> bytes:
        return self._seal.mark("suppression", person.kind, person.value)
