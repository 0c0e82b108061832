"""What a sidecar tells of its document: dates, facts, and whom it is about. What is not told plainly is unknown."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from retentiond.connector import Fact, Moment, Subject, subject
from retentiond.connector.named import latest_instant
from retentiond_files.pointer import at, parsed
from retentiond_files.sidecar import Sidecar, SidecarDate

MOST_BYTES = 1 << 20
"""A sidecar is a few lines; what is larger than this is none, and is not read."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Told:
    """What one sidecar tells."""

    dates: Mapping[str, Moment | None]
    facts: Mapping[str, Fact]
    subjects: frozenset[Subject]
    clear: bool
    """False where nobody can tell whom it is about: no JSON object, or something else than identifiers in their place."""


class _Doubled(ValueError):
    """A name stands twice in one object, so that two readers could see two values."""


def nothing_told(source: Sidecar, *, clear: bool) -> Told:
    """Stands for a sidecar that is missing, or cannot be read."""
    return Told(dict.fromkeys(source.dates), dict.fromkeys(source.facts), frozenset(), clear)


def told_by(source: Sidecar, handle: int) -> Told:
    """What the open sidecar tells; nothing where it is too large or no JSON object. Raises OSError."""
    pieces, size = [], 0
    while piece := os.pread(handle, MOST_BYTES + 1 - size, size):
        pieces.append(piece)
        size += len(piece)
    try:
        content = json.loads(b"".join(pieces), object_pairs_hook=_once) if size <= MOST_BYTES else None
    except (ValueError, RecursionError):
        content = None
    return _told(source, content) if isinstance(content, dict) else nothing_told(source, clear=False)


def _told(source: Sidecar, content: dict[str, Any]) -> Told:
    zone = None if source.zone is None else ZoneInfo(source.zone)
    subjects: set[Subject] = set()
    clear = True
    for kind, places in source.subjects.items():
        for place in places:
            texts = _identifiers(at(content, parsed(place)))
            clear &= texts is not None
            subjects |= {one for text in texts or () if (one := subject(kind, text)) is not None}
    return Told(
        {name: _moment(one, at(content, parsed(one.at)), zone) for name, one in source.dates.items()},
        {name: _fact(at(content, parsed(place))) for name, place in source.facts.items()},
        frozenset(subjects),
        clear,
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise _Doubled
    return told


def _identifiers(value: object) -> list[str] | None:
    """The identifiers that stand there, none for null; None where what stands there is nothing that names somebody."""
    values = value if isinstance(value, list) else [value]
    given = [one for one in values if one is not None]
    if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in given):
        return None
    return [str(one) for one in given]


def _fact(value: object) -> Fact:
    return value if isinstance(value, bool | int | str) else None


def _moment(one: SidecarDate, value: object, zone: ZoneInfo | None) -> Moment | None:
    if not isinstance(value, str):
        return None
    try:
        return day(value) if one.kind == "day" else instant(value, zone)
    except (ValueError, OverflowError):
        return None


def day(text: str) -> date | None:
    """A plain day; None where the text is none. Raises ValueError for a day that does not exist."""
    return date.fromisoformat(text) if _DAY.fullmatch(text) else None


def instant(text: str, zone: ZoneInfo | None) -> datetime | None:
    """An instant in UTC; None where the text is none, or tells no offset and there is no zone.

    A minute without seconds is taken at its end, what is finer than a microsecond is rounded up, and of a clock hand that
    comes twice the later reading counts. Raises ValueError or OverflowError for a moment that does not exist.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    date_text, minute, second, fraction, offset = match.groups()
    micro = -(-int((fraction or "0").ljust(9, "0")) // 1000) if second else 0
    local = datetime.fromisoformat(f"{date_text}T{minute}:{second or '59'}") + timedelta(microseconds=micro)
    if offset is not None:
        return datetime.fromisoformat(f"{local.isoformat()}{offset.upper().replace('Z', '+00:00')}").astimezone(UTC)
    return None if zone is None else latest_instant(local, zone)
