"""From time stamps of files to aware UTC, rounded up, so that nothing goes too early."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from retentiond.connector import Moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_nanoseconds(stamp: int) -> datetime | None:
    """A file's time stamp in UTC, rounded up to whole microseconds; None beyond the calendar."""
    try:
        return _EPOCH + timedelta(microseconds=-(-stamp // 1000))
    except OverflowError:
        return None


def order(moment: Moment | None) -> tuple[int, float]:
    """What sorts moments of one kind by their age."""
    if isinstance(moment, datetime):
        return (0, moment.timestamp())
    return (moment.toordinal() if isinstance(moment, date) else 0, 0)
