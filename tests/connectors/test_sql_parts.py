"""Parts go with their record, are counted with it, and nothing that is no declared part goes along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from support.sql_world import ANONYMIZE, BLOCK, CUSTOMERS, DELETE, World, before, customers, dataset, moment, only_on, opened

from retentiond.connector import Answered, ConnectorError, Finding

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")
PARTS: list[dict[str, Any]] = [
    {
        "table": "orders",
        "refers": {"customer": "id"},
        "parts": [{"table": "items", "refers": {"order_id": "id"}}],
    },
    {"table": "mails", "refers": {"customer": "id"}},
]


@pytest.fixture
def world(database: sa.URL) -> Iterator[World]:
    yield from opened(database)


@pytest.fixture
def shop(world: World) -> World:
    world.do(
        CUSTOMERS,
        "CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, customer INTEGER, "
        "FOREIGN KEY (customer) REFERENCES customers (id))",
        "CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, order_id INTEGER, "
        "FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE)",
        "CREATE TABLE mails (id INTEGER NOT NULL PRIMARY KEY, customer INTEGER)",
    )
    customers(world, 4)
    world.do(
        "INSERT INTO orders VALUES (10, 1), (11, 1), (20, 2), (40, 4)",
        "INSERT INTO items VALUES (100, 10), (101, 10), (110, 11), (200, 20)",
        "INSERT INTO mails VALUES (1, 1), (2, 2), (3, NULL), (4, 99)",
    )
    return world


def refusing(world: World, action: object = DELETE, **options: object) -> list[str]:
    with world.reader(dataset(**options)) as reader:
        return [finding.what for finding in reader.preflight(action) if finding.refuses]  # type: ignore[arg-type]


def advising(world: World, **options: object) -> list[Finding]:
    with world.reader(dataset(**options)) as reader:
        return [finding for finding in reader.preflight(DELETE) if not finding.refuses]


def test_declared_parts_are_counted_with_their_record(shop: World) -> None:
    options = dataset(parts=PARTS)
    assert [ref.rows for ref in shop.find(options, ALL)] == [7, 4, 1, 2]
    with shop.reader(options) as reader:
        found = reader.explain(("1",))
    assert found is not None
    assert found.rows == 7


def test_declared_parts_go_with_their_record_and_no_others(shop: World) -> None:
    options = dataset(parts=PARTS)
    refs = shop.find(options, ALL)
    answers = shop.delete(options, [refs[0], refs[2]])
    assert [(answer.said, answer.rows) for answer in answers] == [(Answered.DONE, 7), (Answered.DONE, None)]
    assert shop.column("SELECT id FROM orders ORDER BY id") == [20, 40]
    assert shop.column("SELECT id FROM items ORDER BY id") == [200]
    assert shop.column("SELECT id FROM mails ORDER BY id") == [2, 3, 4]


def test_a_part_that_is_reached_in_two_ways_goes_once_and_is_counted_once(shop: World) -> None:
    shop.do(
        "CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, order_id INTEGER, customer INTEGER, "
        "FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE, "
        "FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE)",
        "INSERT INTO notes VALUES (1, 11, 1), (2, 11, NULL), (3, NULL, 1), (4, 20, 2)",
    )
    orders = PARTS[0] | {"parts": [*PARTS[0]["parts"], {"table": "notes", "refers": {"order_id": "id"}}]}
    parts = [orders, PARTS[1], {"table": "notes", "refers": {"customer": "id"}}]
    assert refusing(shop, parts=parts) == []
    options = dataset(parts=parts)
    answers = shop.delete(options, shop.find(options, ALL)[:1])
    assert [(answer.said, answer.rows) for answer in answers] == [(Answered.DONE, 10)]
    assert shop.column("SELECT id FROM notes") == [4]


def test_the_parts_of_a_record_that_is_kept_are_kept(shop: World) -> None:
    shop.do(
        "CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer INTEGER, FOREIGN KEY (customer) REFERENCES customers (id))",
        "INSERT INTO invoices VALUES (1, 1)",
    )
    options = dataset(parts=PARTS)
    refs = shop.find(options, ALL)
    shop.do("UPDATE customers SET closed_at = :at WHERE id = 2", at=shop.stored(moment("2026-01-01")))
    answers = shop.delete(options, refs)
    assert [answer.code or answer.said.value for answer in answers] == ["referenced", "changed", "done", "done"]
    assert shop.column("SELECT id FROM orders ORDER BY id") == [10, 11, 20]
    assert shop.column("SELECT id FROM items ORDER BY id") == [100, 101, 110, 200]
    assert shop.column("SELECT id FROM mails ORDER BY id") == [1, 2, 3, 4]


def test_parts_may_refer_by_several_columns_of_odd_text(database: sa.URL) -> None:
    for world in opened(database):
        world.do(
            "CREATE TABLE customers (a {text} NOT NULL, b {text} NOT NULL, closed_at {instant}, PRIMARY KEY (a, b))",
            "CREATE TABLE mails (id INTEGER NOT NULL PRIMARY KEY, x {text}, y {text})",
        )
        keys = [("a'", "b"), ("ä🧨", "b"), ("a", "b")]
        world.put("customers", *({"a": a, "b": b, "closed_at": moment("2020-01-01")} for a, b in keys))
        world.put("mails", *({"id": n, "x": a, "y": b} for n, (a, b) in enumerate([*keys, keys[0], ("A", "b"), ("a", "B")])))
        options = dataset(key=["a", "b"], parts=[{"table": "mails", "refers": {"x": "a", "y": "b"}}])
        refs = {ref.key: ref for ref in world.find(options, ALL)}
        assert {key: ref.rows for key, ref in refs.items()} == {("a'", "b"): 3, ("ä🧨", "b"): 2, ("a", "b"): 2}
        world.delete(options, [refs["a'", "b"], refs["a", "b"]])
        assert world.column("SELECT id FROM mails ORDER BY id") == [1, 4, 5]


@pytest.mark.parametrize("effect", ["", "ON DELETE CASCADE"])
def test_a_part_that_refers_in_another_case_is_neither_left_behind_nor_taken_unseen(world: World, effect: str) -> None:
    """The database's foreign keys do not tell "Ann" from "ann"; our keys do."""
    loose = {"sqlite": "TEXT COLLATE NOCASE", "postgresql": "text COLLATE loose", "mysql": "{text} COLLATE utf8mb4_general_ci"}
    kind = loose[world.kind]
    if world.kind == "postgresql":
        world.do("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    world.do(
        f"CREATE TABLE customers (id {kind} NOT NULL PRIMARY KEY, closed_at {{instant}}, done {{bool}}, name {{text}})",
        f"CREATE TABLE mails (id INTEGER, customer {kind}, FOREIGN KEY (customer) REFERENCES customers (id) {effect})",
    )
    world.put("customers", *({"id": key, "closed_at": moment("2020-01-01")} for key in ("Ann", "Bob")))
    world.do("INSERT INTO mails VALUES (1, 'Ann'), (2, 'ann'), (3, 'Bob')")
    anonymize = {"columns": {"name": "null"}, "marker": {"done": True}, "parts": "delete"}
    options = dataset(parts=[{"table": "mails", "refers": {"customer": "id"}}], anonymize=anonymize)
    refs = world.find(options, ALL)
    assert [answer.code for answer in world.anonymize(options, refs)] == ["unsupported", None]
    assert [answer.code for answer in world.delete(options, refs)] == ["unsupported", None]
    assert world.column("SELECT id FROM mails ORDER BY id") == [1, 2]
    assert world.column("SELECT id FROM customers") == ["Ann"]


@pytest.mark.parametrize("effect", ["CASCADE", "SET NULL"])
def test_an_undeclared_cascade_refuses_in_the_preflight_and_in_the_act(shop: World, effect: str) -> None:
    shop.do(
        "CREATE TABLE invoices (id INTEGER NOT NULL PRIMARY KEY, customer INTEGER, "
        f"FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE {effect})",
        "INSERT INTO invoices VALUES (1, 1)",
    )
    (found,) = refusing(shop, parts=PARTS)
    assert f"invoices through its foreign key (customer, ON DELETE {effect})" in found
    options = dataset(parts=PARTS)
    with pytest.raises(ConnectorError, match="invoices"):
        shop.delete(options, shop.find(options, ALL))
    assert shop.column("SELECT count(*) FROM customers") == [4]
    assert refusing(shop, parts=[*PARTS, {"table": "invoices", "refers": {"customer": "id"}}]) == []


def test_a_cascade_out_of_a_part_is_found_too(shop: World) -> None:
    (found,) = refusing(shop, parts=[{"table": "orders", "refers": {"customer": "id"}}])
    assert "items through its foreign key (order_id, ON DELETE CASCADE)" in found


def test_a_cascade_onto_the_table_itself_is_found_too(database: sa.URL) -> None:
    for world in opened(database):
        world.do(
            "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, closed_at {instant}, parent INTEGER, "
            "FOREIGN KEY (parent) REFERENCES customers (id) ON DELETE CASCADE)"
        )
        (found,) = refusing(world)
        assert "customers through its foreign key (parent, ON DELETE CASCADE)" in found


@only_on("postgresql")
def test_a_cascade_that_refers_to_the_partitioned_table_is_found_from_its_partition(world: World) -> None:
    world.do(
        "CREATE TABLE logs (id integer PRIMARY KEY, closed_at timestamptz) PARTITION BY RANGE (id)",
        "CREATE TABLE customers PARTITION OF logs FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE notes (log integer REFERENCES logs ON DELETE CASCADE)",
    )
    (found,) = refusing(world)
    assert "notes through its foreign key (log, ON DELETE CASCADE)" in found
    assert refusing(world, parts=[{"table": "notes", "refers": {"log": "id"}}]) == []


@only_on("sqlite")
def test_a_foreign_key_that_refers_to_no_column_at_all_stops_the_record_and_not_the_look(world: World) -> None:
    world.do(
        "CREATE TABLE customers (id INTEGER NOT NULL UNIQUE, closed_at {instant})",
        "CREATE TABLE notes (customer INTEGER REFERENCES customers)",
        "INSERT INTO customers VALUES (1, '2020-01-01T00:00:00Z')",
    )
    assert refusing(world) == []
    assert [answer.code for answer in world.delete(dataset(), world.find(dataset(), ALL))] == ["refused"]


def test_a_cascade_matters_only_where_something_is_deleted(shop: World) -> None:
    shop.do(
        "CREATE TABLE invoices (id INTEGER NOT NULL PRIMARY KEY, customer INTEGER, "
        "FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE)",
        "CREATE TABLE archive (id INTEGER NOT NULL PRIMARY KEY, name {text}, closed_at {instant}, status {text}, blocked {bool})",
    )
    assert refusing(shop, BLOCK, block={"flag": {"blocked": True}}) == []
    assert len(refusing(shop, BLOCK, block={"moved_to": "archive"})) == 1
    anonymize = {"columns": {"name": "null"}, "marker": {"status": "x"}, "kept": ["blocked"]}
    assert refusing(shop, ANONYMIZE, anonymize=anonymize) == []


def test_parts_that_could_belong_to_several_records_are_refused(shop: World) -> None:
    shop.do("CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, who {text})")
    (found,) = refusing(shop, parts=[*PARTS, {"table": "notes", "refers": {"who": "name"}}])
    assert "not unique" in found


def test_references_without_an_index_are_told_of(shop: World) -> None:
    told = " ".join(finding.what for finding in advising(shop, parts=PARTS))
    assert "serves its reference" in told
    assert "mails" in told
    assert "No index begins with the column closed_at" in told


def test_a_part_that_is_not_there_is_refused(shop: World) -> None:
    assert "no table nowhere" in refusing(shop, parts=[{"table": "nowhere", "refers": {"a": "id"}}])[0]
    assert "no column nothing" in refusing(shop, parts=[{"table": "mails", "refers": {"nothing": "id"}}])[0]
