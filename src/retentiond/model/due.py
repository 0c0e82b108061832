"""When something is due: the normative arithmetic, reckoned forward from the start to its end, on `whenever`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from whenever import Date, Instant, PlainDateTime, Time, TimeZoneNotFoundError

from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Moment
from retentiond.model.workday import next_workday

LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
"""An end that lies beyond the calendar; no `now` comes to it."""


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
        last = last_day(_local_day(start.value, zone), term, start)
        return midnight(last.add(days=1), zone)
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
        return add(Date(moment), plus).to_stdlib()
    except TimeZoneNotFoundError:
        raise
    except ValueError:
        return LAST_MOMENT if isinstance(moment, datetime) else date.max


def as_instant(moment: Moment, zone: str) -> datetime:
    """Return the instant of `moment`; a plain date stands for its midnight in `zone`."""
    return moment if isinstance(moment, datetime) else midnight(Date(moment), zone)


@dataclass(frozen=True, slots=True)
class DueMoment:
    """What the bounds of one record come to."""

    due_at: datetime | None
    """From when the record is to go; None while a suspension is open, or where nothing ever ends its purpose."""
    block_at: datetime | None
    """From when it is to be blocked until it goes; None where it goes no later than that."""
    held: bool = False
    """True while a suspension is open."""
    unsuspended: datetime | None = None
    """From when it would be to go if no suspension was in the way."""


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
    unsuspended = max([*duty, upper]) if upper else None
    due_at = max([unsuspended, *(end for end in suspensions if end is not None)]) if unsuspended and not held else None
    blocked_from = min([*blocks, *([upper] if upper else [])], default=None)
    if due_at is not None and blocked_from is not None and blocked_from >= due_at:
        blocked_from = None
    return DueMoment(due_at, blocked_from, held, unsuspended)


def _refuse_naive(moment: Moment) -> None:
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError("a datetime without an offset is not an instant")


def _local_day(moment: Moment, zone: str) -> Date:
    return Instant(moment).to_tz(zone).date() if isinstance(moment, datetime) else Date(moment)


def resolved(wall: PlainDateTime, zone: str) -> Instant:
    """Return the instant of a wall clock reading: past a gap by its length, and the first of two."""
    return wall.assume_tz(zone, disambiguation="compatible").to_instant()


@lru_cache(maxsize=65536)
def midnight(day: Date, zone: str) -> datetime:
    """Return the instant (UTC) at which `day` begins in `zone`."""
    return resolved(day.at(Time()), zone).to_stdlib()


def add(day: Date, period: RetentionPeriod) -> Date:
    """Return `day` plus the whole days of `period`: years and months in one step, clamped, then weeks and days."""
    return day.add(months=period.whole_months, days=period.whole_days)


def _exact_end(moment: Moment, period: RetentionPeriod, zone: str) -> datetime:
    if not isinstance(moment, datetime):
        instant = resolved(add(Date(moment), period).at(Time()), zone)
    elif period.whole_months or period.whole_days:
        wall = Instant(moment).to_tz(zone).to_plain()
        instant = resolved(add(wall.date(), period).at(wall.time()), zone)
    else:
        instant = Instant(moment)
    return instant.add(seconds=period.elapsed_seconds).to_stdlib()


def last_day(day: Date, term: Term, start: Start) -> Date:
    """The last day of a term that starts on `day`, in day or year counting."""
    if term.counted.by_year:
        last = add(Date(day.year + 1, 1, 1), term.period).subtract(days=1)
    elif start.inclusive_end:
        last = _counted_in_full(day.add(days=1), term.period)
    elif start.count_start_day:
        last = _counted_in_full(day, term.period)
    else:
        last = add(day, term.period)
    return Date(next_workday(last.to_stdlib())) if term.counted.to_workday else last


def _counted_in_full(first: Date, period: RetentionPeriod) -> Date:
    """The last day where `first` is the first that counts: 187(2), 188(2) second alternative, 188(3) BGB."""
    if not period.whole_months or first.day == 1:
        return add(first, period).subtract(days=1)
    month = first.replace(day=1).add(months=period.whole_months)
    return month.replace(day=min(first.day - 1, month.days_in_month())).add(days=period.whole_days)
