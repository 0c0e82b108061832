"""Reads the date in a name, of a file or of an object. What the name leaves open is taken at its latest."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Self
from zoneinfo import ZoneInfo

from retentiond.model.record import Moment

_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_ANYTHING = "[^/]*"
_AS_LITTLE = "[^/]*?"
_NEEDS = {"m": "Y", "d": "m", "H": "d", "M": "H", "S": "M"}


@dataclass(frozen=True, slots=True)
class NamePattern:
    """`access-%Y-%m-%d.log*`: directives of strftime, `*` for anything but a slash, everything else as it stands."""

    first: re.Pattern[str]
    """Reads the date as far to the left as it can stand."""
    last: re.Pattern[str]
    """Reads it as far to the right; where the two differ, nobody knows which of them is the date."""
    has_hour: bool
    whole_path: bool
    """True where the pattern has a slash and is held against the whole relative path."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError where a directive is unknown, doubled, or lacks the coarser one."""
        seen: set[str] = set()
        parts: list[str] = []
        for piece in re.findall(r"%.?|\*|[^%*]+", text, flags=re.DOTALL):
            if piece == "*":
                parts.append(_ANYTHING)
            elif piece == "%%":
                parts.append("%")
            elif piece.startswith("%"):
                name = piece[1:]
                if name not in _WIDTHS or name in seen:
                    raise ValueError("knows %Y %m %d %H %M %S, each once, and %% for a percent sign")
                seen.add(name)
                # A longer number, of a phone say, is not cut into a date.
                whole = r"(?<!\d)" if parts and parts[-1] == _ANYTHING else ""
                parts.append(f"{whole}(?P<{name}>\\d{{{_WIDTHS[name]}}})")
            else:
                parts.append(re.escape(piece))
        if "Y" not in seen or any(name in seen and needs not in seen for name, needs in _NEEDS.items()):
            raise ValueError("must name a year, and with each finer part the coarser ones, such as %Y-%m-%d")
        shortest = [_AS_LITTLE if part == _ANYTHING else part for part in parts]
        return cls(re.compile("".join(shortest)), re.compile("".join(parts)), "H" in seen, "/" in text)

    def moment(self, path: str, zone: ZoneInfo | None) -> Moment | None:
        """The date in a path with slashes; None where it does not match, can be read in two ways, or names no day that exists.

        A plain date where the pattern has no hour, otherwise aware UTC, the later one where a clock hand is ambiguous.
        """
        name = path if self.whole_path else path.rsplit("/", 1)[-1]
        match, other = self.first.fullmatch(name), self.last.fullmatch(name)
        if match is None or other is None or match.regs[1:] != other.regs[1:]:
            return None
        said = {name: int(text) for name, text in match.groupdict().items()}
        try:
            month = said.get("m", 12)
            day = said.get("d") or calendar.monthrange(said["Y"], month)[1]
            if zone is None:
                return date(said["Y"], month, day)
            second = said.get("S")
            local = datetime(  # noqa: DTZ001 - wall time, given its zone in the next line
                said["Y"],
                month,
                day,
                said["H"],
                said.get("M", 59),
                59 if second is None else second,
                999_999 if second is None else 0,
            )
            return latest_instant(local, zone)
        except (ValueError, OverflowError):
            return None


def latest_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) of a naive wall time; the later one where the clock was put back or forward over it.

    Raises OverflowError at the very ends of the calendar.
    """
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
