"""When a schedule came round and will come round; by this `status` tells whether the daemon is late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from retentiond.settings.schedule import parse_schedule

A_DAY = timedelta(days=1)
LONGEST_GAP = 366 * 9
"""Days; 29 February may stay away for eight years."""


def before(schedule: str, zone: str, now: datetime, count: int) -> list[datetime]:
    """The last `count` times (aware UTC) at or before `now` at which the schedule came round, newest first."""
    return list(islice((at for at in _times(schedule, zone, now, -1) if at <= now), count))


def after(schedule: str, zone: str, now: datetime) -> datetime | None:
    """The next time (aware UTC) after `now`; None where none comes within nine years."""
    return next((at for at in _times(schedule, zone, now, 1) if at > now), None)


def _times(schedule: str, zone: str, start: datetime, direction: int) -> Iterator[datetime]:
    """The schedule's times from the day of `start` on, in order of `direction`; UTC."""
    minutes, hours, days, months, weekdays = parse_schedule(schedule)
    where = ZoneInfo(zone)
    today = start.astimezone(where).date() - direction * A_DAY
    clock = sorted((time(hour, minute) for hour in hours for minute in minutes), reverse=direction < 0)
    for number in range(LONGEST_GAP):
        day = today + direction * number * A_DAY
        if day.day in days and day.month in months and day.weekday() in weekdays:
            for moment in clock:
                yield datetime.combine(day, moment, where).astimezone(UTC)
