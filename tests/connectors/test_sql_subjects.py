"""The SQL reader finds exactly a person's records, in whatever way the identifier is written, and notices a new owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from support.sql_world import ANONYMIZE, BLOCK, World, before, dataset, opened

from retentiond.connector import Answered, ConnectorError, subject
from retentiond_sql.people import perhaps

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")
PEOPLE = dataset(
    subjects={"email": "mail", "phone": "phone", "customer": "no"},
    block={"moved_to": "archive"},
    anonymize={"columns": {"mail": None, "phone": None, "no": None}, "marker": {"gone": True}},
)
ROWS = [
    (1, "ann@x.org", "+49 171 / 555-1", "A-1"),
    (2, "  ANN@X.ORG. ", "0049 (171) 5551", " a-1"),
    (3, "joann@x.org", "+49 171 5552", "A-11"),
    (4, "ann@x.org.uk", "+4917155510", "xA-1"),
    (5, "ann_x.org", None, "A_1"),
    (6, "ａnn@x.org", "+4917155\uff151", "\uff21-1"),
    (7, None, None, None),
    (8, "ann%@x.org", "1", "A%"),
    (9, "jörg@bücher.example", "2", "Straße"),
    (10, "JÖRG@xn--bcher-kva.example", "3", "STRASSE"),
]


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    for world in opened(database):
        for table in ("customers", "archive"):
            world.do(
                f"CREATE TABLE {table} (id INTEGER NOT NULL PRIMARY KEY, mail {{text}}, phone {{text}}, no {{text}}, "
                "closed_at {instant}, gone {bool})"
            )
        world.put("customers", *({"id": n, "mail": mail, "phone": phone, "no": no} for n, mail, phone, no in ROWS))
        yield world


@pytest.mark.parametrize(
    ("kind", "text", "ids"),
    [
        ("email", "Ann@x.org", [1, 2, 6]),
        ("email", "joann@x.org", [3]),
        ("email", "ann_x.org", [5]),
        ("email", "ann%@x.org", [8]),
        ("email", "a__@x.org", []),
        ("email", "%", []),
        ("email", "jörg@bücher.example", [9, 10]),
        ("phone", "+491715551", [1, 2, 6]),
        ("customer", "a-1", [1, 2, 6]),
        ("customer", "strasse", [10]),
        ("customer", "A%", [8]),
    ],
)
def test_finds_exactly_the_records_of_a_person(shop: World, kind: str, text: str, ids: list[int]) -> None:
    assert shop.about(PEOPLE, kind, text) == sorted((str(number),) for number in ids)


def test_a_record_tells_whom_it_is_about(shop: World) -> None:
    with shop.reader(PEOPLE) as reader:
        ann, nobody = reader.explain(("2",)), reader.explain(("7",))
    assert ann is not None
    assert ann.subjects == {subject("email", "ann@x.org"), subject("phone", "+491715551"), subject("customer", "a-1")}
    assert nobody is not None
    assert nobody.subjects == frozenset()


def test_blocked_ones_are_found_and_anonymized_ones_only_while_the_column_holds_it(shop: World) -> None:
    shop.do("UPDATE customers SET closed_at = :at", at=shop.stored(ALL.before.replace(year=2020)))
    refs = {ref.key: ref for ref in shop.find(PEOPLE, ALL)}
    assert [answer.said for answer in shop.block(PEOPLE, [refs["1",]])] == [Answered.DONE]
    assert [answer.said for answer in shop.anonymize(PEOPLE, [refs["2",]])] == [Answered.DONE]
    shop.do("UPDATE customers SET gone = true WHERE id = 6")
    assert shop.column("SELECT id FROM archive") == [1]
    assert shop.about(PEOPLE, "email", "ann@x.org") == [("1",), ("6",)]


@pytest.mark.parametrize("action", [BLOCK, ANONYMIZE])
def test_a_record_that_belongs_to_somebody_else_now_is_left_alone(shop: World, action: object) -> None:
    shop.do("UPDATE customers SET closed_at = :at", at=shop.stored(ALL.before.replace(year=2020)))
    refs = shop.find(PEOPLE, ALL)[:2]
    shop.do("UPDATE customers SET mail = 'bob@x.org' WHERE id = 1", "UPDATE customers SET mail = 'Ann@X.org' WHERE id = 2")
    act = shop.block if action is BLOCK else shop.anonymize
    assert [answer.said for answer in act(PEOPLE, refs)] == [Answered.CHANGED, Answered.DONE]


def test_more_records_than_a_page_has_are_all_found(shop: World) -> None:
    with shop.engine.begin() as connection:
        rows = [{"id": n, "mail": "bob@x.org" if n % 2 else "eve@x.org"} for n in range(100, 2700)]
        connection.execute(sa.text("INSERT INTO customers (id, mail) VALUES (:id, :mail)"), rows)
    assert len(shop.about(PEOPLE, "email", "bob@x.org")) == 1300


def test_only_the_records_of_the_data_set_are_found(shop: World) -> None:
    some = dataset(subjects={"email": "mail"}, only={"no": "A-1"})
    assert shop.about(some, "email", "ann@x.org") == [("1",)]


def test_a_kind_that_nobody_declared_is_no_empty_answer(shop: World) -> None:
    with pytest.raises(ConnectorError, match="cannot be searched by phone") as caught:
        shop.about(dataset(subjects={"email": "mail"}), "phone", "1")
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize("value", ["17", "017"])
def test_a_number_is_found_by_the_text_it_is_written_as(shop: World, value: str) -> None:
    shop.do("INSERT INTO customers (id) VALUES (17)")
    assert shop.about(dataset(subjects={"number": "id"}), "number", value) == ([("17",)] if value == "17" else [])


CELLS = st.text() | st.text(st.sampled_from("aAnN@x.oOrRgG.  \t_%ıİKſßＡ"))


@given(raw=CELLS, kind=st.sampled_from(["email", "phone", "customer"]))
def test_no_way_of_writing_an_identifier_is_missed(raw: str, kind: str) -> None:
    """What the database is asked for holds everything that normalizes to the person, here on SQLite's own words."""
    try:
        raw.encode()
    except UnicodeEncodeError:
        return  # SQLite takes no lone surrogates
    person = subject(kind, raw)
    if person is None:
        return
    condition = perhaps(sa.column("x"), person, "sqlite")
    query: sa.Select[tuple[str]] = sa.select(sa.literal_column("1")).select_from(sa.text("(SELECT ? AS x)")).where(condition)
    compiled = query.compile(dialect=sa.create_engine("sqlite://").dialect)
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    with sqlite3.connect(":memory:") as connection:
        assert connection.execute(str(compiled), [raw, *values]).fetchall() == [(1,)]
    connection.close()
