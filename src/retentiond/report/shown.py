"""Makes foreign text safe to show: what a record or a system is called must not move the cursor or pose as something else."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal acts on, reorders or does not show."""


def shown(text: str) -> str:
    r"""`text` on one line, each control, format or unassigned character as its escape (`\x1b`, `\u202e`)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) if unicodedata.category(character) in HIDDEN else character for character in text)


def moment(value: datetime, zone: str = "UTC") -> str:
    """An instant (aware) for a person, to the second, as a clock in the IANA `zone` shows it, with its offset."""
    return value.astimezone(ZoneInfo(zone)).isoformat(" ", "seconds").replace("+00:00", " UTC")


def stamp(value: datetime) -> str:
    """An instant (aware) for a program: ISO 8601 in UTC with a Z."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def day_or_moment(value: datetime | date) -> str:
    """A date of a record for a program: an instant as `stamp`, a plain date as ISO 8601."""
    return stamp(value) if isinstance(value, datetime) else value.isoformat()


def span(value: timedelta) -> str:
    """A length of time for a person, in its largest whole unit."""
    seconds = int(value.total_seconds())
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def counted(number: int, noun: str) -> str:
    """`1 record`, `2,000 records`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
