"""A small database for the tests of the SQL connector, the same on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from retentiond.connector import Action, Answer, Cutoff, Permit, RecordRef, Target, subject
from retentiond_sql.anonymizing import SqlAnonymizer
from retentiond_sql.blocking import SqlBlocker
from retentiond_sql.deleting import SqlDeleter
from retentiond_sql.options import SqlConnection, SqlDataset
from retentiond_sql.reader import SqlReader


def only_on(*databases: str) -> pytest.MarkDecorator:
    """For a test of something that the other databases do not have at all."""
    return pytest.mark.parametrize("database", databases, indirect=True)


TARGET = Target("shop", "customers")
BLOCK, ANONYMIZE, DELETE = Action.BLOCK, Action.ANONYMIZE, Action.DELETE

TYPES: dict[str, dict[str, str]] = {
    "sqlite": {
        "instant": "TEXT",
        "local": "TEXT",
        "day": "TEXT",
        "text": "TEXT",
        "bool": "BOOLEAN",
        "bytes": "BLOB",
        "uuid": "CHAR(36)",
    },
    "postgresql": {
        "instant": "timestamptz",
        "local": "timestamp",
        "day": "date",
        "text": "varchar(200)",
        "bool": "boolean",
        "bytes": "bytea",
        "uuid": "uuid",
    },
    "mysql": {
        "instant": "timestamp(6) NULL DEFAULT NULL",
        "local": "datetime(6)",
        "day": "date",
        "text": "varchar(200)",
        "bool": "boolean",
        "bytes": "varbinary(100)",
        "uuid": "uuid",
    },
}
"""What the types of the tests' tables are called."""


def moment(text: str) -> datetime:
    """An aware UTC datetime from `2025-01-31` or `2025-01-31T10:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def before(text: str, by: str = "closed") -> Cutoff:
    """The cutoff at that moment."""
    at = moment(text)
    return Cutoff(by, at, at.date() + timedelta(days=bool(at.time() != datetime.min.time())))


@dataclass
class World:
    """A database, and the connector on it."""

    url: sa.URL
    engine: sa.Engine
    """A session that may do everything, in UTC."""

    @property
    def kind(self) -> str:
        """sqlite, postgresql or mysql."""
        return self.url.get_backend_name()

    def ddl(self, text: str) -> str:
        """The statement with `{instant}`, `{bool}` and so on as this database calls them."""
        return text.format(**TYPES[self.kind])

    def do(self, *statements: str, **values: Any) -> None:
        """Run statements, each with the same values, in one transaction."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(self.ddl(statement)), values)

    def put(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows; datetimes become what the database keeps."""
        for row in rows:
            values = {name: self.stored(value) for name, value in row.items()}
            names = ", ".join(values)
            self.do(f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + name for name in values)})", **values)  # noqa: S608 - names of the tests' own

    def stored(self, value: Any) -> Any:
        """A value as the driver takes it."""
        if isinstance(value, datetime) and self.kind == "sqlite":
            return value.isoformat(" ")
        if isinstance(value, datetime) and self.kind == "mysql" and value.tzinfo is not None:
            return value.astimezone(UTC).replace(tzinfo=None)
        if isinstance(value, date) and self.kind == "sqlite":
            return value.isoformat()
        return value

    def all(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query)).all()]

    def column(self, query: str) -> list[Any]:
        """The first column of a query."""
        return [row[0] for row in self.all(query)]

    def connection(self, **more: Any) -> SqlConnection:
        """The connection as the settings would say it."""
        return SqlConnection.model_validate({"url": self.url.render_as_string(hide_password=False), **more})

    def reader(self, dataset: SqlDataset, **more: Any) -> SqlReader:
        """An open reader."""
        return SqlReader(self.connection(**more), dataset, TARGET)

    def delete(self, dataset: SqlDataset, refs: Sequence[RecordRef], **more: Any) -> list[Answer]:
        """Delete with a role of its own."""
        with SqlDeleter(self.connection(**more), dataset, TARGET) as role:
            return role.delete(refs, Permit("r.1", Action.DELETE, TARGET, refs))

    def block(self, dataset: SqlDataset, refs: Sequence[RecordRef], **more: Any) -> list[Answer]:
        """Block with a role of its own."""
        with SqlBlocker(self.connection(**more), dataset, TARGET) as role:
            return role.block(refs, Permit("r.1", Action.BLOCK, TARGET, refs))

    def unblock(self, dataset: SqlDataset, refs: Sequence[RecordRef], **more: Any) -> list[Answer]:
        """Unblock with a role of its own."""
        with SqlBlocker(self.connection(**more), dataset, TARGET) as role:
            return role.unblock(refs, Permit("r.1", Action.UNBLOCK, TARGET, refs))

    def anonymize(self, dataset: SqlDataset, refs: Sequence[RecordRef], **more: Any) -> list[Answer]:
        """Anonymize with a role of its own."""
        with SqlAnonymizer(self.connection(**more), dataset, TARGET) as role:
            return role.anonymize(refs, Permit("r.1", Action.ANONYMIZE, TARGET, refs))

    def about(self, dataset: SqlDataset, kind: str, text: str) -> list[tuple[str, ...]]:
        """The keys of what the reader finds about a person."""
        person = subject(kind, text)
        assert person is not None
        with self.reader(dataset) as reader:
            return sorted(ref.key for page in reader.about(person) for ref in page)

    def find(self, dataset: SqlDataset, cutoff: Cutoff, awaiting: Action = Action.DELETE) -> list[RecordRef]:
        """Everything found, in order."""
        with self.reader(dataset) as reader:
            return [ref for page in reader.find(cutoff, awaiting) for ref in page]


def dataset(**options: Any) -> SqlDataset:
    """Customers with an instant `closed`, unless said otherwise."""
    base = {"table": "customers", "key": ["id"], "dates": {"closed": {"column": "closed_at", "kind": "timestamp"}}}
    return SqlDataset.model_validate(base | options)


CUSTOMERS = (
    "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, name {text}, closed_at {instant}, status {text}, blocked {bool})"
)


def opened(url: sa.URL) -> Iterator[World]:
    """The world on this database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    zones = {"postgresql": "SET TIME ZONE 'UTC'", "mysql": "SET SESSION time_zone = '+00:00', sql_mode = ''"}

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        if url.get_backend_name() in zones:
            cursor = connection.cursor()
            cursor.execute(zones[url.get_backend_name()])
            cursor.close()
            connection.commit()

    yield World(url, engine)
    engine.dispose()


def customers(
    world: World, number: int, start: str = "2020-01-01", each: Callable[[int], dict[str, Any]] = lambda _n: {}
) -> None:
    """Put customers 1 to `number`, each closed a day after the one before."""
    world.put(
        "customers",
        *(
            {"id": n, "name": f"Name {n}", "closed_at": moment(start) + timedelta(days=n - 1), **each(n)}
            for n in range(1, number + 1)
        ),
    )
