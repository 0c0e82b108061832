"""Working days in Hesse (DE-HE): Monday to Friday, no public holiday. 24 and 31 December are working days."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

_SATURDAY = 5
_DAY = timedelta(days=1)


def is_workday(day: date) -> bool:
    """True where `day` is a working day in Hesse."""
    return day.weekday() < _SATURDAY and day not in _holidays(day.year)


def next_workday(day: date) -> date:
    """Return `day` where it is a working day, else the next one that is.

    At the very end of the calendar, where no day follows, it is the last day.
    """
    while not is_workday(day) and day < date.max:
        day += _DAY
    return day


@cache
def _holidays(year: int) -> frozenset[date]:
    easter = _easter(year)
    movable = (-2, 1, 39, 50, 60)  # Good Friday, Easter Monday, Ascension, Whit Monday, Corpus Christi
    fixed = ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))
    return frozenset(easter + timedelta(days=shift) for shift in movable) | {date(year, *day) for day in fixed}


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by the Meeus-Jones-Butcher rule."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)
