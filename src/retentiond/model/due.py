"""When something is due, and which starts are old enough: the normative arithmetic, on `whenever`.

Everything is reckoned forward, from the start to its end. The backward form, `cutoff_for`, only narrows a search: it
admits every start that is due, and for periods counted `exact` a few more, which the forward form then keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from whenever import Date, Instant, PlainDateTime, Time, TimeZoneNotFoundError

from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Cutoff, Moment
from retentiond.model.workday import next_workday

LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
"""An end that lies beyond the calendar; no `now` comes to it."""

_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
_SLACK = 5  # days that a clamped month can hide from a subtraction; the search steps down from there


@dataclass(frozen=True, slots=True)
class Start:
    """What a period starts from."""

    value: Moment
    inclusive_end: bool = False
    """True where the date is the last day of something that ends with its expiry, such as a contract (187(2) BGB)."""
    count_start_day: bool = False
    """True where the day of the start is the first day that counts."""


def end_of(start: Start, term: Term, zone: str) -> datetime:
    """Return the moment (aware UTC) from which the term is over, reckoned in the IANA `zone`.

    It is `LAST_MOMENT` where the calendar ends before the term. Raises `ValueError` for a naive datetime.
    """
    _refuse_naive(start.value)
    try:
        if term.counted is Counted.EXACT:
            return _exact_end(start.value, term.period, zone)
        last = _last_day(_local_day(start.value, zone), term, start)
        return _midnight(last.add(days=1), zone)
    except TimeZoneNotFoundError:
        raise
    except ValueError:  # beyond the last day of the calendar
        return LAST_MOMENT


def later_by(moment: Moment, plus: RetentionPeriod, zone: str) -> Moment:
    """Return `moment` plus a period of whole days: a date stays a date, an instant keeps its wall clock in `zone`."""
    _refuse_naive(moment)
    try:
        if isinstance(moment, datetime):
            return _exact_end(moment, plus, zone)
        return _add(Date(moment), plus).to_stdlib()
    except TimeZoneNotFoundError:
        raise
    except ValueError:
        return LAST_MOMENT if isinstance(moment, datetime) else date.max


def as_instant(moment: Moment, zone: str) -> datetime:
    """Return the instant of `moment`; a plain date stands for its midnight in `zone`."""
    return moment if isinstance(moment, datetime) else _midnight(Date(moment), zone)


def local_instant(wall: datetime, zone: str) -> datetime:
    """Return the instant (UTC) of a naive wall clock reading in `zone`: the first of two, and past a gap."""
    return _resolved(PlainDateTime(wall), zone).to_stdlib()


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
    where exact counting is not monotone: at month ends that are clamped and around changes of the clock.
    """
    flags = Start(date.min, inclusive_end=inclusive_end, count_start_day=count_start_day)
    try:
        instant, day = _latest_starts(term, zone, now, flags)
        if plus is not None:
            instant, _ = _latest_exact(plus, zone, instant)
            day = _latest_day(day, lambda candidate: _add(candidate, plus), plus)
        # Where a date is admitted, so is an instant at its midnight: the later of several dates leads a search.
        instant = max(instant, _midnight(day, zone))
        return Cutoff(by, Instant(instant).add(microseconds=1).to_stdlib(), day.add(days=1).to_stdlib())
    except TimeZoneNotFoundError:
        raise
    except ValueError:  # before the first day of the calendar, where nothing starts
        return Cutoff(by, _FIRST_MOMENT, date.min)


@dataclass(frozen=True, slots=True)
class DueMoment:
    """What the bounds of one record come to."""

    due_at: datetime | None
    """From when the record is to go; None while a suspension is open, or where nothing ever ends its purpose."""
    block_at: datetime | None
    """From when it is to be blocked until it goes; None where it goes no later than that."""
    held: bool = False


def due_moment(
    *,
    minima: Sequence[datetime] = (),
    purposes: Sequence[datetime] = (),
    caps: Sequence[datetime] = (),
    triggers: Sequence[datetime] = (),
    suspensions: Sequence[datetime | None] = (),
    blocks: Sequence[datetime] = (),
) -> DueMoment:
    """Weigh the ends of a record's bounds against each other, all aware UTC.

    Of the duties (`minima`) the longest counts. They are followed at once, unless a `purpose` of our own ends later;
    a cap or trigger ends every purpose, but never a duty and never a suspension, whose end is None while it is open.
    A purpose that has not ended is `LAST_MOMENT`.
    """
    duty = [max(minima)] if minima else []
    upper = min([*(purposes or duty), *caps, *triggers], default=None)
    held = None in suspensions
    ends = [*duty, *([upper] if upper else []), *(end for end in suspensions if end is not None)]
    due_at = max(ends) if upper and not held else None
    blocked_from = min([*blocks, *([upper] if upper else [])], default=None)
    if due_at is not None and blocked_from is not None and blocked_from >= due_at:
        blocked_from = None
    return DueMoment(due_at, blocked_from, held)


def _refuse_naive(moment: Moment) -> None:
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError("a datetime without an offset is not an instant")


def _local_day(moment: Moment, zone: str) -> Date:
    return Instant(moment).to_tz(zone).date() if isinstance(moment, datetime) else Date(moment)


def _resolved(wall: PlainDateTime, zone: str) -> Instant:
    return wall.assume_tz(zone, disambiguation="compatible").to_instant()


def _midnight(day: Date, zone: str) -> datetime:
    return _resolved(day.at(Time()), zone).to_stdlib()


def _add(day: Date, period: RetentionPeriod) -> Date:
    return day.add(months=period.whole_months, days=period.whole_days)


def _exact_end(moment: Moment, period: RetentionPeriod, zone: str) -> datetime:
    if not isinstance(moment, datetime):
        instant = _resolved(_add(Date(moment), period).at(Time()), zone)
    elif period.whole_months or period.whole_days:
        wall = Instant(moment).to_tz(zone).to_plain()
        instant = _resolved(_add(wall.date(), period).at(wall.time()), zone)
    else:
        instant = Instant(moment)
    return instant.add(seconds=period.elapsed_seconds).to_stdlib()


def _last_day(day: Date, term: Term, start: Start) -> Date:
    """The last day of a term that starts on `day`, in day or year counting."""
    if term.counted.by_year:
        last = _add(Date(day.year + 1, 1, 1), term.period).subtract(days=1)
    elif start.inclusive_end:
        last = _counted_in_full(day.add(days=1), term.period)
    elif start.count_start_day:
        last = _counted_in_full(day, term.period)
    else:
        last = _add(day, term.period)
    return Date(next_workday(last.to_stdlib())) if term.counted.to_workday else last


def _counted_in_full(first: Date, period: RetentionPeriod) -> Date:
    """The last day where `first` is the first that counts: 187(2), 188(2) second alternative, 188(3) BGB."""
    if not period.whole_months or first.day == 1:
        return _add(first, period).subtract(days=1)
    month = first.replace(day=1).add(months=period.whole_months)
    return month.replace(day=min(first.day - 1, month.days_in_month())).add(days=period.whole_days)


def _latest_starts(term: Term, zone: str, now: datetime, flags: Start) -> tuple[datetime, Date]:
    """The latest instant and the latest day whose term is over at `now`."""
    if term.counted is Counted.EXACT:
        return _latest_exact(term.period, zone, now)
    over = _latest_wall(Instant(now), zone).date().subtract(days=1)
    if term.counted.by_year:
        year = over.subtract(months=term.period.whole_months, days=term.period.whole_days).add(days=_SLACK).year
        while _last_day(Date(year, 12, 31), term, flags) > over:
            year -= 1
        day = Date(year, 12, 31)
    else:
        day = _latest_day(over, lambda candidate: _last_day(candidate, term, flags), term.period)
    return _last_instant(day.at(Time.MAX), zone), day
