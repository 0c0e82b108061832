"""Reads dates: strictly, so that what is no date with a zone is unknown and never guessed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from retentiond.connector import Moment

_MONTHS = {
    name: number
    for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)
}
_HOURS = {
    **dict.fromkeys(("gmt", "utc", "ut", "z"), 0),
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
}
"""The zones that RFC 5322 gives a meaning, in hours."""
_MAIL = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun),?\s+)?(\d{1,2})[ -]([a-z]{3})[ -](\d{4})\s+(\d{2}):(\d{2})(?::(\d{2}))?"
    r"\s+([+-]\d{4}|[a-z]{1,3})\s*(?:\([^()]*\))?",
    re.ASCII | re.IGNORECASE,
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:?\d{2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LEAP = 60


def mail_instant(text: str) -> datetime | None:
    """The instant of a date as mail writes it (RFC 5322), aware UTC; None where it is none, or tells no known zone."""
    match = _MAIL.fullmatch(" ".join(text.split()))
    if match is None:
        return None
    day, month, year, hour, minute, second, zone = match.groups()
    offset = _offset(zone)
    if offset is None or month.lower() not in _MONTHS:
        return None
    leap = int(second or 0) == _LEAP
    try:
        local = datetime(
            int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), 59 if leap else int(second or 0), tzinfo=offset
        )
        return (local + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _offset(zone: str) -> timezone | None:
    if zone[0] in "+-":
        if int(zone[3:]) >= 60 or int(zone[1:3]) > 14:  # noqa: PLR2004 - no zone is farther from UTC
            return None
        away = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
        return timezone(-away if zone[0] == "-" else away)
    hours = _HOURS.get(zone.lower())
    return None if hours is None else timezone(timedelta(hours=hours))


def moment_in(text: str) -> Moment | None:
    """The date in a header: an instant with its zone, or a plain `2026-01-15`; None where it is neither."""
    text = text.strip()
    if _DAY.fullmatch(text):
        return plain_day(text)
    if _ISO.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    return mail_instant(text)


def plain_day(text: str) -> date | None:
    """The plain date `2026-01-15`; None where it is none."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def in_zone(moment: Moment | None, zone: str | None) -> Moment | None:
    """The plain day of an instant in the zone; what is a plain date already, or has no zone asked for it, stays."""
    if zone is None or not isinstance(moment, datetime):
        return moment
    try:
        return moment.astimezone(ZoneInfo(zone)).date()
    except OverflowError:
        return None


def order(moment: Moment) -> float:
    """A number by which instants and plain dates are brought into one order, oldest first."""
    at = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
