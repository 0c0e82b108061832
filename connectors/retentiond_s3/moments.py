"""Reads dates in metadata, and brings moments into one order; what is no date is unknown."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from retentiond.connector import Moment

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_DAWN = datetime(1970, 1, 1, tzinfo=UTC)


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
