"""A record may be some fields of a row: they go at once, and nothing else of the row does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from support.sql_world import BLOCK, DELETE, World, before, customers, dataset, moment, opened

from retentiond.connector import Answer, Answered, ConnectorError, How, Presence

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")
FIELDS = ["phone", "born_on", "newsletter"]
GROUP = dataset(fields=FIELDS, kept=["name", "status"], subjects={"phone": "phone"}, block={"flag": {"blocked": True}})


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    for world in opened(database):
        world.do(
            "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, name {text}, closed_at {instant}, status {text}, "
            "phone {text}, born_on {day}, newsletter {bool}, blocked {bool})"
        )
        customers(world, 4, each=lambda n: {"phone": f"+49 171 {n}", "newsletter": True, "status": "paid"})
        world.do(
            "UPDATE customers SET phone = NULL WHERE id = 3", "UPDATE customers SET phone = NULL, newsletter = NULL WHERE id = 4"
        )
        yield world


def refusing(world: World, options: Any = GROUP) -> list[str]:
    with world.reader(options) as reader:
        return [finding.what for finding in reader.preflight(DELETE) if finding.refuses]


def test_a_row_whose_fields_are_all_empty_holds_no_record(shop: World) -> None:
    assert [ref.key for ref in shop.find(GROUP, ALL)] == [("1",), ("2",), ("3",)]
    whole = {ref.key: ref for ref in shop.find(dataset(), ALL)}
    with shop.reader(GROUP) as reader:
        assert reader.count() == 3
        assert reader.explain(("4",)) is None
        assert reader.present([whole["3",], whole["4",]]) == [Presence.PRESENT, Presence.ABSENT]


def test_deleting_empties_exactly_these_fields_of_exactly_these_rows(shop: World) -> None:
    rest = shop.all("SELECT id, name, closed_at, status, blocked FROM customers ORDER BY id")
    refs = shop.find(GROUP, ALL)
    assert refusing(shop) == []
    assert shop.delete(GROUP, [refs[2], refs[0]]) == [Answer.done(How.ROWCOUNT)] * 2
    assert shop.all("SELECT id, name, closed_at, status, blocked FROM customers ORDER BY id") == rest
    assert shop.column("SELECT id FROM customers WHERE phone IS NOT NULL OR born_on IS NOT NULL OR newsletter IS NOT NULL") == [2]
    with shop.reader(GROUP) as reader:
        assert reader.present(refs) == [Presence.ABSENT, Presence.PRESENT, Presence.ABSENT]
    assert [answer.said for answer in shop.delete(GROUP, refs)] == [Answered.NOT_FOUND, Answered.DONE, Answered.NOT_FOUND]


def test_a_record_that_changed_is_left_alone(shop: World) -> None:
    refs = shop.find(GROUP, ALL)
    shop.do("UPDATE customers SET closed_at = :at WHERE id = 1", at=shop.stored(moment("2025-01-01")))
    shop.do("UPDATE customers SET phone = '+49 30 1' WHERE id = 2")
    assert [answer.said for answer in shop.delete(GROUP, refs)] == [Answered.CHANGED, Answered.CHANGED, Answered.DONE]
    assert shop.column("SELECT id FROM customers WHERE newsletter ORDER BY id") == [1, 2]


def test_a_blocked_record_is_found_and_goes_in_the_end(shop: World) -> None:
    refs = shop.find(GROUP, ALL, BLOCK)
    assert {answer.said for answer in shop.block(GROUP, refs)} == {Answered.DONE}
    assert {answer.said for answer in shop.delete(GROUP, refs)} == {Answered.DONE}
    assert shop.column("SELECT count(*) FROM customers") == [4]


def test_a_trigger_that_fills_a_field_anew_is_noticed(shop: World) -> None:
    refs = shop.find(GROUP, ALL)
    trigger = {
        "sqlite": "CREATE TRIGGER t AFTER UPDATE ON customers WHEN new.id = 2 "
        "BEGIN UPDATE customers SET born_on = '2000-01-01' WHERE id = 2 AND born_on IS NULL; END",
        "postgresql": "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF new.id = 2 THEN new.born_on = '2000-01-01'; END IF; RETURN new; END $$; "
        "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION fill()",
        "mysql": "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW "
        "IF new.id = 2 THEN SET new.born_on = '2000-01-01'; END IF",
    }
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(trigger[shop.kind])
    assert [answer.code for answer in shop.delete(GROUP, refs)] == [None, "unsupported", None]
    assert shop.column("SELECT id FROM customers WHERE newsletter") == [2]


def test_a_column_that_nobody_classified_is_refused_before_and_at_the_act(shop: World) -> None:
    refs = shop.find(GROUP, ALL)
    shop.do("ALTER TABLE customers ADD COLUMN shoe_size INTEGER")
    (what,) = refusing(shop)
    assert "shoe_size" in what
    with pytest.raises(ConnectorError, match="shoe_size"):
        shop.delete(GROUP, refs)
    assert shop.column("SELECT count(*) FROM customers WHERE newsletter") == [3]


def test_fields_that_cannot_be_empty_or_are_referred_to_are_refused(shop: World) -> None:
    shop.do(
        "CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, closed_at {instant}, phone {text} NOT NULL, "
        "nick VARCHAR(20) UNIQUE)",
        "CREATE TABLE calls (nick VARCHAR(20), FOREIGN KEY (nick) REFERENCES people (nick) ON UPDATE CASCADE)",
    )
    found = " ".join(refusing(shop, dataset(table="people", fields=["phone", "nick"])))
    assert "phone of the table" in found
    assert "it is NOT NULL" in found
    assert "foreign keys refer to it" in found


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"fields": ["x"], "parts": [{"table": "c", "refers": {"a": "id"}}]}, "no `parts`"),
        ({"fields": ["x"], "block": {"moved_to": "b"}}, "no `block.moved_to`"),
        ({"fields": ["x"], "anonymize": {"columns": {"y": None}, "marker": {"z": 1}}}, "no `anonymize`"),
        ({"fields": ["id"]}, "would empty the column id"),
        ({"fields": ["x"], "block": {"flag": {"y": True}, "at": "x"}}, "would empty the column x"),
        ({"kept": ["x"]}, "`kept` belongs to a data set of `fields`"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        dataset(**options)
