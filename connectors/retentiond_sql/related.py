"""What other tables tell about records: whether related rows exist, whether an aggregate may stand for them, the latest date."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from retentiond.connector import Fact, Finding, Moment
from retentiond_sql.dates import Form, as_text, parse
from retentiond_sql.deciding import Aggregate, Exists, RelatedDate
from retentiond_sql.identifiers import names_somebody
from retentiond_sql.layout import Layout, Relation, Row, digest
from retentiond_sql.parts import chunks
from retentiond_sql.rights import attempt
from retentiond_sql.tables import hidden
from retentiond_sql.values import among, as_written, digestible, fulfil, is_number

UNREADABLE = date(9999, 12, 31)
"""What a date is taken for that is there and cannot be read: later than all others, and too late for anybody to believe."""


def complete(connection: sa.Connection, layout: Layout, rows: Sequence[Row]) -> list[Row]:
    """The rows with all that other tables tell about them, seen now."""
    told = [list(_told(connection, layout, relation, rows)) for relation in layout.relations] if rows else []
    return [_with(row, layout.relations, [one[number] for one in told]) if told else row for number, row in enumerate(rows)]


def _with(row: Row, relations: Sequence[Relation], told: Sequence[Any]) -> Row:
    known = list(zip(relations, told, strict=True))
    dates = {one.name: value for one, value in known if isinstance(one.told, RelatedDate)}
    facts = {one.name: value for one, value in known if not isinstance(one.told, RelatedDate)}
    lines = [
        f"{kind} {name}={digestible(value)}" for kind, some in (("date", dates), ("fact", facts)) for name, value in some.items()
    ]
    ref = replace(
        row.ref,
        dates={**row.ref.dates, **dates},
        facts={**row.ref.facts, **facts},
        fingerprint=digest([row.ref.fingerprint, *lines]),
    )
    return replace(row, ref=ref, lasting=digest([row.lasting, *lines]))


def _told(connection: sa.Connection, layout: Layout, relation: Relation, rows: Sequence[Row]) -> Iterator[Fact | Moment]:
    """What the relation tells of each row. One record asks for all that refer by the same values."""
    links = [_link(layout, relation, row) for row in rows]
    asking = dict(zip(links, rows, strict=True))
    told: dict[tuple[bool, str], Fact | Moment] = {}
    for table, moved in layout.places():
        keys = [row.key for row in asking.values() if row.moved is moved]
        for some in chunks(keys):
            query = _question(layout, relation, table).where(among(layout.key_columns(table), some, layout.dialect))
            width = len(layout.options.key)
            for raw in connection.execute(query):
                of = moved, repr(layout.key_values(raw[:width]))
                told[of] = _folded(relation, told.get(of), raw[width:])
    for link in links:
        row = asking[link]
        yield told.get((row.moved, repr(row.key)), None if isinstance(relation.told, RelatedDate) else False)


def _link(layout: Layout, relation: Relation, row: Row) -> tuple[object, ...]:
    values = dict(zip(layout.linked, row.linked, strict=True))
    return (row.moved, *(repr(values[name]) for name in relation.told.refers.values()))


def _question(layout: Layout, relation: Relation, table: sa.FromClause) -> sa.Select[Any]:
    """Ask for the keys of records that have related rows, and for what these hold."""
    other, told = relation.table.clause("f"), relation.told
    keys = [column.label(f"k{number}") for number, column in enumerate(layout.key_columns(table))]
    # The database's own equality: where a foreign key takes the rows for related, so do we.
    refers = sa.and_(*(other.c[theirs] == table.c[ours] for theirs, ours in told.refers.items()))
    match told:
        case Exists():
            wanted = fulfil(other, told.where, layout.dialect)
            some: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(other).where(refers, wanted)
            return sa.select(*keys).select_from(table).where(sa.exists(some.correlate(table)))
        case Aggregate():
            shown = [other.c[told.count], *(layout.as_read(other.c[name]) for name in _texts(layout, relation))]
        case RelatedDate():
            shown = [as_text(other.c[told.column], relation.form, layout.dialect)]
    named = [column.label(f"v{number}") for number, column in enumerate(shown)]
    query = sa.select(*keys, *named).select_from(table.join(other, refers))
    # Not where the dates are text: a collation would take what can be read and what cannot for the same.
    return query if isinstance(told, Aggregate) or relation.form is Form.TEXT else query.distinct()


def _texts(layout: Layout, relation: Relation) -> list[str]:
    """The columns of an aggregate that can hold text; in SQLite all can."""
    told, no_text = relation.told, (sa.Date, sa.DateTime, sa.Time, sa.Interval)
    names = [*told.refers, *(told.columns if isinstance(told, Aggregate) else ())]
    types = {name: relation.table.columns[name].type for name in names}
    if layout.dialect == "sqlite":
        return names
    return [name for name in names if not (is_number(types[name]) or isinstance(types[name], no_text))]


def _folded(relation: Relation, before: Fact | Moment, raw: Sequence[Any]) -> Fact | Moment:
    """What is told once one more related row is seen; `before` is None for the first."""
    match relation.told:
        case Exists():
            return True
        case Aggregate() as told:
            return before is not False and relation.fit and _stands(told, raw)
        case RelatedDate() as told:
            moment = parse(told, raw[0], relation.form)
            found: list[Moment] = [UNREADABLE if moment is None else moment]
            found += [before] if isinstance(before, date) else []
            return UNREADABLE if UNREADABLE in found else max(found, key=_instant)


def _instant(moment: Moment) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)


def _stands(told: Aggregate, raw: Sequence[Any]) -> bool:
    """True where the row is made of enough people and names none of them."""
    count, *texts = raw
    if isinstance(count, bool) or not isinstance(count, (int, float, Decimal)) or not math.isfinite(count):
        return False
    written = [as_written(text) for text in texts if isinstance(text, (str, bytes))]
    return count >= told.at_least and not any(map(names_somebody, written))


def unaskable(connection: sa.Connection, layout: Layout) -> list[Finding]:
    """Ask for no row at all, in just the way that other tables are asked: proves rights and types."""
    return [
        Finding(
            f"The table {relation.table}, which {relation.name} of {layout.target} asks, cannot be read, or its columns cannot "
            f"be compared with those they refer to. Grant our reading role SELECT, and see that the types fit."
        )
        for relation in layout.relations
        for table, _ in layout.places()
        if attempt(connection, _question(layout, relation, table).where(sa.literal_column("1 = 0"))) is not None
    ]


def related_findings(connection: sa.Connection, layout: Layout) -> list[Finding]:
    """What would make other tables tell less than there is, and aggregates that can vouch for nothing."""
    found = [one for relation in layout.relations for one in hidden(connection, relation.table, layout.target)]
    return found + [
        Finding(
            f"The table {relation.table} has columns that {relation.name} of {layout.target} does not name, or counts that are "
            f"no numbers, so the fact is false for every record. Name all columns under `columns`; none may tell of a person.",
            refuses=False,
        )
        for relation in layout.relations
        if not relation.fit
    ]
