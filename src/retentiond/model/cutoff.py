"""Which starts are old enough: the way back from `now`, which only narrows a search.

It admits every start that is due. For periods counted `exact` it admits a few more, where reckoning forward is not
monotone: 30 January, 23:00 plus a month ends after 31 January, 01:00 plus a month. Whoever uses a cutoff reckons
each record forward as well.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from whenever import Date, Instant, PlainDateTime, Time, TimeZoneNotFoundError

from retentiond.model.due import Start, add, last_day, midnight
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Cutoff

_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
_END_OF_DAY = Time(23, 59, 59, nanosecond=999_999_000)  # the last microsecond, which is as fine as instants come
_SLACK = 5  # days that clamped months can hide from a subtraction; the search steps down from there


def cutoff_for(
    by: str,
    term: Term,
    zone: str,
    now: datetime,
    *,
    inclusive_end: bool = False,
    count_start_day: bool = False,
    plus: RetentionPeriod | None = None,
) -> Cutoff:
    """Return the bound on the date `by` below which lie all starts whose term is over at `now` (inclusive).

    It is the least such bound: one microsecond, or one day, above the latest of those starts. With `plus` the date is
    one that the term starts that much later from. What is due is always admitted. What is admitted is due, except
    where exact counting is not monotone: at month ends that are clamped and around changes of the clock. A day that a
    zone left out altogether is admitted with the instant at which the next one began, and so is a day that began before
    the clock was set back to the one before it.
    """
    flags = Start(date.min, inclusive_end=inclusive_end, count_start_day=count_start_day)
    try:
        instant, day = _latest_starts(term, zone, now, flags)
        if plus is not None:
            instant, _ = _latest_exact(plus, zone, instant)
            day = _latest_day(day, lambda candidate: add(candidate, plus), plus)
        # Where a date is admitted, so is an instant at its midnight, and the other way round: one of several dates leads
        # a search for the latest. They only differ where a day is left out, or the clock is set back over midnight.
        instant = max(instant, midnight(day, zone))
        day = max(day, _latest_wall(Instant(instant), zone).date())
        return Cutoff(by, Instant(instant).add(microseconds=1).to_stdlib(), day.add(days=1).to_stdlib())
    except TimeZoneNotFoundError:
        raise
    except ValueError:  # before the first day of the calendar, where nothing starts
        return Cutoff(by, _FIRST_MOMENT, date.min)


def _latest_starts(term: Term, zone: str, now: datetime, flags: Start) -> tuple[datetime, Date]:
    """The latest instant and the latest day whose term is over at `now`."""
    if term.counted is Counted.EXACT:
        return _latest_exact(term.period, zone, now)
    over = _latest_wall(Instant(now), zone).date().subtract(days=1)
    if term.counted.by_year:
        year = over.subtract(months=term.period.whole_months, days=term.period.whole_days).add(days=_SLACK).year
        while last_day(Date(year, 12, 31), term, flags) > over:
            year -= 1
        day = Date(year, 12, 31)
    else:
        day = _latest_day(over, lambda candidate: last_day(candidate, term, flags), term.period)
    return _last_instant(day.at(_END_OF_DAY), zone), day


def _latest_exact(period: RetentionPeriod, zone: str, now: datetime) -> tuple[datetime, Date]:
    """The latest instant, and the latest day begun at its midnight, from which `period` is over at `now`."""
    before = Instant(now).subtract(seconds=period.elapsed_seconds)
    wall = _latest_wall(before, zone)
    if not (period.whole_months or period.whole_days):
        return before.to_stdlib(), wall.date()
    day = _latest_day(wall.date(), lambda candidate: add(candidate, period), period)
    time = wall.time() if add(day, period) == wall.date() else _END_OF_DAY
    return _last_instant(day.at(time), zone), day


def _latest_day(over: Date, last: Callable[[Date], Date], period: RetentionPeriod) -> Date:
    """The latest day for which `last`, which never falls back, gives no later day than `over`."""
    day = over.subtract(days=period.whole_days).subtract(months=period.whole_months).add(days=_SLACK)
    while last(day) > over:
        day = day.subtract(days=1)
    return day


def _latest_wall(instant: Instant, zone: str) -> PlainDateTime:
    """The latest wall clock reading that is first reached no later than `instant`."""
    wall = instant.to_tz(zone).to_plain()
    if wall.assume_tz(zone, disambiguation="earlier").to_instant() < instant:
        # The clock was set back and repeats an hour: every reading up to that moment has been there once.
        change = instant.add(microseconds=1).to_tz(zone).prev_transition()
        if change is not None:
            return change.to_instant().subtract(microseconds=1).to_tz(zone).to_plain()
    return wall


def _last_instant(wall: PlainDateTime, zone: str) -> datetime:
    """The last instant at which the wall clock shows no more than `wall`."""
    instant = wall.assume_tz(zone, disambiguation="later").to_instant()
    if instant.to_tz(zone).to_plain() == wall:
        return instant.to_stdlib()
    change = wall.assume_tz(zone, disambiguation="earlier").next_transition()
    if change is None:  # pragma: no cover - a reading is only skipped where the clock is changed
        return instant.to_stdlib()
    return change.to_instant().subtract(microseconds=1).to_stdlib()
