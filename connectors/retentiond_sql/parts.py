"""Rows of other tables that go with a record: counted with it, and deleted before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retentiond.connector import ConnectorError, Target, TransientConnectorError
from retentiond_sql.options import Part
from retentiond_sql.schema import Table, read_table, references_on
from retentiond_sql.values import Kind, alike, among, kind_of, plain, to_text

AT_ONCE = 500
"""How many keys one statement names."""

Values = Mapping[str, Any]
"""Columns of a row that parts refer to, and their values."""


@dataclass(frozen=True, slots=True)
class PartTable:
    """A declared part brought together with its table."""

    table: Table
    columns: tuple[str, ...]
    refers: tuple[str, ...]
    """For each of `columns` the column it refers to in the table above."""
    linked: tuple[str, ...]
    """Columns that the parts below refer to."""
    parts: tuple[PartTable, ...]
    enforced: bool
    """True where a foreign key of the database says the same."""

    def declared(self) -> Values:
        """Each of `columns` with what it refers to."""
        return dict(zip(self.columns, self.refers, strict=True))


@dataclass(frozen=True, slots=True)
class Belonging:
    """Rows of one part table that belong to the records of a batch."""

    part: PartTable
    values: tuple[tuple[Any, ...], ...]
    """What their `columns` may be."""
    owners: Mapping[tuple[str | None, ...], int]
    """For the text of each of `values` the number of the record that it leads to."""
    counts: Counter[int]
    """How many rows there are for each of these."""


def read_parts(connection: sa.Connection, parts: Sequence[Part], above: Table, target: Target) -> tuple[PartTable, ...]:
    """Bring declared parts of the table `above` and schema together; raises `ConnectorError` where they do not fit."""
    found = []
    references = references_on(connection, above) if parts else []
    for part in parts:
        table = read_table(connection, part.table)
        if table is None:
            raise ConnectorError(f"There is no table {part.table}, a part of {target}, or our role may not see it.", "unreadable")
        linked = tuple(dict.fromkeys(column for below in part.parts for column in below.refers.values()))
        absent = sorted({*part.refers, *linked} - table.columns.keys())
        if absent:
            raise ConnectorError(f"The table {table}, a part of {target}, has no column {', '.join(absent)}.", "unreadable")
        nested = read_parts(connection, part.parts, table, target)
        enforced = any(reference.is_from(table, part.refers) for reference in references)
        found.append(PartTable(table, tuple(part.refers), tuple(part.refers.values()), linked, nested, enforced))
    return tuple(found)


def linked_values(table: Table, names: Sequence[str], values: Sequence[Any], dialect: str) -> Values:
    """The values of linked columns, without the padding that PostgreSQL gives to CHAR."""
    padded = {name for name in names if kind_of(table.columns[name].type, dialect) is Kind.PADDED}
    return {
        name: value.rstrip(" ") if name in padded and isinstance(value, str) else value
        for name, value in zip(names, values, strict=True)
    }


def belongings(
    connection: sa.Connection, parts: Sequence[PartTable], owners: Sequence[tuple[int, Values]]
) -> tuple[Counter[int], list[Belonging]]:
    """How many rows go with each owner, and which; innermost parts first, as they have to be deleted.

    A row that is reached in two ways is counted twice here; `delete_parts` counts what went.
    """
    rows: Counter[int] = Counter()
    all_found: list[Belonging] = []
    dialect = connection.dialect.name
    for part in parts:
        owner_of: dict[tuple[str | None, ...], int] = {}
        wanted: list[tuple[Any, ...]] = []
        for owner, values in owners:
            value = tuple(values[name] for name in part.refers)
            if None not in value:
                owner_of[tuple(map(to_text, value))] = owner
                wanted.append(value)
        children: list[tuple[int, Values]] = []
        counts: Counter[int] = Counter()
        for owner, number, linked in _owned(connection, part, wanted, owner_of):
            counts[owner] += number
            if part.parts:
                children.append((owner, linked_values(part.table, part.linked, linked, dialect)))
        nested_rows, nested = belongings(connection, part.parts, children)
        rows += counts + nested_rows
        all_found += [*nested, Belonging(part, tuple(wanted), owner_of, counts)]
    return rows, all_found


def _owned(
    connection: sa.Connection,
    part: PartTable,
    values: Sequence[tuple[Any, ...]],
    owners: Mapping[tuple[str | None, ...], int],
) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """To whom rows of the part belong, how many they are, and what the parts below refer to."""
    for some in chunks(values):
        for texts, number, linked in _look(connection, part, some, connection.dialect.name):
            if texts not in owners:
                raise ConnectorError(f"The table {part.table} answered with rows it was not asked for.", "malformed")
            yield owners[texts], number, linked


def _look(
    connection: sa.Connection, part: PartTable, values: Sequence[tuple[Any, ...]], dialect: str
) -> Iterator[tuple[tuple[str | None, ...], int, tuple[Any, ...]]]:
    """The text of what each row refers to, how many rows that are, and what the parts below refer to."""
    table = part.table.clause("p")
    columns = [table.c[name] for name in part.columns]
    text = [place for place, value in enumerate(values[0]) if isinstance(value, str)]
    shown = [plain(column, dialect) if place in text else column for place, column in enumerate(columns)]
    named = [column.label(f"c{number}") for number, column in enumerate(shown)]
    query = sa.select(*named).where(among(columns, values, dialect))
    if part.parts:
        query = query.add_columns(*(table.c[name].label(f"l{number}") for number, name in enumerate(part.linked)))
    else:
        query = query.add_columns(sa.func.count().label("n")).group_by(*shown)
    for row in connection.execute(query).all():
        raw = [
            value.decode() if place in text and isinstance(value, bytes) else value
            for place, value in enumerate(row[: len(columns)])
        ]
        rest = tuple(row[len(columns) :])
        yield tuple(map(to_text, raw)), 1 if part.parts else rest[0], rest if part.parts else ()


def unsure(connection: sa.Connection, found: Sequence[Belonging]) -> bool:
    """True where foreign keys hold rows to belong to an owner whose key they write in another way, as a collation lets them.

    To the database they are parts: it would take them along, or keep the owner for their sake. To us they are not.
    """
    dialect = connection.dialect.name
    for belonging in found:
        if not belonging.part.enforced:
            continue
        table = belonging.part.table.clause("p")
        columns = [table.c[name] for name in belonging.part.columns]
        for some in chunks(belonging.values):
            query = sa.select(sa.func.count()).select_from(table).where(alike(columns, some, dialect))
            if connection.execute(query).scalar_one():
                return True
    return False


def delete_parts(connection: sa.Connection, found: Sequence[Belonging], target: Target) -> Counter[int]:
    """Delete the rows, and tell how many went with each record.

    Raises `TransientConnectorError` where they are not as many as were counted.
    """
    dialect = connection.dialect.name
    rows: Counter[int] = Counter()
    reached: set[str] = set()
    for belonging in found:
        part, counts = belonging.part, belonging.counts
        if str(part.table) in reached:
            # Two ways lead to this table, and the first may have taken the same rows.
            counts = Counter()
            for owner, number, _ in _owned(connection, part, belonging.values, belonging.owners):
                counts[owner] += number
        reached.add(str(part.table))
        table = part.table.plain()
        columns = [table.c[name] for name in part.columns]
        gone = 0
        for some in chunks(belonging.values):
            gone += connection.execute(sa.delete(table).where(among(columns, some, dialect))).rowcount
        if gone != counts.total():
            raise TransientConnectorError(
                f"The rows of {part.table} changed while records of {target} were about to go; nothing was deleted.",
                "unavailable",
            )
        rows += counts
    return rows


def chunks(values: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The values in as many as one statement names at once."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
