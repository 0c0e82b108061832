"""The reader's session cannot write, whatever statement it is given; and a role with SELECT alone is enough for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from support.services import Server
from support.sql_world import CUSTOMERS, DELETE, TARGET, World, before, customers, dataset, opened

from retentiond_sql.reader import SqlReader

pytestmark = pytest.mark.usefixtures("far_from_utc")

WRITES = [
    "DELETE FROM customers",
    "UPDATE customers SET name = 'x'",
    "INSERT INTO customers (id) VALUES (99)",
    "CREATE TABLE other (id INTEGER)",
    "DROP TABLE customers",
]


@pytest.fixture
def world(database: sa.URL) -> Iterator[World]:
    for opened_world in opened(database):
        opened_world.do(CUSTOMERS)
        customers(opened_world, 2)
        yield opened_world


@pytest.mark.parametrize("statement", WRITES)
def test_a_write_through_the_readers_own_connection_is_refused(world: World, statement: str) -> None:
    with world.reader(dataset()) as reader:
        connection = reader._session.connection()
        with pytest.raises(sa.exc.DBAPIError), connection.begin():
            connection.exec_driver_sql(statement)
    assert world.column("SELECT count(*) FROM customers WHERE name <> 'x'") == [2]


@pytest.mark.parametrize("statement", WRITES)
def test_a_write_outside_of_any_transaction_is_refused_as_well(world: World, statement: str) -> None:
    with world.reader(dataset()) as reader:
        raw = reader._session.connection().connection.dbapi_connection
        assert raw is not None
        if world.kind == "postgresql":
            raw.autocommit = True  # where psycopg's own read-only flag does nothing
        if world.kind == "mysql":
            raw.autocommit(True)
        cursor = raw.cursor()
        with pytest.raises(Exception) as caught:  # noqa: PT011 - each driver has its own
            cursor.execute(statement)
        assert any(word in str(caught.value).lower() for word in ("read-only", "read only", "readonly"))
        cursor.close()
    assert world.column("SELECT count(*) FROM customers WHERE name <> 'x'") == [2]


def test_a_role_with_select_alone_is_enough_to_find_and_to_read_back(
    world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {}
    if world.kind == "postgresql":
        server: Server = request.getfixturevalue("postgresql_server")
        role = f"r_{world.url.database}"
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'never-in-a-url'")
        world.do(f"GRANT SELECT ON customers TO {role}")
        request.addfinalizer(lambda: server.execute(f"DROP ROLE {role}"))
        request.addfinalizer(lambda: world.do(f"REVOKE ALL ON customers FROM {role}"))
    elif world.kind == "mysql":
        server = request.getfixturevalue("mariadb_server")
        role = f"r_{world.url.database}"
        server.execute(
            f"CREATE USER {role}@localhost IDENTIFIED BY 'never-in-a-url'",
            f"GRANT SELECT ON {world.url.database}.customers TO {role}@localhost",
        )
        request.addfinalizer(lambda: server.execute(f"DROP USER {role}@localhost"))
    if world.kind != "sqlite":
        monkeypatch.setenv("READER_PASSWORD", "never-in-a-url")
        more = {"reader": {"user": role, "password": {"environment": "READER_PASSWORD"}}}
    with SqlReader(world.connection(**more), dataset(), TARGET) as reader:
        assert reader.count() == 2
        refs = [ref for page in reader.find(before("2030-01-01"), DELETE) for ref in page]
        assert len(reader.present(refs)) == 2
        assert [finding for finding in reader.preflight(DELETE) if finding.refuses] == []
        if world.kind != "sqlite":
            with reader._session.reading() as connection:
                user = connection.execute(sa.text("SELECT current_user")).scalar_one()
            assert user.startswith("r_")


def test_reading_a_sqlite_file_in_write_ahead_mode_needs_no_writer(sqlite: sa.URL) -> None:
    for world in opened(sqlite):
        with world.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        world.do(CUSTOMERS)
        customers(world, 3)
        with world.reader(dataset()) as reader:
            assert reader.count() == 3
            world.do("DELETE FROM customers WHERE id = 1")
            assert reader.count() == 2
