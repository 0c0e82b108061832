"""The arithmetic of due moments done a second time: by walking, with the standard library alone. Slow and plain."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from retentiond.model.due import LAST_MOMENT, Start
from retentiond.model.period import RetentionPeriod, Term
from retentiond.model.record import Moment

DAY = timedelta(days=1)


def end_by_walking(start: Start, term: Term, zone: str) -> datetime:
    """The end of a term, walked day by day."""
    try:
        return _end(start, term, ZoneInfo(zone))
    except OverflowError:
        return LAST_MOMENT


def later_by_walking(moment: Moment, plus: RetentionPeriod, zone: str) -> Moment:
    if isinstance(moment, datetime):
        return _exact(moment, plus, ZoneInfo(zone))
    return walk(moment, plus)


def walk(day: date, period: RetentionPeriod) -> date:
    """Walk whole months from one first-of-month to the next, then to the day's number, then single days."""
    number, months, days = day.day, 12 * period.years + period.months, 7 * period.weeks + period.days
    day -= (number - 1) * DAY
    for _ in range(months):
        day = _first_of_next_month(day)
    month = day.month
    while day.day < number and (day + DAY).month == month:
        day += DAY
    for _ in range(days):
        day += DAY
    return day


def _first_of_next_month(first: date) -> date:
    day = first + 28 * DAY
    while day.day != 1:
        day += DAY
    return day


def _end(start: Start, term: Term, zone: ZoneInfo) -> datetime:
    words = term.counted.value
    if words == "exact":
        return _exact(start.value, term.period, zone)
    day = start.value.astimezone(zone).date() if isinstance(start.value, datetime) else start.value
    if words.startswith("calendar-year-end"):
        while (day.month, day.day) != (12, 31):
            day += DAY
        last = walk(day + DAY, term.period) - DAY
    elif start.inclusive_end or start.count_start_day:
        last = _last_counted(day + DAY if start.inclusive_end else day, term.period)
    else:
        last = walk(day, term.period)
    if words.endswith("next-workday"):
        while last.weekday() in (5, 6) or last in holidays(last.year):
            last += DAY
    return begins(last + DAY, zone)


def _last_counted(first: date, period: RetentionPeriod) -> date:
    """Section 188(2): the day before the one whose number is that of the first day; 188(3): else the month's last."""
    months = RetentionPeriod(years=period.years, months=period.months)
    days = RetentionPeriod(weeks=period.weeks, days=period.days)
    same = walk(first, months)
    last = same - DAY if same.day == first.day else same
    return walk(last, days)


def _exact(moment: Moment, period: RetentionPeriod, zone: ZoneInfo) -> datetime:
    elapsed = timedelta(hours=period.hours, minutes=period.minutes, seconds=period.seconds)
    calendar = any((period.years, period.months, period.weeks, period.days))
    if isinstance(moment, datetime):
        if not calendar:
            return moment + elapsed
        wall = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    else:
        wall = datetime.combine(moment, time())
    return reached(datetime.combine(walk(wall.date(), period), wall.time()), zone) + elapsed


def reached(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock on the wall shows `wall`; past a gap by its length where it never does."""
    around = wall.replace(tzinfo=UTC)
    offsets = [(around + timedelta(hours=hour)).astimezone(zone).utcoffset() for hour in range(-36, 37)]
    hits = [around - offset for offset in offsets if offset is not None and _shows(around - offset, zone) == wall]
    if hits:
        return min(hits)
    assert offsets[0] is not None
    return around - offsets[0]


def begins(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, looked for by the quarter of an hour."""
    instant = datetime.combine(day, time(), UTC) - timedelta(hours=16)
    while _shows(instant, zone).date() < day:
        instant += timedelta(minutes=15)
    return instant


def _shows(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def holidays(year: int) -> set[date]:
    """The holidays of Hesse; Easter is the first Sunday after the full moon of the church's tables."""
    golden, century = year % 19, year // 100
    moon = (15 + century - century // 4 - (8 * century + 13) // 25 + 19 * golden) % 30
    moon -= moon == 29 or (moon == 28 and golden > 10)
    full = date(year, 3, 21) + moon * DAY
    easter = full + DAY
    while easter.weekday() != 6:
        easter += DAY
    moving = {easter + shift * DAY for shift in (-2, 1, 39, 50, 60)}
    return moving | {date(year, month, day) for month, day in ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))}
