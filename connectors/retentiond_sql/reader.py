"""Finds records. Its session cannot write, whatever it is asked."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any, TypeVar

import sqlalchemy as sa

from retentiond.connector import Action, Cutoff, Finding, Presence, Reader, RecordRef, Subject, Target
from retentiond_sql.connect import open_engine
from retentiond_sql.coverage import coverage_findings
from retentiond_sql.fitting import read_layout
from retentiond_sql.layout import Layout, Row
from retentiond_sql.options import SqlConnection, SqlDataset
from retentiond_sql.parts import PartTable, belongings, linked_values, read_parts
from retentiond_sql.people import perhaps
from retentiond_sql.plain import is_plain, reading
from retentiond_sql.preflight import preflight
from retentiond_sql.related import complete
from retentiond_sql.rows import fetch
from retentiond_sql.session import Session

PAGE = 1000
"""How many records are read at once; memory does not depend on how many there are."""

Read = TypeVar("Read")
Condition = sa.ColumnElement[bool]

_CLOCKS = {
    "postgresql": sa.text("SELECT extract(epoch FROM clock_timestamp())"),
    "mysql": sa.text("SELECT unix_timestamp(sysdate(6))"),
}


class SqlReader(Reader):
    """Reads one data set over a session that is read-only by itself."""

    def __init__(self, connection: SqlConnection, dataset: SqlDataset, target: Target) -> None:
        self._options = connection
        self._dataset = dataset
        self._target = target
        self._session = Session(open_engine(connection, writes=False), target)
        self._known: tuple[Layout, tuple[PartTable, ...]] | None = None

    def close(self) -> None:
        """End the session; harmless when repeated."""
        self._session.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Look for whatever would make `action` impossible or wrong; changes nothing."""
        acting = Session(open_engine(self._options, writes=False, acting_role=True), self._target)
        try:
            with self._session.reading() as connection, acting.reading() as for_rights:
                return preflight(connection, for_rights, self._options, self._dataset, self._target, action)
        finally:
            acting.close()

    def count(self) -> int:
        """How many records there are."""
        with self._session.reading() as connection:
            layout, _ = self._layout(connection)
            return sum(
                connection.execute(sa.select(sa.func.count()).select_from(table).where(layout.belongs(table))).scalar_one()
                for table, _ in layout.places()
            )

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Yield the records before the cutoff, oldest first, in pages that are each read anew."""
        layout = self._ready()
        layout.date(cutoff.by)

        def wanted(table: sa.FromClause) -> Condition:
            condition = layout.before(table, cutoff)
            if awaiting is not Action.DELETE:
                condition &= sa.not_(layout.anonymized(table))
            if awaiting is Action.BLOCK:
                condition &= sa.not_(layout.blocked(table))
            return condition

        if is_plain(layout) and not self._dataset.parts:
            yield from self._straight(reading(layout), cutoff, wanted)
            return
        places = [moved for _, moved in layout.places() if not (moved and awaiting is Action.BLOCK)]
        walks = [self._walk(moved, cutoff.by, wanted, lambda ref: cutoff.admits(ref.dates)) for moved in places]

        def age(row: Row) -> Any:
            return row.ref.dates[cutoff.by]

        yield from self._pages(heapq.merge(*walks, key=age))

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Yield the records of which none of `dates` is known."""
        layout = self._ready()
        for name in dates:
            layout.offers(name)
        for moved in [moved for _, moved in layout.places()]:
            yield from self._pages(
                self._walk(
                    moved,
                    None,
                    lambda table: layout.unknown(table, dates),
                    lambda ref: all(ref.dates[name] is None for name in dates),
                )
            )

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each record, seen in one moment; a record outside `only` is still there."""
        with self._session.reading() as connection:
            layout, _ = self._layout(connection)
            found = fetch(connection, layout, [ref.key for ref in refs])
        if not found:
            return [Presence.ABSENT] * len(refs)
        return [_presence(found.get(ref.key, [])) for ref in refs]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The record under `key`, `only` or not; a key of one column may have been split at its commas."""
        with self._session.reading() as connection:
            layout, parts = self._layout(connection)
            asked = key if len(layout.key_kinds) > 1 else (",".join(key),)
            rows = fetch(connection, layout, [asked]).get(asked, [])
            return self._counted(connection, layout, parts, rows[:1])[0] if rows else None

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """Yield the records that are about exactly this person, dated, blocked, anonymized or not."""
        name = self._dataset.subjects.get(person.kind)
        if name is None:
            return super().about(person)
        layout = self._ready()
        walks = [
            self._walk(
                moved,
                None,
                lambda table: perhaps(table.c[name], person, layout.dialect),
                lambda ref: person in ref.subjects,
            )
            for _, moved in layout.places()
        ]
        return self._pages(chain.from_iterable(walks))

    def coverage(self) -> Sequence[Finding]:
        """How many rows of the table belong to no data set of the settings, or to more than one."""
        with self._session.reading() as connection:
            return coverage_findings(connection, self._layout(connection)[0])

    def now(self) -> datetime | None:
        """The server's clock; None for SQLite, which has none of its own."""
        with self._session.reading() as connection:
            clock = _CLOCKS.get(connection.dialect.name)
            if clock is None:
                return None
            seconds = connection.execute(clock).scalar_one()
        return datetime.fromtimestamp(float(Decimal(seconds)), UTC)

    def _layout(self, connection: sa.Connection) -> tuple[Layout, tuple[PartTable, ...]]:
        if self._known is None:
            layout = read_layout(connection, self._dataset, self._target)
            self._known = layout, read_parts(connection, self._dataset.parts, layout.table, self._target)
        return self._known

    def _ready(self) -> Layout:
        with self._session.reading() as connection:
            return self._layout(connection)[0]

    def _walk(
        self,
        moved: bool,
        by: str | None,
        wanted: Callable[[sa.FromClause], Condition],
        admits: Callable[[RecordRef], bool],
    ) -> Iterator[Row]:
        """Yield the wanted rows of one table in order."""
        for rows in self._turn(
            moved, by, wanted, lambda at, layout, raw: complete(at, layout, [layout.read(row, moved=moved) for row in raw])
        ):
            # The database was asked for too much rather than too little; what is exact is decided here.
            yield from (row for row in rows if admits(row.ref))

    def _straight(
        self, read: Callable[[Sequence[Any]], list[RecordRef]], cutoff: Cutoff, wanted: Callable[[sa.FromClause], Condition]
    ) -> Iterator[Sequence[RecordRef]]:
        """Yield the records before the cutoff, oldest first, where they all lie in one table and are told by their rows."""
        for refs in self._turn(False, cutoff.by, wanted, lambda _at, _layout, raw: read(raw)):
            yield [ref for ref in refs if cutoff.admits(ref.dates)]

    def _turn(
        self,
        moved: bool,
        by: str | None,
        wanted: Callable[[sa.FromClause], Condition],
        read: Callable[[sa.Connection, Layout, Sequence[Any]], list[Read]],
    ) -> Iterator[list[Read]]:
        """Yield the wanted rows of one table page by page, by keyset: each begins after the last row of the one before."""
        position: tuple[Any, ...] | None = None
        while True:
            with self._session.reading() as connection:
                layout, _ = self._layout(connection)
                table = next(table for table, other in layout.places() if other is moved)
                query = layout.select(table, moved=moved).where(layout.belongs(table), wanted(table))
                if position is not None:
                    query = query.where(layout.after(table, by, position))
                raw = connection.execute(query.order_by(*layout.order(table, by)).limit(PAGE)).all()
                page = read(connection, layout, raw)
            yield page
            if len(raw) < PAGE:
                return
            position = layout.position(raw[-1], by)

    def _pages(self, rows: Iterator[Row]) -> Iterator[Sequence[RecordRef]]:
        while page := list(islice(rows, PAGE)):
            if not self._dataset.parts:
                yield [row.ref for row in page]
                continue
            with self._session.reading() as connection:
                refs = self._counted(connection, *self._layout(connection), page)
            yield refs

    def _counted(
        self, connection: sa.Connection, layout: Layout, parts: tuple[PartTable, ...], rows: Sequence[Row]
    ) -> list[RecordRef]:
        """The records, each with the number of rows that go with it."""
        owners = [
            (number, linked_values(layout.table, layout.linked, row.linked, layout.dialect)) for number, row in enumerate(rows)
        ]
        counts, _ = belongings(connection, parts, owners)
        return [replace(row.ref, rows=1 + counts[number]) for number, row in enumerate(rows)]


def _presence(rows: Sequence[Row]) -> Presence:
    """The least that was done to any row of the record."""
    if not rows:
        return Presence.ABSENT
    if all(row.anonymized for row in rows):
        return Presence.ANONYMIZED
    if all(row.ref.blocked for row in rows):
        return Presence.BLOCKED
    return Presence.PRESENT
