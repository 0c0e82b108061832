"""Looks, before anything is done, for whatever would make an act impossible, wrong or wider than meant."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from retentiond.connector import Action, ConnectorError, Finding, Target
from retentiond_sql.constraints import anonymizing_findings, field_findings, moving_findings, unblocking_findings
from retentiond_sql.fitting import read_layout
from retentiond_sql.layout import Layout
from retentiond_sql.options import SqlConnection, SqlDataset
from retentiond_sql.parts import PartTable, read_parts
from retentiond_sql.proof import proof_findings
from retentiond_sql.references import cascades, slow_references
from retentiond_sql.related import related_findings, unaskable
from retentiond_sql.rights import attempt, missing_rights, needs, sees_all_references
from retentiond_sql.schema import Table, is_indexed, unique_keys
from retentiond_sql.tables import hidden, kept_copies, triggers, unfit
from retentiond_sql.trouble import Trouble

BLOCKING = frozenset({Action.BLOCK, Action.UNBLOCK})
"""What loses no row, however it is done."""


def preflight(
    connection: sa.Connection,
    for_rights: sa.Connection,
    options: SqlConnection,
    dataset: SqlDataset,
    target: Target,
    action: Action,
) -> list[Finding]:
    """Everything there is to say before `action`; `for_rights` is a session of the role that will act."""
    try:
        layout = read_layout(connection, dataset, target)
        parts = read_parts(connection, dataset.parts, layout.table, target)
    except ConnectorError as error:
        if error.code not in {"unreadable", "unsupported"}:
            raise
        return [Finding(str(error))]
    findings = _readable(connection, layout)
    if findings:
        return findings
    # By the acting role: the reader's may see fewer foreign keys.
    findings += dangers(for_rights, layout, parts, action)
    findings += [finding for table in all_tables(layout, parts) for finding in hidden(connection, table, target)]
    if action is Action.ANONYMIZE and dataset.anonymize is not None:
        findings += anonymizing_findings(connection, layout, dataset.anonymize)
    if action is Action.BLOCK and dataset.block is not None:
        findings += moving_findings(layout, dataset.block)
    if action is Action.UNBLOCK and dataset.block is not None:
        findings += unblocking_findings(layout, dataset.block)
    findings += missing_rights(for_rights, options, needs(layout, parts, action), target)
    findings += proof_findings(connection, for_rights, options, target)
    findings += related_findings(connection, layout)
    findings += _slow(connection, layout, parts)
    findings += [finding for table in all_tables(layout, parts) for finding in triggers(connection, table, target)]
    if action not in BLOCKING:
        findings += kept_copies(connection, target)
    return list(dict.fromkeys(findings))


def dangers(connection: sa.Connection, layout: Layout, parts: tuple[PartTable, ...], action: Action) -> list[Finding]:
    """What would let an act reach other rows than it should, or undo it later. Asked again before the first act of a session."""
    findings: list[Finding] = []
    for table in all_tables(layout, parts):
        findings += unfit(connection, table, layout.target)
        findings += hidden(connection, table, layout.target)
    if findings:
        return findings
    for table in [layout.table] if layout.moved is None else [layout.table, layout.moved]:
        findings += _keys(connection, layout, table)
    if action is Action.DELETE and layout.options.fields:
        findings += field_findings(connection, layout)
        deletes = True  # foreign keys may refer to the fields, and would take what refers to them along
    elif action is Action.DELETE or (action in BLOCKING and layout.moved is not None):
        findings += cascades(connection, layout.table, parts, layout.target)
        findings += cascades(connection, layout.moved, (), layout.target) if layout.moved is not None else []
        deletes = True
    else:
        # Of the record itself nothing is deleted then, but its parts may be.
        deletes = (
            action is Action.ANONYMIZE and layout.options.anonymize is not None and layout.options.anonymize.parts == "delete"
        )
        for part in parts if deletes else ():
            findings += cascades(connection, part.table, part.parts, layout.target)
    if deletes and not sees_all_references(connection):
        findings.append(
            Finding(
                f"Our role sees only some of the server's tables, so nobody can tell whether a foreign key would take further "
                f"rows along with records of {layout.target}. GRANT REFERENCES ON *.* to it, which shows tables but no rows.",
                of_rights=True,
            )
        )
    return findings


def all_tables(layout: Layout, parts: tuple[PartTable, ...]) -> list[Table]:
    """Every table that the data set reaches."""

    def below(some: tuple[PartTable, ...]) -> Iterator[Table]:
        for part in some:
            yield part.table
            yield from below(part.parts)

    return [layout.table, *([layout.moved] if layout.moved is not None else []), *below(parts)]


def _readable(connection: sa.Connection, layout: Layout) -> list[Finding]:
    """Ask for no row at all, in just the way that records are asked for: proves rights and types."""
    for table, moved in layout.places():
        # Not sa.false(): SQLAlchemy would leave the conditions beside it out.
        statement = layout.select(table, moved=moved).where(layout.belongs(table), sa.literal_column("1 = 0"))
        trouble = attempt(connection, statement)
        if trouble is Trouble.FORBIDDEN:
            return [Finding(f"Our reading role lacks the right to SELECT from the tables of {layout.target}. Grant it.")]
        if trouble is not None:
            return [Finding(f"The values that {layout.target} compares columns with do not fit the types of those columns.")]
    return unaskable(connection, layout)


def _keys(connection: sa.Connection, layout: Layout, table: Table) -> list[Finding]:
    key = set(layout.options.key)
    findings = []
    if not any(unique <= key for unique in unique_keys(connection, table)):
        findings.append(
            Finding(
                f"Nothing in the database keeps two rows of the table {table} ({layout.target}) from having the same "
                f"{', '.join(layout.options.key)}. Name the columns of its primary key, or of a unique constraint, in `key`."
            )
        )
    clause = table.clause("r")
    nullable = [clause.c[name].is_(None) for name in layout.options.key if table.columns[name].nullable]
    if (
        nullable
        and connection.execute(sa.select(sa.literal_column("1")).select_from(clause).where(sa.or_(*nullable)).limit(1)).first()
    ):
        findings.append(
            Finding(f"Rows of the table {table} ({layout.target}) have NULL in their key, so nothing tells them apart.")
        )
    return findings


def _slow(connection: sa.Connection, layout: Layout, parts: tuple[PartTable, ...]) -> list[Finding]:
    columns = dict.fromkeys(date.column for date in layout.dates.values())
    findings = [
        Finding(
            f"No index begins with the column {column} of the table {layout.table} ({layout.target}): searches read it whole.",
            refuses=False,
        )
        for column in columns
        if not is_indexed(connection, layout.table, [column])
    ]
    findings += [
        Finding(
            f"No index of the table {one.table} serves its reference to {layout.table} ({', '.join(one.told.refers)}); each page "
            f"of {layout.target} reads the whole table.",
            refuses=False,
        )
        for one in layout.relations
        if not is_indexed(connection, one.table, tuple(one.told.refers))
    ]
    return [*findings, *slow_references(connection, layout.table, parts, layout.target)]
