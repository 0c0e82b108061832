"""Tables that are not what they seem: views, tables without transactions, hidden rows, rows that are kept when deleted."""

from __future__ import annotations

import sqlalchemy as sa

from retentiond.connector import Finding, Target
from retentiond_sql.schema import Table

_POSTGRESQL = sa.text("""
    SELECT c.relkind::text, row_security_active(c.oid),
           c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
           EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.is_instead AND r.rulename <> '_RETURN'),
           ARRAY(SELECT t.tgname::text FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY 1)
             || ARRAY(SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN' ORDER BY 1)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND c.relname = :table""")
_MYSQL = sa.text("""
    SELECT t.TABLE_TYPE, e.TRANSACTIONS FROM information_schema.TABLES t
    LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = :schema AND t.TABLE_NAME = :table""")
_MYSQL_TRIGGERS = sa.text("""
    SELECT TRIGGER_NAME FROM information_schema.TRIGGERS
    WHERE EVENT_OBJECT_SCHEMA = :schema AND EVENT_OBJECT_TABLE = :table ORDER BY 1""")
_SQLITE = sa.text("SELECT type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower(:table)")
_SQLITE_TRIGGERS = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(:table) ORDER BY 1")


def unfit(connection: sa.Connection, table: Table, target: Target) -> list[Finding]:
    """Say why a delete in this table could not be undone as one, would not be one, or would take other tables along."""
    place = {"schema": table.schema, "table": table.name}
    match connection.dialect.name:
        case "postgresql":
            kind, _, inherited, instead, _ = connection.execute(_POSTGRESQL, place).one()
            if kind not in {"r", "p"}:
                return [_no_table(table, target)]
            if inherited:
                return [
                    Finding(
                        f"Other tables inherit from the table {table} ({target}), and its keys are not unique over all of them. "
                        f"Declare each of them as a data set of its own."
                    )
                ]
            if instead:
                return [
                    Finding(
                        f"A rule of the table {table} ({target}) does something else INSTEAD of what it is told, so nothing that "
                        f"is done there can be relied on. Drop the rule, or make it a trigger."
                    )
                ]
        case "mysql" | "mariadb":
            kind, transactions = connection.execute(_MYSQL, place).one()
            if kind == "SYSTEM VERSIONED":
                return [
                    Finding(
                        f"The table {table} ({target}) is system-versioned: what is deleted stays in its history. Drop the "
                        f"versioning before records are said to be gone from it."
                    )
                ]
            if kind != "BASE TABLE":
                return [_no_table(table, target)]
            if transactions != "YES":
                return [
                    Finding(
                        f"The table {table} ({target}) is kept by an engine without transactions, so looking and deleting "
                        f"cannot be done in one. Convert it: ALTER TABLE {table.name} ENGINE=InnoDB."
                    )
                ]
        case _:
            kind, statement = connection.execute(_SQLITE, place).one()
            if kind != "table" or statement.upper().startswith("CREATE VIRTUAL"):
                return [_no_table(table, target)]
    return []


def _no_table(table: Table, target: Target) -> Finding:
    return Finding(
        f"{table} ({target}) is a view or a table of another place, not a table. Name the table that holds the records."
    )


def hidden(connection: sa.Connection, table: Table, target: Target) -> list[Finding]:
    """Say where row-level security hides rows from this session's role: what is hidden would seem to be absent."""
    if connection.dialect.name != "postgresql":
        return []
    found = connection.execute(_POSTGRESQL, {"schema": table.schema, "table": table.name}).one_or_none()
    if found is None or not found[1]:
        return []
    return [
        Finding(
            f"Row-level security of the table {table} ({target}) may hide rows from our role, and what is hidden seems to be "
            f"absent. Give the role BYPASSRLS, or use the table's owner."
        )
    ]


def triggers(connection: sa.Connection, table: Table, target: Target) -> list[Finding]:
    """Name the triggers and rules that run when rows change; whether they copy what is deleted nobody can tell."""
    place = {"schema": table.schema, "table": table.name}
    match connection.dialect.name:
        case "postgresql":
            names = list(connection.execute(_POSTGRESQL, place).one()[4])
        case "mysql" | "mariadb":
            names = list(connection.execute(_MYSQL_TRIGGERS, place).scalars())
        case _:
            names = list(connection.execute(_SQLITE_TRIGGERS, {"table": table.name}).scalars())
    if not names:
        return []
    return [
        Finding(
            f"The table {table} ({target}) has triggers or rules ({', '.join(names)}). See that they keep no copy.",
            refuses=False,
        )
    ]


def kept_copies(connection: sa.Connection, target: Target) -> list[Finding]:
    """Say where the server itself keeps what is deleted for ever, or may forget that it was deleted."""
    match connection.dialect.name:
        case "postgresql":
            if connection.execute(sa.text("SELECT current_setting('fsync')")).scalar_one() == "off":
                return [_forgetful(target, "fsync = off")]
        case "mysql" | "mariadb":
            flush, logs, expire = connection.execute(
                sa.text("SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@binlog_expire_logs_seconds")
            ).one()
            findings = [] if flush == 1 else [_forgetful(target, f"innodb_flush_log_at_trx_commit = {flush}")]
            if logs and not expire:
                findings.append(
                    Finding(
                        f"The server of {target} never removes its binary logs (binlog_expire_logs_seconds = 0), which hold "
                        f"whole deleted rows. Set a time, and declare it under `copies`.",
                        refuses=False,
                    )
                )
            return findings
    return []


def _forgetful(target: Target, setting: str) -> Finding:
    return Finding(
        f"The server of {target} runs with {setting}: after a power cut, rows may be back that were reported as deleted.",
        refuses=False,
    )
