"""Brings the options of a data set and the schema together; what does not fit is told in a sentence."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from retentiond.connector import ConnectorError, Target
from retentiond_sql.dates import form_of
from retentiond_sql.layout import Layout
from retentiond_sql.options import SqlDataset
from retentiond_sql.schema import Table, read_table
from retentiond_sql.values import kind_of


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
    linked = tuple(dict.fromkeys(column for part in options.parts for column in part.refers.values()))
    block, anonymize = options.block, options.anonymize
    used = {*options.key, *(date.column for date in options.dates.values()), *options.unchanged, *options.identity, *options.only}
    used |= {*linked, *options.subjects.values(), *((block and block.flag) or ()), *((anonymize and anonymize.marker) or ())}
    for place in [table] if moved is None else [table, moved]:
        absent = sorted(used - place.columns.keys())
        if absent:
            raise ConnectorError(
                f"The table {place} of {target} has no column {', '.join(absent)}, which the settings name.", "unreadable"
            )
    for matches in (options.only, (block and block.flag) or {}, (anonymize and anonymize.marker) or {}):
        for name, wanted in matches.items():
            for value in wanted if isinstance(wanted, tuple) else (wanted,):
                if not _fits(value, table.columns[name].type):
                    raise ConnectorError(
                        f"The column {name} of the table {table} ({target}) is compared with a value of another type. "
                        f"Write text in quotes, and numbers and true or false without.",
                        "unsupported",
                    )
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
    forms = {}
    for name, date_column in options.dates.items():
        form = form_of(date_column, table.columns[date_column.column].type, dialect)
        if form is None:
            raise ConnectorError(
                f"The column {date_column.column} of the table {table} ({target}) is of a type that cannot hold a date of "
                f"kind {date_column.kind}. Name another kind in `dates.{name}`.",
                "unsupported",
            )
        forms[name] = form
    return Layout(target, options, dialect, table, moved, tuple(kinds), forms, linked)


def _fits(value: object, column_type: sa.types.TypeEngine[Any]) -> bool:
    """False where MariaDB would compare anyway, and find every text equal to 0."""
    if value is None or isinstance(column_type, sa.types.NullType):
        return True
    numeric = isinstance(column_type, (sa.Integer, sa.Numeric, sa.Float, sa.Boolean)) or type(column_type).__name__ == "BIT"
    return numeric is not isinstance(value, str)


def _table(connection: sa.Connection, name: str, target: Target) -> Table:
    table = read_table(connection, name)
    if table is None:
        raise ConnectorError(f"There is no table {name} for {target}, or our role may not see it.", "unreadable")
    return table
