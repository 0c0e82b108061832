"""A date is believed where it says when, and never otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.connector import ConnectorError
from retentiond_rest.dating import DateSpec
from retentiond_rest.places import Told


def moment(value: Any, **told: Any) -> Any:
    spec = DateSpec.model_validate({"at": "/at", "null": "undated", **told})
    return spec.moment(Told({"at": value, "other": told.get("agrees") and value}), "crm/leads")


CLOCK = {"forms": ["%Y-%m-%d %H:%M:%S"], "zone": "Europe/Berlin"}
OLD = {"forms": ["%Y-%m-%d %H:%M:%S"], "zone": "UTC"}


@pytest.mark.parametrize(
    ("value", "told", "expected"),
    [
        (1_600_000_000, {"forms": ["unix"]}, datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)),
        (1_600_000_000_123, {"forms": ["unix-ms"]}, datetime(2020, 9, 13, 12, 26, 40, 123_000, tzinfo=UTC)),
        ("2020-09-13T14:26:40+02:00", {"forms": ["iso"]}, datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)),
        ("2020-09-13 12:26:40Z", {"forms": ["iso"]}, datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)),
        ("2020-09-13T14:26:40", {"forms": ["iso"], "zone": "Europe/Berlin"}, datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)),
        ("2020-09-13T14:26:40", {"forms": ["iso"]}, None),
        ("2020-09-13", {"forms": ["iso"], "zone": "Europe/Berlin"}, None),
        ("2020-09-13", {"forms": ["day"]}, date(2020, 9, 13)),
        ("20200913", {"forms": ["day"]}, None),
        ("13.09.2020 14:26", {"forms": ["%d.%m.%Y %H:%M"], "zone": "UTC"}, datetime(2020, 9, 13, 14, 26, tzinfo=UTC)),
        ("2020-10-25 02:30:00", CLOCK, datetime(2020, 10, 25, 1, 30, tzinfo=UTC)),
        ("2020-03-29 02:30:00", CLOCK, datetime(2020, 3, 29, 1, 30, tzinfo=UTC)),
        ("1980-01-01 00:00:00", {**OLD, "plausible_from": "1970-01-01"}, datetime(1980, 1, 1, tzinfo=UTC)),
        ("1980-01-01 00:00:00", OLD, None),
        ("2020-01-01T00:00:00Z", {"forms": ["iso"], "not_a_date": ["2020-01-01"]}, None),
        (0, {"forms": ["unix"]}, None),
        (True, {"forms": ["unix"]}, None),
        ("1600000000", {"forms": ["unix"]}, None),
        (10**30, {"forms": ["unix"]}, None),
        (float("nan"), {"forms": ["unix"]}, None),
        (None, {"forms": ["iso"]}, None),
        ("", {"forms": ["iso"]}, None),
        ({"a": 1}, {"forms": ["iso"]}, None),
        ("logs/2020/09/13_1.gzip", {"forms": ["day"], "match": r"(\d{4})/(\d{2})/(\d{2})_"}, date(2020, 9, 13)),
        ("logs/latest.gzip", {"forms": ["day"], "match": r"(\d{4})/(\d{2})/(\d{2})_"}, None),
    ],
)  # fmt: skip
def test_a_value_is_the_instant_or_day_that_it_tells_or_unknown(value: Any, told: dict[str, Any], expected: Any) -> None:
    assert moment(value, **told) == expected


def test_a_missing_date_that_cannot_be_is_an_error() -> None:
    spec = DateSpec.model_validate({"at": "/at", "forms": ["iso"], "null": "error"})
    for body in ({}, {"at": None}, {"at": ""}):
        with pytest.raises(ConnectorError, match="without its date"):
            spec.moment(Told(body), "crm/leads")


def agreeing(days: int) -> Any:
    told = {"at": "/at", "forms": ["day"], "null": "undated", "agrees": {"at": "/other", "forms": ["iso"], "within": "P2D"}}
    other = datetime(2020, 1, 10, tzinfo=UTC) + timedelta(days=days)
    return DateSpec.model_validate(told).moment(Told({"at": "2020-01-10", "other": other.isoformat()}), "x/y")


@pytest.mark.parametrize(("days", "believed"), [(0, True), (2, True), (-2, True), (3, False), (-3, False), (2000, False)])
def test_two_places_that_disagree_are_both_not_believed(days: int, believed: bool) -> None:
    assert agreeing(days) == (date(2020, 1, 10) if believed else None)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.integers(), max_size=2)
FORMS = st.sampled_from([["unix"], ["unix-ms"], ["iso"], ["day"], ["%Y-%m-%d %H:%M:%S%z"], ["iso", "unix"]])


@given(ANYTHING, FORMS, st.sampled_from([None, "Europe/Berlin", "Asia/Kathmandu"]))
def test_no_value_at_all_breaks_it_or_is_believed_below_the_earliest(value: Any, forms: list[str], zone: str | None) -> None:
    told = moment(value, forms=forms, **({"zone": zone} if zone else {}))
    if isinstance(told, datetime):
        assert told.utcoffset() == timedelta(0)
        assert told.date() >= date(2000, 1, 1)
    elif told is not None:
        assert told >= date(2000, 1, 1)


@given(st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - wall clocks are meant
def test_a_wall_clock_is_never_taken_for_earlier_than_it_can_be(wall: datetime) -> None:
    told = moment(wall.isoformat(), forms=["iso"], zone="Europe/Berlin")
    assert told >= wall.replace(tzinfo=UTC) - timedelta(hours=2)
    spec_utc = moment(f"{wall.isoformat()}+00:00", forms=["iso"])
    assert spec_utc == wall.replace(tzinfo=UTC)
