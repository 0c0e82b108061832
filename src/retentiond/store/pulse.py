"""The clock's last believed reading, and the daemon's sign of life."""

from __future__ import annotations

from datetime import datetime

from retentiond.store.part import Part
from retentiond.store.tables import clock, heartbeats
from retentiond.store.values import ClockReading, Heartbeat


class Pulse(Part):
    """The part of the store that knows when we were last alive, and what time it was."""

    def clock_reading(self) -> ClockReading | None:
        """The last reading that was believed; None before the first."""
        row = self._only_row(clock)
        return None if row.at is None else ClockReading(row.at, row.boot_id, row.monotonic)

    def record_clock(self, reading: ClockReading) -> None:
        """Keep a reading that was believed, in place of the last one."""
        self._set_only_row(clock, {"at": reading.at, "boot_id": reading.boot_id, "monotonic": reading.monotonic})

    def beat(self, now: datetime, pid: int, state: str) -> None:
        """Leave a sign of life, in place of the last one."""
        self._set_only_row(heartbeats, {"at": now, "pid": pid, "state": state})

    def heartbeat(self) -> Heartbeat | None:
        """The daemon's last sign of life; None where no daemon ever ran on this state."""
        row = self._only_row(heartbeats)
        return None if row.at is None else Heartbeat(row.at, row.pid, row.state)
