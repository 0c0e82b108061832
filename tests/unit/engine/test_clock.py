"""The clock verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retentiond.engine.clock import doubts, target_doubt
from retentiond.settings import Guards
from retentiond.store import ClockReading

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GUARDS = Guards()
LAST = ClockReading(NOW, "boot-1", 1000.0)


def later(wall: timedelta, monotonic: timedelta, boot: str = "boot-1") -> ClockReading:
    return ClockReading(NOW + wall, boot, 1000.0 + monotonic.total_seconds())


def test_the_first_reading_is_believed() -> None:
    assert doubts(LAST, None, None, GUARDS) == []


def test_a_clock_that_went_on_as_time_did_is_believed() -> None:
    assert doubts(later(timedelta(days=1), timedelta(days=1)), LAST, NOW, GUARDS) == []


def test_a_clock_set_back_is_doubted() -> None:
    assert "set back" in doubts(later(timedelta(hours=-1), timedelta(hours=1)), LAST, None, GUARDS)[0]


def test_a_clock_behind_the_deletion_log_is_doubted_even_without_an_earlier_reading() -> None:
    assert "deletion log" in doubts(LAST, None, NOW + timedelta(hours=1), GUARDS)[0]


def test_a_leap_of_a_second_or_two_back_is_no_step() -> None:
    assert doubts(later(timedelta(seconds=-2), timedelta(0)), LAST, NOW, GUARDS) == []


def test_a_clock_that_gained_a_year_within_one_boot_is_doubted() -> None:
    assert "set forward" in doubts(later(timedelta(days=366), timedelta(days=1)), LAST, NOW, GUARDS)[0]


def test_a_machine_that_slept_for_weeks_is_believed() -> None:
    assert doubts(later(timedelta(days=30), timedelta(seconds=5), "boot-2"), LAST, NOW, GUARDS) == []


def test_a_gap_of_years_over_a_reboot_needs_a_persons_word() -> None:
    found = doubts(later(timedelta(days=1500), timedelta(seconds=5), "boot-2"), LAST, NOW, GUARDS)
    assert "retentiond approve clock" in found[0]


def test_a_systems_clock_that_differs_by_an_hour_is_doubted_whichever_way() -> None:
    assert target_doubt(NOW, NOW + timedelta(hours=1), GUARDS)
    assert target_doubt(NOW, NOW - timedelta(hours=1), GUARDS)
    assert target_doubt(NOW, NOW + timedelta(seconds=5), GUARDS) is None
    assert target_doubt(NOW, None, GUARDS) is None
