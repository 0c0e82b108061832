"""Receipts and transaction numbers: the proof of an act is there just where the act is, and tells nothing but what was done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from support.services import Server
from support.sql_world import CUSTOMERS, DELETE, TARGET, World, before, customers, dataset, only_on, opened

from retentiond.connector import (
    Action,
    Answer,
    Answered,
    ConnectorError,
    Finding,
    How,
    OutcomeUnknownError,
    Permit,
    RecordRef,
    TransientConnectorError,
)
from retentiond.errors import AuditError
from retentiond_sql.deleting import SqlDeleter
from retentiond_sql.options import SqlConnection
from retentiond_sql.receipts import create

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")
TABLE = "retentiond_receipts"
ITEMS = "ab" * 32
OPTIONS: Mapping[str, Mapping[str, Any]] = {"receipts": {"receipts": TABLE}, "transaction ids": {"transaction_ids": True}}
SERVED = [("postgresql", "receipts"), ("mariadb", "receipts"), ("postgresql", "transaction ids")]

each_way = pytest.mark.parametrize(("database", "asked"), [("sqlite", "receipts"), *SERVED], indirect=True)
"""For a test of whatever proves an act, on each database that has it."""
served_ways = pytest.mark.parametrize(("database", "asked"), SERVED, indirect=True)
"""The same, but for SQLite, which has no server that could be lost."""


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    for world in opened(database):
        world.do(CUSTOMERS, create(TABLE))
        customers(world, 4)
        yield world


class Asked:
    """A deleter of a shop, with everything that its permits were told to note."""

    def __init__(self, shop: World, **options: Any) -> None:
        self.role = SqlDeleter(shop.connection(**options), dataset(), TARGET)
        self.notes: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.role.close()

    def permit(self, refs: Sequence[RecordRef], batch: str = "run.1") -> Permit:
        """For records with the numbers 10, 11, … of a batch of fifty."""
        numbers = [10 + n for n in range(len(refs))]
        return Permit(batch, DELETE, TARGET, refs, numbers=numbers, count=50, items=ITEMS, log="a log", note=self.notes.append)

    def delete(self, refs: Sequence[RecordRef], batch: str = "run.1") -> list[Answer]:
        return self.role.delete(refs, self.permit(refs, batch))

    def proven(self, batch: str = "run.1") -> dict[int, Answer]:
        """What the receipts of a batch tell together."""
        receipts = self.role.receipts(batch, self.notes)
        assert receipts is not None
        assert all((receipt.count, receipt.items) == (50, ITEMS) for receipt in receipts)
        return {number: answer for receipt in receipts for number, answer in receipt.answers.items()}


@pytest.fixture
def asked(request: pytest.FixtureRequest, shop: World) -> Iterator[Asked]:
    """A deleter whose acts are proven in the way that the test names."""
    with Asked(shop, **OPTIONS[request.param]) as asking:
        yield asking


def test_a_receipt_tells_what_became_of_each_record_and_holds_no_key(shop: World) -> None:
    refs = shop.find(dataset(), ALL)
    shop.do("DELETE FROM customers WHERE id = 2", "UPDATE customers SET closed_at = NULL WHERE id = 3")
    with Asked(shop, receipts=TABLE) as asked:
        answers = asked.delete(refs)
        assert [one.said for one in answers] == [Answered.DONE, Answered.NOT_FOUND, Answered.CHANGED, Answered.DONE]
        assert asked.proven() == {
            10: Answer.done(How.RECEIPT),
            11: Answer.not_found(),
            12: Answer.changed(),
            13: Answer.done(How.RECEIPT),
        }
    (row,) = shop.all(f"SELECT log, batch, part, records, items, answers FROM {TABLE}")  # noqa: S608 - a name of this test
    expected = '[["done","",0,"10,13"],["not-found","",0,"11"],["changed","",0,"12"]]'
    assert row == ("a log", "run.1", 10, 50, ITEMS, expected)


@each_way
def test_what_was_refused_and_what_went_along_is_told_by_the_receipt(asked: Asked, shop: World) -> None:
    shop.do(
        "CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer INTEGER, FOREIGN KEY (customer) REFERENCES customers (id))",
        "INSERT INTO invoices VALUES (1, 2)",
    )
    asked.delete(shop.find(dataset(), ALL))
    assert asked.proven()[11] == Answer.failed("referenced")
    assert [asked.proven()[number].said for number in (10, 12, 13)] == [Answered.DONE] * 3


@each_way
def test_without_an_act_nothing_is_proven(asked: Asked, shop: World) -> None:
    assert asked.proven() == {}
    asked.delete(shop.find(dataset(), ALL)[:2])
    if asked.role._actor.proof.options.receipts:
        assert asked.proven("run.2") == {}
    assert asked.role.delete([], asked.permit([], "run.3")) == []
    assert sorted(asked.proven()) == [10, 11]


def test_an_act_without_these_options_leaves_nothing_and_proves_nothing(shop: World) -> None:
    with Asked(shop) as asked:
        asked.delete(shop.find(dataset(), ALL))
        assert asked.role.receipts("run.1", asked.notes) is None
        assert (asked.role.left_over("a log"), asked.notes) == ([], [])
    assert shop.column(f"SELECT count(*) FROM {TABLE}") == [0]  # noqa: S608 - a name of this test


# --------------------------------------------------------------------------------------------- sabotaged connections


def broken(asked: Asked, monkeypatch: pytest.MonkeyPatch, commit: Callable[[Callable[[], None]], None]) -> None:
    """Have `commit` done in place of the driver's own, which it is given."""
    raw: Any = asked.role._actor._session.connection().connection.dbapi_connection
    real = raw.commit
    monkeypatch.setattr(raw, "commit", lambda: commit(real))


@pytest.fixture
def cut(shop: World, request: pytest.FixtureRequest) -> Callable[[Asked], None]:
    """Ends the session of an acting role from outside."""
    server: Server = request.getfixturevalue(f"{'mariadb' if shop.kind == 'mysql' else 'postgresql'}_server")

    def end(asked: Asked) -> None:
        raw: Any = asked.role._actor._session.connection().connection.dbapi_connection
        number = raw.thread_id() if shop.kind == "mysql" else raw.info.backend_pid
        server.execute(f"KILL {number}" if shop.kind == "mysql" else f"SELECT pg_terminate_backend({number}, 5000)")

    return end


@served_ways
def test_a_commit_that_happened_without_an_answer_is_proven(
    asked: Asked, shop: World, cut: Callable[[Asked], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = shop.find(dataset(), ALL)

    def commit_and_lose(commit: Callable[[], None]) -> None:
        commit()
        cut(asked)
        asked.role._actor._session.connection().connection.dbapi_connection.cursor().execute("SELECT 1")  # type: ignore[union-attr]

    broken(asked, monkeypatch, commit_and_lose)
    with pytest.raises(OutcomeUnknownError):
        asked.delete(refs)
    assert shop.column("SELECT count(*) FROM customers") == [0]
    assert {answer.said for answer in asked.proven().values()} == {Answered.DONE}
    assert sorted(asked.proven()) == [10, 11, 12, 13]


@served_ways
def test_a_commit_that_never_arrived_proves_nothing(
    asked: Asked, shop: World, cut: Callable[[Asked], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = shop.find(dataset(), ALL)

    def lose_and_commit(commit: Callable[[], None]) -> None:
        cut(asked)
        commit()

    broken(asked, monkeypatch, lose_and_commit)
    with pytest.raises(OutcomeUnknownError):
        asked.delete(refs)
    assert shop.column("SELECT count(*) FROM customers") == [4]
    assert asked.proven() == {}


@served_ways
def test_an_attempt_that_was_undone_does_not_speak_for_the_one_that_comes_after_it(
    asked: Asked, shop: World, cut: Callable[[Asked], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine does when the first try is lost before the commit: the same batch again, under a new permit."""
    refs = shop.find(dataset(), ALL)
    proof = asked.role._actor.proof
    leave = type(proof).leave

    def leave_and_lose(*arguments: Any) -> None:
        leave(*arguments)
        monkeypatch.undo()
        cut(asked)
        arguments[1].execute(sa.text("SELECT 1"))

    monkeypatch.setattr(type(proof), "leave", leave_and_lose)
    with pytest.raises(TransientConnectorError):
        asked.delete(refs)
    assert asked.proven() == {}
    shop.do("DELETE FROM customers WHERE id = 1")
    asked.delete(refs)
    assert [asked.proven()[n].said for n in range(10, 14)] == [Answered.NOT_FOUND, *[Answered.DONE] * 3]


@only_on("sqlite")
def test_each_part_of_a_batch_that_had_to_be_split_proves_itself(shop: World) -> None:
    shop.do(
        "CREATE TABLE invoices (customer INTEGER REFERENCES customers (id) DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO invoices VALUES (4)",
    )
    with Asked(shop, receipts=TABLE) as asked:
        answers = asked.delete(shop.find(dataset(), ALL))
        assert [answer.code or answer.said.value for answer in answers] == ["done", "done", "done", "referenced"]
        assert sorted(asked.proven()) == [10, 11, 12]
    assert shop.column("SELECT id FROM customers") == [4]
    assert shop.column(f"SELECT part FROM {TABLE} ORDER BY part") == [10, 12]  # noqa: S608 - a name of this test


# ------------------------------------------------------------------------------------------------- what is left over


def test_receipts_are_forgotten_by_batch_and_found_by_log(shop: World) -> None:
    refs = shop.find(dataset(), ALL)
    with Asked(shop, receipts=TABLE) as asked:
        for number, ref in enumerate(refs):
            asked.delete([ref], f"run.{number}")
        shop.do(f"UPDATE {TABLE} SET log = 'another log' WHERE batch = 'run.3'")  # noqa: S608 - a name of this test
        assert sorted(asked.role.left_over("a log")) == ["run.0", "run.1", "run.2"]
        asked.role.forget(["run.0", "run.2"])
        assert asked.role.left_over("a log") == ["run.1"]
        assert (asked.proven("run.0"), list(asked.proven("run.1"))) == ({}, [10])
        assert asked.role.left_over("another log") == ["run.3"]


def test_a_receipt_that_is_none_of_ours_proves_nothing(shop: World) -> None:
    text = (
        "INSERT INTO {table} (log, batch, part, records, items, answers) VALUES ('a log', 'run.1', :part, 50, :items, :answers)"
    )
    for part, answers in enumerate(("", "[]x", '[["done","",0,"7-3"]]', '[["gone","",0,"1"]]', '[["done","",0,"1","Erika"]]')):
        shop.do(text.format(table=TABLE), part=part, items=ITEMS, answers=answers)
    with Asked(shop, receipts=TABLE) as asked:
        assert asked.proven() == {}


def test_receipts_that_cannot_be_read_are_an_error_and_say_what_to_do(shop: World) -> None:
    with Asked(shop, receipts=TABLE) as asked:
        shop.do(f"DROP TABLE {TABLE}")
        with pytest.raises(ConnectorError, match="take `receipts` out of the settings") as caught:
            asked.role.receipts("run.1")
        assert not isinstance(caught.value, TransientConnectorError)


def test_a_table_that_takes_no_receipt_lets_nothing_go(shop: World) -> None:
    refs = shop.find(dataset(), ALL)
    with Asked(shop, receipts=TABLE) as asked:
        shop.do(f"DROP TABLE {TABLE}")
        with pytest.raises(ConnectorError):
            asked.delete(refs)
    assert shop.column("SELECT count(*) FROM customers") == [4]


# --------------------------------------------------------------------------------------------------- transaction ids


@only_on("postgresql")
def test_a_transaction_of_another_server_or_timeline_or_of_the_future_proves_nothing(shop: World) -> None:
    with Asked(shop, transaction_ids=True) as asked:
        asked.delete(shop.find(dataset(), ALL))
        (noted,) = asked.notes
        told = json.loads(noted)
        assert len(asked.proven()) == 4
        for other in (
            {"system": "7000000000000000000"},
            {"timeline": "00000009"},
            {"xid": str(int(told["xid"]) + 1_000_000)},
            {"xid": "none"},
            {"lsn": "FFFFFF/0"},
            {"answers": "[]x"},
        ):
            asked.notes = [json.dumps(told | other).encode()]
            assert asked.proven() == {}, other
        asked.notes = [b"", b"[]", b"{}", noted]
        assert len(asked.proven()) == 4


@only_on("postgresql")
def test_where_the_note_cannot_be_kept_nothing_is_done(shop: World) -> None:
    refs = shop.find(dataset(), ALL)

    def full(_body: bytes) -> None:
        raise AuditError("The disk is full.")

    with SqlDeleter(shop.connection(transaction_ids=True), dataset(), TARGET) as role, pytest.raises(AuditError):
        role.delete(refs, Permit("run.1", DELETE, TARGET, refs, note=full))
    assert shop.column("SELECT count(*) FROM customers") == [4]


@only_on("postgresql")
def test_the_note_is_kept_before_the_commit_is_sent(shop: World) -> None:
    refs = shop.find(dataset(), ALL)
    seen: list[Any] = []

    def look(_body: bytes) -> None:
        seen.extend(shop.column("SELECT count(*) FROM customers"))

    with SqlDeleter(shop.connection(transaction_ids=True), dataset(), TARGET) as role:
        role.delete(refs, Permit("run.1", DELETE, TARGET, refs, note=look))
    assert seen == [4]


# --------------------------------------------------------------------------------------------------------- preflight


def found(shop: World, **options: Any) -> list[Finding]:
    with shop.reader(dataset(), **options) as reader:
        return [
            one for one in reader.preflight(Action.DELETE) if (one.refuses and TABLE in one.what) or "transaction" in one.what
        ]


def test_the_preflight_finds_a_right_table_right(shop: World) -> None:
    assert found(shop, receipts=TABLE) == []


def test_the_preflight_shows_how_to_make_a_table_that_is_not_there(shop: World) -> None:
    shop.do(f"DROP TABLE {TABLE}")
    (finding,) = found(shop, receipts=TABLE)
    statement = finding.what[finding.what.index("CREATE TABLE") :]
    shop.do(statement)
    assert found(shop, receipts=TABLE) == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("CREATE TABLE {table} (batch VARCHAR(64), part INTEGER, PRIMARY KEY (batch, part))", "other columns"),
        (
            "CREATE TABLE {table} (log {text}, batch VARCHAR(64), part INTEGER, records INTEGER, items {text}, answers {text})",
            "key",
        ),
        (
            (
                "CREATE TABLE {table} (who VARCHAR(9) NOT NULL, log {text}, batch VARCHAR(64), part INTEGER, records INTEGER, "
                "items {text}, answers {text}, PRIMARY KEY (batch, part))"
            ),
            "other columns",
        ),
        ("CREATE VIEW {table} AS SELECT 1 AS log, 1 AS batch, 1 AS part, 1 AS records, 1 AS items, 1 AS answers", "view"),
    ],
)
def test_the_preflight_refuses_a_wrong_table(shop: World, wrong: str, why: str) -> None:
    shop.do(f"DROP TABLE {TABLE}", wrong.replace("{table}", TABLE))
    assert any(why in finding.what for finding in found(shop, receipts=TABLE))


@only_on("mariadb")
def test_the_preflight_refuses_a_table_without_transactions(shop: World) -> None:
    shop.do(f"ALTER TABLE {TABLE} ENGINE=MyISAM")
    assert any("without transactions" in finding.what for finding in found(shop, receipts=TABLE))


@only_on("postgresql")
def test_the_preflight_refuses_a_table_that_a_crash_empties(shop: World) -> None:
    shop.do(f"ALTER TABLE {TABLE} SET UNLOGGED")
    assert any("emptied by a crash" in finding.what for finding in found(shop, receipts=TABLE))


@pytest.fixture
def limited(shop: World, request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Has the shop be reached as a role that may do everything with customers, and grants it a right on receipts."""
    server: Server = request.getfixturevalue(f"{'mariadb' if shop.kind == 'mysql' else 'postgresql'}_server")
    name, owner = f"r_{shop.url.database}", shop.url
    role = f"{name}@localhost" if shop.kind == "mysql" else name
    server.execute(f"CREATE USER {role}")
    if shop.kind == "mysql":
        server.execute(f"GRANT REFERENCES ON *.* TO {role}", f"GRANT ALL ON {owner.database}.customers TO {role}")
    else:
        shop.do(f"GRANT ALL ON customers TO {role}")
    shop.url = owner.set(username=name)

    def grant(rights: str) -> None:
        if shop.kind == "mysql":
            server.execute(f"GRANT {rights} ON {owner.database}.{TABLE} TO {role}")
        else:
            shop.do(f"GRANT {rights} ON {TABLE} TO {role}")

    yield grant
    shop.url = owner
    if shop.kind == "postgresql":
        shop.do(f"REVOKE ALL ON customers, {TABLE} FROM {role}")
    server.execute(f"DROP USER {role}")


@only_on("postgresql", "mariadb")
def test_the_preflight_names_the_rights_that_a_receipt_needs(shop: World, limited: Callable[[str], None]) -> None:
    assert len(found(shop, receipts=TABLE)) == 1
    limited("SELECT, INSERT")
    (finding,) = found(shop, receipts=TABLE)
    assert f"DELETE on {shop.url.database if shop.kind == 'mysql' else 'public'}.{TABLE}" in finding.what
    assert finding.of_rights
    limited("DELETE")
    assert found(shop, receipts=TABLE) == []
    with Asked(shop, receipts=TABLE) as asked:
        asked.delete(shop.find(dataset(), ALL))
        assert len(asked.proven()) == 4
        asked.role.forget(["run.1"])
        assert asked.proven() == {}


@only_on("postgresql")
def test_the_preflight_tells_a_role_that_may_not_ask_which_server_it_is_on(
    shop: World, limited: Callable[[str], None], postgresql_server: Server
) -> None:
    del limited
    engine = sa.create_engine(postgresql_server.admin.set(database=shop.url.database), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    (finding,) = found(shop, transaction_ids=True)
    assert "GRANT EXECUTE ON FUNCTION pg_control_system()" in finding.what
    refs = shop.find(dataset(), ALL)
    with Asked(shop, transaction_ids=True) as asked, pytest.raises(ConnectorError):
        asked.delete(refs)
    assert shop.column("SELECT count(*) FROM customers") == [4]


@only_on("postgresql")
def test_the_preflight_finds_nothing_against_transaction_ids_on_a_server_of_today(shop: World) -> None:
    assert found(shop, transaction_ids=True) == []


def test_the_how_to_makes_the_table_that_is_used() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "receipts.md"
    assert f"   {create(TABLE)}\n" in page.read_text(encoding="utf-8")


def test_transaction_ids_are_refused_where_there_are_none_and_beside_receipts() -> None:
    with pytest.raises(ValidationError, match="known to PostgreSQL only"):
        SqlConnection.model_validate({"url": "sqlite:////a/file", "transaction_ids": True})
    with pytest.raises(ValidationError, match="say one of"):
        SqlConnection.model_validate({"url": "postgresql://r@h/d", "transaction_ids": True, "receipts": TABLE})
