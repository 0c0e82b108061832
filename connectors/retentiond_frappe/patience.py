"""Waits for the site's background worker, with a clock that a test can turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Patience:
    """A clock, and a way to wait."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, settled: Callable[[], bool], seconds: float) -> bool:
        """Ask until it is settled; False where it is not within so many seconds."""
        end, asked = self.clock() + seconds, 0
        while not settled():
            if self.clock() >= end:
                return False
            self.sleep(PAUSES[min(asked, len(PAUSES) - 1)])
            asked += 1
        return True
