"""Whether a vendor's setting is as a policy expects it. What is unknown, unreadable or in doubt is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from retentiond.model.period import RetentionPeriod

AT_MOST = "at most "
AT_LEAST = "at least "

T = TypeVar("T")

_A_DAY = 86_400
_NUMBER = re.compile(r"-?[0-9]{1,15}")


def is_met(expected: str, told: str | None) -> bool:
    """True where `told`, what the vendor says, surely is what `expected` asks for.

    `at most` and `at least` compare durations of ISO 8601, or whole numbers; anything else has to be the same: durations by
    their length, `on` and `off` in any case, all other text letter by letter. None is never met, and `off` is no default.
    """
    if told is None:
        return False
    expected, told = expected.strip(), told.strip()
    if expected.startswith(AT_MOST):
        return _compared(told, expected.removeprefix(AT_MOST))
    if expected.startswith(AT_LEAST):
        return _compared(expected.removeprefix(AT_LEAST), told)
    if expected.lower() in ("on", "off"):
        return told.lower() == expected.lower()
    wanted, have = _period(expected), _period(told)
    if wanted is not None and have is not None:
        return _length(wanted) == _length(have)
    return told == expected


def unmet(expect: Mapping[str, str], told: Mapping[str, str]) -> tuple[str, ...]:
    """The names of what is not as it is expected, in order."""
    return tuple(name for name, expected in sorted(expect.items()) if not is_met(expected, told.get(name)))


def is_plain(value: str) -> bool:
    """True where a value may be shown: on, off, a duration or a number, and not a vendor's text."""
    return value.lower() in ("on", "off") or _period(value) is not None or _NUMBER.fullmatch(value) is not None


def _compared(less: str, more: str) -> bool:
    """True where both are durations, or both are numbers, and the first surely is not more than the second."""
    numbers = _both(less.strip(), more.strip(), _number)
    if numbers is not None:
        return numbers[0] <= numbers[1]
    periods = _both(less.strip(), more.strip(), _period)
    if periods is None:
        return False
    (less_months, less_seconds), (more_months, more_seconds) = (_length(one) for one in periods)
    if less_months <= more_months and less_seconds <= more_seconds:
        return True
    # Months are not all as long: only what is true wherever they lie is true.
    return periods[0].longest_days <= periods[1].shortest_days


def _both(first: str, second: str, read: Callable[[str], T | None]) -> tuple[T, T] | None:
    one, other = read(first), read(second)
    return None if one is None or other is None else (one, other)


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _period(text: str) -> RetentionPeriod | None:
    try:
        return RetentionPeriod.parse(text)
    except ValueError:
        return None


def _length(period: RetentionPeriod) -> tuple[int, int]:
    """Months, and seconds beside them: the parts that are never turned into one another."""
    return period.whole_months, period.whole_days * _A_DAY + period.elapsed_seconds
