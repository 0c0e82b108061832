from __future__ import annotations

from datetime import date, timedelta

import pytest
from support.reference import holidays

from retentiond.model.workday import is_workday, next_workday


@pytest.mark.parametrize("year", range(1970, 2101))
def test_every_day_of_a_year_is_a_workday_unless_it_is_a_weekend_or_a_holiday_of_hesse(year: int) -> None:
    day = date(year, 1, 1)
    while day.year == year:
        assert is_workday(day) == (day.weekday() < 5 and day not in holidays(year)), day
        day += timedelta(days=1)


@pytest.mark.parametrize(
    "easter", ["1970-03-29", "2000-04-23", "2011-04-24", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25"]
)
def test_the_days_around_easter_are_those_of_the_calendar_on_the_wall(easter: str) -> None:
    sunday = date.fromisoformat(easter)
    off = [
        shift
        for shift in range(-2, 61)
        if not is_workday(sunday + timedelta(days=shift)) and (sunday + timedelta(days=shift)).weekday() < 5
    ]
    assert {-2, 1, 39, 50, 60} <= set(off)


def test_the_working_days_of_christmas_are_working_days() -> None:
    assert is_workday(date(2026, 12, 24))
    assert is_workday(date(2026, 12, 31))


def test_a_long_weekend_moves_to_the_day_after_it() -> None:
    assert next_workday(date(2026, 4, 3)) == date(2026, 4, 7)
    assert next_workday(date(2026, 4, 7)) == date(2026, 4, 7)


def test_the_end_of_the_calendar_stays_where_it_is() -> None:
    assert next_workday(date.max) <= date.max
