"""The SQL connector keeps every promise of the kit on each database, however it blocks and whatever its keys are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from support import sql_world
from support.services import DATABASES

from retentiond.connector import Presence, Reader, TransientConnectorError
from retentiond.testing import ConformanceKit, Gap, World
from retentiond.testing.world import Key
from retentiond_sql import connector
from retentiond_sql.connect import open_engine
from retentiond_sql.reader import SqlReader
from retentiond_sql.receipts import create

COLUMNS = (
    "closed_at {instant}, due_on {day}, name {text}, mail {text}, status {text}, paid {bool}, claimed {bool}, "
    "blocked {bool}, anonymized {bool}"
)

REFUSALS = {
    "sqlite": """\
        CREATE TRIGGER no_{what}_{table} BEFORE {what} ON {table} WHEN old.name = 'disputed'
        BEGIN SELECT RAISE(ABORT, 'disputed'); END""",
    "postgresql": """\
        CREATE OR REPLACE FUNCTION no_{what}() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'disputed' USING ERRCODE = 'integrity_constraint_violation'; END $$;
        CREATE TRIGGER no_{what}_{table} BEFORE {what} ON {table} FOR EACH ROW
        WHEN (old.name = 'disputed') EXECUTE FUNCTION no_{what}()""",
    "mysql": """\
        CREATE TRIGGER no_{what}_{table} BEFORE {what} ON {table} FOR EACH ROW
        IF old.name = 'disputed' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'disputed'; END IF""",
}
"""A database that keeps disputed records, each in its own words."""


PLACES = ("customers", "archive")
"""The tables that customers lie in."""


DISTURBED_ELSEWHERE = {
    Gap.STUMBLE: "locks held by others, and servers that are away, are tests of their own",
    Gap.LOST_ANSWER: "connections that break in the act are tests of their own, at each of its steps",
    Gap.RIGHTS: "databases differ in how a right is taken away; a right that lacks is a test of its own for each",
    Gap.HUGE: "no column of this table is that wide",
}


class SqlWorld(World):
    """Customers in a table, with all that the kit does to them done by plain SQL."""

    instant = "closed"
    day = "due"
    subject = "email"
    gaps = DISTURBED_ELSEWHERE
    key_columns: ClassVar[Mapping[str, str]] = {"id": "INTEGER NOT NULL"}
    block: ClassVar[Mapping[str, Any]] = {"flag": {"blocked": True}}
    proof: ClassVar[Mapping[str, Any]] = {"receipts": "retentiond_receipts"}
    fact: ClassVar[Mapping[str, Any]] = {"column": "paid"}

    def __init__(self, tables: sql_world.World) -> None:
        self.tables = tables
        self.refusing = False
        self.connector = connector
        self.connection = {"url": tables.url.render_as_string(hide_password=False), **self.proof}
        self.options = {
            "table": "customers",
            "key": list(self.key_columns),
            "dates": {
                "closed": {"column": "closed_at", "kind": "timestamp"},
                "due": {"column": "due_on", "kind": "date"},
            },
            "unchanged": ["status"],
            "subjects": {"email": "mail"},
            "facts": {"paid": dict(self.fact)},
            "block": dict(self.block),
            "anonymize": {
                "columns": {"name": "null", "mail": "null"},
                "marker": {"anonymized": True},
                "kept": ["blocked", "paid", "claimed"],
            },
        }
        self.beside = [{**self.options, "only": {"claimed": True}}]
        keys = ", ".join(f"{name} {kind}" for name, kind in self.key_columns.items())
        tables.do(f"CREATE TABLE payments ({keys})", create("retentiond_receipts"))
        for table in PLACES:
            tables.do(f"CREATE TABLE {table} ({keys}, {COLUMNS}, PRIMARY KEY ({', '.join(self.key_columns)}))")

    def key(self, number: int) -> Key:
        return (str(number),)

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        self._put([(self.key(number), moment)], state)
        return self.key(number)

    def put_many(self, moments: Sequence[datetime | date]) -> list[Key]:
        self._put([(self.key(number), moment) for number, moment in enumerate(moments)])
        return [self.key(number) for number in range(len(moments))]

    def change(self, key: Key) -> None:
        self._update(key, "status = 'reopened'")

    def remove(self, key: Key) -> None:
        for table in PLACES:
            self.tables.do(f"DELETE FROM {table} WHERE {self._is()}", **self._values(key))  # noqa: S608 - names of this test

    def all_keys(self) -> set[Key]:
        keys = ", ".join(self.key_columns)
        rows = [row for table in PLACES for row in self.tables.all(f"SELECT {keys} FROM {table}")]  # noqa: S608 - names of this test
        assert len(rows) == len(set(rows)), "a record lies in both tables"
        return {tuple(str(part) for part in row) for row in rows}

    def content(self, key: Key) -> object:
        return self._rows("customers", key), self._rows("archive", key)

    def state(self, key: Key) -> Presence:
        here, moved = self._rows("customers", key), self._rows("archive", key)
        if not here and not moved:
            return Presence.ABSENT
        row = (here or moved)[0]
        if row["name"] is None and row["anonymized"]:
            return Presence.ANONYMIZED
        return Presence.BLOCKED if moved or row["blocked"] else Presence.PRESENT

    def empty(self) -> None:
        if self.refusing:
            on = "ON {table}" if self.tables.kind == "postgresql" else ""
            self.tables.do(*(f"DROP TRIGGER no_{what}_{table} {on}".replace("{table}", table) for what, table in self.refusals()))
            self.refusing = False
        self.tables.do("DELETE FROM customers", "DELETE FROM archive", "DELETE FROM payments")

    def write_through(self, reader: Reader) -> bool:
        assert isinstance(reader, SqlReader)
        connection = reader._session.connection()
        for statement in ("DELETE FROM customers", "UPDATE customers SET name = 'x'", "CREATE TABLE other (id INTEGER)"):
            try:
                with connection.begin():
                    connection.exec_driver_sql(statement)
            except sa.exc.DBAPIError:
                continue
            return True
        return False

    @staticmethod
    def refusals() -> list[tuple[str, str]]:
        """What is refused, and where."""
        return [(what, table) for what in ("update", "delete") for table in PLACES]

    def refuse(self, key: Key) -> None:
        self._update(key, "name = 'disputed'")
        if self.refusing:
            return
        self.refusing = True
        for what, table in self.refusals():
            with self.tables.engine.begin() as connection:
                connection.exec_driver_sql(REFUSALS[self.tables.kind].replace("{what}", what).replace("{table}", table))

    def undo(self) -> None:
        acted = set()

        def act(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith(("DELETE", "UPDATE", "INSERT")) and "retentiond_receipts" not in statement:
                acted.add(connection)

        def commit(connection: sa.Connection) -> None:
            if connection in acted:
                sa.event.remove(sa.Engine, "before_cursor_execute", act)
                sa.event.remove(sa.Engine, "commit", commit)
                raise TransientConnectorError("Just before the commit the line was cut.", "lost-connection")

        sa.event.listen(sa.Engine, "before_cursor_execute", act)
        sa.event.listen(sa.Engine, "commit", commit)

    def unreachable(self) -> None:
        nowhere = {
            "sqlite": "sqlite:////nowhere/at/all.db",
            "postgresql": "postgresql://admin@/shop?host=/nowhere/at/all",
            "mysql": "mariadb://admin@127.0.0.1:1/shop",
        }
        self.connection = {"url": nowhere[self.tables.kind], "connect_timeout_seconds": 1}

    def typed(self, key: Key) -> str:
        return ",".join(key)

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        key = self.put(number, moment, state)
        self.change_person(key, person)
        return key

    def change_person(self, key: Key, person: str) -> None:
        self._update(key, "mail = :person", person=person)

    def change_fact(self, key: Key) -> None:
        self._update(key, "paid = true")

    def contest(self, key: Key) -> None:
        self._update(key, "claimed = true")

    def _put(self, rows: Sequence[tuple[Key, datetime | date | None]], state: Presence = Presence.PRESENT) -> None:
        table = "archive" if state is Presence.BLOCKED and "moved_to" in self.block else "customers"
        names = [*self.key_columns, "closed_at", "due_on", "name", "status", "blocked", "anonymized"]
        values = [
            {
                **self._values(key),
                "closed_at": self.tables.stored(moment) if isinstance(moment, datetime) else None,
                "due_on": None if isinstance(moment, datetime) else self.tables.stored(moment),
                "name": None if state is Presence.ANONYMIZED else f"Name {key[-1]}",
                "status": "closed",
                "blocked": state is Presence.BLOCKED and "flag" in self.block,
                "anonymized": state is Presence.ANONYMIZED,
            }
            for key, moment in rows
        ]
        text = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"  # noqa: S608 - names of this test
        with self.tables.engine.begin() as connection:
            connection.execute(sa.text(text), values)

    def _update(self, key: Key, change: str, **values: object) -> None:
        for table in PLACES:
            self.tables.do(f"UPDATE {table} SET {change} WHERE {self._is()}", **self._values(key), **values)  # noqa: S608 - names of this test

    def _rows(self, table: str, key: Key) -> list[dict[str, Any]]:
        with self.tables.engine.connect() as connection:
            text = sa.text(f"SELECT * FROM {table} WHERE {self._is()}")  # noqa: S608 - names of this test
            return [dict(row) for row in connection.execute(text, self._values(key)).mappings()]

    def _is(self) -> str:
        return " AND ".join(f"{name} = :{name}" for name in self.key_columns)

    def _values(self, key: Key) -> dict[str, Any]:
        kinds = zip(self.key_columns.items(), key, strict=True)
        return {name: int(part) if kind.startswith("INTEGER") else part for (name, kind), part in kinds}


class Flagged(SqlWorld):
    """Whole numbers for keys; blocked by a flag."""

    def __init__(self, tables: sql_world.World) -> None:
        super().__init__(tables)
        self.gaps = {**self.gaps, Gap.ODD_KEYS: "a whole number is never odd"}


class Moved(SqlWorld):
    """Text for keys; blocked by moving into another table; a fact that another table tells."""

    key_columns: ClassVar[Mapping[str, str]] = {"code": "VARCHAR(100) NOT NULL"}
    block: ClassVar[Mapping[str, Any]] = {"moved_to": "archive"}
    fact: ClassVar[Mapping[str, Any]] = {"exists": {"table": "payments", "refers": {"code": "code"}}}

    def key(self, number: int) -> Key:
        return (f"K-{number}",)

    def change_fact(self, key: Key) -> None:
        self.tables.put("payments", {"code": key[0]})

    def put_odd(self, moment: datetime | date) -> list[Key]:
        quotes = ("O'Brien", '"; DROP TABLE customers; --', "a,b", '["a"]', "\\", ":name")
        others = ("100%", "a_b", "aXb", " blank", "two\nlines", "\x1b[31mred", "NULL", "", "Zoë", "🚀")
        keys: list[Key] = [(one,) for one in quotes + others]
        self._put([(key, moment) for key in keys])
        return keys


class Numbered(Flagged):
    """PostgreSQL is asked what became of a transaction, and no receipt is written."""

    proof: ClassVar[Mapping[str, Any]] = {"transaction_ids": True}


class Composed(SqlWorld):
    """Keys of two columns; blocked by a flag."""

    key_columns: ClassVar[Mapping[str, str]] = {"region": "VARCHAR(20) NOT NULL", "id": "INTEGER NOT NULL"}

    def key(self, number: int) -> Key:
        return ("north" if number % 2 else "south", str(number // 2))

    def put_odd(self, moment: datetime | date) -> list[Key]:
        keys: list[Key] = [("1", "11"), ("11", "1"), ("1,1", "1"), ("", "0"), ("'", "-1")]
        self._put([(key, moment) for key in keys])
        return keys


class Grouped(Flagged):
    """Records that are two fields of a row: the row stays when they are deleted."""

    def __init__(self, tables: sql_world.World) -> None:
        super().__init__(tables)
        self.gaps = {**self.gaps, Gap.ANONYMIZE: "fields are emptied, and nothing of them is left to anonymize"}
        whole = {name: told for name, told in self.options.items() if name != "anonymize"}
        self.options = {**whole, "fields": ["name", "mail"], "kept": ["claimed", "anonymized"]}
        self.beside = [{**self.options, "only": {"claimed": True}, "fields": ["name"]}, whole]

    def all_keys(self) -> set[Key]:
        return {key for key in super().all_keys() if self.state(key) is not Presence.ABSENT}

    def state(self, key: Key) -> Presence:
        empty = all(row["name"] is None and row["mail"] is None for row in self._rows("customers", key))
        return Presence.ABSENT if empty else super().state(key)


CASES: list[tuple[type[SqlWorld], str]] = [(kind, database) for kind in (Flagged, Moved) for database in DATABASES]
# Keys of several columns, and fields, have tests of their own on each database.
CASES += [(Composed, "sqlite"), (Grouped, "sqlite"), (Numbered, "postgresql")]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].__name__}-{case[1]}")
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    kind, database = request.param
    monkeypatch.setattr("retentiond_sql.reader.PAGE", 3)
    for tables in sql_world.opened(request.getfixturevalue(database)):
        yield kind(tables)


@pytest.mark.usefixtures("far_from_utc")
class TestSql(ConformanceKit):
    pass


def test_the_kit_notices_a_reader_whose_session_takes_writes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retentiond_sql.reader.open_engine", lambda options, **_: open_engine(options, writes=True))
    with pytest.raises(AssertionError, match="took a write"):
        ConformanceKit().test_a_reader_cannot_write(world)
