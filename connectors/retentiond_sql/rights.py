"""Whether the role that will act has the rights to; found out without acting."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retentiond.connector import Action, Finding, Target
from retentiond_sql.grants import Grant, granted, read_grants
from retentiond_sql.layout import Layout
from retentiond_sql.options import SqlConnection
from retentiond_sql.parts import PartTable
from retentiond_sql.schema import Table
from retentiond_sql.trouble import Trouble, trouble_of


@dataclass(frozen=True, slots=True)
class Need:
    """A right that an act needs on a table."""

    table: Table
    right: str
    """SELECT, INSERT, UPDATE or DELETE."""
    columns: tuple[str, ...] = ()
    """The columns to be updated; empty for an UPDATE means any one: it is what PostgreSQL asks for locking a row."""

    def __str__(self) -> str:
        columns = f" ({', '.join(self.columns)})" if self.columns else ""
        return f"{self.right}{columns} on {self.table}"


def needs(layout: Layout, parts: tuple[PartTable, ...], action: Action) -> list[Need]:
    """The rights that `action` needs."""
    places = [layout.table] if layout.moved is None else [layout.table, layout.moved]
    wanted = [Need(place, right) for place in places for right in ("SELECT", "UPDATE")]
    wanted += [Need(relation.table, "SELECT") for relation in layout.relations]
    options = layout.options
    if action is Action.DELETE and options.fields:
        wanted += [Need(layout.table, "UPDATE", options.fields)]
    elif action is Action.DELETE:
        wanted += [Need(place, "DELETE") for place in places]
    elif action is Action.BLOCK and layout.moved is not None:
        wanted += [Need(layout.table, "DELETE"), Need(layout.moved, "INSERT")]
    elif action is Action.UNBLOCK and layout.moved is not None:
        wanted += [Need(layout.moved, "DELETE"), Need(layout.table, "INSERT")]
    elif action in {Action.BLOCK, Action.UNBLOCK} and options.block is not None:
        at = [options.block.at] if options.block.at else []
        wanted += [Need(layout.table, "UPDATE", (*(options.block.flag or ()), *at))]
    elif action is Action.ANONYMIZE and options.anonymize is not None:
        wanted += [Need(place, "UPDATE", (*options.anonymize.columns, *options.anonymize.marker)) for place in places]
    if action is Action.DELETE or (action is Action.ANONYMIZE and options.anonymize and options.anonymize.parts == "delete"):
        wanted += [Need(part.table, right) for part in _all(parts) for right in ("SELECT", "DELETE")]
    return wanted


def _all(parts: Iterable[PartTable]) -> Iterator[PartTable]:
    for part in parts:
        yield part
        yield from _all(part.parts)


def missing_rights(connection: sa.Connection, options: SqlConnection, wanted: list[Need], target: Target) -> list[Finding]:
    """Name the rights that are missing; `connection` is a session of the role that will act."""
    if connection.dialect.name == "sqlite":
        path = Path(options.address().database or "")
        # The folder, too: SQLite keeps its journal beside the file.
        if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            return []
        return [
            Finding(
                f"The database file of {target}, or its folder, cannot be written by us. Let our user write to both.",
                of_rights=True,
            )
        ]
    grants = read_grants(connection) if connection.dialect.name == "mysql" else None
    lacking = [need for need in wanted if not (_postgresql_has(connection, need) if grants is None else _mysql_has(grants, need))]
    if not lacking:
        return []
    names = "; ".join(dict.fromkeys(map(str, lacking)))
    return [Finding(f"The role that is to act on {target} lacks rights. Grant it: {names}.", of_rights=True)]


def _mysql_has(grants: list[Grant], need: Need) -> bool:
    if need.right == "UPDATE" and not need.columns:
        return True  # for locking a row any of the rights is enough that the act needs anyway
    return granted(grants, need.right, str(need.table.schema), need.table.name, need.columns)


def _postgresql_has(connection: sa.Connection, need: Need) -> bool:
    place: dict[str, Any] = {"schema": need.table.schema, "table": need.table.name, "right": need.right}
    if need.columns:
        place["columns"] = list(need.columns)
    query = _POSTGRESQL_COLUMNS if need.columns else _POSTGRESQL_DELETE if need.right == "DELETE" else _POSTGRESQL_ANY
    return bool(connection.execute(query, place).scalar_one_or_none())


_ON = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND c.relname = :table"
_POSTGRESQL_DELETE = sa.text(f"SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, :right) {_ON}")
_POSTGRESQL_ANY = sa.text(f"SELECT has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, :right) {_ON}")
_POSTGRESQL_COLUMNS = sa.text(
    "SELECT has_schema_privilege(n.oid, 'USAGE') AND "  # noqa: S608 - constants
    "(SELECT coalesce(bool_and(has_column_privilege(c.oid, a.attnum, :right)), false) "
    f"FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = ANY(CAST(:columns AS text[]))) {_ON}"
)


def attempt(connection: sa.Connection, statement: sa.Executable) -> Trouble | None:
    """Try a statement that changes nothing, and tell what the database says to it; None where it agrees."""
    try:
        with connection.begin_nested():
            connection.execute(statement).close()
    except sa.exc.DBAPIError as error:
        trouble = trouble_of(error)
        if trouble in {Trouble.LOST, Trouble.BUSY, Trouble.TIMEOUT}:
            raise
        return trouble
    return None


def sees_all_references(connection: sa.Connection) -> bool:
    """False where foreign keys of tables that our role does not see, in whatever database, may refer to tables that it does."""
    if connection.dialect.name != "mysql":
        return True  # PostgreSQL and SQLite show their catalogue to everybody
    return any(grant.everywhere and (grant.allows("REFERENCES") or grant.allows("SELECT")) for grant in read_grants(connection))
