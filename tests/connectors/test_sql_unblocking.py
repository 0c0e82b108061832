"""What was blocked is given back as it was; what was not blocked, or changed since, is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from support.sql_world import BLOCK, CUSTOMERS, TARGET, World, before, customers, dataset, moment, only_on, opened

from retentiond.connector import Action, Answer, Answered, How, Permit, Presence
from retentiond_sql.blocking import SqlBlocker

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")
WAYS: dict[str, Any] = {
    "flag": {"flag": {"blocked": True}, "unflag": {"blocked": None}},
    "words": {"flag": {"status": "blocked"}, "unflag": {"status": "active"}},
    "moved": {"moved_to": "archive"},
}
BOOLEAN = dataset(block={"flag": {"blocked": True}, "at": "blocked_at"})


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    for world in opened(database):
        world.do(CUSTOMERS, CUSTOMERS.replace("customers", "archive"), "ALTER TABLE customers ADD COLUMN blocked_at {local}")
        world.do("ALTER TABLE archive ADD COLUMN blocked_at {local}", "ALTER TABLE archive ADD COLUMN moved_by {text}")
        customers(world, 4, each=lambda _n: {"status": "active"})
        yield world


@pytest.mark.parametrize("way", WAYS)
def test_what_was_blocked_is_given_back_as_it_was(shop: World, way: str) -> None:
    options = dataset(block=WAYS[way])
    rows = shop.all("SELECT * FROM customers ORDER BY id")
    refs = shop.find(options, ALL, BLOCK)
    shop.block(options, refs)
    with shop.reader(options) as reader:
        assert [finding.what for finding in reader.preflight(Action.UNBLOCK) if finding.refuses] == []
        blocked = [ref for page in reader.find(ALL, Action.DELETE) for ref in page]
        assert all(ref.blocked for ref in blocked)
        assert shop.unblock(options, [blocked[3], blocked[1]]) == [Answer.done(How.ROWCOUNT)] * 2
        assert reader.present(refs) == [Presence.BLOCKED, Presence.PRESENT] * 2
        assert reader.count() == 4
    assert shop.unblock(options, blocked) == [
        Answer.done(How.ROWCOUNT),
        Answer.not_found(),
        Answer.done(How.ROWCOUNT),
        Answer.not_found(),
    ]
    assert shop.all("SELECT * FROM customers ORDER BY id") == rows
    assert shop.all("SELECT * FROM archive") == []
    assert shop.find(options, ALL, BLOCK) == refs


def test_one_role_blocks_and_unblocks_in_turn(shop: World) -> None:
    refs = shop.find(BOOLEAN, ALL, BLOCK)
    with SqlBlocker(shop.connection(), BOOLEAN, TARGET) as role:
        for _ in range(2):
            assert {answer.said for answer in role.block(refs, Permit("r.1", BLOCK, TARGET, refs))} == {Answered.DONE}
            assert shop.column("SELECT count(*) FROM customers WHERE blocked AND blocked_at IS NOT NULL") == [4]
            permit = Permit("r.1", Action.UNBLOCK, TARGET, refs)
            assert {answer.said for answer in role.unblock(refs, permit)} == {Answered.DONE}
            assert shop.column("SELECT count(*) FROM customers WHERE NOT blocked AND blocked_at IS NULL") == [4]


@pytest.mark.parametrize("way", WAYS)
def test_a_blocked_record_that_changed_or_went_stays_as_it_is(shop: World, way: str) -> None:
    options = dataset(block=WAYS[way])
    refs = shop.find(options, ALL, BLOCK)
    shop.block(options, refs)
    table = "archive" if way == "moved" else "customers"
    shop.do(f"UPDATE {table} SET closed_at = :at WHERE id = 1", at=shop.stored(moment("2025-01-01")))  # noqa: S608 - a name of this test
    shop.do(f"DELETE FROM {table} WHERE id = 2")  # noqa: S608 - a name of this test
    answers = [answer.said for answer in shop.unblock(options, refs[:3])]
    assert answers == [Answered.CHANGED, Answered.NOT_FOUND, Answered.DONE]
    with shop.reader(options) as reader:
        assert reader.present(refs) == [Presence.BLOCKED, Presence.ABSENT, Presence.PRESENT, Presence.BLOCKED]


def test_a_stranger_under_its_key_keeps_a_record_from_moving_back(shop: World) -> None:
    options = dataset(block=WAYS["moved"])
    refs = shop.find(options, ALL, BLOCK)
    shop.block(options, refs)
    shop.do("INSERT INTO customers (id, name) VALUES (2, 'Stranger')")
    assert [answer.said for answer in shop.unblock(options, refs)] == [
        Answered.DONE,
        Answered.CHANGED,
        Answered.DONE,
        Answered.DONE,
    ]
    assert shop.column("SELECT id FROM archive") == [2]
    assert shop.column("SELECT name FROM customers WHERE id = 2") == ["Stranger"]


def test_a_flag_of_which_nobody_said_what_it_was_before_is_not_taken_back(shop: World) -> None:
    options = dataset(block={"flag": {"status": "blocked"}})
    refs = shop.find(options, ALL, BLOCK)
    shop.block(options, refs)
    assert shop.unblock(options, refs) == [Answer.failed("unsupported")] * 4
    assert shop.column("SELECT count(*) FROM customers WHERE status = 'blocked'") == [4]
    with shop.reader(options) as reader:
        assert any(finding.refuses and "block.unflag" in finding.what for finding in reader.preflight(Action.UNBLOCK))


def test_a_trigger_that_blocks_anew_is_noticed(shop: World) -> None:
    options = dataset(block=WAYS["words"])
    refs = shop.find(options, ALL, BLOCK)
    shop.block(options, refs)
    trigger = {
        "sqlite": "CREATE TRIGGER t AFTER UPDATE ON customers WHEN new.id = 2 AND new.status = 'active' "
        "BEGIN UPDATE customers SET status = 'blocked' WHERE id = 2; END",
        "postgresql": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status = 'blocked'; RETURN NEW; "
        "END $$; "
        "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION f()",
        "mysql": "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW IF NEW.id = 2 THEN SET NEW.status = 'blocked'; END IF",
    }
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(trigger[shop.kind])
    assert [answer.code for answer in shop.unblock(options, refs)] == [None, "unsupported", None, None]
    assert shop.column("SELECT id FROM customers WHERE status = 'blocked'") == [2]


def test_columns_that_cannot_be_emptied_are_told_before(shop: World) -> None:
    shop.do("CREATE TABLE tight (id INTEGER NOT NULL PRIMARY KEY, closed_at {instant}, blocked {bool} NOT NULL)")
    options = dataset(table="tight", block={"flag": {"blocked": True}, "unflag": {"blocked": None}})
    with shop.reader(options) as reader:
        assert any("column blocked" in one.what and one.refuses for one in reader.preflight(Action.UNBLOCK))


@only_on("postgresql")
def test_a_row_that_the_database_would_number_anew_is_not_moved_back(shop: World) -> None:
    shop.do("ALTER TABLE customers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY")
    options = dataset(block=WAYS["moved"])
    refs = shop.find(options, ALL, BLOCK)
    shop.block(options, refs)
    with shop.reader(options) as reader:
        assert any("itself numbers the columns id" in one.what for one in reader.preflight(Action.UNBLOCK))
    assert {answer.said for answer in shop.unblock(options, refs)} == {Answered.FAILED}
    assert shop.column("SELECT count(*) FROM archive") == [4]


@pytest.mark.parametrize(
    "block",
    [
        {"moved_to": "archive", "unflag": {"blocked": False}},
        {"flag": {"blocked": True}, "unflag": {"status": "x"}},
        {"flag": {"blocked": True}, "unflag": {"blocked": True}},
        {"flag": {"blocked": True}, "unflag": {"blocked": False, "status": "x"}},
    ],
)
def test_an_unflag_that_does_not_undo_the_flag_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="gives the columns of `flag`"):
        dataset(block=block)
