"""Reads when a line was written. A line that does not tell plainly tells nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from retentiond.connector.named import latest_instant
from retentiond_files.options import Content, Format

Parse = Callable[[bytes], datetime | None]
"""A line -> its instant, aware UTC; None where it tells none."""

HEAD = 8192
"""How much of a line is searched for its date; what a client sent stands behind it."""

YEARS_BACK = 8
"""How far back a line without a year is looked for; 29 February comes at least this often."""

AHEAD = timedelta(days=31)
"""How far a line without a year may lie after the file's last change: a clock that is fast must not make it a year old."""

_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_MONTH = b"(" + b"|".join(_MONTHS) + b")"

# The quote behind the bracket cannot be forged from a user name: both servers escape quotes there.
_COMBINED = re.compile(rb"\S+ .*?\[(\d\d)/" + _MONTH + rb'/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\] "')
_MARK = rb"(?:\xef\xbb\xbf)?"
"""What Windows programs put before the first line of a UTF-8 file."""

_NGINX_ERROR = re.compile(_MARK + rb"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d) ")
_APACHE_ERROR = re.compile(
    _MARK + rb"\[(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) " + _MONTH + rb" (\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? (\d{4})\]"
)
_ISO8601 = re.compile(
    _MARK + rb"(?:<\d{1,3}>(?:\d{1,2} )?)?[\[(]?(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    # What begins like an offset and is none leaves the line undated, instead of in the zone of the settings.
    rb"(?: ?((?:[Zz]|UTC|GMT)\b|[+-]\d\d(?::?\d\d)?(?!:?\d))|(?![\d+-]|[Zz]\w))"
)
_SYSLOG = re.compile(_MARK + rb"(?:<\d{1,3}>)?" + _MONTH + rb" ([ \d]?\d) (\d\d):(\d\d):(\d\d)(?!\d)")


def parser(content: Content, written: datetime) -> Parse:
    """What reads the lines of one file; `written` (aware UTC) is the file's last change, which settles missing years."""
    zone = ZoneInfo(content.zone) if content.zone is not None else None
    match content.format:
        case Format.NGINX_COMBINED | Format.APACHE_COMBINED:
            return _combined
        case Format.NGINX_ERROR:
            return lambda line: _nginx_error(line, zone)
        case Format.APACHE_ERROR:
            return lambda line: _apache_error(line, zone)
        case Format.ISO8601:
            return lambda line: _iso8601(line, zone)
        case Format.SYSLOG:
            return lambda line: _syslog(line, zone, written)
        case Format.JSON:
            return lambda line: _json(line, content.field, zone)


def _combined(line: bytes) -> datetime | None:
    match = _COMBINED.match(line, 0, HEAD)
    if match is None:
        return None
    day, month, year, hour, minute, second, offset = match.groups()
    return _instant(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), zone=_offset(offset))


def _nginx_error(line: bytes, zone: ZoneInfo | None) -> datetime | None:
    match = _NGINX_ERROR.match(line)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    return _instant(year, month, day, hour, minute, second, zone=zone)


def _apache_error(line: bytes, zone: ZoneInfo | None) -> datetime | None:
    match = _APACHE_ERROR.match(line)
    if match is None:
        return None
    month, day, hour, minute, second, fraction, year = match.groups()
    return _instant(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), _microseconds(fraction), zone=zone)


def _iso8601(line: bytes, zone: ZoneInfo | None) -> datetime | None:
    match = _ISO8601.match(line)
    if match is None:
        return None
    *clock, fraction, offset = match.groups()
    year, month, day, hour, minute, second = map(int, clock)
    settled = zone if offset is None else _offset(offset)
    return _instant(year, month, day, hour, minute, second, _microseconds(fraction), zone=settled)


def _json(line: bytes, field: str | None, zone: ZoneInfo | None) -> datetime | None:
    """The text under a name of the outermost object, read like the beginning of a line; no number, whose unit nobody tells."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text = told.get(field) if isinstance(told, dict) else None
    return _iso8601(text.encode(errors="replace"), zone) if isinstance(text, str) else None


def _syslog(line: bytes, zone: ZoneInfo | None, written: datetime) -> datetime | None:
    """The line in the latest year that does not put it far after the file's last change: in doubt it is young."""
    match = _SYSLOG.match(line)
    if match is None:
        return None
    month, day, hour, minute, second = match.groups()
    for year in range(written.year + 1, written.year - YEARS_BACK, -1):
        instant = _instant(year, _MONTHS[month], int(day), int(hour), int(minute), int(second), zone=zone)
        if instant is not None and instant <= written + AHEAD:
            return instant
    return None


def _microseconds(fraction: bytes | None) -> int:
    return int(fraction[:6].ljust(6, b"0")) if fraction else 0


@lru_cache(maxsize=128)
def _offset(text: bytes) -> timezone | None:
    if not text.startswith((b"+", b"-")):
        return UTC
    digits = text[1:].replace(b":", b"")
    hours, minutes = int(digits[:2]), int(digits[2:] or b"0")
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - a clock's own numbers
        return None
    return timezone((1 if text.startswith(b"+") else -1) * timedelta(hours=hours, minutes=minutes))


def _instant(
    year: int,
    month: int,
    day: int,
    hour: int,
    minute: int,
    second: int,
    microsecond: int = 0,
    *,
    zone: ZoneInfo | timezone | None,
) -> datetime | None:
    if zone is None:
        return None
    try:
        # A leap second is written as 60 and counts as the second before it.
        local = datetime(year, month, day, hour, minute, min(second, 59) if second == 60 else second, microsecond)  # noqa: DTZ001, PLR2004
        return latest_instant(local, zone) if isinstance(zone, ZoneInfo) else local.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
