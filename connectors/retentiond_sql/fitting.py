"""Brings the options of a data set and the schema together; what does not fit is told in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from retentiond.connector import ConnectorError, Target
from retentiond_sql.dates import Form, form_of
from retentiond_sql.deciding import Aggregate, Claim, DateColumn, Exists, RelatedDate
from retentiond_sql.layout import Layout, Relation
from retentiond_sql.options import SqlDataset
from retentiond_sql.schema import Table, read_table, split
from retentiond_sql.values import is_number, kind_of


def read_layout(connection: sa.Connection, options: SqlDataset, target: Target) -> Layout:
    """Bring options and schema together; raises `ConnectorError` where they do not fit."""
    table = _table(connection, options.table, target)
    moved_name = options.block.moved_to if options.block else None
    moved = None if moved_name is None else _table(connection, moved_name, target)
    dialect = connection.dialect.name
    # SQLite's own schema may be named or not.
    if moved is not None and (moved.schema or "main", moved.name) == (table.schema or "main", table.name):
        raise ConnectorError(
            f"The table that blocked records of {target} are moved to is the table that they lie in. Name another in "
            f"`block.moved_to`.",
            "unsupported",
        )
    links = [*options.parts, *options.related()]
    linked = tuple(dict.fromkeys(column for link in links for column in link.refers.values()))
    block, anonymize = options.block, options.anonymize
    used = options.deciding()
    used |= {
        *linked,
        *options.subjects.values(),
        *options.fields,
        *options.kept,
        *((block and block.flag) or ()),
        *((anonymize and anonymize.marker) or ()),
    }
    for place in [table] if moved is None else [table, moved]:
        absent = sorted(used - place.columns.keys())
        if absent:
            raise ConnectorError(
                f"The table {place} of {target} has no column {', '.join(absent)}, which the settings name.", "unreadable"
            )
    for matches in (options.only, (block and block.flag) or {}, (anonymize and anonymize.marker) or {}):
        _check_values(matches, table, target)
    kinds = []
    for name in options.key:
        kind = kind_of(table.columns[name].type, dialect)
        if kind is None:
            raise ConnectorError(
                f"The column {name} of the table {table} ({target}) is of a type that cannot be part of a key. "
                f"Use columns of whole numbers, text, UUID, bytes, decimals, dates or timestamps.",
                "unsupported",
            )
        kinds.append(kind)
    dates = options.date_columns()
    forms = {name: _form(date, table, target, dialect, name) for name, date in dates.items()}
    relations = _relations(connection, options, table, target)
    claims = _claims(connection, options, table, target), () if moved is None else _claims(connection, options, moved, target)
    return Layout(target, options, dialect, table, moved, tuple(kinds), dates, forms, linked, relations, claims)


def _form(date: DateColumn, table: Table, target: Target, dialect: str, name: str) -> Form:
    form = form_of(date, table.columns[date.column].type, dialect)
    if form is None:
        raise ConnectorError(
            f"The column {date.column} of the table {table} ({target}) is of a type that cannot hold a date of "
            f"kind {date.kind}. Name another kind in `dates.{name}`.",
            "unsupported",
        )
    return form


def _relations(connection: sa.Connection, options: SqlDataset, table: Table, target: Target) -> tuple[Relation, ...]:
    """Bring together with their tables what is asked of other tables than the record's own."""
    told: list[tuple[str, Exists | Aggregate | RelatedDate]] = [*options.computed().items()]
    told += [(name, way) for name, fact in options.facts.items() if (way := fact.exists or fact.aggregate) is not None]
    return tuple(_relation(connection, name, one, table, target) for name, one in told)


def _relation(
    connection: sa.Connection, name: str, told: Exists | Aggregate | RelatedDate, table: Table, target: Target
) -> Relation:
    other = _table(connection, told.table, target)
    match told:
        case Exists():
            used = {*told.refers, *told.where}
        case Aggregate():
            used = {*told.refers, told.count, *told.columns}
        case RelatedDate():
            used = {*told.refers, told.column}
    absent = sorted(used - other.columns.keys())
    if absent:
        raise ConnectorError(
            f"The table {other}, which {name} of {target} asks, has no column {', '.join(absent)}.", "unreadable"
        )
    for theirs, ours in told.refers.items():
        if is_number(other.columns[theirs].type) is not is_number(table.columns[ours].type):
            raise ConnectorError(
                f"The column {theirs} of the table {other} cannot refer to the column {ours} of {table} ({target}): one holds "
                f"numbers, the other does not.",
                "unsupported",
            )
    dialect = connection.dialect.name
    match told:
        case Exists():
            _check_values(told.where, other, target)
            return Relation(name, told, other)
        case Aggregate():
            counted = dialect == "sqlite" or is_number(other.columns[told.count].type)
            return Relation(name, told, other, fit=counted and used == other.columns.keys())
        case RelatedDate():
            return Relation(name, told, other, _form(told, other, target, dialect, name))


def _claims(connection: sa.Connection, options: SqlDataset, table: Table, target: Target) -> tuple[Claim, ...]:
    """What other data sets claim of this table."""
    place = _place(connection, table.schema, table.name)
    found = []
    for claim in options.others():
        if all(_place(connection, *split(name, connection)) != place for name in claim.tables):
            continue
        absent = sorted({*claim.only, *claim.fields} - table.columns.keys())
        if absent:
            raise ConnectorError(
                f"Another data set beside {target} claims rows of the table {table} by a column {', '.join(absent)} that is not "
                f"there, so nobody can tell whose a row is. Mend its `only` and `fields`.",
                "unreadable",
            )
        _check_values(claim.only, table, target)
        found.append(claim)
    return tuple(found)


def _place(connection: sa.Connection, schema: str | None, name: str) -> tuple[str, str]:
    place = schema or "main", name
    # Only PostgreSQL surely tells capitals from small letters here.
    return place if connection.dialect.name == "postgresql" else (place[0].casefold(), place[1].casefold())


def _check_values(matches: Mapping[str, object], table: Table, target: Target) -> None:
    for name, wanted in matches.items():
        for value in wanted if isinstance(wanted, tuple) else (wanted,):
            if not _fits(value, table.columns[name].type):
                raise ConnectorError(
                    f"The column {name} of the table {table} ({target}) is compared with a value of another type. "
                    f"Write text in quotes, and numbers and true or false without.",
                    "unsupported",
                )


def _fits(value: object, column_type: sa.types.TypeEngine[Any]) -> bool:
    """False where MariaDB would compare anyway, and find every text equal to 0."""
    if value is None or isinstance(column_type, sa.types.NullType):
        return True
    return is_number(column_type) is not isinstance(value, str)


def _table(connection: sa.Connection, name: str, target: Target) -> Table:
    table = read_table(connection, name)
    if table is None:
        raise ConnectorError(f"There is no table {name} for {target}, or our role may not see it.", "unreadable")
    return table
