"""What the database says about tables: columns, keys, and which other tables refer to them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from retentiond_sql.trouble import Trouble, trouble_of
from retentiond_sql.values import Native


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the database declares it."""

    name: str
    type: sa.types.TypeEngine[Any]
    nullable: bool
    has_default: bool
    computed: bool
    """True where its value follows from other columns."""
    fixed: bool
    """True where the database itself gives it a number (GENERATED ALWAYS AS IDENTITY)."""

    @property
    def generated(self) -> bool:
        """True where nobody but the database can set it."""
        return self.computed or self.fixed


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the schema it was found in, so that statements never depend on a search path."""

    schema: str | None
    name: str
    columns: dict[str, Column]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    def clause(self, alias: str | None = None) -> sa.FromClause:
        """The table for statements, every name quoted as it is."""
        table = self.plain()
        return table.alias(alias) if alias else table

    def plain(self) -> sa.TableClause:
        """The table for DELETE, UPDATE and INSERT."""
        columns = [sa.column(sa.quoted_name(name, quote=True), Native) for name in self.columns]
        schema = None if self.schema is None else sa.quoted_name(self.schema, quote=True)
        return sa.table(sa.quoted_name(self.name, quote=True), *columns, schema=schema)


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of another table (or the same) on a table."""

    schema: str | None
    table: str
    columns: tuple[str, ...]
    referred: tuple[str, ...]
    on_delete: str
    """NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT."""

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}" if self.schema else self.table

    def is_from(self, table: Table, refers: Mapping[str, str]) -> bool:
        """True where it is the foreign key of that table, with those columns referring to those."""
        pairs = dict(zip(self.columns, self.referred, strict=True))
        return (self.schema, self.table) == (table.schema, table.name) and pairs == dict(refers)


_SQLITE_NAME = sa.text("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower(:table)")


def split(name: str, connection: sa.Connection) -> tuple[str | None, str]:
    """`schema.table` or `table` as the settings write it -> the schema it lies in, and its name."""
    schema, _, table = name.rpartition(".")
    if connection.dialect.name == "sqlite":
        # Case means nothing in SQLite, but in what SQLAlchemy asks of it.
        return schema or None, connection.execute(_SQLITE_NAME, {"table": table}).scalar() or table
    return schema or connection.dialect.default_schema_name, table


def read_table(connection: sa.Connection, name: str) -> Table | None:
    """The table, or view, as the database declares it; None where our role sees none of that name."""
    schema, table = split(name, connection)
    with _inspecting(connection) as inspector:
        try:
            found = inspector.get_columns(table, schema)
        except (sa.exc.NoSuchTableError, sa.exc.UnreflectableTableError):
            return None
        except sa.exc.DBAPIError as error:
            if trouble_of(error) is Trouble.FORBIDDEN:  # MariaDB: the table is there, but not for us
                return None
            raise
    columns = [
        Column(
            column["name"],
            column["type"],
            bool(column["nullable"]),
            column.get("default") is not None or bool(column.get("autoincrement") is True) or bool(column.get("identity")),
            bool(column.get("computed")),
            _always(column.get("identity")),
        )
        for column in found
    ]
    return Table(schema, table, {column.name: column for column in columns})


def _always(identity: Mapping[str, Any] | None) -> bool:
    return identity is not None and bool(identity.get("always"))


def unique_keys(connection: sa.Connection, table: Table) -> list[frozenset[str]]:
    """Sets of columns of which the database lets no two rows have the same values."""
    with _inspecting(connection) as inspector:
        primary = inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]
        keys = [primary, *(found["column_names"] for found in inspector.get_unique_constraints(table.name, table.schema))]
        indexes = inspector.get_indexes(table.name, table.schema)
    for index in indexes:
        partial = any(option.endswith("_where") for option in index.get("dialect_options", {}))
        columns = index["column_names"]
        if index["unique"] and not partial and "expressions" not in index and None not in columns:
            keys.append([column for column in columns if column is not None])
    return [frozenset(key) for key in keys if key]


def never_twice(connection: sa.Connection, table: Table) -> frozenset[str]:
    """Columns that some unique index has an eye on, be it on part of the rows only, or on what it makes of the value.

    Not told are SQLite's indexes on expressions, which SQLAlchemy leaves out.
    """
    with _inspecting(connection) as inspector:
        unique = [index for index in inspector.get_indexes(table.name, table.schema) if index["unique"]]
    plain = {name for index in unique for name in index["column_names"] if name is not None}
    words = {word for index in unique for text in index.get("expressions", ()) for word in re.findall(r"\w+", text)}
    return frozenset().union(plain, words & table.columns.keys(), *unique_keys(connection, table))


def is_indexed(connection: sa.Connection, table: Table, columns: Sequence[str]) -> bool:
    """True where some index begins with these columns, in whatever order."""
    with _inspecting(connection) as inspector:
        indexes = [index["column_names"] for index in inspector.get_indexes(table.name, table.schema)]
        indexes.append(list(inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]))
        indexes += [list(found["column_names"]) for found in inspector.get_unique_constraints(table.name, table.schema)]
    return any(set(index[: len(columns)]) == set(columns) for index in indexes)


@contextmanager
def _inspecting(connection: sa.Connection) -> Iterator[sa.Inspector]:
    """SQLAlchemy's own look at the schema, without its warnings: of types it has no name for, and of indexes on expressions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        yield sa.inspect(connection)


_POSTGRESQL_REFERENCES = sa.text("""
    SELECT n.nspname, c.relname, k.confdeltype::text,
           (SELECT array_agg(a.attname::text ORDER BY p.n) FROM unnest(k.conkey) WITH ORDINALITY p(num, n)
              JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.num),
           (SELECT array_agg(a.attname::text ORDER BY p.n) FROM unnest(k.confkey) WITH ORDINALITY p(num, n)
              JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.num)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0
      AND k.confrelid IN (SELECT t.oid FROM pg_class f JOIN pg_namespace s ON s.oid = f.relnamespace,
                          LATERAL (SELECT f.oid UNION SELECT relid FROM pg_partition_tree(f.oid)
                                   UNION SELECT relid FROM pg_partition_ancestors(f.oid)) t(oid)
                          WHERE s.nspname = :schema AND f.relname = :table)
    ORDER BY n.nspname, c.relname, k.conname""")
_POSTGRESQL_ON_DELETE = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

_MYSQL_REFERENCES = sa.text("""
    SELECT k.TABLE_SCHEMA, k.TABLE_NAME, r.DELETE_RULE, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME
    FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
      ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
    WHERE k.REFERENCED_TABLE_SCHEMA = :schema AND k.REFERENCED_TABLE_NAME = :table
    ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION""")


def references_on(connection: sa.Connection, table: Table) -> list[Reference]:
    """The foreign keys that refer to the table, of whatever schema.

    MariaDB tells only those of tables on which our role has some right; `rights.sees_all_references` tells whether that is all.
    """
    match connection.dialect.name:
        case "postgresql":
            rows = connection.execute(_POSTGRESQL_REFERENCES, {"schema": table.schema, "table": table.name})
            return [Reference(r[0], r[1], tuple(r[3]), tuple(r[4]), _POSTGRESQL_ON_DELETE[r[2]]) for r in rows]
        case "mysql" | "mariadb":
            found: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}
            for row in connection.execute(_MYSQL_REFERENCES, {"schema": table.schema, "table": table.name}):
                found.setdefault((row[0], row[1], row[2], row[3]), []).append((row[4], row[5]))
            return [
                Reference(schema, name, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), rule)
                for (schema, name, rule, _), pairs in found.items()
            ]
        case _:
            return _sqlite_references(connection, table)


def _sqlite_references(connection: sa.Connection, table: Table) -> list[Reference]:
    schema = '"' + (table.schema or "main").replace('"', '""') + '"'
    query = (
        f'SELECT m.name, f.id, f."from", f."to", f.on_delete FROM {schema}.sqlite_master m, pragma_foreign_key_list(m.name) f '  # noqa: S608
        "WHERE m.type = 'table' AND lower(f.\"table\") = lower(:table) ORDER BY m.name, f.id, f.seq"
    )
    rows = connection.execute(sa.text(query), {"table": table.name}).all()
    with _inspecting(connection) as inspector:
        primary = dict(enumerate(inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]))
    found: dict[tuple[str, int, str], list[tuple[str, str | None]]] = {}
    for name, number, column, referred, rule in rows:
        found.setdefault((name, number, rule), []).append((column, referred))
    return [
        Reference(
            table.schema,
            name,
            tuple(column for column, _ in pairs),
            # A foreign key that names no column means the primary key; where there is none it is broken, and stops every delete.
            tuple(referred if referred is not None else primary.get(place, "") for place, (_, referred) in enumerate(pairs)),
            rule,
        )
        for (name, _, rule), pairs in found.items()
    ]
