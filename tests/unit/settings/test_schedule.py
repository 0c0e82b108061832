"""What a schedule may say."""

from __future__ import annotations

import pytest

from retentiond.settings.schedule import parse_schedule, risky_local_hours


def test_a_schedule_names_minutes_hours_days_months_and_weekdays() -> None:
    minutes, hours, days, months, weekdays = parse_schedule("*/20 3,5-7 * JAN-mar mon-fri")
    assert minutes == {0, 20, 40}
    assert hours == {3, 5, 6, 7}
    assert days == set(range(1, 32))
    assert months == {1, 2, 3}
    assert weekdays == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "five fields"),
        ("17 3 * *", "five fields"),
        ("17 3 * * * *", "five fields"),
        ("@daily", "five fields"),
        ("60 3 * * *", "the minute cannot be '60'"),
        ("0 24 * * *", "the hour cannot be '24'"),
        ("0 3 0 * *", "the day of the month cannot be '0'"),
        ("0 3 * 13 *", "the month cannot be '13'"),
        ("0 3 * * 0", "the day of the week cannot be '0'; allowed are mon to sun"),
        ("0 3 * * 7", "the day of the week cannot be '7'"),
        ("0 3 * * fri-mon", "a range goes upward"),
        ("0 5-3 * * *", "a range goes upward"),
        ("*/0 3 * * *", "a step is at least 1"),
        ("5/10 3 * * *", "a step needs a range"),
        ("0 3 L * *", "the day of the month cannot be 'l'"),
        ("0 3 * * mon#1", "is not understood"),
        ("-5 3 * * *", "is not understood"),
        ("0, 3 * * *", "is not understood"),
        ("٣ 3 * * *", "the minute cannot be"),
        ("0 3 1 * mon", "not both"),
        ("0 3 31 2 *", "no such day ever comes"),
        ("0 3 31 apr,jun *", "no such day ever comes"),
    ],
)
def test_a_schedule_that_never_comes_or_is_read_in_two_ways_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_schedule(text)


@pytest.mark.parametrize("text", ["0 3 29 2 *", "0 3 31 1,2 *", "59 23 * * sun", "* * * * *", "0-59/7 0 1-15/2 1-12 *"])
def test_unusual_schedules_that_do_come_are_allowed(text: str) -> None:
    parse_schedule(text)


@pytest.mark.parametrize(
    ("text", "zone", "hours"),
    [
        ("30 2 * * *", "Europe/Berlin", [2]),
        ("0 * * * *", "America/New_York", [1, 2, 3]),
        ("0 4 * * *", "Europe/Berlin", []),
        ("30 2 * * *", "UTC", []),
        ("30 2 * * *", "Asia/Kathmandu", []),
    ],
)
def test_only_local_hours_that_summer_time_touches_are_risky(text: str, zone: str, hours: list[int]) -> None:
    assert risky_local_hours(text, zone) == hours
