"""The SQL blocker blocks by a flag or by moving, moves no date, and gives back what it blocked as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from support.sql_world import BLOCK, CUSTOMERS, World, before, customers, dataset, moment, only_on, opened

from retentiond.connector import Answer, Answered, ConnectorError, How, Presence

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")
FLAG = dataset(block={"flag": {"blocked": True, "status": "blocked"}})
MOVED = dataset(block={"moved_to": "archive"})


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    for world in opened(database):
        world.do(CUSTOMERS, CUSTOMERS.replace("customers", "archive"))
        customers(world, 4)
        yield world


@pytest.mark.parametrize("options", [FLAG, MOVED])
def test_blocks_exactly_the_given_records_and_the_reader_sees_it(shop: World, options: object) -> None:
    options = FLAG if options is FLAG else MOVED
    refs = shop.find(options, ALL, BLOCK)
    assert shop.block(options, [refs[2], refs[0]]) == [Answer.done(How.ROWCOUNT)] * 2
    with shop.reader(options) as reader:
        assert reader.present(refs) == [Presence.BLOCKED, Presence.PRESENT, Presence.BLOCKED, Presence.PRESENT]
        assert reader.count() == 4
    assert [ref.key for ref in shop.find(options, ALL, BLOCK)] == [("2",), ("4",)]


@pytest.mark.parametrize("options", [FLAG, MOVED])
def test_blocking_again_does_nothing(shop: World, options: object) -> None:
    options = FLAG if options is FLAG else MOVED
    refs = shop.find(options, ALL, BLOCK)
    shop.block(options, refs)
    assert shop.block(options, refs) == [Answer.not_found()] * 4


@pytest.mark.parametrize("options", [FLAG, MOVED])
def test_a_record_that_changed_or_went_is_left_alone(shop: World, options: object) -> None:
    options = FLAG if options is FLAG else MOVED
    refs = shop.find(options, ALL, BLOCK)
    shop.do("UPDATE customers SET closed_at = :at WHERE id = 1", at=shop.stored(moment("2025-01-01")))
    shop.do("DELETE FROM customers WHERE id = 2")
    assert [answer.said for answer in shop.block(options, refs[:3])] == [Answered.CHANGED, Answered.NOT_FOUND, Answered.DONE]


@pytest.mark.parametrize("options", [FLAG, MOVED])
def test_a_blocked_record_is_deleted_like_any_other_with_the_reference_from_before(shop: World, options: object) -> None:
    options = FLAG if options is FLAG else MOVED
    refs = shop.find(options, ALL)
    shop.block(options, refs[:2])
    assert {answer.said for answer in shop.delete(options, refs)} == {Answered.DONE}
    assert shop.all("SELECT id FROM customers UNION ALL SELECT id FROM archive") == []


def test_the_moment_of_blocking_is_noted_in_utc_by_the_databases_clock(shop: World) -> None:
    shop.do("ALTER TABLE customers ADD COLUMN blocked_at {local}")
    options = dataset(block={"flag": {"blocked": True}, "at": "blocked_at"})
    shop.block(options, shop.find(options, ALL, BLOCK)[:1])
    (at,) = shop.column("SELECT blocked_at FROM customers WHERE blocked")
    noted = datetime.fromisoformat(at) if isinstance(at, str) else at
    assert abs(noted.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=1)


def test_moving_takes_the_whole_row_along(shop: World) -> None:
    row = shop.all("SELECT * FROM customers WHERE id = 1")
    shop.block(MOVED, shop.find(MOVED, ALL, BLOCK)[:1])
    assert shop.all("SELECT * FROM archive") == row
    assert shop.column("SELECT id FROM customers ORDER BY id") == [2, 3, 4]


def test_a_row_that_does_not_fit_in_the_other_table_stays_where_it_is(shop: World) -> None:
    refs = shop.find(MOVED, ALL, BLOCK)
    shop.do(
        "DROP TABLE archive",
        CUSTOMERS.replace("customers", "archive").replace("name {text}", "name {text} CHECK (name <> 'Name 2')"),
    )
    answers = shop.block(MOVED, refs)
    assert [answer.code for answer in answers] == [None, "constraint", None, None]
    assert shop.column("SELECT id FROM customers") == [2]
    assert shop.column("SELECT id FROM archive ORDER BY id") == [1, 3, 4]


def test_a_row_that_would_not_be_the_same_in_the_other_table_stays_where_it_is(shop: World) -> None:
    refs = shop.find(MOVED, ALL, BLOCK)
    shop.do(
        "ALTER TABLE customers ADD COLUMN amount NUMERIC(10, 4)",
        "UPDATE customers SET amount = id / 4.0",
        "DROP TABLE archive",
        CUSTOMERS.replace("customers", "archive")
        .replace("{bool})", "{bool}, amount {cut})")
        .replace("{cut}", "TEXT" if shop.kind == "sqlite" else "NUMERIC(10, 1)"),
    )
    if shop.kind == "sqlite":
        rounding = "CREATE TRIGGER t AFTER INSERT ON archive BEGIN UPDATE archive SET amount = round(amount, 1); END"
        shop.do(rounding)
    answers = shop.block(MOVED, refs)
    assert [answer.code for answer in answers] == ["unsupported", None, "unsupported", None]
    assert shop.column("SELECT id FROM customers ORDER BY id") == [1, 3]
    assert shop.column("SELECT id FROM archive ORDER BY id") == [2, 4]


def test_all_types_are_moved_as_they_are(shop: World) -> None:
    kinds = {
        "sqlite": {"f": "REAL", "b": "BLOB"},
        "postgresql": {"f": "double precision", "b": "bytea", "j": "json", "n": "numeric", "a": "text[]", "p": "point"},
        "mysql": {
            "f": "double",
            "b": "blob",
            "j": "json",
            "e": "enum('x', 'y')",
            "u": "uuid",
            "s": "set('x', 'y')",
            "p": "point",
        },
    }
    values = {"f": "0.1", "b": "NULL", "j": "'{\"a\": 1}'", "n": "'NaN'", "a": "ARRAY['x']", "e": "'y'", "s": "'x,y'"}
    values |= {"u": "'00000000-0000-0000-0000-000000000001'", "p": "POINT(1, 2)"}
    for name, kind in kinds[shop.kind].items():
        for table in ("customers", "archive"):
            shop.do(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
        with shop.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE customers SET {name} = {values[name]}")  # noqa: S608 - literals of this test
    answers = shop.block(MOVED, shop.find(MOVED, ALL, BLOCK))
    assert [answer.said for answer in answers] == [Answered.DONE] * 4


@only_on("sqlite", "mariadb")
def test_a_row_that_a_trigger_takes_away_where_it_was_moved_to_is_not_lost(shop: World) -> None:
    follow = "CREATE TRIGGER t AFTER DELETE ON customers FOR EACH ROW {} DELETE FROM archive WHERE id = OLD.id AND id = 2 {}"
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(follow.format("BEGIN", "; END") if shop.kind == "sqlite" else follow.format("", ""))
    answers = shop.block(MOVED, shop.find(MOVED, ALL, BLOCK))
    assert [answer.code for answer in answers] == [None, "unsupported", None, None]
    assert shop.column("SELECT id FROM customers") == [2]


def test_a_stranger_under_its_key_in_the_other_table_does_not_stand_for_it(shop: World) -> None:
    shop.do("INSERT INTO archive SELECT * FROM customers", "UPDATE archive SET name = 'NAME 2' WHERE id = 2")
    answers = shop.block(MOVED, shop.find(MOVED, ALL, BLOCK))
    assert [answer.code for answer in answers] == [None, "unsupported", None, None]
    assert shop.all("SELECT id, name FROM customers") == [(2, "Name 2")]


@only_on("postgresql")
def test_a_row_keeps_the_number_that_the_database_gave_it(shop: World) -> None:
    numbered = "CREATE TABLE {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, closed_at timestamptz)"
    shop.do("DROP TABLE customers", "DROP TABLE archive", numbered.format("customers"))
    shop.do("INSERT INTO customers OVERRIDING SYSTEM VALUE VALUES (17, '2020-01-01')")
    refs = shop.find(dataset(), ALL)
    shop.do(numbered.format("archive"))
    with shop.reader(MOVED) as reader:
        assert any("itself fills the columns id of public.archive" in found.what for found in reader.preflight(BLOCK))
    assert [answer.said for answer in shop.block(MOVED, refs)] == [Answered.FAILED]
    shop.do("ALTER TABLE archive ALTER COLUMN id DROP IDENTITY")
    assert [answer.said for answer in shop.block(MOVED, refs)] == [Answered.DONE]
    assert shop.column("SELECT id FROM archive") == [17]


def test_a_row_in_both_places_counts_as_present_until_it_is_blocked_for_good(shop: World) -> None:
    shop.do("INSERT INTO archive SELECT * FROM customers WHERE id = 1")
    refs = shop.find(MOVED, ALL, BLOCK)
    with shop.reader(MOVED) as reader:
        assert reader.present(refs[:1]) == [Presence.PRESENT]
        assert [answer.said for answer in shop.block(MOVED, refs[:1])] == [Answered.DONE]
        assert reader.present(refs[:1]) == [Presence.BLOCKED]


def test_a_trigger_that_moves_a_date_is_found_out_and_the_record_is_left_alone(shop: World) -> None:
    new = {"sqlite": "'2026-01-01 00:00:00+00:00'", "postgresql": "'2026-01-01Z'", "mysql": "'2026-01-01'"}[shop.kind]
    moved = f"UPDATE customers SET closed_at = {new}"  # noqa: S608 - a literal of this test
    trigger = {
        "sqlite": [f"CREATE TRIGGER t AFTER UPDATE OF blocked ON customers BEGIN {moved} WHERE id = NEW.id; END"],
        "postgresql": [
            f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.closed_at = {new}; RETURN NEW; END $$",
            "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION f()",
        ],
        "mysql": [f"CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW SET NEW.closed_at = {new}"],  # noqa: S608 - a literal of this test
    }
    with shop.engine.begin() as connection:
        for statement in trigger[shop.kind]:
            connection.exec_driver_sql(statement)
    options = dataset(block={"flag": {"blocked": True}})
    refs = shop.find(options, ALL, BLOCK)
    assert [answer.code for answer in shop.block(options, refs)] == ["unsupported"] * 4
    assert shop.find(options, ALL, BLOCK) == refs


def test_a_flag_that_a_trigger_takes_back_is_not_called_set(shop: World) -> None:
    trigger = {
        "sqlite": [
            "CREATE TRIGGER t AFTER UPDATE OF blocked ON customers BEGIN UPDATE customers SET blocked = NULL WHERE id = 2; END"
        ],
        "postgresql": [
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.blocked = NULL; RETURN NEW; END $$",
            "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION f()",
        ],
        "mysql": ["CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW SET NEW.blocked = NULLIF(NEW.blocked, NEW.id = 2)"],
    }
    with shop.engine.begin() as connection:
        for statement in trigger[shop.kind]:
            connection.exec_driver_sql(statement)
    assert [answer.code for answer in shop.block(FLAG, shop.find(FLAG, ALL, BLOCK))] == [None, "unsupported", None, None]
    assert shop.all("SELECT blocked, status FROM customers WHERE id = 2") == [(None, None)]


@only_on("postgresql")
@pytest.mark.parametrize("kind", ["char(4)", "varchar(3)"])
def test_a_flag_that_its_column_cuts_short_is_not_called_set(shop: World, kind: str) -> None:
    shop.do(f"ALTER TABLE customers ADD COLUMN short {kind}")
    options = dataset(block={"flag": {"short": "yes "}})
    assert {answer.code for answer in shop.block(options, shop.find(options, ALL, BLOCK))} == {"unsupported"}


@only_on("sqlite", "postgresql")
def test_the_table_for_blocked_records_is_another_one_however_it_is_written(shop: World) -> None:
    options = dataset(block={"moved_to": {"sqlite": "main.Customers", "postgresql": "public.customers"}[shop.kind]})
    with shop.reader(options) as reader:
        assert "is the table that they lie in" in reader.preflight(BLOCK)[0].what
        with pytest.raises(ConnectorError, match="is the table that they lie in"):
            reader.count()


def test_a_column_that_moves_by_itself_on_update_is_pinned(mariadb: sa.URL) -> None:
    for world in opened(mariadb):
        world.do(CUSTOMERS.replace("closed_at {instant}", "closed_at timestamp(6) NULL ON UPDATE CURRENT_TIMESTAMP(6)"))
        customers(world, 2)
        options = dataset(block={"flag": {"blocked": True}})
        refs = world.find(options, ALL, BLOCK)
        assert {answer.said for answer in world.block(options, refs)} == {Answered.DONE}
        assert [ref.dates for ref in world.find(options, ALL)] == [ref.dates for ref in refs]
