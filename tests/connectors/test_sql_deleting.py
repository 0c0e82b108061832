"""The SQL deleter deletes exactly what it is given, whole, if it is unchanged, and says what it did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sql_world import CUSTOMERS, World, before, customers, dataset, moment, only_on, opened

from retentiond.connector import Answer, Answered, ConnectorError, How, Presence

pytestmark = pytest.mark.usefixtures("far_from_utc")

NAMED = How.RETURNING
ALL = before("2030-01-01")


@pytest.fixture
def world(database: sa.URL) -> Iterator[World]:
    yield from opened(database)


@pytest.fixture
def shop(world: World) -> World:
    world.do(CUSTOMERS)
    return world


def said(answers: list[Answer]) -> list[str]:
    return [answer.code or answer.said.value for answer in answers]


def test_deletes_exactly_the_given_records_and_the_database_names_them(shop: World) -> None:
    customers(shop, 5)
    refs = shop.find(dataset(), ALL)
    assert shop.delete(dataset(), [refs[3], refs[1]]) == [Answer.done(NAMED), Answer.done(NAMED)]
    assert shop.column("SELECT id FROM customers ORDER BY id") == [1, 3, 5]


def test_a_second_time_there_is_nothing_to_delete(shop: World) -> None:
    customers(shop, 2)
    refs = shop.find(dataset(), ALL)
    shop.delete(dataset(), refs)
    assert shop.delete(dataset(), refs) == [Answer.not_found()] * 2


@pytest.mark.parametrize("change", ["closed_at", "status"])
def test_a_record_that_changed_since_it_was_found_is_left_alone(shop: World, change: str) -> None:
    customers(shop, 3)
    options = dataset(unchanged=["status"])
    refs = shop.find(options, ALL)
    shop.do(
        f"UPDATE customers SET {change} = :new WHERE id = 2",  # noqa: S608 - a name of this test
        new=shop.stored(moment("2020-02-02")) if change == "closed_at" else "",
    )
    assert said(shop.delete(options, refs)) == ["done", "changed", "done"]
    assert shop.column("SELECT id FROM customers") == [2]


def test_a_record_that_left_the_declared_values_is_left_alone(shop: World) -> None:
    customers(shop, 2, each=lambda _n: {"status": "closed"})
    options = dataset(only={"status": "closed"})
    refs = shop.find(options, ALL)
    shop.do("UPDATE customers SET status = 'open' WHERE id = 1")
    assert said(shop.delete(options, refs)) == ["changed", "done"]


def test_a_stranger_under_a_re_used_key_is_left_alone(shop: World) -> None:
    customers(shop, 1)
    options = dataset(identity=["name"])
    refs = shop.find(options, ALL)
    shop.do("UPDATE customers SET name = 'Somebody Else'")
    assert said(shop.delete(options, refs)) == ["changed"]


def test_answers_stand_in_the_order_of_the_records(shop: World) -> None:
    customers(shop, 4)
    refs = shop.find(dataset(), ALL)
    shop.do("DELETE FROM customers WHERE id = 3")
    mixed = [refs[2], replace(refs[0], fingerprint="0" * 64), refs[3], replace(refs[1], key=("no number",))]
    assert said(shop.delete(dataset(), mixed)) == ["not-found", "changed", "done", "not-found"]


def test_a_record_that_others_point_at_is_kept_and_the_others_go(shop: World) -> None:
    shop.do(
        "CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer INTEGER, FOREIGN KEY (customer) REFERENCES customers (id))",
    )
    customers(shop, 9)
    shop.do("INSERT INTO invoices VALUES (1, 4), (2, 7)")
    answers = shop.delete(dataset(), shop.find(dataset(), ALL))
    assert said(answers) == ["done", "done", "done", "referenced", "done", "done", "referenced", "done", "done"]
    assert shop.column("SELECT id FROM customers ORDER BY id") == [4, 7]


@only_on("sqlite", "postgresql")
def test_a_constraint_that_is_only_checked_at_commit_stops_its_own_record_alone(shop: World) -> None:
    shop.do(
        "CREATE TABLE invoices (id INTEGER PRIMARY KEY, "
        "customer INTEGER REFERENCES customers (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    customers(shop, 5)
    shop.do("INSERT INTO invoices VALUES (1, 4)")
    assert said(shop.delete(dataset(), shop.find(dataset(), ALL))) == ["done", "done", "done", "referenced", "done"]
    assert shop.column("SELECT id FROM customers") == [4]


@only_on("sqlite", "postgresql")
def test_records_and_parts_that_refer_to_each_other_can_go(world: World) -> None:
    world.do(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, closed_at {instant}, main INTEGER)",
        "CREATE TABLE addresses (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers (id))",
        "INSERT INTO customers VALUES (1, '2020-01-01 00:00:00Z', 5), (2, '2020-01-01 00:00:00Z', 6)",
        "INSERT INTO addresses VALUES (5, 1), (6, 2)",
    )
    deferred = "REFERENCES addresses (id) DEFERRABLE INITIALLY DEFERRED"
    if world.kind == "postgresql":
        world.do(f"ALTER TABLE customers ADD FOREIGN KEY (main) {deferred}", "CREATE TABLE invoices (customer INTEGER)")
        world.do("ALTER TABLE invoices ADD FOREIGN KEY (customer) REFERENCES customers DEFERRABLE INITIALLY DEFERRED")
    else:
        world.do("ALTER TABLE customers RENAME COLUMN main TO main_before", f"ALTER TABLE customers ADD COLUMN main {deferred}")
        world.do("UPDATE customers SET main = main_before", "CREATE TABLE invoices (customer REFERENCES customers (id))")
    world.do("INSERT INTO invoices VALUES (2)")
    options = dataset(parts=[{"table": "addresses", "refers": {"customer": "id"}}])
    assert said(world.delete(options, world.find(options, ALL))) == ["done", "referenced"]
    assert world.column("SELECT id FROM addresses") == [6]


def test_records_that_refer_to_one_another_go_together(world: World) -> None:
    world.do(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, closed_at {instant}, parent INTEGER, "
        "FOREIGN KEY (parent) REFERENCES customers (id))",
        "CREATE TABLE invoices (customer INTEGER, FOREIGN KEY (customer) REFERENCES customers (id))",
    )
    world.put("customers", *({"id": n, "parent": n - 1 or None, "closed_at": moment("2020-01-01")} for n in range(1, 12)))
    world.do("INSERT INTO invoices VALUES (3)")
    answers = said(world.delete(dataset(), world.find(dataset(), ALL)))
    assert answers == ["referenced"] * 3 + ["done"] * 8
    assert world.column("SELECT id FROM customers ORDER BY id") == [1, 2, 3]


RAISING = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN OLD; END $$"
TRIGGERS = {
    "sqlite": ["CREATE TRIGGER t BEFORE DELETE ON customers WHEN OLD.id = 2 BEGIN SELECT RAISE(ABORT, 'secret text'); END"],
    "postgresql": [
        RAISING.format("IF OLD.id = 2 THEN RAISE EXCEPTION 'secret text'; END IF;"),
        "CREATE TRIGGER t BEFORE DELETE ON customers FOR EACH ROW EXECUTE FUNCTION f()",
    ],
    "mysql": ["CREATE TRIGGER t BEFORE DELETE ON customers FOR EACH ROW IF OLD.id = 2 THEN SIGNAL SQLSTATE '45000'; END IF"],
}


def test_a_record_that_a_trigger_refuses_stops_nobody_else(shop: World) -> None:
    customers(shop, 3)
    with shop.engine.begin() as connection:
        for statement in TRIGGERS[shop.kind]:
            connection.exec_driver_sql(statement)
    assert said(shop.delete(dataset(), shop.find(dataset(), ALL))) == ["done", "refused", "done"]


@only_on("sqlite", "postgresql")
def test_a_delete_that_the_database_silently_drops_is_not_called_done(shop: World) -> None:
    customers(shop, 3)
    drop = {
        "sqlite": ["CREATE TRIGGER t BEFORE DELETE ON customers WHEN OLD.id = 2 BEGIN SELECT RAISE(IGNORE); END"],
        "postgresql": [
            RAISING.format("IF OLD.id = 2 THEN RETURN NULL; END IF;"),
            "CREATE TRIGGER t BEFORE DELETE ON customers FOR EACH ROW EXECUTE FUNCTION f()",
        ],
    }
    with shop.engine.begin() as connection:
        for statement in drop[shop.kind]:
            connection.exec_driver_sql(statement)
    assert said(shop.delete(dataset(), shop.find(dataset(), ALL))) == ["done", "refused", "done"]


def test_deletes_a_blocked_record_from_the_table_it_was_moved_to(shop: World) -> None:
    shop.do(CUSTOMERS.replace("customers", "archive"))
    customers(shop, 3)
    shop.do("INSERT INTO archive SELECT * FROM customers WHERE id = 2", "DELETE FROM customers WHERE id = 2")
    options = dataset(block={"moved_to": "archive"})
    assert said(shop.delete(options, shop.find(options, ALL)[:2])) == ["done", "done"]
    assert shop.column("SELECT id FROM customers UNION ALL SELECT id FROM archive") == [3]


ODD = [
    "a",
    "A",
    "ä",
    "a ",
    " a",
    "a'b",
    'a"b',
    "a\\b",
    "a\\'b",
    "a;b--",
    "%s",
    "%(x)s",
    ":x",
    "?",
    "{}",
    "🧨",
    "日本語",
    "a,b",
    '["a"]',
    "",
    "NULL",
    "x" * 180,
    "\t",
    "a\nb",
    "ß",
    "ss",
    "1",
    "01",
]
"""Keys that have hurt somebody somewhere."""


def keyed_by_text(world: World, keys: list[str]) -> None:
    kind = {"sqlite": "TEXT", "postgresql": "text", "mysql": "varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"}[
        world.kind
    ]
    world.do(f"CREATE TABLE customers (id {kind} NOT NULL PRIMARY KEY, closed_at {{instant}})")
    world.put("customers", *({"id": key, "closed_at": moment("2020-01-01")} for key in keys))


def test_odd_keys_come_and_go_one_by_one(world: World) -> None:
    keyed_by_text(world, ODD)
    refs = world.find(dataset(), ALL)
    assert sorted(ref.key[0] for ref in refs) == sorted(ODD)
    left = set(ODD)
    for ref in refs:
        assert said(world.delete(dataset(), [ref])) == ["done"]
        left.remove(ref.key[0])
        assert set(world.column("SELECT id FROM customers")) == left


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30), min_size=2, max_size=8)
)
def test_any_text_can_be_a_key_and_none_takes_another_along(world: World, keys: set[str]) -> None:
    world.do("DROP TABLE IF EXISTS customers")
    keyed_by_text(world, sorted(keys))
    refs = world.find(dataset(), ALL)
    assert {ref.key[0] for ref in refs} == keys
    gone = refs[::2]
    assert set(said(world.delete(dataset(), gone))) == {"done"}
    assert set(world.column("SELECT id FROM customers")) == keys - {ref.key[0] for ref in gone}


def test_a_key_that_only_the_collation_calls_the_same_is_another_record(world: World) -> None:
    # The record found as `Ann` is gone, and `ANN` has come: to a case-insensitive column they are one.
    kind = {"sqlite": "TEXT COLLATE NOCASE", "postgresql": "text COLLATE ci", "mysql": "varchar(50) COLLATE utf8mb4_general_ci"}[
        world.kind
    ]
    if world.kind == "postgresql":
        world.do("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    world.do(f"CREATE TABLE customers (id {kind} NOT NULL PRIMARY KEY, closed_at {{instant}})")
    world.put("customers", {"id": "Ann", "closed_at": moment("2020-01-01")})
    refs = world.find(dataset(), ALL)
    world.do("UPDATE customers SET id = 'ANN'")
    assert said(world.delete(dataset(), refs)) == ["not-found"]
    with world.reader(dataset()) as reader:
        assert reader.present(refs) == [Presence.ABSENT]
        assert reader.explain(("ann",)) is None
    assert world.column("SELECT id FROM customers") == ["ANN"]


@only_on("mariadb")
def test_a_trailing_space_makes_another_record(world: World) -> None:
    world.do("CREATE TABLE customers (id varchar(50) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, closed_at {instant})")
    world.put("customers", {"id": "a", "closed_at": moment("2020-01-01")})
    refs = world.find(dataset(), ALL)
    world.do("UPDATE customers SET id = 'a  '")
    assert said(world.delete(dataset(), refs)) == ["not-found"]
    assert world.column("SELECT id FROM customers") == ["a  "]


def test_the_padding_of_char_in_postgresql_is_no_part_of_a_key(world: World) -> None:
    world.do("CREATE TABLE customers (id char(10) NOT NULL PRIMARY KEY, closed_at {instant})")
    world.put("customers", {"id": "ab", "closed_at": moment("2020-01-01")})
    refs = world.find(dataset(), ALL)
    assert [ref.key for ref in refs] == [("ab",)]
    assert said(world.delete(dataset(), refs)) == ["done"]


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        ("BIGINT", [-(2**63), -1, 0, 2**63 - 1], [str(-(2**63)), "-1", "0", str(2**63 - 1)]),
        ("{bytes}", [b"", b"\x00\xff", b"a'b\\"], ["", "00ff", "6127625c"]),
        ("{uuid}", ["6f9619ff-8b86-d011-b42d-00cf4fc964ff"], ["6f9619ff-8b86-d011-b42d-00cf4fc964ff"]),
    ],
)
def test_keys_of_other_types(world: World, kind: str, values: list[Any], texts: list[str]) -> None:
    world.do(f"CREATE TABLE customers (id {kind} NOT NULL PRIMARY KEY, closed_at {{instant}})")
    world.put("customers", *({"id": value, "closed_at": moment("2020-01-01")} for value in values))
    refs = world.find(dataset(), ALL)
    assert sorted(ref.key[0] for ref in refs) == sorted(texts)
    with world.reader(dataset()) as reader:
        assert [found.key for text in texts if (found := reader.explain((text,)))] == [(text,) for text in texts]
        assert reader.explain(("no such thing",)) is None
        assert reader.explain((str(2**70),)) is None
    assert set(said(world.delete(dataset(), refs))) == {"done"}
    assert world.column("SELECT count(*) FROM customers") == [0]


def test_composite_keys_keep_their_components_apart(world: World) -> None:
    world.do(
        "CREATE TABLE customers (a {text} NOT NULL, b {text} NOT NULL, n INTEGER NOT NULL, "
        "closed_at {instant}, PRIMARY KEY (a, b, n))"
    )
    keys = [("x,y", "z", 1), ("x", "y,z", 1), ("x", "y", 1), ("x", "y", 2), ("x'", "[]", -3)]
    world.put("customers", *({"a": a, "b": b, "n": n, "closed_at": moment("2020-01-01")} for a, b, n in keys))
    options = dataset(key=["a", "b", "n"])
    refs = world.find(options, ALL)
    assert {ref.key for ref in refs} == {(a, b, str(n)) for a, b, n in keys}
    gone = [ref for ref in refs if ref.key in {("x,y", "z", "1"), ("x", "y", "2")}]
    assert said(world.delete(options, gone)) == ["done", "done"]
    assert {tuple(row) for row in world.all("SELECT a, b, n FROM customers")} == {keys[1], keys[2], keys[4]}


@only_on("postgresql", "mariadb")
def test_a_table_in_another_schema_is_named_with_it(world: World) -> None:
    schema = "Other Place" if world.kind == "postgresql" else str(world.url.database)
    quote = '"' if world.kind == "postgresql" else "`"
    if world.kind == "postgresql":
        world.do('CREATE SCHEMA "Other Place"', "CREATE TABLE customers (id INTEGER)")
    world.do(
        f"CREATE TABLE {quote}{schema}{quote}.{quote}My Customers{quote} (id INTEGER NOT NULL PRIMARY KEY, closed_at {{instant}})"
    )
    world.put(f"{quote}{schema}{quote}.{quote}My Customers{quote}", {"id": 1, "closed_at": moment("2020-01-01")})
    options = dataset(table=f"{schema}.My Customers")
    assert said(world.delete(options, world.find(options, ALL))) == ["done"]


def test_nothing_is_deleted_without_uniqueness_of_the_key(world: World) -> None:
    world.do("CREATE TABLE customers (id INTEGER NOT NULL, closed_at {instant})")
    world.put("customers", *({"id": 1, "closed_at": moment("2020-01-01")} for _ in range(2)))
    refs = world.find(dataset(), ALL)
    with pytest.raises(ConnectorError, match="Nothing in the database keeps two rows"):
        world.delete(dataset(), refs[:1])
    assert world.column("SELECT count(*) FROM customers") == [2]


def test_thousands_at_once(shop: World) -> None:
    with shop.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO customers (id, closed_at) VALUES (:id, :at)"),
            [{"id": n, "at": shop.stored(moment("2020-01-01"))} for n in range(1200)],
        )
    answers = shop.delete(dataset(), shop.find(dataset(), ALL))
    assert {answer.said for answer in answers} == {Answered.DONE}
    assert shop.column("SELECT count(*) FROM customers") == [0]
