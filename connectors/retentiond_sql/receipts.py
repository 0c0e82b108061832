"""Receipts in a table of the operator, written in the transaction of the act: one is there just where the other happened."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from retentiond.connector import (
    ConnectorError,
    Finding,
    How,
    Permit,
    Receipt,
    Target,
    TransientConnectorError,
    read_receipt,
    receipt_text,
)
from retentiond_sql.options import SqlConnection
from retentiond_sql.parts import chunks
from retentiond_sql.rights import Need, missing_rights
from retentiond_sql.schema import Table, read_table, split, unique_keys
from retentiond_sql.tables import hidden, triggers, unfit
from retentiond_sql.trouble import as_error, trouble_of
from retentiond_sql.values import Native

COLUMNS = {
    "log": "VARCHAR(255)",
    "batch": "VARCHAR(64)",
    "part": "INTEGER",
    "records": "INTEGER",
    "items": "VARCHAR(64)",
    "answers": "TEXT",
}
"""Whose log, which batch, the first record of the part; how many records the batch has, its digest, what became of which."""

KEY = ("batch", "part")


def create(name: str) -> str:
    """The statement that makes the table, for whoever may."""
    columns = ", ".join(f"{column} {kind} NOT NULL" for column, kind in COLUMNS.items())
    return f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({', '.join(KEY)}))"


def leave(connection: sa.Connection, name: str, permit: Permit, receipt: Receipt) -> None:
    """Write the receipt; it is there once the transaction of `connection` is committed."""
    row = {
        "log": permit.log,
        "batch": permit.batch,
        "part": min(receipt.answers),
        "records": receipt.count,
        "items": receipt.items,
        "answers": receipt_text(receipt.answers),
    }
    connection.execute(sa.insert(_table(connection, name)).values(row))


def kept(connection: sa.Connection, name: str, batch: str, target: Target) -> list[Receipt]:
    """The receipts of a batch; raises `ConnectorError` where they cannot be read."""
    table = _table(connection, name)
    wanted = (
        sa.select(*(table.c[column] for column in ("records", "items", "answers")))
        .where(table.c.batch == batch)
        .order_by(table.c.part)
    )
    try:
        rows = connection.execute(wanted).all()
    except sa.exc.DBAPIError as error:
        passing = as_error(trouble_of(error), target)
        if isinstance(passing, TransientConnectorError):
            raise passing from None
        raise ConnectorError(
            f"The receipts of {target} cannot be read from the table {name}. Bring the table back; or, if it is lost, take "
            f"`receipts` out of the settings, and what was in doubt is looked up without them.",
            "unreadable",
        ) from None
    return [receipt for row in rows if (receipt := _readable(*row)) is not None]


def left_over(connection: sa.Connection, name: str, log: str) -> list[str]:
    """The batches of that log of which there are receipts."""
    table = _table(connection, name)
    return list(connection.execute(sa.select(table.c.batch).where(table.c.log == log).distinct()).scalars())


def remove(connection: sa.Connection, name: str, batches: Sequence[str]) -> None:
    """Remove the receipts of these batches."""
    table = _table(connection, name)
    for some in chunks([(batch,) for batch in batches]):
        connection.execute(sa.delete(table).where(table.c.batch.in_([batch for (batch,) in some])))


def receipt_findings(
    connection: sa.Connection, for_rights: sa.Connection, options: SqlConnection, target: Target
) -> list[Finding]:
    """What keeps the table from being used; `for_rights` is a session of the role that will act."""
    name = options.receipts
    if name is None:
        return []
    # The reader's role needs no right on it, and may not even see it.
    table = read_table(for_rights, name)
    if table is None:
        return [
            Finding(
                f"The table {name} for receipts of {target} is not there, or not for our acting role. Make it, and grant the "
                f"role SELECT, INSERT and DELETE: {create(name)}"
            )
        ]
    others = [column for column in table.columns.values() if column.name not in COLUMNS]
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing or any(not (column.nullable or column.has_default or column.computed) for column in others):
        return [
            Finding(f"The table {name} for receipts of {target} has other columns than it should. Make it anew: {create(name)}")
        ]
    findings = [*unfit(for_rights, table, target), *hidden(for_rights, table, target), *triggers(for_rights, table, target)]
    if frozenset(KEY) not in unique_keys(for_rights, table):
        findings.append(
            Finding(f"The table {name} for receipts of {target} has not the primary key {', '.join(KEY)}. Give it one.")
        )
    if _forgotten(connection, table):
        findings.append(
            Finding(
                f"The table {name} for receipts of {target} is emptied by a crash of the server. ALTER TABLE {name} SET LOGGED."
            )
        )
    wanted = [Need(table, right) for right in ("SELECT", "INSERT", "DELETE")]
    return findings + missing_rights(for_rights, options, wanted, target)


def _forgotten(connection: sa.Connection, table: Table) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    return connection.execute(_PERSISTENCE, {"schema": table.schema, "table": table.name}).scalar() != "p"


_PERSISTENCE = sa.text(
    "SELECT c.relpersistence::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = :schema AND c.relname = :table"
)


def _table(connection: sa.Connection, name: str) -> sa.TableClause:
    schema, table = split(name, connection)
    columns = {column: sa.column(sa.quoted_name(column, quote=True), Native) for column in COLUMNS}
    quoted = None if schema is None else sa.quoted_name(schema, quote=True)
    return sa.table(sa.quoted_name(table, quote=True), *columns.values(), schema=quoted)


def _readable(records: object, items: object, answers: object) -> Receipt | None:
    """None for what is none of ours: it proves nothing."""
    if not (isinstance(records, int) and isinstance(items, str) and isinstance(answers, str)):
        return None
    try:
        return Receipt(records, items, read_receipt(answers, How.RECEIPT))
    except ValueError:
        return None
