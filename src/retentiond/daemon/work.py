"""One run, made in a thread of its own, so that the loop stays awake and can see whether the run still gets on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from retentiond.daemon.clock import read_clock, steady, utc_now
from retentiond.engine.anchoring import Anchoring, anchor
from retentiond.engine.evidence import open_evidence
from retentiond.engine.runner import run
from retentiond.engine.values import Progress, RunReport
from retentiond.engine.workplace import Workplace

NAP = 10.0
"""Seconds: a long wait is cut into pieces of this length, each a sign of life."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a run calls back while it is at work."""

    alive: Callable[[], None]
    """Called whenever the run got on: between records, batches and attempts."""
    progress: Callable[[Progress], None]
    stop: Callable[[], bool]
    """True once the run is to end after the batch in hand."""
    sleep: Callable[[float], None]
    """Waits before another attempt; shorter once the run is to end."""


Make = Callable[[Workplace, str, Hooks], RunReport | Anchoring]
"""Makes one run of a workplace, or anchors its log; the text is what triggered it."""


def make_run(workplace: Workplace, trigger: str, hooks: Hooks) -> RunReport:
    """Make one run, with store and deletion log open no longer than it lasts."""

    def clock() -> datetime:
        hooks.alive()
        return utc_now()

    with open_evidence(workplace.settings, utc_now()) as evidence:
        hooks.alive()
        return run(
            workplace,
            evidence,
            reading=read_clock(),
            trigger=trigger,
            clock=clock,
            stop=hooks.stop,
            progress=hooks.progress,
            sleep=hooks.sleep,
        )


def make_anchoring(types: Collection[str], workplace: Workplace, _trigger: str, hooks: Hooks) -> Anchoring:
    """Hand the log's newest checkpoint to the anchors of these types."""

    def clock() -> datetime:
        hooks.alive()
        return utc_now()

    with open_evidence(workplace.settings, utc_now()) as evidence:
        return anchor(workplace.settings, evidence.log, clock, hooks.sleep, types, hooks.stop)


class Work:
    """A run, or an anchoring, under way in its thread."""

    def __init__(self, make: Make, workplace: Workplace, trigger: str, ended: Callable[[], None]) -> None:
        """Start the run; `ended` is called in its thread when it is over, however it ended."""
        self.trigger = trigger
        self.error: BaseException | None = None
        """What the run raised; None while it is under way and where it raised nothing."""
        self.report: RunReport | Anchoring | None = None
        """What it did; None while it is under way and where it raised."""
        self.latest: Progress | None = None
        """How far it is."""
        self._last_sign = steady()
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._ended = ended
        hooks = Hooks(alive=self._alive, progress=self._progress, stop=self._stop_wanted, sleep=self._sleep)
        self._thread = threading.Thread(target=self._do, args=(make, workplace, hooks), name="run")
        self._thread.start()

    @property
    def over(self) -> bool:
        """True once it has ended and `error` or `report` is there."""
        return self._over.is_set()

    def silent_for(self) -> float:
        """Seconds since the run last got on."""
        return steady() - self._last_sign

    def stop(self) -> None:
        """Have the run end after the batch in hand."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until the run is over."""
        self._thread.join()

    def _do(self, make: Make, workplace: Workplace, hooks: Hooks) -> None:
        try:
            self.report = make(workplace, self.trigger, hooks)
        except BaseException as error:  # noqa: BLE001 - the daemon's one handler: the loop tells what is expected from a bug
            # Also what is no `Exception`, such as SystemExit of a connector's library: else the run would be over without a word.
            self.error = error
        finally:
            self._over.set()
            self._ended()

    def _alive(self) -> None:
        self._last_sign = steady()

    def _progress(self, progress: Progress) -> None:
        self._alive()
        self.latest = progress

    def _stop_wanted(self) -> bool:
        self._alive()
        return self._stopping.is_set()

    def _sleep(self, seconds: float) -> None:
        # A wait that was decided on is no standstill.
        end = steady() + seconds
        while not self._stopping.is_set() and (left := end - steady()) > 0:
            self._alive()
            self._stopping.wait(min(left, NAP))
        self._alive()
