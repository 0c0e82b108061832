"""Facts and worked-out dates say what other tables hold, at the moment of the act, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.sql_world import ANONYMIZE, BLOCK, CUSTOMERS, DELETE, World, before, customers, dataset, moment, opened

from retentiond.connector import Answered, ConnectorError
from retentiond_sql import connector
from retentiond_sql.identifiers import names_somebody
from retentiond_sql.options import SqlConnection

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")
REFERS = {"customer": "id"}
CLAIM = {"exists": {"table": "claims", "refers": REFERS, "where": {"open": True}}}
SUMMED = {"aggregate": {"table": "results", "refers": REFERS, "count": "n", "columns": ["answer", "made_on"]}}
VOUCHER = {"latest_of": {"table": "vouchers", "refers": REFERS, "column": "issued_on", "kind": "date"}}
CLOSED = {"column": "closed_at", "kind": "timestamp"}
ASKING = dataset(facts={"claim": CLAIM, "summed": SUMMED, "state": {"column": "status"}, "off": {"column": "blocked"}})
DATED = dataset(dates={"closed": CLOSED, "voucher": VOUCHER}, block={"flag": {"blocked": True}})


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    for world in opened(database):
        world.do(
            CUSTOMERS,
            "CREATE TABLE claims (id INTEGER NOT NULL PRIMARY KEY, customer INTEGER, open {bool})",
            "CREATE TABLE results (customer INTEGER, answer {text}, n INTEGER, made_on {day})",
            "CREATE TABLE vouchers (id INTEGER NOT NULL PRIMARY KEY, customer INTEGER, issued_on {day})",
        )
        customers(world, 4)
        yield world


def facts(world: World, options: Any = ASKING) -> dict[str, Mapping[str, Any]]:
    return {ref.key[0]: ref.facts for ref in world.find(options, ALL)}


def test_a_column_is_told_as_rules_compare_it(shop: World) -> None:
    shop.do(
        "UPDATE customers SET status = 'paid', blocked = true WHERE id = 1", "UPDATE customers SET blocked = false WHERE id = 2"
    )
    told = facts(shop)
    assert [(told[key]["state"], told[key]["off"]) for key in "123"] == [("paid", True), (None, False), (None, None)]
    numbers = facts(shop, dataset(facts={"number": {"column": "id"}}))
    assert [value["number"] for value in numbers.values()] == [1, 2, 3, 4]


def test_a_related_row_exists_only_where_it_fulfils_the_conditions(shop: World) -> None:
    shop.do("INSERT INTO claims VALUES (1, 1, true), (2, 2, false), (3, NULL, true), (4, 3, NULL), (5, 1, false)")
    assert {key: told["claim"] for key, told in facts(shop).items()} == {"1": True, "2": False, "3": False, "4": False}


@pytest.mark.parametrize(
    ("rows", "stands"),
    [
        ([], False),
        ([("good", 5)], True),
        ([("good", 5), ("bad", 4)], False),
        ([("good", 4), ("bad", 5)], False),
        ([("good", None)], False),
        ([("good", 5), ("bad", None)], False),
        ([(None, 7)], True),
        ([("ann@x.org says so", 7)], False),
        ([("call +49 171 555123", 7)], False),
        ([("from 192.0.2.7", 7)], False),
    ],
)
def test_an_aggregate_stands_for_its_records_only_where_it_is_whole_big_and_names_nobody(
    shop: World, rows: list[tuple[str | None, int | None]], stands: bool
) -> None:
    shop.put("results", *({"customer": 1, "answer": answer, "n": n, "made_on": date(2024, 1, 5)} for answer, n in rows))
    shop.put("results", {"customer": 2, "answer": "good", "n": 9, "made_on": None})
    told = facts(shop)
    assert [told[key]["summed"] for key in "123"] == [stands, True, False]


def test_an_aggregate_with_a_column_that_nobody_named_stands_for_nothing(shop: World) -> None:
    shop.put("results", {"customer": 1, "answer": "good", "n": 9})
    shop.do("ALTER TABLE results ADD COLUMN mail {text}")
    assert facts(shop)["1"]["summed"] is False
    with shop.reader(ASKING) as reader:
        (finding,) = [one for one in reader.preflight(DELETE) if "summed" in one.what and "does not name" in one.what]
    assert not finding.refuses


def test_a_count_that_is_text_is_no_count(shop: World) -> None:
    shop.do("CREATE TABLE told (customer INTEGER, n {text})", "INSERT INTO told VALUES (1, '9')")
    options = dataset(facts={"summed": {"aggregate": {"table": "told", "refers": REFERS, "count": "n"}}})
    assert facts(shop, options)["1"]["summed"] is False


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO claims VALUES (1, 1, true)",
        "UPDATE customers SET status = 'new' WHERE id = 1",
        "UPDATE results SET n = 4 WHERE customer = 1",
        "DELETE FROM results WHERE customer = 1",
    ],
)
def test_a_record_of_which_a_fact_changed_is_left_alone(shop: World, change: str) -> None:
    shop.do("INSERT INTO results (customer, answer, n) VALUES (1, 'good', 7)")
    refs = shop.find(ASKING, ALL)
    shop.do(change)
    assert [answer.said for answer in shop.delete(ASKING, refs)] == [Answered.CHANGED, *[Answered.DONE] * 3]
    assert shop.column("SELECT id FROM customers") == [1]


def test_a_fact_that_stays_lets_the_act_go_on_in_every_way(shop: World) -> None:
    shop.do("INSERT INTO claims VALUES (1, 1, true)", "ALTER TABLE customers ADD COLUMN gone {bool}")
    options = dataset(
        dates={"closed": CLOSED, "voucher": VOUCHER},
        facts={"claim": CLAIM},
        block={"flag": {"blocked": True}},
        anonymize={"columns": {"name": None}, "marker": {"gone": True}, "kept": ["status"]},
    )
    for action in (BLOCK, ANONYMIZE, DELETE):
        with shop.reader(options) as reader:
            assert [finding.what for finding in reader.preflight(action) if finding.refuses] == []
    refs = shop.find(options, ALL)
    assert {answer.said for answer in shop.block(options, refs)} == {Answered.DONE}
    assert {answer.said for answer in shop.anonymize(options, refs)} == {Answered.DONE}
    assert {answer.said for answer in shop.delete(options, refs)} == {Answered.DONE}


def test_the_latest_date_of_the_related_rows_and_none_where_there_are_none(shop: World) -> None:
    shop.put(
        "vouchers",
        {"id": 1, "customer": 1, "issued_on": date(2021, 3, 1)},
        {"id": 2, "customer": 1, "issued_on": date(2023, 3, 1)},
        {"id": 3, "customer": 1, "issued_on": date(2022, 3, 1)},
        {"id": 4, "customer": 2, "issued_on": date(2019, 3, 1)},
        {"id": 5, "customer": 2, "issued_on": None},
        {"id": 6, "customer": None, "issued_on": date(2024, 3, 1)},
    )
    dates = {ref.key[0]: ref.dates["voucher"] for ref in shop.find(DATED, ALL)}
    assert dates == {"1": date(2023, 3, 1), "2": date(9999, 12, 31), "3": None, "4": None}
    with shop.reader(DATED) as reader:
        assert [ref.key for page in reader.undated(["voucher"]) for ref in page] == [("3",), ("4",)]
        assert [ref.key for page in reader.undated(["closed", "voucher"]) for ref in page] == []
        one = reader.explain(("1",))
    assert one is not None
    assert one.dates["voucher"] == date(2023, 3, 1)


def test_a_related_date_that_cannot_be_read_is_no_reason_to_pass_the_record_over(shop: World) -> None:
    told = {"sqlite": "'soon'", "postgresql": "'infinity'", "mysql": "'0000-00-00'"}[shop.kind]
    shop.put("vouchers", {"id": 1, "customer": 1, "issued_on": date(2021, 3, 1)})
    shop.do(f"INSERT INTO vouchers VALUES (2, 1, {told})")  # noqa: S608 - literals of this test
    assert shop.find(DATED, ALL)[0].dates["voucher"] == date(9999, 12, 31)


def test_a_related_instant_is_told_in_utc(shop: World) -> None:
    shop.do("CREATE TABLE calls (customer INTEGER, at {instant})")
    for hour in (9, 11, 10):
        shop.put("calls", {"customer": 1, "at": moment(f"2024-05-01T{hour:02}:00")})
    calls = {"latest_of": {"table": "calls", "refers": REFERS, "column": "at", "kind": "timestamp"}}
    options = dataset(dates={"closed": CLOSED, "call": calls})
    assert shop.find(options, ALL)[0].dates["call"] == moment("2024-05-01T11:00")


@pytest.mark.parametrize("change", ["INSERT INTO vouchers VALUES (9, 1, '2024-06-01')", "DELETE FROM vouchers"])
def test_a_record_of_which_a_worked_out_date_changed_is_left_alone(shop: World, change: str) -> None:
    shop.put("vouchers", {"id": 1, "customer": 1, "issued_on": date(2021, 3, 1)})
    refs = shop.find(DATED, ALL)
    shop.do(change)
    assert [answer.said for answer in shop.block(DATED, refs[:2])] == [Answered.CHANGED, Answered.DONE]
    assert [answer.said for answer in shop.delete(DATED, refs[:1])] == [Answered.CHANGED]


def test_no_search_is_led_by_a_worked_out_date(shop: World) -> None:
    with pytest.raises(ConnectorError, match="no search can be led by it") as caught:
        shop.find(DATED, before("2030-01-01", by="voucher"))
    assert caught.value.code == "unsupported"
    offer = connector.offer(SqlConnection(url="sqlite:////x.db"), DATED)
    assert offer.dates == {"closed", "voucher"}
    assert offer.computed == {"voucher"}
    assert connector.offer(SqlConnection(url="sqlite:////x.db"), ASKING).facts == {"claim", "summed", "state", "off"}


def test_more_records_than_a_page_has_share_what_they_refer_to(shop: World) -> None:
    shop.do("ALTER TABLE customers ADD COLUMN survey INTEGER")
    with shop.engine.begin() as connection:
        at = shop.stored(moment("2020-06-01"))
        rows = [{"id": n, "at": at, "survey": n % 3} for n in range(100, 2700)]
        connection.execute(sa.text("INSERT INTO customers (id, closed_at, survey) VALUES (:id, :at, :survey)"), rows)
    shop.do("INSERT INTO results (customer, answer, n) VALUES (0, 'good', 9), (1, 'good', 3)")
    summed = {"aggregate": {**SUMMED["aggregate"], "refers": {"customer": "survey"}}}
    told = facts(shop, dataset(facts={"summed": summed}))
    assert len(told) == 2604
    assert {key for key, some in told.items() if some["summed"]} == {str(n) for n in range(100, 2700) if n % 3 == 0}


def test_what_other_tables_are_asked_has_to_fit(shop: World) -> None:
    wrong = [
        ({"table": "nowhere", "refers": REFERS}, "no table nowhere"),
        ({"table": "claims", "refers": {"client": "id"}}, "no column client"),
        ({"table": "claims", "refers": {"customer": "name"}}, "one holds numbers"),
        ({"table": "claims", "refers": REFERS, "where": {"open": "yes"}}, "another type"),
    ]
    for exists, what in wrong:
        with shop.reader(dataset(facts={"claim": {"exists": exists}})) as reader:
            assert any(finding.refuses and what in finding.what for finding in reader.preflight(DELETE)), what


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"facts": {"a": {}}}, "exactly one of `column`, `exists`, `aggregate`"),
        ({"facts": {"a": {"column": "x", **CLAIM}}}, "exactly one of `column`, `exists`, `aggregate`"),
        ({"facts": {"a": {"aggregate": {**SUMMED["aggregate"], "at_least": 1}}}}, "greater than or equal to 2"),
        ({"facts": {"a": {"column": "x"}}, "block": {"flag": {"x": True}}}, "would change the column x"),
        (
            {"facts": {"a": {"exists": {"table": "t", "refers": {"y": "x"}}}}, "block": {"flag": {"x": 1}}},
            "would change the column x",
        ),
        ({"dates": {"a": {"latest_of": {**VOUCHER["latest_of"], "kind": "epoch"}}}}, "`unit` belongs to kind epoch"),
        ({"subjects": {"E-Mail": "x"}}, "small letters"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        dataset(**options)


@pytest.mark.parametrize(
    "text",
    [
        "ann@x.org",
        "x ann@x.org.",
        "+49 171 555123",
        "(0171) 555-123",
        "0049171555123",
        "192.0.2.7:80",
        "[2001:db8::1]",
        "017155512",
    ],
)
def test_direct_identifiers_are_noticed(text: str) -> None:
    assert names_somebody(text)
    assert names_somebody(f"see {text}, please")


@pytest.mark.parametrize(
    "text", ["very good", "5", "0.12345678", "2024-01-05", "01.02.2024", "10:30", "a@b", "v1.2.3", "1-5", "18-25"]
)
def test_common_labels_of_aggregates_are_no_identifiers(text: str) -> None:
    assert not names_somebody(text)


@given(st.ip_addresses().map(str), st.sampled_from(["{}", "from {}", "a,{};b", "({})", "{}."]))
def test_no_address_is_missed(address: str, around: str) -> None:
    assert names_somebody(around.format(address))
