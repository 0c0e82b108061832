"""When runs start. The only place that knows APScheduler.

Nothing is kept on disk: the settings say when, and the stored runs say what was missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.cron import CronTrigger

from retentiond.store import RunRow

SCHEDULED = ("schedule", "catch-up")
"""The triggers of runs that the daemon starts; a run by hand may have been for some rules only, and stands for none of them."""

UNFINISHED = (None, "interrupted")
"""How a run ends that did not get round to everything."""


class Schedule:
    """Calls `due` when a run is to start, once however many starts were slept through. Has no thread: `tick` does the work."""

    def __init__(self, cron: str, zone: str, due: Callable[[], None]) -> None:
        """`cron` has five fields, `zone` is the IANA zone in which they are meant."""
        self._scheduler = _Ticked(
            timezone=UTC, executors={"default": DebugExecutor()}, job_defaults={"coalesce": True, "max_instances": 1}
        )
        # However late it is noticed, a start counts: APScheduler would drop what is late by more than a second.
        self._job = self._scheduler.add_job(due, _trigger(cron, zone), misfire_grace_time=None)
        self._cron, self._zone = cron, zone
        self._scheduler.start()

    def tick(self) -> float:
        """Call `due` if it is time; return the seconds until it is time again."""
        wait: float | None = self._scheduler.process()
        if wait is None:
            raise AssertionError("a schedule that was checked always comes round again")
        return wait

    def replace(self, cron: str, zone: str) -> None:
        """From now on, follow another schedule."""
        self._cron, self._zone = cron, zone
        self.realign()

    def realign(self) -> None:
        """Reckon the next start anew; wanted after the clock was set back, or else it would lie too far off."""
        self._job.reschedule(_trigger(self._cron, self._zone))

    def next_start(self) -> datetime:
        """When the next run starts, aware UTC."""
        moment: datetime = self._job.next_run_time
        return moment.astimezone(UTC)

    def close(self) -> None:
        """Forget everything."""
        self._scheduler.shutdown()


class _Ticked(BaseScheduler):  # type: ignore[misc] # APScheduler 3 has no types
    """A scheduler that the daemon's own loop drives, so that there is one loop whose life can be watched."""

    def process(self) -> float | None:
        """Start what is due; return the seconds until the next start."""
        wait: float | None = self._process_jobs()
        return wait

    def wakeup(self) -> None:
        """Do nothing: the loop asks often enough."""

    def shutdown(self, wait: bool = True) -> None:
        """Let go of the jobs."""
        super().shutdown(wait)


def missed(cron: str, zone: str, runs: Sequence[RunRow], now: datetime) -> datetime | None:
    """The first start that should have been since the last whole run by the daemon, up to `now` (aware UTC).

    `runs` are the stored ones, newest first. Where none of them was whole, or none was by the daemon, it is `now`:
    a machine that is off at night would otherwise never come to a first run. None where nothing was missed.
    A run of a moment still to come was made while the clock was ahead, and stands for none before it.
    """
    ours = (run for run in runs if run.trigger in SCHEDULED and run.started_at <= now)
    whole = next((run for run in ours if run.status not in UNFINISHED), None)
    if whole is None:
        return now
    start = next_start(cron, zone, whole.started_at)
    return start if start <= now else None


def next_start(cron: str, zone: str, after: datetime) -> datetime:
    """The first start of a schedule that lies after a moment; both aware UTC."""
    start: datetime = _trigger(cron, zone).get_next_fire_time(None, after + timedelta(microseconds=1))
    return start.astimezone(UTC)


def _trigger(cron: str, zone: str) -> CronTrigger:
    return CronTrigger.from_crontab(cron, timezone=ZoneInfo(zone))
