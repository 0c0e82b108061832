"""From clocks and time stamps to aware UTC; in doubt the later instant, so that nothing goes too early."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from retentiond.connector import Moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def latest_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) of a naive wall time; the later one where the clock was put back or forward over it.

    Raises OverflowError at the very ends of the calendar.
    """
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


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
