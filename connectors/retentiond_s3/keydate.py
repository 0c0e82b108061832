"""Reads dates in keys and in metadata. What a key leaves open is taken at its latest; what is no date is unknown."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from retentiond.connector import Moment

_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_NEEDS = {"m": "Y", "d": "m", "H": "d", "M": "H", "S": "M"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_DAWN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """`calls/*-%Y%m%d.wav`: directives of strftime, `*` for anything but a slash, everything else as it stands."""

    first: re.Pattern[str]
    """Reads the date as far to the left as it can stand."""
    last: re.Pattern[str]
    """Reads it as far to the right; where the two differ, nobody knows which of them is the date."""
    has_hour: bool
    whole: bool
    """True where the pattern has a slash and is held against the whole key, otherwise against what follows the last slash."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError where a directive is unknown, doubled, or lacks the coarser one."""
        seen: set[str] = set()
        parts: list[str] = []
        for piece in re.findall(r"%.?|\*|[^%*]+", text, flags=re.DOTALL):
            if piece == "*":
                parts.append("[^/]*")
            elif piece == "%%":
                parts.append("%")
            elif piece.startswith("%"):
                name = piece[1:]
                if name not in _WIDTHS or name in seen:
                    raise ValueError("knows %Y %m %d %H %M %S, each once, and %% for a percent sign")
                seen.add(name)
                # A longer number, of a phone say, is not cut into a date.
                whole = "(?<![0-9])" if parts and parts[-1] == "[^/]*" else ""
                parts.append(f"{whole}(?P<{name}>[0-9]{{{_WIDTHS[name]}}})")
            else:
                parts.append(re.escape(piece))
        if "Y" not in seen or any(name in seen and needs not in seen for name, needs in _NEEDS.items()):
            raise ValueError("must name a year, and with each finer part the coarser ones, such as %Y-%m-%d")
        lazy = ["[^/]*?" if part == "[^/]*" else part for part in parts]
        first, last = (re.compile("".join(each), re.DOTALL) for each in (lazy, parts))
        return cls(first, last, "H" in seen, "/" in text)

    def moment(self, key: str, zone: str | None) -> Moment | None:
        """The date named by a key; None where it does not match, can be read in two ways, or names no day that exists.

        A plain date where the pattern has no hour, otherwise aware UTC, the later one where a clock hand is ambiguous.
        """
        name = key if self.whole else key.rsplit("/", 1)[-1]
        match, other = self.first.fullmatch(name), self.last.fullmatch(name)
        if match is None or other is None or match.regs[1:] != other.regs[1:]:
            return None
        said = {part: int(text) for part, text in match.groupdict().items()}
        try:
            month = said.get("m", 12)
            day = said.get("d") or calendar.monthrange(said["Y"], month)[1]
            if zone is None:
                return date(said["Y"], month, day)
            micro = 0 if "S" in said else 999_999
            local = datetime(  # noqa: DTZ001 - wall time, given its zone in the next line
                said["Y"], month, day, said["H"], said.get("M", 59), said.get("S", 59), micro
            )
            return latest_instant(local, ZoneInfo(zone))
        except (ValueError, OverflowError):
            return None


def latest_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The latest instant at which a clock of the zone can have shown `local`, aware UTC."""
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def told(text: str) -> Moment | None:
    """The date in metadata: an instant with its zone, aware UTC, or a plain `2026-01-15`; None where it is neither."""
    text = text.strip()
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text).astimezone(UTC) if _INSTANT.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def order(moment: Moment) -> float:
    """A number by which instants and plain dates are brought into one order. A plain day counts from its end."""
    if isinstance(moment, datetime):
        return (moment - _DAWN).total_seconds()
    return (datetime(moment.year, moment.month, moment.day, tzinfo=UTC) - _DAWN + timedelta(days=1)).total_seconds()


def latest(moments: list[Moment | None]) -> Moment | None:
    """The youngest of them; None where there is none, or one of them is unknown."""
    known = [moment for moment in moments if moment is not None]
    return max(known, key=order) if known and len(known) == len(moments) else None
