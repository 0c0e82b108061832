"""The SQL anonymizer leaves nothing of a person in the columns it is given, or leaves the record whole and says so."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.sql_world import ANONYMIZE, World, before, dataset, moment, only_on, opened

from retentiond.connector import Answer, Answered, How, Presence
from retentiond_sql.strategies import UnreadableValueError, generalize_date, pseudonym, truncate_ip

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")

TABLE = (
    "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, closed_at {instant}, name {text}, mail {text}, ip {text}, "
    "born {day}, seen {local}, note {text} NOT NULL, done {bool})"
)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("a key of this test\n")
    return path


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    for world in opened(database):
        world.do(TABLE)
        for n in range(1, 4):
            world.put(
                "customers",
                {
                    "id": n,
                    "closed_at": moment(f"2020-01-0{n}"),
                    "name": "Ann Example",
                    "mail": f"ann{n}@x.org",
                    "ip": "192.0.2.77" if n < 3 else "2001:db8:1:2:3::4",
                    "born": moment("1980-05-17").date(),
                    "seen": moment("2019-12-24T18:30").replace(tzinfo=None),
                    "note": "called twice",
                },
            )
        yield world


def options(key: Path, **columns: Any) -> Any:
    strategies = {
        "name": "null",
        "mail": {"pseudonym": {"file": str(key)}},
        "ip": "truncate-ip",
        "born": {"generalize-date": "year"},
        "seen": {"generalize-date": "month"},
        "note": "redact",
    }
    return dataset(anonymize={"columns": strategies | columns, "marker": {"done": True}})


def test_each_column_gets_what_its_strategy_makes_of_it(shop: World, key: Path) -> None:
    refs = shop.find(options(key), ALL, ANONYMIZE)
    assert shop.anonymize(options(key), refs) == [Answer.done(How.ROWCOUNT)] * 3
    rows = shop.all("SELECT name, mail, ip, born, seen, note, closed_at FROM customers ORDER BY id")
    assert [row[0] for row in rows] == [None] * 3
    assert [row[1] for row in rows] == [pseudonym(f"ann{n}@x.org", b"a key of this test") for n in (1, 2, 3)]
    assert [row[2] for row in rows] == ["192.0.2.0", "192.0.2.0", "2001:db8:1::"]
    assert {str(row[3]) for row in rows} == {"1980-01-01"}
    assert {str(row[4]) for row in rows} == {"2019-12-01 00:00:00"}
    assert {row[5] for row in rows} == {"[removed]"}
    with shop.reader(options(key)) as reader:
        assert reader.present(refs) == [Presence.ANONYMIZED] * 3
    assert shop.find(options(key), ALL, ANONYMIZE) == []
    assert [ref.dates for ref in shop.find(options(key), ALL)] == [ref.dates for ref in refs]


def test_anonymizing_again_does_nothing(shop: World, key: Path) -> None:
    refs = shop.find(options(key), ALL, ANONYMIZE)
    shop.anonymize(options(key), refs)
    once = shop.all("SELECT * FROM customers ORDER BY id")
    assert shop.anonymize(options(key), refs) == [Answer.not_found()] * 3
    assert shop.all("SELECT * FROM customers ORDER BY id") == once


def test_a_record_that_changed_is_left_alone(shop: World, key: Path) -> None:
    refs = shop.find(options(key), ALL, ANONYMIZE)
    shop.do("UPDATE customers SET closed_at = :at WHERE id = 2", at=shop.stored(moment("2026-01-01")))
    assert [answer.said for answer in shop.anonymize(options(key), refs)] == [Answered.DONE, Answered.CHANGED, Answered.DONE]
    assert shop.column("SELECT name FROM customers ORDER BY id") == [None, "Ann Example", None]


def test_the_same_value_for_everybody_is_set_at_once(shop: World) -> None:
    fixed = dataset(anonymize={"columns": {"name": {"constant": "nobody"}, "mail": None}, "marker": {"done": True}})
    # The preflight would refuse this, because other columns are named nowhere; the act itself is what is tested here.
    assert {answer.said for answer in shop.anonymize(fixed, shop.find(fixed, ALL, ANONYMIZE))} == {Answered.DONE}
    assert shop.all("SELECT DISTINCT name, mail FROM customers") == [("nobody", None)]


def test_what_no_strategy_can_read_is_emptied(shop: World, key: Path) -> None:
    shop.do("UPDATE customers SET ip = '192.0.2.1, 10.0.0.1' WHERE id = 1")
    shop.anonymize(options(key), shop.find(options(key), ALL, ANONYMIZE))
    assert shop.column("SELECT ip FROM customers WHERE id = 1") == [None]


def test_where_it_cannot_be_emptied_the_record_stays_whole_and_is_told_of(shop: World, key: Path) -> None:
    shop.do("UPDATE customers SET note = '192.0.2.1'", "UPDATE customers SET note = 'no address' WHERE id = 2")
    wanted = options(key, note="truncate-ip")
    answers = shop.anonymize(wanted, shop.find(wanted, ALL, ANONYMIZE))
    assert [answer.code for answer in answers] == [None, "unsupported", None]
    assert shop.all("SELECT name, note FROM customers WHERE id = 2") == [("Ann Example", "no address")]


def test_a_constraint_stops_its_own_record_alone(shop: World, key: Path) -> None:
    with shop.engine.begin() as connection:
        rows = connection.execute(sa.text("SELECT * FROM customers")).mappings().all()
        connection.execute(sa.text("DROP TABLE customers"))
    shop.do(TABLE.replace("name {text}", "name {text} CHECK (name IS NOT NULL OR id <> 2)"))
    shop.put("customers", *(dict(row) for row in rows))
    answers = shop.anonymize(options(key), shop.find(options(key), ALL, ANONYMIZE))
    assert [answer.code for answer in answers] == [None, "constraint", None]
    assert shop.column("SELECT mail FROM customers WHERE id = 2") == ["ann2@x.org"]


BACK = {
    "sqlite": [
        "CREATE TRIGGER t AFTER UPDATE ON customers WHEN NEW.id = 2 BEGIN UPDATE customers SET {0} = OLD.{0} WHERE id = 2; END"
    ],
    "postgresql": [
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.{0} = OLD.{0}; RETURN NEW; END $$",
        "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION f()",
    ],
    "mysql": ["CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW SET NEW.{0} = IF(NEW.id = 2, OLD.{0}, NEW.{0})"],
}


@pytest.mark.parametrize("column", ["name", "mail", "born", "note", "done"])
def test_a_record_whose_old_value_a_trigger_puts_back_is_not_called_anonymized(shop: World, key: Path, column: str) -> None:
    with shop.engine.begin() as connection:
        for statement in BACK[shop.kind]:
            connection.exec_driver_sql(statement.format(column))
    anonymize = options(key)
    refs = shop.find(anonymize, ALL, ANONYMIZE)
    before_it = shop.all("SELECT * FROM customers WHERE id = 2")
    answers = shop.anonymize(anonymize, refs)
    assert [answer.code for answer in answers] == [None, "unsupported", None]
    assert shop.all("SELECT * FROM customers WHERE id = 2") == before_it


@only_on("postgresql")
def test_every_type_can_hold_a_constant(shop: World) -> None:
    kinds = {"json": '{"a": 1}', "jsonb": '{"a": 1}', "inet": "192.0.2.0", "point": "(0,0)", "text[]": "{x}", "char(40)": "x"}
    kinds |= {"numeric(10, 2)": "5", "interval": "P1D", "bytea": "\\x00", "xml": "<a/>", "mood": "ok", "nick": "x"}
    shop.do("CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE DOMAIN nick AS varchar(5)")
    shop.do(*(f"ALTER TABLE customers ADD COLUMN c{n} {kind}" for n, kind in enumerate(kinds)))
    columns = {f"c{n}": {"constant": value} for n, value in enumerate(kinds.values())} | {"note": {"constant": 5}}
    anonymize = dataset(anonymize={"columns": columns, "marker": {"done": True}})
    answers = shop.anonymize(anonymize, shop.find(anonymize, ALL, ANONYMIZE))
    assert [answer.said for answer in answers] == [Answered.DONE] * 3


@pytest.mark.parametrize("choice", ["delete", "keep"])
def test_parts_go_or_stay_as_the_settings_say(shop: World, key: Path, choice: str) -> None:
    shop.do("CREATE TABLE mails (id INTEGER PRIMARY KEY, customer INTEGER)", "INSERT INTO mails VALUES (1, 1), (2, 1), (3, 9)")
    plain = options(key)
    wanted = dataset(
        parts=[{"table": "mails", "refers": {"customer": "id"}}],
        anonymize={**plain.anonymize.model_dump(by_alias=True), "parts": choice},
    )
    answers = shop.anonymize(wanted, shop.find(wanted, ALL, ANONYMIZE))
    assert [answer.rows for answer in answers] == [3 if choice == "delete" else None, None, None]
    assert shop.column("SELECT id FROM mails ORDER BY id") == ([3] if choice == "delete" else [1, 2, 3])


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0"),
        ("203.0.113.9/32", "203.0.113.0"),
        ("2001:db8:aaaa:bbbb:cccc::1", "2001:db8:aaaa::"),
        ("::1", "::"),
        ("::ffff:203.0.113.9", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_addresses_are_cut_to_their_network(address: str, network: str) -> None:
    assert truncate_ip(address) == network


@pytest.mark.parametrize("value", ["", "somebody", "1.2.3", 7, "203.0.113.9:80"])
def test_what_is_no_address_is_not_guessed_at(value: object) -> None:
    with pytest.raises(UnreadableValueError):
        truncate_ip(value)


@pytest.mark.parametrize(
    ("value", "year", "month"),
    [
        ("1980-05-17", "1980-01-01", "1980-05-01"),
        ("1980-05-17 23:59:59.5", "1980-01-01 00:00:00", "1980-05-01 00:00:00"),
        ("1980-05-17T23:59:59Z", "1980-01-01T00:00:00Z", "1980-05-01T00:00:00Z"),
        ("1980-05-17 23:59:59.123456+00", "1980-01-01 00:00:00+00", "1980-05-01 00:00:00+00"),
    ],
)
def test_dates_are_cut_to_year_or_month(value: str, year: str, month: str) -> None:
    assert generalize_date(value, whole_year=True) == year
    assert generalize_date(value, whole_year=False) == month


def test_a_pseudonym_needs_the_key_to_be_guessed_back() -> None:
    assert pseudonym("ann@x.org", b"one") == pseudonym("ann@x.org", b"one")
    assert pseudonym("ann@x.org", b"one") != pseudonym("ann@x.org", b"two")
    assert len(pseudonym(uuid.UUID(int=0), b"one")) == 32
