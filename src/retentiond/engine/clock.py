"""The clock verdict: whether what the machine's clock says may be believed.

A clock that jumped ahead makes everything due at once; one that was set back makes the log lie about its order.
So each run compares its reading with the last one kept, with the deletion log and, per system, with the
system's own clock, and nothing is changed while they disagree.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from retentiond.settings import Guards
from retentiond.store import ClockReading

SAME_BOOT_TOLERANCE = timedelta(minutes=10)
"""How far wall clock and monotonic clock may drift apart between two readings of one boot; a time service slews less."""


def doubts(reading: ClockReading, last: ClockReading | None, last_entry: datetime | None, guards: Guards) -> list[str]:
    """Say why the clock cannot be believed, as finished sentences; an empty list means it can.

    `last` is the reading of the last run (None on the first), `last_entry` the time of the newest entry of the log.
    """
    found: list[str] = []
    back = timedelta(seconds=guards.clock_back)
    mend = "Set the clock right, or, if it is right, say so with `retentiond approve clock --by STAFF-ID`."
    if last_entry is not None and reading.at < last_entry - back:
        found.append(
            f"The clock shows {_text(reading.at)}, but the deletion log was written at {_text(last_entry)}: "
            f"it was set back. {mend}"
        )
    if last is None:
        return found
    if reading.at < last.at - back:
        found.append(f"The clock shows {_text(reading.at)}, but showed {_text(last.at)} before: it was set back. {mend}")
    elif reading.boot_id == last.boot_id:
        passed = timedelta(seconds=reading.monotonic - last.monotonic)
        ahead = (reading.at - last.at) - passed
        if ahead > SAME_BOOT_TOLERANCE:
            found.append(
                f"The clock gained {_span(ahead)} on the time that really passed since {_text(last.at)}: "
                f"it was set forward. {mend}"
            )
    elif reading.at - last.at > timedelta(days=guards.clock_ahead_days):
        found.append(
            f"The clock shows {_text(reading.at)}, {_span(reading.at - last.at)} after the last run; "
            f"more than {guards.clock_ahead_days} days without a run need a person's word that it is right. {mend}"
        )
    return found


def target_doubt(now: datetime, target_now: datetime | None, guards: Guards) -> str | None:
    """Say why a system's own clock contradicts ours; None where it agrees or has none."""
    if target_now is None or abs(target_now - now) <= timedelta(seconds=guards.target_clock):
        return None
    return f"The system's own clock shows {_text(target_now)}, ours {_text(now)}; one of the two is wrong. Set it right."


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(span: timedelta) -> str:
    return f"{span.days} days" if span.days >= 2 else f"{span.total_seconds() / 3600:.1f} hours"  # noqa: PLR2004 - plural
