from __future__ import annotations

from datetime import UTC, datetime

from retentiond.report.schedule import after, before

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def test_the_last_two_times_of_a_daily_schedule_are_today_and_yesterday() -> None:
    assert before("17 3 * * *", "UTC", NOW, 2) == [
        datetime(2026, 11, 24, 3, 17, tzinfo=UTC),
        datetime(2026, 11, 23, 3, 17, tzinfo=UTC),
    ]


def test_the_next_time_is_the_first_after_now() -> None:
    assert after("0 */6 * * *", "UTC", NOW) == datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
    assert after("0 14 * * *", "UTC", NOW) == datetime(2026, 11, 25, 14, 0, tzinfo=UTC)


def test_a_schedule_is_read_in_its_own_zone() -> None:
    assert after("30 0 * * *", "Asia/Kathmandu", NOW) == datetime(2026, 11, 24, 18, 45, tzinfo=UTC)
    assert before("30 5 * * *", "Pacific/Auckland", NOW, 1) == [datetime(2026, 11, 23, 16, 30, tzinfo=UTC)]


def test_a_yearly_schedule_looks_back_for_years() -> None:
    assert before("0 3 29 feb *", "UTC", NOW, 2) == [
        datetime(2024, 2, 29, 3, 0, tzinfo=UTC),
        datetime(2020, 2, 29, 3, 0, tzinfo=UTC),
    ]


def test_weekdays_by_name_are_understood() -> None:
    assert after("0 4 * * mon", "UTC", NOW) == datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
