"""The crash harness: a run in a child process that is killed, and what must be true once it was started again.

The child is forked, so that a few hundred deaths fit into a test run; it dies by SIGKILL like a process that
meets the out-of-memory killer.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from retentiond import failpoint as points
from retentiond.audit import read_log, verify_log
from retentiond.connector.registry import connectors
from retentiond.engine.approval import approve_rule
from retentiond.engine.evidence import log_place, open_evidence
from retentiond.engine.reconcile import reconcile
from retentiond.engine.runner import run
from retentiond.engine.values import RunReport
from retentiond.engine.workplace import read_workplace
from retentiond.model.record import Target
from retentiond.settings import load_settings
from retentiond.store import ClockReading

connectors()  # imported once, before the children are forked

GONE = {"confirmed", "pending-copies", "already-absent"}
"""The outcomes that say that a record is no longer there."""


class World(Protocol):
    """A real system with some records that are due and some that are not."""

    settings: Path
    due: frozenset[tuple[str, ...]]
    kept: frozenset[tuple[str, ...]]
    target: Target
    proves: bool
    """Whether the system proves what it did, so that nothing is ever gone by nobody knows whose hand."""

    def reset(self) -> None:
        """Put every record back as it was, and the state as it was after the approval."""

    def fill(self) -> None:
        """Make the records anew, and leave the state alone."""

    def living(self) -> frozenset[tuple[str, ...]]:
        """The keys of the records that are there, seen behind retentiond's back."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Die at the `occurrence`-th passing of the failpoint `name`."""

    name: str
    occurrence: int


def in_child(act: Callable[[], object], kill: Kill | float | None = None) -> bool:
    """Do `act` in a forked child; return whether it lived to the end. A number kills it after so many seconds."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if isinstance(kill, Kill):
                points.hook = _killer(kill)
            act()
            status = 0
        except BaseException:  # noqa: BLE001 - a child of a test must end here, and say why
            traceback.print_exc(file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(status)
    if isinstance(kill, float):
        _kill_after(child, kill)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0, "the child failed; its traceback is above"
        return True
    assert os.WTERMSIG(status) == signal.SIGKILL
    return False


def _kill_after(child: int, seconds: float) -> None:
    """Let the child be killed after so many seconds, unless it ends by itself before."""
    watched = os.pidfd_open(child)
    try:
        if not select.select([watched], [], [], seconds)[0]:
            signal.pidfd_send_signal(watched, signal.SIGKILL)
    finally:
        os.close(watched)


def _killer(kill: Kill) -> Callable[[str], None]:
    passed: Counter[str] = Counter()

    def hook(name: str) -> None:
        passed[name] += 1
        if name == kill.name and passed[name] == kill.occurrence:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def approve(world: World) -> None:
    """Let the world's rules act."""
    workplace = read_workplace(load_settings(world.settings))
    with open_evidence(workplace.settings, _now()) as evidence:
        for assignment in workplace.assignments:
            approve_rule(workplace, evidence, assignment.rule.id, "tester", _now())


def enforce(world: World) -> RunReport:
    """One run."""
    workplace = read_workplace(load_settings(world.settings))
    reading = ClockReading(_now(), "boot", time.clock_gettime(time.CLOCK_BOOTTIME))
    with open_evidence(workplace.settings, _now()) as evidence:
        return run(workplace, evidence, reading=reading, trigger="command", clock=_now)


def restart(world: World) -> None:
    """What a start does before any new work: resolve what is in doubt."""
    workplace = read_workplace(load_settings(world.settings))
    with open_evidence(workplace.settings, _now()) as evidence:
        resolved = reconcile(evidence.log, workplace.targets, workplace.settings.retry, _now, time.sleep, [])
        assert not [one for one in resolved if one.unresolved]


def check_truth(world: World) -> None:
    """No deletion without an entry, no entry for one that did not happen, nothing in doubt, nothing gone that had to stay."""
    place = log_place(load_settings(world.settings))
    found = verify_log(place)
    assert not found.problems, found.problems
    assert found.open_batches == 0, "a batch is still in doubt"
    living = world.living()
    assert living >= world.kept, "something went that had to stay"
    with read_log(place) as log:
        for key in world.due:
            said = [str(entry.fields["o"]) for entry in log.find(world.target, key)]
            if key in living:
                assert not GONE & set(said), f"the log says gone of what is still there: {said}"
            else:
                assert GONE & set(said), f"gone, and the log does not say so: {said}"
                assert sum(outcome == "confirmed" for outcome in said) <= 1, said
                assert not world.proves or "confirmed" in said, f"gone by our act, and the log does not say by whose: {said}"
        for key in world.kept:
            assert not log.find(world.target, key), "an entry about a record that had to stay"


def _now() -> datetime:
    return datetime.now(UTC)
