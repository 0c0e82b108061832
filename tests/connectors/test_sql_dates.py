"""A date is read exactly, or it is unknown; every unknown one is listed and none is ever found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sql_world import DELETE, World, before, dataset, only_on, opened

from retentiond.connector import Cutoff
from retentiond_sql.dates import Form, bound, form_of, parse
from retentiond_sql.deciding import DateColumn

pytestmark = pytest.mark.usefixtures("far_from_utc")

BERLIN = DateColumn(column="at", kind="local-timestamp", zone="Europe/Berlin")
INSTANT = DateColumn(column="at", kind="timestamp")
DAY = DateColumn(column="at", kind="date")
SECONDS = DateColumn(column="at", kind="epoch", unit="seconds")


@pytest.fixture
def world(database: sa.URL) -> Iterator[World]:
    yield from opened(database)


def put(world: World, kind: str, values: list[str]) -> None:
    """Rows 0 and up with these SQL literals as their date."""
    world.do(f"CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, at {kind})")
    for number, value in enumerate(values):
        world.do(f"INSERT INTO customers VALUES ({number}, {value})")  # noqa: S608 - literals of this test


def undated(world: World, column: DateColumn) -> list[int]:
    with world.reader(dataset(dates={"closed": column.model_dump(exclude_none=True)})) as reader:
        return [int(ref.key[0]) for page in reader.undated(["closed"]) for ref in page]


def found(world: World, column: DateColumn) -> list[int]:
    options = dataset(dates={"closed": column.model_dump(exclude_none=True)})
    return [int(ref.key[0]) for ref in world.find(options, before("9998-01-01"))]


STRANGE: list[tuple[str, DateColumn, str, list[str]]] = [
    ("postgresql", INSTANT, "timestamptz", ["NULL", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-01-01'"]),
    ("postgresql", BERLIN, "timestamp", ["NULL", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-01-01'"]),
    ("postgresql", DAY, "date", ["NULL", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-01-01'"]),
    ("postgresql", SECONDS, "double precision", ["NULL", "'NaN'", "'Infinity'", "'-Infinity'", "1e30"]),
    ("postgresql", SECONDS, "numeric", ["NULL", "'NaN'", "1e30", "-1e30"]),
    ("mariadb", INSTANT, "timestamp NULL", ["NULL", "'0000-00-00 00:00:00'"]),
    ("mariadb", BERLIN, "datetime", ["NULL", "'0000-00-00'", "'2024-00-01'", "'2024-01-00'", "'0000-05-05'"]),
    ("mariadb", DAY, "date", ["NULL", "'0000-00-00'", "'2024-00-01'", "'2024-01-00'", "'0000-05-05'"]),
    ("mariadb", SECONDS, "double", ["NULL", "1e30", "-1e30"]),
    (
        "sqlite",
        INSTANT,
        "TEXT",
        ["NULL", "''", "'soon'", "'2024-02-30 10:00:00Z'", "'2024-01-01 24:00:00Z'", "1700000000", "x'00'"],
    ),
    ("sqlite", INSTANT, "DATETIME", ["'2024-01-01 10:00:00'", "'2024-01-01'", "'20240101T100000Z'", "'0000-00-00 00:00:00Z'"]),
    ("sqlite", BERLIN, "TEXT", ["'2024-01-01'", "'10:00'", "'24-01-01 10:00'"]),
    ("sqlite", DAY, "DATE", ["NULL", "'01.02.2024'", "'2024-W01-1'", "'20240101'", "'2024-01-01 00:00:00'", "20240101"]),
    ("sqlite", SECONDS, "INTEGER", ["NULL", "'soon'", "9223372036854775807", "-9223372036854775808", "x'00'"]),
]


@pytest.mark.parametrize(
    ("name", "column", "kind", "values"), STRANGE, ids=lambda value: value if isinstance(value, str) else None
)
def test_what_is_no_known_date_is_listed_and_never_found(
    request: pytest.FixtureRequest, name: str, column: DateColumn, kind: str, values: list[str]
) -> None:
    sound = "1700000000" if column.kind == "epoch" else "'2023-11-14'" if column.kind == "date" else "'2023-11-14 22:13:20'"
    if column.kind == "timestamp" and name == "sqlite":
        sound = "'2023-11-14 22:13:20Z'"
    for world in opened(request.getfixturevalue(name)):
        put(world, kind, [*values, sound])
        assert undated(world, column) == list(range(len(values)))
        assert found(world, column) == [len(values)]


@only_on("mariadb")
@pytest.mark.parametrize(("kind", "column"), [("date", DAY), ("datetime", BERLIN)])
def test_a_day_that_no_calendar_has_is_listed(world: World, kind: str, column: DateColumn) -> None:
    put(world, kind, ["'2024-02-28'", "'2024-02-29'"])
    world.do("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'", "INSERT INTO customers VALUES (2, '2024-02-30'), (3, '2024-06-31')")
    assert undated(world, column) == [2, 3]
    assert found(world, column) == [0, 1]


def test_dates_written_as_text_are_read_on_every_database(world: World) -> None:
    kind = "varchar(50)"
    values = ["'2024-01-01 10:00:00+02:00'", "'2024-01-01T08:00:00.000001Z'", "'2023-12-31 23:59'", "'soon'", "NULL"]
    put(world, kind, values)
    assert found(world, INSTANT) == [0, 1] or sorted(found(world, INSTANT)) == [0, 1]
    assert undated(world, INSTANT) == [2, 3, 4]
    options = dataset(dates={"closed": INSTANT.model_dump(exclude_none=True)})
    assert [ref.key for ref in world.find(options, before("2024-01-01T08:00:00.000001"))] == [("0",)]


def test_several_dates_are_undated_only_where_none_of_them_is_known(world: World) -> None:
    world.do("CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, a {day}, b {day})")
    world.do("INSERT INTO customers VALUES (1, NULL, NULL), (2, '2020-01-01', NULL), (3, NULL, '2020-01-01')")
    options = dataset(dates={name: {"column": name, "kind": "date"} for name in "ab"})
    with world.reader(options) as reader:
        assert [ref.key for page in reader.undated(["a", "b"]) for ref in page] == [("1",)]
        assert [ref.key for page in reader.undated(["a"]) for ref in page] == [("1",), ("3",)]
        (ref,) = [ref for page in reader.find(before("2030-01-01", by="b"), DELETE) for ref in page]
    assert ref.dates == {"a": None, "b": date(2020, 1, 1)}


@pytest.mark.parametrize(
    ("column", "raw", "meant"),
    [
        (INSTANT, "2024-01-01 10:00:00+00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        (INSTANT, "2024-01-01T10:00:00.5+05:45", datetime(2024, 1, 1, 4, 15, 0, 500000, tzinfo=UTC)),
        (INSTANT, "2024-01-01 10:00Z", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        (INSTANT, "2024-01-01 10:00:00.123456789Z", datetime(2024, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        (INSTANT, "2024-01-01 10:00:00", None),
        (INSTANT, "0001-01-01 00:00:00+14:00", None),
        (INSTANT, datetime(2024, 1, 1, tzinfo=UTC), None),
        (BERLIN, "2024-07-01 10:00:00", datetime(2024, 7, 1, 8, tzinfo=UTC)),
        (BERLIN, "2024-07-01 10:00:00Z", datetime(2024, 7, 1, 10, tzinfo=UTC)),
        (BERLIN, "0001-01-01 00:00:00", None),
        (DAY, "2024-02-29", date(2024, 2, 29)),
        (DAY, "2023-02-29", None),
        (DAY, "٢٠٢٤-٠١-٠١", None),
        (SECONDS, 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (SECONDS, -1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (SECONDS, Decimal("1.5"), datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)),
        (SECONDS, float("nan"), None),
        (SECONDS, float("inf"), None),
        (SECONDS, "1700000000", None),
        (SECONDS, True, None),
    ],
)
def test_values_mean_what_they_say(column: DateColumn, raw: object, meant: object) -> None:
    assert parse(column, raw, Form.TEXT) == meant


@pytest.mark.parametrize(
    ("column", "kind", "dialect", "form"),
    [
        (INSTANT, sa.TIMESTAMP(timezone=True), "postgresql", Form.TYPED),
        (INSTANT, sa.TIMESTAMP(), "postgresql", None),
        (INSTANT, sa.TIMESTAMP(), "mysql", Form.TYPED),
        (INSTANT, sa.DATETIME(), "mysql", None),
        (INSTANT, sa.Date(), "postgresql", None),
        (BERLIN, sa.DATETIME(), "mysql", Form.TYPED),
        (BERLIN, sa.TIMESTAMP(), "mysql", None),
        (DAY, sa.Date(), "mysql", Form.TYPED),
        (DAY, sa.DateTime(), "postgresql", None),
        (DAY, sa.Enum("a"), "postgresql", None),
        (DAY, sa.String(), "postgresql", Form.TEXT),
        (DAY, sa.Integer(), "sqlite", None),
        (DAY, sa.Date(), "sqlite", Form.TEXT),
        (SECONDS, sa.REAL(), "postgresql", None),
        (SECONDS, sa.FLOAT(), "mysql", None),
        (SECONDS, sa.Text(), "sqlite", None),
        (SECONDS, sa.BigInteger(), "mysql", Form.NUMBER),
    ],
)
def test_only_fitting_types_hold_a_kind_of_date(column: DateColumn, kind: Any, dialect: str, form: Form | None) -> None:
    assert form_of(column, kind, dialect) is form


@given(
    st.datetimes(min_value=datetime(1, 1, 5), max_value=datetime(9999, 12, 25)),  # noqa: DTZ001 - wall times are meant
    st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=5)),
    st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia", "America/St_Johns", "Africa/Monrovia"]),
)
@settings(max_examples=100, deadline=None)
def test_the_bound_for_the_server_is_never_too_narrow(wall: datetime, later: timedelta, zone: str) -> None:
    column = DateColumn(column="at", kind="local-timestamp", zone=zone)
    meant = parse(column, wall.isoformat(" "), Form.TEXT)
    assert isinstance(meant, datetime)
    at = min(meant + later, datetime(9999, 12, 30, tzinfo=UTC)) if meant.year < 9999 else meant + timedelta(microseconds=1)
    cutoff = Cutoff("closed", at, at.date())
    assert wall < bound(column, Form.TYPED, cutoff)  # type: ignore[operator]
    assert wall.isoformat(" ") < bound(column, Form.TEXT, cutoff)  # type: ignore[operator]
    for unit, factor in (("seconds", 10**6), ("milliseconds", 10**3), ("microseconds", 1)):
        epoch = DateColumn(column="at", kind="epoch", unit=unit)
        raw = (meant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=factor)
        assert raw < bound(epoch, Form.NUMBER, cutoff)  # type: ignore[operator]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_what_is_found_is_exactly_what_lies_before_the_cutoff(world: World, moments: list[datetime], data: st.DataObject) -> None:
    world.do("DROP TABLE IF EXISTS customers", "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, at {instant})")
    world.put("customers", *({"id": n, "at": at} for n, at in enumerate(moments)))
    at = data.draw(st.sampled_from(moments)) + data.draw(st.sampled_from([timedelta(0), timedelta(microseconds=1)]))
    options = dataset(dates={"closed": {"column": "at", "kind": "timestamp"}})
    refs = world.find(options, Cutoff("closed", at, at.date()))
    wanted = sorted(((moment, number) for number, moment in enumerate(moments) if moment < at))
    assert [(ref.dates["closed"], int(ref.key[0])) for ref in refs] == wanted
