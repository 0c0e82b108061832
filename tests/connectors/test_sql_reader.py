"""The SQL reader finds what lies before the cutoff, all of it, oldest first, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from support.sql_world import (
    ANONYMIZE,
    BLOCK,
    CUSTOMERS,
    DELETE,
    TARGET,
    World,
    before,
    customers,
    dataset,
    moment,
    only_on,
    opened,
)

import retentiond_sql.reader
from retentiond.connector import ConnectorError, Presence, RecordRef, TransientConnectorError

pytestmark = pytest.mark.usefixtures("far_from_utc")


@pytest.fixture
def world(database: sa.URL) -> Iterator[World]:
    yield from opened(database)


@pytest.fixture
def shop(world: World) -> World:
    world.do(CUSTOMERS)
    return world


def keys(refs: list[RecordRef]) -> list[str]:
    return [",".join(ref.key) for ref in refs]


def test_finds_strictly_before_the_cutoff_oldest_first(shop: World) -> None:
    for n, at in enumerate(
        ["2024-03-02", "2024-03-01", "2024-02-29T23:59:59.999999", "2024-03-01T00:00:00.000001", "2023-01-01"]
    ):
        shop.put("customers", {"id": n, "closed_at": moment(at)})
    assert keys(shop.find(dataset(), before("2024-03-01"))) == ["4", "2"]
    assert keys(shop.find(dataset(), before("2024-03-01T00:00:00.000001"))) == ["4", "2", "1"]


def test_tells_dates_in_aware_utc_whatever_zone_host_and_server_are_in(shop: World) -> None:
    shop.put("customers", {"id": 1, "closed_at": moment("2024-06-30T22:30:00.123456")})
    (ref,) = shop.find(dataset(), before("2025-01-01"))
    assert ref.dates == {"closed": datetime(2024, 6, 30, 22, 30, 0, 123456, tzinfo=UTC)}
    found = ref.dates["closed"]
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC


def test_pages_through_a_thousand_equal_dates_while_the_found_ones_are_deleted(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retentiond_sql.reader, "PAGE", 7)
    with shop.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO customers (id, closed_at) VALUES (:id, :at)"),
            [{"id": n, "at": shop.stored(moment("2020-01-01"))} for n in range(300)],
        )
    seen: list[str] = []
    with shop.reader(dataset()) as reader:
        for page in reader.find(before("2021-01-01"), DELETE):
            seen += keys(list(page))
            assert {answer.said for answer in shop.delete(dataset(), page)} == {"done"}
    assert seen == [str(n) for n in range(300)]
    assert shop.column("SELECT count(*) FROM customers") == [0]


@only_on("mariadb")
@pytest.mark.parametrize("kind", ["ENUM('z', 'a', 'm', '')", "SET('z', 'a', 'm')"])
def test_pages_through_keys_whose_order_is_not_that_of_their_text(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(retentiond_sql.reader, "PAGE", 1)
    world.do(f"CREATE TABLE customers (id {kind} NOT NULL PRIMARY KEY, closed_at {{instant}})")
    world.put("customers", *({"id": key, "closed_at": at} for key in ("m", "z", "", "a") for at in [moment("2020-01-01")]))
    assert keys(world.find(dataset(), before("2030-01-01"))) == ["", "a", "m", "z"]


def test_counts_everything_and_lists_the_undated(shop: World) -> None:
    customers(shop, 3)
    shop.put("customers", {"id": 10, "closed_at": None}, {"id": 11, "closed_at": None})
    with shop.reader(dataset()) as reader:
        assert reader.count() == 5
        assert [keys(list(page)) for page in reader.undated(["closed"])] == [["10", "11"]]
    assert keys(shop.find(dataset(), before("2030-01-01"))) == ["1", "2", "3"]


def test_looks_only_at_rows_with_the_declared_values(shop: World) -> None:
    customers(shop, 4, each=lambda n: {"status": ["closed", "Closed", "open", None][n - 1]})
    assert keys(shop.find(dataset(only={"status": "closed"}), before("2030-01-01"))) == ["1"]
    assert keys(shop.find(dataset(only={"status": ["closed", "open"]}), before("2030-01-01"))) == ["1", "3"]
    assert keys(shop.find(dataset(only={"status": None}), before("2030-01-01"))) == ["4"]
    with shop.reader(dataset(only={"status": "closed"})) as reader:
        assert reader.count() == 1


@pytest.mark.parametrize("value", [0, True])
def test_refuses_to_compare_text_with_numbers(shop: World, value: int) -> None:
    with shop.reader(dataset(only={"status": value})) as reader, pytest.raises(ConnectorError, match="value of another type"):
        reader.count()


def test_a_record_that_left_the_declared_values_is_still_present(shop: World) -> None:
    customers(shop, 1, each=lambda _n: {"status": "open"})
    with shop.reader(dataset(only={"status": "closed"})) as reader:
        assert reader.present([RecordRef(("1",))]) == [Presence.PRESENT]
        found = reader.explain(("1",))
    assert found is not None


def test_leaves_out_what_is_blocked_or_anonymized_already_but_not_when_deleting(shop: World) -> None:
    customers(shop, 4, each=lambda n: {"blocked": [True, False, None, None][n - 1], "status": "anon" if n == 4 else None})
    options = dataset(block={"flag": {"blocked": True}}, anonymize={"columns": {"name": "null"}, "marker": {"status": "anon"}})
    assert keys(shop.find(options, before("2030-01-01"), BLOCK)) == ["2", "3"]
    assert keys(shop.find(options, before("2030-01-01"), ANONYMIZE)) == ["1", "2", "3"]
    found = shop.find(options, before("2030-01-01"), DELETE)
    assert keys(found) == ["1", "2", "3", "4"]
    assert [ref.blocked for ref in found] == [True, False, False, False]


def test_says_what_is_there_now_and_not_what_it_saw_before(shop: World) -> None:
    customers(shop, 2)
    refs = [RecordRef(("2",)), RecordRef(("99",)), RecordRef(("1",)), RecordRef(("no number",))]
    with shop.reader(dataset()) as reader:
        assert reader.present(refs) == [Presence.PRESENT, Presence.ABSENT, Presence.PRESENT, Presence.ABSENT]
        shop.do("DELETE FROM customers WHERE id = 2")
        assert reader.present(refs)[0] is Presence.ABSENT
        shop.put("customers", {"id": 2})
        assert reader.present(refs)[0] is Presence.PRESENT


def test_explains_one_record(shop: World) -> None:
    customers(shop, 1)
    with shop.reader(dataset(identity=["name"])) as reader:
        found = reader.explain(("1",))
        assert found is not None
        assert (found.key, found.dates, found.rows) == (("1",), {"closed": moment("2020-01-01")}, 1)
        assert found.identity
        for other in ("2", "ä", "🗑", "", "1.0", "9" * 100):
            assert reader.explain((other,)) is None


def test_the_fingerprint_differs_after_a_change_of_what_decides_and_only_then(shop: World) -> None:
    customers(shop, 1, each=lambda _n: {"status": "closed"})
    options = dataset(unchanged=["status"])

    def fingerprint() -> str:
        return shop.find(options, before("2030-01-01"))[0].fingerprint

    first = fingerprint()
    shop.do("UPDATE customers SET name = 'somebody else', blocked = NULL")
    assert fingerprint() == first
    shop.do("UPDATE customers SET status = 'Closed'")
    second = fingerprint()
    shop.do("UPDATE customers SET closed_at = :at", at=shop.stored(moment("2020-01-01T00:00:00.000001")))
    assert len({first, second, fingerprint()}) == 3


def test_asks_the_servers_clock(shop: World) -> None:
    with shop.reader(dataset()) as reader:
        now = reader.now()
    if shop.kind == "sqlite":
        assert now is None
    else:
        assert now is not None
        assert now.tzinfo is UTC
        assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_date_nobody_offers_is_an_error(shop: World) -> None:
    with shop.reader(dataset()) as reader, pytest.raises(ConnectorError, match="offers no date opened"):
        next(iter(reader.find(before("2024-01-01", by="opened"), DELETE)))


def test_a_missing_table_or_column_is_an_error_and_not_an_empty_answer(shop: World) -> None:
    with shop.reader(dataset(table="nowhere")) as reader, pytest.raises(ConnectorError, match="no table nowhere"):
        reader.count()
    with shop.reader(dataset(unchanged=["nothing"])) as reader, pytest.raises(ConnectorError, match="no column nothing"):
        list(reader.undated(["closed"]))


def test_a_table_that_goes_away_between_two_pages_is_an_error(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retentiond_sql.reader, "PAGE", 2)
    customers(shop, 5)
    with shop.reader(dataset()) as reader:
        pages = reader.find(before("2030-01-01"), DELETE)
        assert len(next(pages)) == 2
        shop.do("DROP TABLE customers")
        with pytest.raises(ConnectorError):
            next(pages)


def test_null_in_a_key_is_an_error(world: World) -> None:
    world.do("CREATE TABLE customers (id {text}, closed_at {instant})")
    world.put("customers", {"id": None, "closed_at": moment("2020-01-01")})
    with pytest.raises(ConnectorError, match="NULL or an unfit value in its key"):
        world.find(dataset(), before("2030-01-01"))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("INT", "abc"), ("TEXT", b"abc"), ("BLOB", "ab"), ("BLOB", 55)],
)
@only_on("sqlite")
def test_a_key_that_could_not_be_asked_for_again_is_an_error_and_its_record_never_absent(
    world: World, kind: str, value: object
) -> None:
    """SQLite keeps values of any type in a column of any type."""
    world.do(f"CREATE TABLE customers (id {kind} NOT NULL PRIMARY KEY, closed_at {{instant}})")
    world.put("customers", {"id": value, "closed_at": moment("2020-01-01")})
    with world.reader(dataset()) as reader, pytest.raises(ConnectorError, match="unfit value in its key"):
        list(reader.find(before("2030-01-01"), DELETE))


@only_on("mariadb")
def test_a_day_that_never_was_in_a_key_is_an_error_too(world: World) -> None:
    world.do(
        "CREATE TABLE customers (id DATE NOT NULL PRIMARY KEY, closed_at {instant})",
        "INSERT INTO customers VALUES ('0000-00-00', '2020-01-01')",
    )
    with world.reader(dataset()) as reader, pytest.raises(ConnectorError, match="unfit value in its key"):
        list(reader.find(before("2030-01-01"), DELETE))


def test_plain_dates_are_compared_as_days(world: World) -> None:
    world.do("CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, paid {day})")
    for n, day in enumerate([date(2024, 3, 1), date(2024, 2, 29), date(2023, 12, 31)]):
        world.put("customers", {"id": n, "paid": day})
    options = dataset(dates={"closed": {"column": "paid", "kind": "date"}})
    found = world.find(options, before("2024-03-01"))
    assert [ref.dates["closed"] for ref in found] == [date(2023, 12, 31), date(2024, 2, 29)]


def test_wall_times_are_read_in_their_zone_and_the_later_way_where_clocks_change(world: World) -> None:
    world.do("CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, at {local})")
    for n, at in enumerate([datetime(2024, 7, 1, 1, 30), datetime(2024, 10, 27, 2, 30), datetime(2024, 3, 31, 2, 30)]):  # noqa: DTZ001 - meant
        world.put("customers", {"id": n, "at": at})
    options = dataset(dates={"closed": {"column": "at", "kind": "local-timestamp", "zone": "Europe/Berlin"}})
    found = {ref.key: ref.dates["closed"] for ref in world.find(options, before("2030-01-01"))}
    assert found == {
        ("0",): datetime(2024, 6, 30, 23, 30, tzinfo=UTC),
        ("1",): datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
        ("2",): datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
    }
    assert keys(world.find(options, before("2024-06-30T23:30:00"))) == ["2"]
    assert keys(world.find(options, before("2024-06-30T23:30:00.000001"))) == ["2", "0"]


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1), ("milliseconds", 1000), ("microseconds", 1_000_000)])
def test_numbers_are_read_in_their_unit_and_out_of_range_is_unknown(world: World, unit: str, factor: int) -> None:
    world.do("CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, at BIGINT)")
    at = int(moment("2024-01-01").timestamp()) * factor
    for n, value in enumerate([at, at + 1, at - 1, 9 * 10**18, -9 * 10**18, None]):
        world.put("customers", {"id": n, "at": value})
    options = dataset(dates={"closed": {"column": "at", "kind": "epoch", "unit": unit}})
    assert keys(world.find(options, before("2024-01-01"))) == ["2"]
    assert keys(world.find(options, before("2025-01-01"))) == ["2", "0", "1"]
    with world.reader(options) as reader:
        assert [ref.key for page in reader.undated(["closed"]) for ref in page] == [("3",), ("4",), ("5",)]


def test_a_database_that_cannot_be_reached_is_transient_or_unreadable_and_names_no_address(world: World) -> None:
    place = {"sqlite": world.url.set(database="/nonexistent/x.db"), "postgresql": world.url.set(query={"host": "/nonexistent"})}
    world.url = place.get(world.kind, world.url.set(host="127.0.0.1", port=1, query={}))
    with pytest.raises(ConnectorError) as caught:
        world.reader(dataset())
    assert isinstance(caught.value, TransientConnectorError) is (world.kind != "sqlite")
    assert not {"nonexistent", "127.0.0.1"} & set(str(caught.value).replace("/", " ").split())
    assert str(TARGET) in str(caught.value)


def test_records_moved_away_when_blocked_belong_to_the_data_set(shop: World) -> None:
    shop.do(CUSTOMERS.replace("customers", "archive"))
    customers(shop, 4)
    shop.do("INSERT INTO archive SELECT * FROM customers WHERE id IN (1, 3)", "DELETE FROM customers WHERE id IN (1, 3)")
    options = dataset(block={"moved_to": "archive"})
    found = shop.find(options, before("2020-01-04"))
    assert [(ref.key, ref.blocked) for ref in found] == [(("1",), True), (("2",), False), (("3",), True)]
    assert keys(shop.find(options, before("2030-01-01"), BLOCK)) == ["2", "4"]
    with shop.reader(options) as reader:
        assert reader.count() == 4
        assert reader.present([RecordRef((str(n),)) for n in range(1, 6)]) == [
            Presence.BLOCKED,
            Presence.PRESENT,
            Presence.BLOCKED,
            Presence.PRESENT,
            Presence.ABSENT,
        ]
