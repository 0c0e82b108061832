"""One run: the log is verified, doubts are resolved, the clock is judged; then each step of each rule in turn."""

from __future__ import annotations

import importlib.metadata
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from retentiond.audit import Intent, Verification
from retentiond.connector.api import Reader
from retentiond.engine.anchoring import anchor, refuse_contradicted
from retentiond.engine.approval import approved_plan, clock_approved, only_approved
from retentiond.engine.arrivals import arrived
from retentiond.engine.assignment import Assignment
from retentiond.engine.attesting import attest_all
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
from retentiond.engine.clock import doubts, target_doubt
from retentiond.engine.evidence import Evidence, log_place
from retentiond.engine.executor import Means, execute
from retentiond.engine.guards import refusals
from retentiond.engine.isolation import attempted
from retentiond.engine.keeping import lost_holds
from retentiond.engine.lastlook import look_again, only_requested, suppress_first
from retentiond.engine.noting import Notes
from retentiond.engine.outbox import flush_outbox
from retentiond.engine.planner import Noting
from retentiond.engine.planning import plan_with
from retentiond.engine.pruning import is_own, prune_step
from retentiond.engine.reconcile import reconcile, tidy
from retentiond.engine.registers import BY_YEAR, Registers, read_registers
from retentiond.engine.spool import Spool, open_spool
from retentiond.engine.values import Asked, DueRecord, Progress, Reconciled, RunReport, Status, StepPlan, StepResult
from retentiond.engine.workplace import Workplace
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, StateError
from retentiond.failpoint import failpoint
from retentiond.model.decision import searches
from retentiond.model.record import Action, OutcomeKind, Target
from retentiond.store import ClockReading, PlanHeader, StepRow

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same for all steps of one run."""

    run: str
    workplace: Workplace
    evidence: Evidence
    registers: Registers
    """What persons and registers said when the run began."""
    told: Verification
    """What the deletion log told when the run began."""
    words: Words
    """What persons had said about rules when the run began."""
    now: datetime
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    stop: Callable[[], bool]
    progress: Callable[[Progress], None]

    def cleared(self, assignment: Assignment) -> Clearance:
        """Whether the rule's version may act."""
        return clearance(self.words, assignment, self.now, self.workplace.settings.guards.cool_off)

    def removed(self, assignment: Assignment) -> list[str]:
        """Why nothing is done on the rule's system: rules in force that are not there any more may have protected something."""
        present = [one.rule.id for one in self.workplace.assignments]
        return [
            waits_for(one.rule, one.found, removed=True)
            for one in removals(self.words, present, self.now, self.workplace.settings.guards.cool_off)
            if one.system in (None, assignment.target.target.system)
        ]

    def planning(self, progress: Progress) -> None:
        """Pass on how far a plan is; the plan of a big data set takes long, and nothing is lost where it is broken off."""
        self.progress(progress)
        if self.stop():
            raise _StoppedError


class _StoppedError(Exception):
    """The run was told to stop while it planned."""


@contextmanager
def _to_the_end() -> Iterator[None]:
    """A connector whose library ends the program would end it with status 0, as if everything had been done."""
    try:
        yield
    except SystemExit as end:
        raise RuntimeError("A connector tried to end the program; this is a defect of it.") from end


@_to_the_end()
def run(
    workplace: Workplace,
    evidence: Evidence,
    *,
    reading: ClockReading,
    trigger: str,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _progress: None,
    only: Sequence[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> RunReport:
    """Do everything that is due at `reading.at`, for the rules named (all where none is).

    `clock` gives the moment (aware UTC) for each entry of the log, `trigger` tells who asked: `command`, `schedule`,
    `catch-up` or `request`. `stop` is asked between batches, and while planning. Raises `AuditError` where the log does not
    verify, `StateError` where log or store cannot be written: then nothing (more) is done.
    """
    workplace = workplace.at(reading.at)
    chosen = workplace.chosen(only)
    store, log, settings = evidence.store, evidence.log, workplace.settings
    told = log.verify()
    if told.problems:
        raise AuditError("The deletion log does not verify; nothing was done.\n" + "\n".join(told.problems))
    refuse_contradicted(settings)
    # Judged before anything is written: an entry made now would bear witness for the very clock that is in question.
    doubted = doubts(reading, store.clock_reading(), log.last_at(), settings.guards)
    abandoned = store.close_abandoned_runs(clock())
    bugs: list[Exception] = []
    reconciled = reconcile(log, workplace.targets, settings.retry, clock, sleep, bugs)
    if abandoned or reconciled:
        tidy(log, workplace.targets, bugs)
    approved = bool(doubted) and clock_approved(store, reading.at)
    believed = not doubted or approved
    number = str(uuid.uuid4())
    started = clock()
    store.begin_run(number, trigger, workplace.digest, started)
    log.checkpoint(started)  # what a crash left unsigned: no run begins but on signed ground, so that missing signatures show
    log.event(
        "run-start",
        started,
        run=number,
        trigger=trigger,
        policy_digest=workplace.digest,
        tzdata=importlib.metadata.version("tzdata"),
        clock="approved" if approved else "believed" if believed else "doubted",
    )
    lost = lost_holds(store, told)
    flush_outbox(evidence, started)
    failpoint("run-started")
    if believed:
        store.record_clock(reading)
        store.drop_plans(reading.at)

    registers, unreadable = _registers(evidence, chosen)
    unreadable += lost
    this = _Run(
        number,
        workplace,
        evidence,
        registers,
        told,
        words_of(store.approvals(), store.versions(), told),
        reading.at,
        clock,
        sleep,
        stop,
        progress,
    )
    results: list[StepResult] = []
    for assignment in chosen:
        _log_policy(this, assignment)
        for action in registers.for_rule(assignment).steps:
            if stop():
                result = StepResult.of(assignment, action, Status.INTERRUPTED, None, "The run was told to stop before this step.")
            elif reasons := [*(unreadable or ([] if believed else doubted)), *_tax_unread(registers, assignment)]:
                result = StepResult.of(assignment, action, Status.REFUSED, None, *reasons)
            else:
                result = attempted(partial(_step, this, assignment, action), bugs) or StepResult.of(
                    assignment,
                    action,
                    Status.FAILED,
                    None,
                    f"A bug ended this step ({type(bugs[-1]).__name__}); please report it.",
                )
            results.append(result)
            store.record_result(number, _row(result), clock())

    asked: tuple[Asked, ...] = ()
    if believed and not only:  # an attestation is good from now on, so it takes a clock that is believed
        asked = attest_all(workplace, store, settings.retry, clock, sleep, stop, bugs)
    flush_outbox(evidence, clock())
    status = _overall(results, reconciled)
    ended = clock()
    log.event("run-end", ended, run=number, status=status.value, counts=_counts(results, reconciled))
    failpoint("run-ended")
    log.checkpoint(ended)
    failpoint("checkpointed")
    store.end_run(number, status.value, _counts(results, reconciled), ended)
    anchoring = attempted(partial(anchor, settings, log, clock, sleep, stop=stop), bugs)
    return RunReport(
        number, trigger, reading.at, started, ended, status, tuple(results), reconciled, tuple(bugs), anchoring, asked
    )


def _registers(evidence: Evidence, chosen: Sequence[Assignment]) -> tuple[Registers, list[str]]:
    """What persons and registers say; and why nothing may be done where that cannot be read."""
    try:
        return read_registers(evidence.store, [one.rule.id for one in chosen]), []
    except StateError as error:
        return Registers(), [f"Holds and requests cannot be read, so nothing is done. {error}"]


def _tax_unread(registers: Registers, assignment: Assignment) -> list[str]:
    """Why a rule that tax years can suspend does nothing: said aloud, for a record that is merely kept alarms nobody."""
    if registers.tax_years is not None or BY_YEAR.isdisjoint(assignment.rule.holds or ()):
        return []
    return ["The register of tax years cannot be read, so nothing goes that it could be about; restore the store."]


def _step(this: _Run, assignment: Assignment, action: Action) -> StepResult:
    if is_own(assignment):
        return prune_step(this.workplace, this.evidence, this.told, assignment, this.now)
    target = assignment.target.target
    if any(Target(batch.intent.system, batch.intent.dataset) == target for batch in this.evidence.log.open_batches()):
        why = f"A batch of {target} is still in doubt; nothing new is done there until it can be looked up."
        return StepResult.of(assignment, action, Status.FAILED, None, why)
    try:
        with assignment.target.reader() as reader, open_spool(this.workplace.settings.state) as spool:
            log, notes = this.evidence.log, Notes(this.evidence.store, assignment, this.now)
            noting = Noting(spool.add, notes.review, notes.finding)
            standing = this.registers.for_rule(assignment)
            planned = plan_with(standing, action, reader, this.now, log, noting, this.planning)
            if planned.plan is None:
                return planned
            notes.keep(action, [key for key in standing.reviews if reader.explain(key) is None])
            _log_plan(this, assignment, action, planned.plan)
            failpoint("planned")
            lost = lost_words(
                assignment.rule.id, assignment.digest, stored_words(this.evidence.store.approvals()), this.told.words
            )
            if lost is not None:
                return StepResult.of(assignment, action, Status.FAILED, planned.plan, lost)
            if planned.status is Status.REFUSED or planned.plan.due == 0:
                return planned if planned.status is Status.REFUSED else replace(planned, status=Status.DONE)
            return _enforce(this, assignment, planned.plan, reader, spool)
    except _StoppedError:
        return StepResult.of(assignment, action, Status.INTERRUPTED, None, "The run was told to stop while it planned this step.")
    except (ConnectorError, ConfigurationError) as error:
        return StepResult.of(assignment, action, Status.FAILED, None, str(error))


def _enforce(this: _Run, assignment: Assignment, plan: StepPlan, reader: Reader, spool: Spool) -> StepResult:
    """Carry out a plan, if it is allowed; otherwise say why not."""
    store, settings, rule = this.evidence.store, this.workplace.settings, assignment.rule

    def refused(status: Status, *reasons: str) -> StepResult:
        return StepResult.of(assignment, plan.action, status, plan, *reasons)

    found = this.cleared(assignment)
    if not found.in_force:
        status = Status.REPORT if found.state is Cleared.REPORT else Status.AWAITING
        return replace(refused(status, waits_for(rule.id, found)), rule_awaits=True)
    if removed := this.removed(assignment):
        return refused(Status.REFUSED, *removed)
    doubt = target_doubt(this.clock(), reader.now(), settings.guards)
    if doubt is not None:
        return refused(Status.REFUSED, f"{plan.target}: {doubt}")
    header = approved_plan(store, assignment, plan.action, this.now, this.told.approvals)
    # A request is a person's word about just these records, and blocking them must not wait for another.
    by_request = header is None and plan.action is Action.BLOCK and bool(this.registers.for_rule(assignment).effects)
    if header is None and rule.approval == "plan" and not by_request:
        return refused(
            Status.AWAITING,
            f"Rule {rule.id} needs a person's word for each plan: "
            f"`retentiond plan --rule {rule.id} -o FILE`, then `retentiond approve plan FILE --by STAFF-ID`.",
        )
    # The log is asked, not the store: it also knows what a run did that was killed before it could say so.
    lately = this.evidence.log.done_since(this.now - A_DAY)[rule.id, plan.action.value]
    history = store.history(rule.id, plan.action)
    objections = refusals(plan, rule.limits, settings.guards, done_lately=lately, history=history, plan_approved=False)
    standing, due = this.registers.for_rule(assignment), spool.batches(settings.batch_size)
    objections += arrived(log_place(settings), store, standing, plan, due, settings.guards, this.now)
    by_plan = header is not None and (rule.approval == "plan" or bool(objections))
    if by_plan:
        objections = refusals(plan, rule.limits, settings.guards, done_lately=lately, history=history, plan_approved=True)
    if objections:
        return refused(Status.REFUSED, *objections)
    only_by_request = by_request and rule.approval == "plan"
    return _act(this, assignment, plan, reader, spool, header if by_plan else None, by_request=only_by_request)


def _act(
    this: _Run,
    assignment: Assignment,
    plan: StepPlan,
    reader: Reader,
    spool: Spool,
    header: PlanHeader | None,
    *,
    by_request: bool = False,
) -> StepResult:
    settings, bound = this.workplace.settings, assignment.target
    means = Means(
        log=this.evidence.log,
        target=bound,
        action=plan.action,
        reader=reader,
        copies=plan.copies,
        retry=settings.retry,
        clock=this.clock,
        sleep=this.sleep,
        stop=this.stop,
        errors=settings.guards.errors,
        acting=this.evidence.store.acting,
        look_again=lambda refs: look_again(this.evidence.store, assignment, plan.action, refs, this.now),
        before_act=lambda refs: suppress_first(this.evidence.store, this.registers.for_rule(assignment), refs, this.clock()),
    )
    batches: Iterator[Sequence[DueRecord]] = spool.batches(min(settings.batch_size, bound.connector.batch_size))
    if header is not None:
        batches = only_approved(this.evidence, header, plan.target, batches)
    if by_request:
        batches = only_requested(this.registers.for_rule(assignment), batches)

    def intent(due: datetime) -> Intent:
        return Intent(
            run=this.run,
            rule=_rule_version(assignment),
            rule_digest=assignment.digest,
            plan_digest=header.digest if header else plan.digest,
            system=plan.target.system,
            dataset=plan.target.dataset,
            action=plan.action,
            due=due,
        )

    def tell(attempted: int) -> None:
        this.progress(Progress(plan.rule, plan.target, plan.action, "act", attempted, plan.due))

    tell(0)
    done = execute(means, intent, batches, tell)
    dealt_with = done.outcomes.total()
    if (header is not None or by_request) and done.status is Status.DONE and dealt_with < plan.due:
        done.status = Status.AWAITING
        done.reasons.append(
            f"{plan.due - dealt_with:,} more records of {plan.target} are due that no approved plan names; "
            f"they need a plan and a word of their own."
        )
    return StepResult(
        plan.rule, plan.rule_digest, plan.target, plan.action, done.status, plan, done.outcomes, done.rows, tuple(done.reasons)
    )


def _log_policy(this: _Run, assignment: Assignment) -> None:
    """Write down which version of the rule the run goes by, and whether it may act, where that is news to the log."""
    version = assignment.digest, "enforce" if this.cleared(assignment).in_force else "report"
    if this.told.policies.get(assignment.rule.id) != version:
        this.evidence.log.event(
            "policy",
            this.clock(),
            policy=assignment.policy.policy.policy,
            rule=_rule_version(assignment),
            digest=assignment.digest,
            file_digest=assignment.policy.file_digest,
            mode=version[1],
        )


def _log_plan(this: _Run, assignment: Assignment, action: Action, plan: StepPlan) -> None:
    cutoffs = searches(assignment.rule, assignment.zone, action, this.now)
    this.evidence.log.event(
        "plan",
        this.clock(),
        run=this.run,
        rule=_rule_version(assignment),
        rule_digest=assignment.digest,
        plan_digest=plan.digest,
        system=plan.target.system,
        dataset=plan.target.dataset,
        action=action.value,
        cutoff=max(cutoff.before for cutoff in cutoffs).strftime("%Y-%m-%dT%H:%M:%SZ") if cutoffs else "none",
        counts=plan.counts,
    )


def _rule_version(assignment: Assignment) -> str:
    return f"{assignment.rule.id}@{assignment.digest[:16]}"


def _row(result: StepResult) -> StepRow:
    plan = result.plan
    return StepRow(
        rule=result.rule,
        rule_digest=result.rule_digest,
        system=result.target.system,
        dataset=result.target.dataset,
        action=result.action.value,
        status=result.status.value,
        population=plan.population if plan else 0,
        due=plan.due if plan else 0,
        done=result.done,
        failed=result.outcomes.get(OutcomeKind.FAILED, 0) + result.outcomes.get(OutcomeKind.UNVERIFIED, 0),
        kept=sum(plan.kept.values()) if plan else 0,
        undatable=plan.undatable if plan else 0,
        reason=" ".join(result.reasons),
    )


GRAVITY = (
    Status.FAILED,
    Status.INCOMPLETE,
    Status.INTERRUPTED,
    Status.REFUSED,
    Status.AWAITING,
    Status.REPORT,
)
"""The run as a whole ends like its gravest step."""


def _overall(results: Sequence[StepResult], reconciled: Sequence[Reconciled]) -> Status:
    if any(one.unresolved for one in reconciled):
        return Status.FAILED
    statuses = {result.status for result in results}
    return next((status for status in GRAVITY if status in statuses), Status.DONE)


def _counts(results: Sequence[StepResult], reconciled: Sequence[Reconciled]) -> dict[str, int]:
    """The outcomes of a run by kind; what was found out about earlier, interrupted batches stands apart."""
    total: Counter[str] = Counter(due=sum(result.plan.due for result in results if result.plan))
    for result in results:
        for kind, number in result.outcomes.items():
            total[kind.value] += number
    if reconciled:
        total["resolved"] = sum(sum(one.outcomes.values()) for one in reconciled)
    return dict(total)
