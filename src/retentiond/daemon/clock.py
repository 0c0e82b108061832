"""The one place that reads the machine's clock; everything below is told what time it is."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from retentiond.errors import StateError
from retentiond.store import ClockReading

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Where the kernel tells which boot this is."""


def utc_now() -> datetime:
    """The present moment, aware UTC."""
    return datetime.now(UTC)


def steady() -> float:
    """Seconds on a clock that nobody can set and that stands still while the machine sleeps; only differences mean anything."""
    return time.monotonic()


def seconds_since_boot() -> float:
    """Seconds since the machine was started, sleep included; setting the clock does not move it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read_clock(boot_id_file: Path = BOOT_ID) -> ClockReading:
    """Wall clock, boot and time since boot, as one reading that a later one can be judged against.

    Raises `StateError` where nobody tells which boot this is: without it a clock that jumped could not be noticed.
    """
    return ClockReading(at=utc_now(), boot_id=_boot_id(boot_id_file), monotonic=seconds_since_boot())


def _boot_id(file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii")
    except OSError:
        # A unit with ProcSubset=pid hides the file; it hands over the boot's id by `Environment=BOOT_ID=%b` instead.
        text = os.environ.get("BOOT_ID", "")
    boot_id = text.strip().replace("-", "").lower()
    if not boot_id:
        raise StateError(
            f"Neither {file} nor the environment variable BOOT_ID tells which boot of the machine this is, "
            f"so a clock that jumped could not be noticed. Under systemd, set `Environment=BOOT_ID=%b` in the unit."
        )
    return boot_id
