"""The service: one loop that waits, starts runs, hears signals, and tells others whether it lives."""

from __future__ import annotations

import faulthandler
import os
import sys
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TextIO

from retentiond.audit import LogPlace, read_log, verify_log
from retentiond.daemon.clock import steady, utc_now
from retentiond.daemon.notify import Notifier
from retentiond.daemon.scheduler import Schedule, missed
from retentiond.daemon.signals import Inbox, Word, open_inbox
from retentiond.daemon.work import Make, Work, make_anchoring, make_run
from retentiond.database import DatabaseError
from retentiond.engine.anchoring import Anchoring, due_types, refuse_contradicted
from retentiond.engine.evidence import log_place, open_store_of
from retentiond.engine.values import RunReport
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.errors import AuditError, ConfigurationError, RetentiondError, StateError
from retentiond.folder import make_state_directory
from retentiond.lock import exclusive
from retentiond.logs import configure, get_logger
from retentiond.settings import Settings, load_settings

STALLED_AFTER = timedelta(minutes=30)
"""A run that shows no progress for so long is taken for hung. One batch, or one count of a big table, may take its time."""

BEAT_EVERY = 60.0
"""Seconds between two signs of life in the store."""

ROUND = 10.0
"""Seconds: the loop never sleeps longer, so that a clock that was set, or a machine that woke up, is noticed."""

STEP_BACK = timedelta(seconds=60)
"""A clock that goes back by more than this has been set."""

TRY_AGAIN = timedelta(hours=1)
"""When a run that could not be made at all is tried again, unless the schedule is sooner."""

LOOK_AT_ANCHORS = timedelta(minutes=5)
"""How often is looked whether an anchor is due."""

ANCHOR = "anchor"
"""What triggers an anchoring without a run."""

STDOUT, STDERR = 1, 2

RUNS_LOOKED_AT = 200
"""How many stored runs are searched for the last whole one of ours."""


def serve(settings_path: Path | None, *, stalled_after: timedelta = STALLED_AFTER, make: Make = make_run) -> int:
    """Be the service until SIGTERM or SIGINT, and return 0; the batch in hand is finished first.

    `settings_path` is the settings file, looked for in the usual places where it is None. Raises `ConfigurationError`
    and `StateError` where the service cannot start (also: a second one on the same state), `AuditError` as soon as the
    deletion log is not trustworthy, and whatever a bug raises: a supervisor is to see it.
    """
    _open_standard_streams()
    faulthandler.enable()  # the watchdog ends a hung process by SIGABRT; this leaves in the journal where it hung
    with ExitStack() as stack:
        inbox = stack.enter_context(open_inbox())
        notifier = Notifier.from_environment(os.environ, os.getpid())
        workplace = _read(settings_path)
        configure(workplace.settings.log.format, workplace.settings.log.level)
        make_state_directory(workplace.settings.state)
        stack.enter_context(exclusive(workplace.settings.state / "retentiond.lock", "the daemon"))
        service = Service(settings_path, workplace, inbox, notifier, stalled_after.total_seconds(), make)
        stack.callback(service.close)
        service.start()
        return service.loop()


class Service:
    """The loop's state. All methods belong to one thread; a run has its own and is only looked at."""

    def __init__(
        self, settings_path: Path | None, workplace: Workplace, inbox: Inbox, notifier: Notifier, stalled_after: float, make: Make
    ) -> None:
        """`stalled_after` is in seconds."""
        self.settings_path = settings_path
        self.workplace = workplace
        self.inbox = inbox
        self.notifier = notifier
        self.stalled_after = stalled_after
        self.make = make
        self.work: Work | None = None
        self.wanted: str | None = None
        """What triggers the next run; None while none is wanted."""
        self.stopping = False
        self.stalled = False
        self.remark = ""
        """What a person should know beside what is going on, for the status line."""
        self.retry_at: datetime | None = None
        self._beat_at = steady()
        self._round_at = utc_now()
        self._demands: tuple[int, datetime | None] | None = None
        """The requests of data subjects as they were at the last sign of life; None before the first."""
        self._unanchored: frozenset[str] = frozenset()
        """The anchors that did not take the last checkpoint they were handed."""
        self._anchor_after = utc_now()
        """Before this moment no anchor is tried again."""
        self.schedule = Schedule(workplace.settings.schedule, workplace.settings.schedule_zone, self._due)

    def start(self) -> None:
        """Check store and log, decide whether a run was missed, and report for duty.

        Raises `StateError` and `AuditError` where store or log cannot be used: better not to start than to start blind.
        """
        settings, now = self.workplace.settings, utc_now()
        with open_store_of(settings) as store:
            since = missed(settings.schedule, settings.schedule_zone, store.runs(RUNS_LOOKED_AT), now)
            # What came in while nobody listened must not wait for the schedule.
            demanded = store.unanswered()
        in_doubt = _verified_open_batches(settings)
        if in_doubt or since is not None or demanded:
            self.wanted = "catch-up"
        get_logger().info("started", pid=os.getpid(), rules=len(self.workplace.assignments), policy_digest=self.workplace.digest)
        for warning in settings.warnings():
            get_logger().warning("warned", reason=warning)
        if self.wanted:
            get_logger().info("catching up", open_batches=in_doubt, missed=since)
        self._beat()
        self.notifier.ready(self._status())

    def loop(self) -> int:
        """Go round until told to stop."""
        while True:
            self._conclude()
            if self.stopping and self.work is None:
                return 0
            self._watch_clock()
            wait = min(self.schedule.tick(), self._pulse())
            self._begin()
            word = self.inbox.wait(wait)
            if word is Word.STOP:
                self._stop()
            elif word is Word.RELOAD:
                self._reload()

    def close(self) -> None:
        """End what is under way; waits for the batch in hand."""
        if self.work is not None:
            self.work.stop()
            self.work.join()
        self.schedule.close()

    def _due(self) -> None:
        self.wanted = "schedule"

    def _begin(self) -> None:
        if self.retry_at is not None and utc_now() >= self.retry_at:
            self.wanted = self.wanted or "catch-up"
        if self.work is not None or self.stopping:
            return
        if self.wanted is None:
            self._anchor()
            return
        trigger, self.wanted, self.retry_at, self.stalled = self.wanted, None, None, False
        get_logger().info("run begins", trigger=trigger)
        self.work = Work(self.make, self.workplace, trigger, self.inbox.look())
        self._tell()

    def _conclude(self) -> None:
        """Take note of a run that has ended. Raises `AuditError`, and what is no error of ours: a bug."""
        if self.work is None or not self.work.over:
            return
        work, self.work = self.work, None
        work.join()
        error = work.error
        if isinstance(work.report, RunReport):
            self.remark = f"Last run: {work.report.status.value}."
            _log_report(work.report)
            error = next(iter(work.report.bugs), None)
            error = self._heed_anchoring(work.report.anchoring) or error
        elif work.report is not None:
            error = self._heed_anchoring(work.report)
        if error is not None and (isinstance(error, AuditError) or not isinstance(error, RetentiondError)):
            get_logger().critical("stopped", exc_info=error)
            self.notifier.stopping(f"Stopped by {type(error).__name__}; see the journal.")
            if not isinstance(error, Exception):  # raised as it is, SystemExit would end the service as if all was well
                raise RuntimeError(f"A run was ended by {type(error).__name__}.") from error
            raise error
        if error is not None and work.trigger == ANCHOR:
            self._anchor_after = utc_now() + TRY_AGAIN
            get_logger().error("not anchored", exc_info=error, again=self._anchor_after)
        elif error is not None:
            self.retry_at = utc_now() + TRY_AGAIN
            self.remark = "The last run could not be made; see the journal."
            get_logger().error("run not made", exc_info=error, again=self.retry_at)
        self._tell()

    def _anchor(self) -> None:
        """Hand a checkpoint to those anchors that took none for a day, or failed; nobody waits for it."""
        settings, now = self.workplace.settings, utc_now()
        if not settings.anchors or now < self._anchor_after:
            return
        self._anchor_after = now + LOOK_AT_ANCHORS
        if types := self._unanchored | set(due_types(settings, now)):
            get_logger().info("anchoring", types=", ".join(sorted(types)))
            self.work = Work(partial(make_anchoring, types), self.workplace, ANCHOR, self.inbox.look())

    def _heed_anchoring(self, done: Anchoring | None) -> AuditError | None:
        """Take note of what became of a checkpoint; the error to stop with where an anchor contradicts the log."""
        if done is None:
            return None
        tried = {one.type for one in done.handed}
        failed = frozenset(one.type for one in done.handed if one.trouble)
        self._unanchored = self._unanchored - tried | failed
        if failed:
            self._anchor_after = utc_now() + TRY_AGAIN
            for trouble in done.troubles:
                get_logger().error("not anchored", reason=trouble, again=self._anchor_after)
        return AuditError("\n".join(done.troubles)) if done.contradicted else None

    def _stop(self) -> None:
        if self.stopping:
            return
        self.stopping = True
        if self.work is not None:
            self.work.stop()
        get_logger().info("stopping", running=self.work is not None)
        self.notifier.stopping(self._status())
        self._beat()

    def _reload(self) -> None:
        """Read settings and policies again: all of them take effect, from the next run on, or none."""
        self.notifier.reloading()
        try:
            workplace = _read(self.settings_path)
            _refuse_another_state(self.workplace.settings, workplace.settings)
        except RetentiondError:
            self.remark = "Settings or policies on disk are wrong; the old ones stay in force. See the journal."
            get_logger().exception("reload refused")
        else:
            self.workplace = workplace
            configure(workplace.settings.log.format, workplace.settings.log.level)
            self.schedule.replace(workplace.settings.schedule, workplace.settings.schedule_zone)
            self.remark = ""
            get_logger().info("reloaded", rules=len(workplace.assignments), policy_digest=workplace.digest)
        self.notifier.ready(self._status())
        if self.stopping:
            self.notifier.stopping(self._status())

    def _watch_clock(self) -> None:
        now = utc_now()
        if now < self._round_at - STEP_BACK:
            # The next start was reckoned by a clock that was ahead; it could lie years off.
            self.schedule.realign()
            self.retry_at = None if self.retry_at is None else now
            self._anchor_after = now
            get_logger().warning("clock set back", next=self.schedule.next_start())
        self._round_at = now

    def _pulse(self) -> float:
        """Give the signs of life that are due; return the seconds until the next round at the latest."""
        self._look_after_run()
        wait = ROUND if self.notifier.watchdog is None else min(ROUND, self.notifier.watchdog / 3)
        # A run that hangs is as dead as a loop that hangs: the watchdog is to notice either.
        if not self.stalled:
            self.notifier.alive()
            if self.stopping:
                self.notifier.more_time(3 * wait)
            if self.work is not None:
                self.notifier.status(self._status())
        if steady() - self._beat_at >= BEAT_EVERY:
            self._beat()
        return wait

    def _look_after_run(self) -> None:
        stalled = self.work is not None and not self.work.over and self.work.silent_for() > self.stalled_after
        if stalled and not self.stalled:
            self.remark = f"The run has shown no progress for {self.stalled_after:.0f} seconds."
            get_logger().error("run stalled", seconds=round(self.stalled_after), **_where(self.work))
        if stalled != self.stalled:
            self.stalled = stalled
            self._tell()

    def _tell(self) -> None:
        self.notifier.status(self._status())
        self._beat()

    def _beat(self) -> None:
        self._beat_at = steady()
        try:
            with open_store_of(self.workplace.settings) as store:
                store.beat(utc_now(), os.getpid(), self._state())
                self._heed(store.demands())
        except (StateError, ConfigurationError):
            # Without the store nothing runs either, and each run says so; the loop lives on to see it come back.
            get_logger().exception("no sign of life")

    def _heed(self, demands: tuple[int, datetime | None]) -> None:
        """Have a run made at once where a person demanded something, or something was decided about a demand."""
        known, self._demands = self._demands, demands
        if known is not None and demands != known:
            self.wanted = self.wanted or "request"
            get_logger().info("asked for by a request")

    def _state(self) -> str:
        if self.stalled:
            return "stalled"
        if self.stopping:
            return "stopping"
        return "idle" if self.work is None else "running"

    def _status(self) -> str:
        if self.stopping:
            what = "Finishing the batch in hand, then stopping." if self.work else "Stopping."
        elif self.work is not None:
            what = f"Running {_progress(self.work)}."
        else:
            what = f"Idle until {self.schedule.next_start():%Y-%m-%d %H:%M} UTC."
        anchors = f"Not anchored by {', '.join(sorted(self._unanchored))}; see the journal." if self._unanchored else ""
        return " ".join(part for part in (what, self.remark, anchors) if part)


def _open_standard_streams() -> None:
    """Give each standard stream that was closed to the nowhere: else the next file opened, a database, would take its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or _writing(STDOUT)
    sys.stderr = sys.stderr or _writing(STDERR)


def _writing(descriptor: int) -> TextIO:
    return os.fdopen(descriptor, "w", encoding="utf-8", closefd=False)


def _read(settings_path: Path | None) -> Workplace:
    return read_workplace(load_settings(settings_path))


def _verified_open_batches(settings: Settings) -> int:
    """How many batches a crash left in doubt. Only reads, so that a run by hand may be under way meanwhile."""
    place = log_place(settings)
    if not place.public_key.exists() and not place.last_signed.exists() and _never_begun(place):
        return 0
    refuse_contradicted(settings)
    verification = verify_log(place)
    if verification.problems:
        raise AuditError("The deletion log does not verify; the daemon does not start.\n" + "\n".join(verification.problems))
    return verification.open_batches


def _never_begun(place: LogPlace) -> bool:
    """True where nothing was ever logged; the first run begins the log."""
    try:
        with read_log(place) as log:
            return log.size == 0
    except DatabaseError:
        raise
    except StateError:
        return True


def _refuse_another_state(old: Settings, new: Settings) -> None:
    changed = [name for name in ("state", "database", "origin") if getattr(old, name) != getattr(new, name)]
    if changed:
        raise ConfigurationError(
            f"The settings name another {' and '.join(changed)}, which cannot change while the daemon runs. "
            f"The old settings stay in force; restart the daemon to use the new ones."
        )


def _log_report(report: RunReport) -> None:
    for batch in report.reconciled:
        place = {"system": batch.target.system, "dataset": batch.target.dataset}
        if batch.unresolved is None:
            get_logger().info("batch resolved", **place)
        else:
            get_logger().error("batch in doubt", reason=batch.unresolved, **place)
    for step in report.steps:
        get_logger().info(
            "step ended",
            rule=step.rule,
            system=step.target.system,
            dataset=step.target.dataset,
            action=step.action.value,
            status=step.status.value,
            due=step.plan.due if step.plan else None,
            done=step.done,
            reason=" ".join(step.reasons),
        )
    for asked in report.asked:
        result = asked.result.value if asked.result else None
        tell = get_logger().warning if asked.problems else get_logger().info
        tell("attested", rule=asked.rule, system=asked.system, status=result, reason=" ".join(asked.problems))
    tell = get_logger().info if report.exit_status == 0 else get_logger().warning
    tell("run ended", run=report.run, trigger=report.trigger, status=report.status.value)


def _where(work: Work | None) -> dict[str, str]:
    latest = None if work is None else work.latest
    if latest is None:
        return {}
    return {"rule": latest.rule, "system": latest.target.system, "dataset": latest.target.dataset, "phase": latest.phase}


def _progress(work: Work) -> str:
    latest = work.latest
    if latest is None:
        return f"({work.trigger})"
    total = "" if latest.total is None else f" of {latest.total:,}"
    return f"rule {latest.rule}: {latest.phase} {latest.done:,}{total}"
