"""What happens to a batch when the database does not answer: surely not done, or unknown, and never the one for the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from support.services import Server
from support.sql_world import CUSTOMERS, DELETE, TARGET, World, before, customers, dataset, moment, only_on, opened

from retentiond.connector import (
    Action,
    Answered,
    ConnectorError,
    OutcomeUnknownError,
    Permit,
    Presence,
    RecordRef,
    TransientConnectorError,
)
from retentiond_sql.deleting import SqlDeleter
from retentiond_sql.fence import Fence
from retentiond_sql.rows import fetch
from retentiond_sql.session import Session

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    for world in opened(database):
        world.do(CUSTOMERS)
        customers(world, 4)
        yield world


@pytest.fixture
def served(shop: World) -> World:
    """A shop whose database is a server; only for tests marked so."""
    return shop


@pytest.fixture
def kill(served: World, request: pytest.FixtureRequest) -> Callable[[Any], None]:
    """Ends the session of an open role from outside, as a restart of the server would."""
    server: Server = request.getfixturevalue(f"{'mariadb' if served.kind == 'mysql' else 'postgresql'}_server")

    def end(role: Any) -> None:
        session = role._session if hasattr(role, "_session") else role._actor._session
        connection = session.connection()
        raw = connection.connection.dbapi_connection
        number = raw.thread_id() if served.kind == "mysql" else raw.info.backend_pid
        server.execute(f"KILL {number}" if served.kind == "mysql" else f"SELECT pg_terminate_backend({number}, 5000)")

    return end


def permit(refs: list[RecordRef]) -> Permit:
    return Permit("r.1", Action.DELETE, TARGET, refs)


@only_on("postgresql", "mariadb")
def test_a_connection_lost_before_the_act_is_transient_and_the_next_try_succeeds(
    served: World, kill: Callable[[Any], None]
) -> None:
    refs = served.find(dataset(), ALL)
    with SqlDeleter(served.connection(), dataset(), TARGET) as role:
        kill(role)
        with pytest.raises(TransientConnectorError):
            role.delete(refs, permit(refs))
        assert served.column("SELECT count(*) FROM customers") == [4]
        assert {answer.said for answer in role.delete(refs, permit(refs))} == {Answered.DONE}


@only_on("postgresql", "mariadb")
def test_a_reader_that_lost_its_connection_says_so_and_reads_again(served: World, kill: Callable[[Any], None]) -> None:
    with served.reader(dataset()) as reader:
        refs = [ref for page in reader.find(ALL, DELETE) for ref in page]
        kill(reader)
        with pytest.raises(TransientConnectorError):
            reader.present(refs)
        assert reader.present(refs) == [Presence.PRESENT] * 4


@only_on("postgresql", "mariadb")
def test_a_commit_without_an_answer_is_unknown_although_it_happened(
    served: World, kill: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = served.find(dataset(), ALL)
    with SqlDeleter(served.connection(), dataset(), TARGET) as role:
        raw = role._actor._session.connection().connection.dbapi_connection
        commit = raw.commit  # type: ignore[union-attr]

        def commit_and_lose() -> None:
            commit()
            kill(role)
            raw.cursor().execute("SELECT 1")  # type: ignore[union-attr]

        monkeypatch.setattr(raw, "commit", commit_and_lose)
        with pytest.raises(OutcomeUnknownError) as caught:
            role.delete(refs, permit(refs))
        assert caught.value.code == "lost-connection"
        assert served.column("SELECT count(*) FROM customers") == [0]


@only_on("postgresql", "mariadb")
def test_a_commit_that_never_arrived_is_unknown_too(
    served: World, kill: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = served.find(dataset(), ALL)
    with SqlDeleter(served.connection(), dataset(), TARGET) as role:
        raw = role._actor._session.connection().connection.dbapi_connection
        commit = raw.commit  # type: ignore[union-attr]

        def lose_and_commit() -> None:
            kill(role)
            commit()

        monkeypatch.setattr(raw, "commit", lose_and_commit)
        with pytest.raises(OutcomeUnknownError):
            role.delete(refs, permit(refs))
        assert served.column("SELECT count(*) FROM customers") == [4]


def test_rows_that_somebody_else_holds_are_waited_for_and_then_left_to_another_try(shop: World) -> None:
    refs = shop.find(dataset(), ALL)
    with shop.engine.connect() as other:
        if shop.kind == "sqlite":
            other.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            other.execute(sa.text("SELECT * FROM customers WHERE id = 2 FOR UPDATE"))
        with pytest.raises(TransientConnectorError) as caught:
            shop.delete(dataset(), refs, lock_timeout_seconds=1)
        assert caught.value.code == "unavailable"
        other.rollback()
    assert shop.column("SELECT count(*) FROM customers") == [4]
    assert {answer.said for answer in shop.delete(dataset(), refs)} == {Answered.DONE}


@only_on("postgresql", "mariadb")
def test_a_change_that_is_committed_while_we_wait_for_its_row_is_seen(served: World) -> None:
    refs = served.find(dataset(), ALL)
    with served.engine.connect() as other:
        other.execute(
            sa.text("UPDATE customers SET closed_at = :at WHERE id = 2"), {"at": served.stored(before("2026-01-01").before)}
        )
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.extend(served.delete(dataset(), refs)))
        thread.start()
        _until(lambda: _waiting(served))
        other.commit()
        thread.join(30)
    assert [answer.said for answer in answers] == [Answered.DONE, Answered.CHANGED, Answered.DONE, Answered.DONE]


def _waiting(world: World) -> bool:
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%FOR UPDATE%' AND db = database() "
        "AND id <> connection_id() AND state <> ''",
    }
    return bool(world.column(query[world.kind])[0])


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline


@only_on("mariadb")
def test_a_batch_that_gives_way_in_the_middle_changes_nothing_of_what_was_written_meanwhile(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB undoes the whole transaction then, and our locks with it: what was looked at is out of date."""
    looked, held = threading.Event(), threading.Event()

    def look(*arguments: Any, **options: Any) -> Any:
        found = fetch(*arguments, **options)
        looked.set()
        return found

    def write() -> None:
        with served.engine.begin() as other:
            # It has written more than we, so that we are the one to give way.
            other.execute(sa.text("UPDATE orders SET note = 'x' WHERE id > 3"))
            held.set()
            looked.wait(30)
            other.execute(sa.text("UPDATE customers SET closed_at = :at WHERE id = 2"), {"at": moment("2029-01-01")})

    monkeypatch.setattr("retentiond_sql.acting.fetch", look)
    served.do("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, note {text}, INDEX (customer))")
    served.put("orders", *({"id": n, "customer": n} for n in range(1, 100)))
    options = dataset(parts=[{"table": "orders", "refers": {"customer": "id"}}])
    refs = served.find(options, ALL)
    thread = threading.Thread(target=write)
    thread.start()
    held.wait(30)
    with pytest.raises(TransientConnectorError) as caught:
        served.delete(options, refs)
    thread.join(30)
    assert caught.value.code == "unavailable"
    assert served.column("SELECT count(*) FROM customers") == [4]
    answers = served.delete(options, refs)
    assert [answer.said for answer in answers] == [Answered.DONE, Answered.CHANGED, Answered.DONE, Answered.DONE]


@only_on("sqlite")
def test_a_trigger_that_undoes_the_whole_transaction_makes_no_answer_a_lie(shop: World) -> None:
    shop.do(
        "CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers (id))",
        "INSERT INTO invoices VALUES (1, 1)",
        "CREATE TRIGGER t BEFORE DELETE ON customers WHEN OLD.id = 3 BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    )
    answers = shop.delete(dataset(), shop.find(dataset(), ALL))
    assert [answer.code or answer.said.value for answer in answers] == ["referenced", "done", "refused", "done"]
    assert shop.column("SELECT id FROM customers ORDER BY id") == [1, 3]


@only_on("sqlite")
def test_where_half_of_a_split_batch_is_committed_the_other_half_answers_for_itself(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.do(
        "CREATE TABLE invoices (customer INTEGER REFERENCES customers (id) DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO invoices VALUES (4)",
    )
    refs = shop.find(dataset(), ALL)
    with SqlDeleter(shop.connection(), dataset(), TARGET) as role:
        changing, calls = role._actor._session.changing, iter(range(10))

        def lost_at_last() -> Any:
            if next(calls) > 1:
                raise TransientConnectorError("Lost.", "lost-connection")
            return changing()

        monkeypatch.setattr(role._actor._session, "changing", lost_at_last)
        answers = role.delete(refs, permit(refs))
    assert [answer.code or answer.said.value for answer in answers] == ["done", "done", "lost-connection", "lost-connection"]
    assert shop.column("SELECT id FROM customers ORDER BY id") == [3, 4]


@only_on("postgresql", "mariadb")
def test_a_statement_that_takes_too_long_is_given_up_and_nothing_happened(served: World) -> None:
    slow = {
        "postgresql": [
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN OLD; END $$",
            "CREATE TRIGGER t BEFORE DELETE ON customers FOR EACH ROW EXECUTE FUNCTION f()",
        ],
        "mysql": ["CREATE TRIGGER t BEFORE DELETE ON customers FOR EACH ROW SET @x = (SELECT SLEEP(60))"],
    }
    refs = served.find(dataset(), ALL)
    with served.engine.begin() as connection:
        for statement in slow[served.kind]:
            connection.exec_driver_sql(statement)
    with pytest.raises(TransientConnectorError) as caught:
        served.delete(dataset(), refs, statement_timeout_seconds=1)
    assert caught.value.code == "timeout"
    assert served.column("SELECT count(*) FROM customers") == [4]


@only_on("postgresql", "mariadb")
def test_an_acting_session_waits_for_an_earlier_one_on_the_same_table_and_gives_up_in_time(served: World) -> None:
    with SqlDeleter(served.connection(), dataset(), TARGET) as first:
        fence = Fence(served.connection(), dataset(), patience_seconds=1)
        engine = sa.create_engine(served.url, poolclass=sa.NullPool)
        with pytest.raises(TransientConnectorError, match="Another session of retentiond is still acting"):
            Session(engine, TARGET, fence)
        first.close()
        Session(engine, TARGET, fence).close()


@only_on("postgresql", "mariadb")
def test_the_fence_survives_commits_and_is_taken_anew_after_a_lost_connection(served: World, kill: Callable[[Any], None]) -> None:
    refs = served.find(dataset(), ALL)
    fence = Fence(served.connection(), dataset(), patience_seconds=1)
    engine = sa.create_engine(served.url, poolclass=sa.NullPool)
    with SqlDeleter(served.connection(), dataset(), TARGET) as role:
        role.delete(refs[:1], permit(refs[:1]))
        with pytest.raises(TransientConnectorError):
            Session(engine, TARGET, fence)
        kill(role)
        with pytest.raises(TransientConnectorError):
            role.delete(refs[1:], permit(refs[1:]))
        role.delete(refs[1:], permit(refs[1:]))
        with pytest.raises(TransientConnectorError):
            Session(engine, TARGET, fence)


@only_on("postgresql", "mariadb")
def test_data_sets_of_other_tables_do_not_wait(served: World) -> None:
    served.do(CUSTOMERS.replace("customers", "archive"))
    with SqlDeleter(served.connection(), dataset(), TARGET), SqlDeleter(served.connection(), dataset(table="archive"), TARGET):
        pass


def test_a_wrong_password_is_no_transient_error_and_is_not_told(
    postgresql: sa.URL, postgresql_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "canary-password")
    postgresql_server.execute(
        "CREATE ROLE with_password LOGIN PASSWORD 'another'", "CREATE DATABASE with_password OWNER with_password"
    )
    try:
        for world in opened(postgresql.set(username="with_password", database="with_password")):
            with pytest.raises(ConnectorError) as caught:
                world.reader(dataset(), password={"environment": "DATABASE_PASSWORD"})
            assert not isinstance(caught.value, TransientConnectorError)
            assert "canary-password" not in str(caught.value)
            monkeypatch.setenv("DATABASE_PASSWORD", "another")
            world.reader(dataset(), password={"environment": "DATABASE_PASSWORD"}).close()
    finally:
        postgresql_server.execute("DROP DATABASE with_password", "DROP ROLE with_password")


def test_errors_hold_nothing_of_the_driver_and_of_the_data(shop: World) -> None:
    refs = shop.find(dataset(), ALL)
    shop.do("DROP TABLE customers")
    with pytest.raises(ConnectorError) as caught:
        shop.delete(dataset(), refs)
    error: BaseException | None = caught.value
    assert error is not None
    assert "SELECT" not in str(error)
    assert error.__cause__ is None


def test_a_damaged_sqlite_file_is_unreadable(sqlite: sa.URL) -> None:
    assert sqlite.database is not None
    with open(sqlite.database, "wb") as file:  # noqa: PTH123 - a URL's path is text
        file.write(b"this is no database" * 100)
    for world in opened(sqlite):
        with pytest.raises(ConnectorError) as caught, world.reader(dataset()) as reader:
            reader.count()
        assert caught.value.code == "unreadable"
        assert not isinstance(caught.value, TransientConnectorError)
