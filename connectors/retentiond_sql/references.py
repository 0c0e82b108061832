"""Foreign keys that would reach further than the settings say."""

from __future__ import annotations

import sqlalchemy as sa

from retentiond.connector import Finding, Target
from retentiond_sql.parts import PartTable
from retentiond_sql.schema import Table, is_indexed, read_table, references_on, unique_keys

_REACHING = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


def cascades(connection: sa.Connection, table: Table, parts: tuple[PartTable, ...], target: Target) -> list[Finding]:
    """Foreign keys that change rows which are no declared parts, here and below; and parts that could be another record's."""
    findings = [
        Finding(
            f"Deleting from {table} ({target}) would reach the table {reference} through its foreign key "
            f"({', '.join(reference.columns)}, ON DELETE {reference.on_delete}). Declare it under `parts` where its rows are "
            f"part of the record, or change the foreign key."
        )
        for reference in references_on(connection, table)
        if reference.on_delete in _REACHING and not any(reference.is_from(part.table, part.declared()) for part in parts)
    ]
    keys = unique_keys(connection, table) if parts else []
    for part in parts:
        if not any(key <= set(part.refers) for key in keys):
            findings.append(
                Finding(
                    f"The part {part.table} of {target} refers to columns of {table} that are not unique there, so its rows may "
                    f"belong to several records. Refer to the columns of a primary key or a unique constraint."
                )
            )
        findings += cascades(connection, part.table, part.parts, target)
    return findings


def slow_references(connection: sa.Connection, table: Table, parts: tuple[PartTable, ...], target: Target) -> list[Finding]:
    """Columns that refer to the table and that no index serves: each delete reads all of their table."""
    pairs: dict[tuple[str, tuple[str, ...]], None] = {}
    for reference in references_on(connection, table):
        name = f"{reference.schema}.{reference.table}" if reference.schema else reference.table
        child = read_table(connection, name)
        if child is not None and not is_indexed(connection, child, reference.columns):
            pairs[name, reference.columns] = None
    for part in parts:
        if not is_indexed(connection, part.table, part.columns):
            pairs[str(part.table), part.columns] = None
    findings = [
        Finding(
            f"No index of the table {name} serves its reference to {table} ({', '.join(columns)}); each delete of {target} reads "
            f"the whole table.",
            refuses=False,
        )
        for name, columns in pairs
    ]
    return [*findings, *(finding for part in parts for finding in slow_references(connection, part.table, part.parts, target))]
