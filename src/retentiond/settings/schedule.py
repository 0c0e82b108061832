"""What a schedule may say: the five fields of cron, less what cron and schedulers read differently."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""How many days each month can have."""

RISKY_HOURS = frozenset({1, 2, 3})
"""The local hours that summer time skips or repeats in nearly all zones that have one."""


class _Field(NamedTuple):
    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()
    """Names that may stand for the numbers from `first` on."""


FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("day of the week", 0, 6, WEEKDAYS),
)
_PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]+))?")


def parse_schedule(text: str) -> tuple[frozenset[int], ...]:
    """The minutes, hours, days, months and weekdays (Monday is 0) that a schedule names.

    Raises `ValueError` with what is wrong: also for a schedule that never comes round, which would be a daemon
    that is silently dead, and for one that cron and the scheduler would read differently.
    """
    words = text.lower().split()
    if len(words) != len(FIELDS):
        raise ValueError(f"a schedule has five fields: {', '.join(field.name for field in FIELDS)}; for example `17 3 * * *`")
    chosen = tuple(_values(word, field) for word, field in zip(words, FIELDS, strict=True))
    _, _, days, months, weekdays = chosen
    if len(days) < FIELDS[2].last and len(weekdays) < len(WEEKDAYS):
        raise ValueError(
            "name either days of the month or days of the week, not both: programs differ in what both together mean"
        )
    if not any(day <= LONGEST[month - 1] for day in days for month in months):
        raise ValueError("no such day ever comes, so nothing would ever run")
    return chosen


def risky_local_hours(text: str, zone: str) -> list[int]:
    """The hours of the schedule that are skipped or repeated where `zone` changes to or from summer time."""
    if not _changes(zone):
        return []
    return sorted(parse_schedule(text)[1] & RISKY_HOURS)


def _changes(zone: str) -> bool:
    where = ZoneInfo(zone)
    # One recent year tells: zones that gave up summer time long ago are not warned about.
    return len({datetime(2026, month, 15, tzinfo=where).utcoffset() for month in range(1, 13)}) > 1


def _values(word: str, field: _Field) -> frozenset[int]:
    chosen: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"the {field.name} {word!r} is not understood; allowed are {_allowed(field)}")
        step = int(match["step"] or 1)
        if match["all"]:
            first, last = field.first, field.last
        elif match["step"] and not match["last"]:
            raise ValueError(f"the {field.name} {word!r} is not understood: a step needs a range, `*/5` or `10-50/5`")
        else:
            first = _number(match["first"], field)
            last = _number(match["last"], field) if match["last"] else first
        if step < 1 or first > last:
            raise ValueError(f"the {field.name} {word!r} names nothing: a range goes upward, and a step is at least 1")
        chosen.update(range(first, last + 1, step))
    return frozenset(chosen)


def _number(text: str, field: _Field) -> int:
    if text in field.words:
        return field.words.index(text) + field.first
    # Cron counts weekdays from Sunday, the scheduler from Monday: a number would mean another day than its writer thinks.
    if field.words is not WEEKDAYS and text.isascii() and text.isdigit() and field.first <= int(text) <= field.last:
        return int(text)
    raise ValueError(f"the {field.name} cannot be {text!r}; allowed are {_allowed(field)}")


def _allowed(field: _Field) -> str:
    words = f"{field.words[0]} to {field.words[-1]}" if field.words else ""
    numbers = "" if field.words is WEEKDAYS else f"{field.first} to {field.last}"
    return " or ".join(part for part in (numbers, words) if part) + ", lists, ranges and steps of them, and *"
