"""When runs start: under a frozen clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from retentiond.daemon.scheduler import Schedule, missed, next_start
from retentiond.store import RunRow

NIGHTLY = "17 3 * * *"


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    with freeze_time("2026-11-24 12:00:00") as frozen:
        assert isinstance(frozen, FrozenDateTimeFactory)
        yield frozen


class Starts:
    """A schedule and how often it said that a run is due."""

    def __init__(self, cron: str = NIGHTLY, zone: str = "UTC") -> None:
        self.count = 0
        self.schedule = Schedule(cron, zone, self._due)

    def _due(self) -> None:
        self.count += 1


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_nothing_starts_before_its_time(clock: FrozenDateTimeFactory) -> None:
    starts = Starts()
    assert starts.schedule.tick() == timedelta(hours=15, minutes=17).total_seconds()
    clock.move_to("2026-11-25 03:16:59")
    assert starts.schedule.tick() == 1
    assert starts.count == 0


def test_a_run_starts_at_its_time_and_once(clock: FrozenDateTimeFactory) -> None:
    starts = Starts()
    clock.move_to("2026-11-25 03:17:00")
    starts.schedule.tick()
    starts.schedule.tick()
    assert starts.count == 1
    assert starts.schedule.next_start() == moment("2026-11-26 03:17")


def test_nights_that_were_slept_through_give_one_run_however_late(clock: FrozenDateTimeFactory) -> None:
    starts = Starts()
    clock.move_to("2026-12-01 09:00:00")
    starts.schedule.tick()
    assert starts.count == 1
    assert starts.schedule.next_start() == moment("2026-12-02 03:17")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 23), ("2026-10-24", 25)])
def test_a_day_of_another_length_has_its_one_run_too(clock: FrozenDateTimeFactory, day: str, hours: int) -> None:
    clock.move_to(f"{day} 12:00:00")
    starts = Starts("30 4 * * *", "Europe/Berlin")
    first = starts.schedule.next_start() - timedelta(days=1)
    for _minute in range(hours * 60):
        clock.tick(timedelta(minutes=1))
        starts.schedule.tick()
    assert starts.count == 1
    assert starts.schedule.next_start() > first


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/20 * * * *"])
@pytest.mark.parametrize("edge", ["2026-10-24 22:00", "2026-03-28 22:00"])
def test_the_changes_of_summer_time_do_not_trap_the_schedule(cron: str, edge: str) -> None:
    """APScheduler before 3.11.2 returned the same start again and again; freezegun loses the fold, so no clock is frozen here."""
    at, last = moment(edge), moment(edge) + timedelta(days=2)
    starts = [at]
    while at < last:
        at = next_start(cron, "Europe/Berlin", at)
        starts.append(at)
    assert starts == sorted(set(starts))
    assert max(later - earlier for earlier, later in pairwise(starts)) <= timedelta(hours=25)


def test_another_schedule_takes_the_place_of_the_old_one(clock: FrozenDateTimeFactory) -> None:
    starts = Starts()
    starts.schedule.replace("0 13 * * *", "Asia/Kathmandu")
    assert starts.schedule.next_start() == moment("2026-11-25 07:15")
    clock.move_to("2026-11-25 07:15:00")
    starts.schedule.tick()
    assert starts.count == 1


def test_a_clock_that_was_years_ahead_does_not_leave_the_schedule_there(clock: FrozenDateTimeFactory) -> None:
    clock.move_to("2040-01-01 00:00:00")
    starts = Starts()
    clock.move_to("2026-11-24 12:00:00")
    starts.schedule.realign()
    assert starts.schedule.next_start() == moment("2026-11-25 03:17")


def test_a_closed_schedule_lets_go() -> None:
    Schedule(NIGHTLY, "UTC", lambda: None).close()


def row(started: str, trigger: str = "schedule", status: str | None = "done") -> RunRow:
    at = moment(started)
    return RunRow("r", trigger, "d", at, None if status is None else at + timedelta(minutes=1), status, {})


NOW = moment("2026-11-24 12:00")


@pytest.mark.parametrize(
    ("runs", "since"),
    [
        ([], NOW),
        ([row("2026-11-24 03:17:00")], None),
        ([row("2026-11-23 03:17:00")], moment("2026-11-24 03:17")),
        ([row("2026-11-23 15:00:00", "catch-up")], moment("2026-11-24 03:17")),
        ([row("2026-11-24 11:00:00", "catch-up")], None),
        ([row("2026-11-20 03:17:00")], moment("2026-11-21 03:17")),
        ([row("2026-11-24 03:17:00", status="failed")], None),
        ([row("2026-11-24 03:17:00", status="refused")], None),
        # Made while the clock was ahead.
        ([row("2036-11-24 03:17:00", status="refused"), row("2026-11-23 03:17:00")], moment("2026-11-24 03:17")),
        # It never got round to everything, so it does not count.
        ([row("2026-11-24 03:17:00", status=None), row("2026-11-23 03:17:00")], moment("2026-11-24 03:17")),
        ([row("2026-11-24 03:17:00", status="interrupted"), row("2026-11-23 03:17:00")], moment("2026-11-24 03:17")),
        # A run by hand may have been for one rule only.
        ([row("2026-11-24 03:20:00", "command"), row("2026-11-23 03:17:00")], moment("2026-11-24 03:17")),
        ([row("2026-11-24 03:20:00", "command")], NOW),
    ],
)
def test_what_was_missed_is_told_by_the_stored_runs(runs: list[RunRow], since: datetime | None) -> None:
    assert missed(NIGHTLY, "UTC", runs, NOW) == since
