"""Whether it is alive and true: the last runs, the daemon's sign of life, approvals and the log, in one view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from rich.console import RenderableType

from retentiond.anchor import Coverage
from retentiond.audit import Verification, Word
from retentiond.engine.anchoring import late_anchors
from retentiond.engine.assignment import Assignment
from retentiond.engine.clearance import (
    Clearance,
    Cleared,
    Words,
    clearance,
    lost_words,
    removals,
    stored_words,
    waits_for,
    words_of,
)
from retentiond.engine.duties import NO_DUTIES, Duties
from retentiond.engine.values import Status
from retentiond.engine.workplace import Workplace
from retentiond.report.duties import DutiesJson, duties_json, duties_problems, duties_text
from retentiond.report.layout import table
from retentiond.report.log import VerificationJson, verification_json, verification_text
from retentiond.report.shown import moment, shown, span, stamp
from retentiond.store import Approval, Heartbeat, RuleVersion, RunRow, StepRow

BAD_ENDS = frozenset({Status.FAILED.value, Status.INCOMPLETE.value, Status.INTERRUPTED.value, Status.REFUSED.value})
"""Endings after which somebody has to look: left alone, the same is likely to come again."""

SILENT_AFTER = timedelta(minutes=10)
"""The daemon gives a sign of life each minute."""


class RunRowJson(TypedDict):
    """One run as it is remembered."""

    run: str
    trigger: str
    started_at: str
    ended_at: str | None
    status: str | None
    counts: dict[str, int]


class RuleStateJson(TypedDict):
    """One rule: whether it may act, and what the last run said."""

    rule: str
    rule_digest: str
    system: str
    dataset: str
    approved: bool
    approved_by: str | None
    approved_at: str | None
    last: list[RuleLastJson]


class RuleLastJson(TypedDict):
    """What one step of the rule did in the last run."""

    action: str
    status: str
    population: int
    due: int
    done: int
    failed: int
    undatable: int


class HeartbeatJson(TypedDict):
    """The daemon's last sign of life."""

    at: str
    pid: int
    state: str


class StatusJson(TypedDict):
    """What `status --json` writes."""

    at: str
    alive: bool
    trustworthy: bool
    problems: list[str]
    last_run: RunRowJson | None
    last_success: RunRowJson | None
    next_due: str | None
    schedule: str
    schedule_zone: str
    heartbeat: HeartbeatJson | None
    rules: list[RuleStateJson]
    duties: DutiesJson
    log: VerificationJson | None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What is known at `at` (aware UTC)."""

    at: datetime
    workplace: Workplace
    last_run: RunRow | None
    last_success: RunRow | None
    results: Sequence[StepRow]
    """Of the last run."""
    late_since: datetime | None
    """A run was due at this moment, and another since, and none was made; None where all is in time."""
    next_due: datetime | None
    heartbeat: Heartbeat | None
    approvals: Sequence[Approval]
    versions: Sequence[RuleVersion]
    """The versions of rules that were approved."""
    log: Verification | None
    """None where there is no log yet."""
    duties: Duties = NO_DUTIES
    """What persons still have to do."""
    covered: Coverage | None = None
    """How far anchors cover the log; None where there is none yet, or it is not trustworthy."""
    remains: bool = False
    """True where the log's write-ahead file could not be cleared."""

    @property
    def alive(self) -> bool:
        """True where a run was made within the last two periods of the schedule."""
        return self.last_run is not None and self.late_since is None

    @property
    def trustworthy(self) -> bool:
        """True where the deletion log verifies; also before there is one."""
        return self.log is None or not self.log.problems

    @property
    def problems(self) -> list[str]:
        """What somebody has to look at, as finished sentences."""
        found: list[str] = []
        if self.last_run is None:
            found.append("No run was ever made. Start the daemon, or type `retentiond run`.")
        elif self.late_since is not None:
            found.append(
                f"No run on schedule was made since before {moment(self.late_since)}, although one was due then and one later. "
                f"Nothing is being deleted. Look whether the daemon runs."
            )
        if self.last_run is not None and self.last_run.status in BAD_ENDS:
            found.append(f"The last run ended as {self.last_run.status}; {self._why()}")
        if self.heartbeat is not None and self.heartbeat.state == "stalled":
            found.append("The daemon says that its run has shown no progress for a long time. Look what its system is doing.")
        elif (
            self.heartbeat is not None and self.heartbeat.state != "stopping" and abs(self.at - self.heartbeat.at) > SILENT_AFTER
        ):
            found.append(
                f"The daemon gave no sign of life since {moment(self.heartbeat.at)}, and was not told to stop. Start it again."
            )
        if self.covered is not None:
            found += late_anchors(self.workplace.settings, self.covered, self.at)
        found += [*self._lost_words(), *self._outdated_words(), *duties_problems(self.duties)]
        if self.remains and self.last_run is not None and self.last_run.ended_at is not None:
            found.append(
                "What the last run had put aside, sealed, is still in the deletion log's write-ahead file, because somebody read "
                "the log while it was to be cleared. The next run clears it; look who keeps `log.db` open."
            )
        if not self.trustworthy:
            found.append("The deletion log is not trustworthy; nothing runs until that is cleared up.")
        return found

    @property
    def exit_status(self) -> int:
        """0 alive and true, 1 something needs looking at, 5 the log is not trustworthy."""
        return 5 if not self.trustworthy else 1 if self.problems else 0

    def _lost_words(self) -> Iterator[str]:
        """Approvals of which only one of store and log tells; no run acts on them."""
        for assignment in self.workplace.assignments if self.log else ():
            lost = lost_words(
                assignment.rule.id, assignment.digest, stored_words(self.approvals), self.log.words if self.log else ()
            )
            if lost is not None:
                yield lost

    def _outdated_words(self) -> Iterator[str]:
        """Rules that were changed or removed since somebody allowed them: what was deleted every night no longer is."""
        cool_off = self.workplace.settings.guards.cool_off
        for assignment in self.workplace.assignments:
            found = self.clearance(assignment)
            if found.state not in (Cleared.IN_FORCE, Cleared.REPORT):
                yield waits_for(assignment.rule.id, found)
        for one in removals(self.words, [one.rule.id for one in self.workplace.assignments], self.at, cool_off):
            yield waits_for(one.rule, one.found, removed=True)

    @property
    def words(self) -> Words:
        """What persons said about rules."""
        return words_of(self.approvals, self.versions, self.log)

    def clearance(self, assignment: Assignment) -> Clearance:
        """Whether this version of the rule may act."""
        return clearance(self.words, assignment, self.at, self.workplace.settings.guards.cool_off)

    def _why(self) -> str:
        reasons = [row.reason for row in self.results if row.status in BAD_ENDS and row.reason]
        return " ".join(reasons) or "look at `retentiond audit list`."

    def word(self, assignment: Assignment) -> Word | None:
        """The newest word for this version of the rule; None where it has none, also where it acts without one."""
        about = (f"rule {assignment.rule.id}", assignment.digest)
        return next((word for word in reversed(self.words.told) if (word.subject, word.digest) == about), None)


def status_json(report: StatusReport) -> StatusJson:
    """The state for a program."""
    beat = report.heartbeat
    settings = report.workplace.settings
    return {
        "at": stamp(report.at),
        "alive": report.alive,
        "trustworthy": report.trustworthy,
        "problems": report.problems,
        "last_run": _run_json(report.last_run),
        "last_success": _run_json(report.last_success),
        "next_due": stamp(report.next_due) if report.next_due else None,
        "schedule": settings.schedule,
        "schedule_zone": settings.schedule_zone,
        "heartbeat": {"at": stamp(beat.at), "pid": beat.pid, "state": beat.state} if beat else None,
        "rules": [_rule_json(report, place) for place in range(len(report.workplace.assignments))],
        "duties": duties_json(report.duties),
        "log": verification_json(report.log, report.covered) if report.log else None,
    }


def status_text(report: StatusReport) -> Iterator[RenderableType]:
    """The state for a person, the trouble first."""
    yield from report.problems or ["Alive, and the deletion log is in order." if report.log else "Alive."]
    yield ""
    for name, run in (("last run", report.last_run), ("last run without trouble", report.last_success)):
        yield f"{name}: {_run_text(run, report.at)}"
    settings = report.workplace.settings
    schedule = f"{settings.schedule} ({settings.schedule_zone})"
    yield f"schedule: {schedule}, next {moment(report.next_due)}" if report.next_due else f"schedule: {schedule}"
    beat = report.heartbeat
    yield f"daemon: {f'{shown(beat.state)}, process {beat.pid}, {span(report.at - beat.at)} ago' if beat else 'never seen'}"
    yield from duties_text(report.duties, report.at)
    yield ""
    yield _rules_table(report)
    yield ""
    if report.log is None:
        yield "There is no deletion log yet."
    else:
        yield from verification_text(report.log, report.covered)


_WAITS = {
    Cleared.REPORT: "no, report only",
    Cleared.SECOND: "no, looser: two persons",
    Cleared.COOLING: "no, cooling off",
}


def _rules_table(report: StatusReport) -> RenderableType:
    grid = table("rule", "may act", "in the last run", "due", "done", "undatable", right=(3, 4, 5))
    for assignment in report.workplace.assignments:
        word, found = report.word(assignment), report.clearance(assignment)
        may = f"yes, {shown(word.by) if word else 'tighter'}" if found.in_force else _WAITS[found.state]
        rows = [row for row in report.results if row.rule == assignment.rule.id]
        for place, row in enumerate(rows or [None]):
            figures = (f"{row.due:,}", f"{row.done:,}", f"{row.undatable:,}") if row else ("-", "-", "-")
            last = f"{row.action}: {row.status}" if row else "-"
            head = (shown(assignment.rule.id), may) if not place else ("", "")
            grid.add_row(*head, last, *figures)
    return grid


def _run_text(run: RunRow | None, now: datetime) -> str:
    if run is None:
        return "none"
    state = run.status or "under way"
    return f"{moment(run.started_at)} ({span(now - run.started_at)} ago, by {shown(run.trigger)}): {state}"


def _run_json(run: RunRow | None) -> RunRowJson | None:
    if run is None:
        return None
    return {
        "run": run.run,
        "trigger": run.trigger,
        "started_at": stamp(run.started_at),
        "ended_at": stamp(run.ended_at) if run.ended_at else None,
        "status": run.status,
        "counts": dict(run.counts),
    }


def _rule_json(report: StatusReport, place: int) -> RuleStateJson:
    assignment = report.workplace.assignments[place]
    word = report.word(assignment)
    return {
        "rule": assignment.rule.id,
        "rule_digest": assignment.digest,
        "system": assignment.target.target.system,
        "dataset": assignment.target.target.dataset,
        "approved": report.clearance(assignment).in_force,
        "approved_by": word.by if word else None,
        "approved_at": stamp(word.at) if word else None,
        "last": [
            {
                "action": row.action,
                "status": row.status,
                "population": row.population,
                "due": row.due,
                "done": row.done,
                "failed": row.failed,
                "undatable": row.undatable,
            }
            for row in report.results
            if row.rule == assignment.rule.id
        ],
    }
