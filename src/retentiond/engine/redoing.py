"""Does again, at a named person's word, what a restore undid: through the one choke point, with entries of its own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from retentiond.audit import Intent, Verification
from retentiond.engine.anchoring import refuse_contradicted
from retentiond.engine.approval import clock_approved, staff_id
from retentiond.engine.clearance import removals, waits_for, words_of
from retentiond.engine.clock import doubts, target_doubt
from retentiond.engine.evidence import Evidence, log_place
from retentiond.engine.executor import Done, Means, Stand, execute
from retentiond.engine.keeping import lost_holds
from retentiond.engine.lastlook import suppress_first
from retentiond.engine.reconcile import reconcile, tidy
from retentiond.engine.registers import Registers, read_registers
from retentiond.engine.regrouping import Group, Groups
from retentiond.engine.replay import ReplayPlan, Returned, hindrance, places, plan_replay
from retentiond.engine.values import Progress, Reconciled, Status, StepResult
from retentiond.engine.workplace import Workplace
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, GuardRefused
from retentiond.failpoint import failpoint
from retentiond.model.record import Action, RecordRef
from retentiond.store import ClockReading


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did."""

    plan: ReplayPlan
    steps: tuple[StepResult, ...]
    """One for each action of each version of a rule by which it was done before; those of data sets left alone among them."""
    reconciled: tuple[Reconciled, ...]

    @property
    def status(self) -> Status:
        """It ends like its gravest step."""
        statuses = [step.status for step in self.steps]
        gravity = (Status.FAILED, Status.INCOMPLETE, Status.INTERRUPTED, Status.REFUSED)
        return next((one for one in gravity if one in statuses), Status.DONE)

    @property
    def exit_status(self) -> int:
        """0 done, 1 something failed, 4 refused for a data set, 130 interrupted."""
        return {Status.DONE: 0, Status.REFUSED: 4, Status.INTERRUPTED: 130}.get(self.status, 1)


@dataclass(frozen=True, slots=True)
class _Replay:
    """What stays the same throughout."""

    number: str
    workplace: Workplace
    evidence: Evidence
    registers: Registers
    now: datetime
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    stop: Callable[[], bool]
    progress: Callable[[Progress], None]


def replay(
    workplace: Workplace,
    evidence: Evidence,
    *,
    system: str,
    backup_at: datetime,
    by: str,
    reading: ClockReading,
    clock: Callable[[], datetime],
    datasets: Sequence[str] = (),
    most: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _progress: None,
    sleep: Callable[[float], None] = time.sleep,
) -> ReplayReport:
    """Do again what was done at `backup_at` (aware UTC) or later to records of the system that are as they were before.

    `by` is a staff id; `most` says how many acts there may be where that is more than the guards allow. Raises `AuditError`
    where the log does not verify, `GuardRefused` where a guard objects: then nothing was done.
    """
    staff, now = staff_id(by), reading.at
    workplace = workplace.at(now)
    meant = [bound.target for bound in places(workplace, system, datasets)]
    told = evidence.log.verify()
    if told.problems:
        raise AuditError("The deletion log does not verify; nothing was done.\n" + "\n".join(told.problems))
    refuse_contradicted(workplace.settings)
    _refuse_by_guards(workplace, evidence, told, reading, system)
    bugs: list[Exception] = []
    reconciled = reconcile(evidence.log, workplace.targets, workplace.settings.retry, clock, sleep, bugs)
    if reconciled:
        tidy(evidence.log, workplace.targets, bugs)
    if bugs:
        raise bugs[0]
    if unresolved := [one.unresolved for one in reconciled if one.unresolved and one.target in meant]:
        raise GuardRefused("\n".join([*unresolved, "Nothing was done."]))
    evidence.log.checkpoint(clock())
    registers = read_registers(evidence.store, [one.rule.id for one in workplace.assignments])
    this = _Replay(str(uuid.uuid4()), workplace, evidence, registers, now, clock, sleep, stop, progress)
    with ExitStack() as stack:
        groups = Groups(workplace.settings.state, stack)
        plan = plan_replay(
            workplace,
            registers,
            log_place(workplace.settings),
            system,
            backup_at,
            now,
            datasets=datasets,
            keep=groups.add,
            progress=progress,
        )
        if objections := too_many(workplace, plan, most):
            raise GuardRefused("\n".join([*objections, "Nothing was done."]))
        told_of = {
            "scope": " ".join(sorted(datasets)) if datasets else "system",
            "system": system,
            "backup_at": f"{backup_at:%Y-%m-%dT%H:%M:%SZ}",
            "counts": plan.counts,
        }
        evidence.log.event("restore", clock(), **told_of)
        evidence.log.event("approval", clock(), subject=f"replay {system}", digest=plan.digest, decision="approved", by=staff)
        failpoint("replay-approved")
        steps = [_left_alone(one) for one in plan.datasets if one.findings]
        refused = {one.target for one in plan.datasets if one.findings}
        steps += [_redo(this, group, plan) for group in groups.ordered() if group.like.target not in refused]
    failpoint("replayed")
    evidence.log.checkpoint(clock())
    return ReplayReport(plan, tuple(steps), reconciled)


def too_many(workplace: Workplace, plan: ReplayPlan, most: int | None) -> list[str]:
    """Why so many acts need one more word of the person, as finished sentences; an empty list means that they do not."""
    acts = sum(one.acts for one in plan.datasets)
    if most is not None:
        over = f"{acts:,} acts are to be done again, and `--most` allows {most:,}. Look at the plan again."
        return [over] if acts > most else []
    guards, found = workplace.settings.guards, []
    limits = {one.target.target: one.rule.limits for one in workplace.assignments}
    for one in plan.datasets:
        own = limits.get(one.target)
        records = own.records if own and own.records is not None else guards.records
        share = own.share if own and own.share is not None else guards.share
        if one.acts > records or one.acts > share * one.examined:
            found.append(
                f"{one.acts:,} acts are to be done again to the {one.examined:,} records of {one.target}; without a further word "
                f"the limits are {records:,} and {share:.0%}. If the plan is right, say so with `--most {acts}`."
            )
    return found


def _refuse_by_guards(workplace: Workplace, evidence: Evidence, told: Verification, reading: ClockReading, system: str) -> None:
    store, guards = evidence.store, workplace.settings.guards
    doubted = doubts(reading, store.clock_reading(), evidence.log.last_at(), guards)
    reasons = [] if clock_approved(store, reading.at) else list(doubted)
    reasons += lost_holds(store, told)
    words = words_of(store.approvals(), store.versions(), told)
    present = [one.rule.id for one in workplace.assignments]
    reasons += [
        waits_for(one.rule, one.found, removed=True)
        for one in removals(words, present, reading.at, guards.cool_off)
        if one.system in (None, system)
    ]
    if reasons:
        raise GuardRefused("\n".join([*reasons, "Nothing was done."]))


def _left_alone(one: Returned) -> StepResult:
    return StepResult("", "", one.target, Action.DELETE, Status.REFUSED, reasons=one.findings)


def _redo(this: _Replay, group: Group, plan: ReplayPlan) -> StepResult:
    like, settings, store = group.like, this.workplace.settings, this.evidence.store
    assignment = group.standing.assignment
    bound = assignment.target
    marks: dict[tuple[str, ...], int] = {}

    def before(refs: Sequence[RecordRef]) -> list[int | None]:
        return [marks.pop(ref.key, None) for ref in refs]

    def look_again(refs: Sequence[RecordRef]) -> list[Stand]:
        standing = read_registers(store, [assignment.rule.id]).for_rule(assignment)
        reasons = [hindrance(standing.decide(ref, this.now), like.action, this.now) for ref in refs]
        return [Stand.FREE if reason is None else Stand.HELD for reason in reasons]

    def intent(due: datetime) -> Intent:
        return replace(like, run=this.number, plan_digest=plan.digest, due=due)

    def tell(attempted: int) -> None:
        this.progress(Progress(assignment.rule.id, like.target, like.action, "act", attempted, len(group.indexes)))

    done = Done()
    try:
        with bound.reader() as reader:
            means = Means(
                log=this.evidence.log,
                target=bound,
                action=like.action,
                reader=reader,
                copies=bound.copies() if like.action in (Action.DELETE, Action.ANONYMIZE) else (),
                retry=settings.retry,
                clock=this.clock,
                sleep=this.sleep,
                stop=this.stop,
                errors=settings.guards.errors,
                acting=store.acting,
                look_again=look_again,
                before_act=lambda refs: suppress_first(store, group.standing, refs, this.clock()),
                again=before,
            )
            doubt = target_doubt(this.clock(), reader.now(), settings.guards)
            if doubt is not None:
                done.status, done.reasons = Status.REFUSED, [f"{like.target}: {doubt}"]
            else:
                size = min(settings.batch_size, bound.connector.batch_size)
                done = execute(means, intent, group.batches(size, marks), tell)
    except (ConnectorError, ConfigurationError) as error:
        done.fail(error)
    rule = like.rule.partition("@")[0]
    return StepResult(
        rule, like.rule_digest, like.target, like.action, done.status, None, done.outcomes, done.rows, tuple(done.reasons)
    )
