"""What a plan and a run tell: counts, reasons and outcomes. Never a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from retentiond.connector.api import Copy, Finding
from retentiond.engine.anchoring import Anchoring
from retentiond.engine.assignment import Assignment
from retentiond.errors import AuditError
from retentiond.model.decision import Decision
from retentiond.model.record import Action, OutcomeKind, RecordRef, Target
from retentiond.store import AttestationResult


@dataclass(frozen=True, slots=True)
class DueRecord:
    """One record that a plan names, with the moment it became due (aware UTC)."""

    ref: RecordRef
    due_at: datetime


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step of one rule would do: the dry-run report of it, and what an approval binds."""

    policy: str
    rule: str
    rule_digest: str
    target: Target
    action: Action
    as_of: datetime
    """The moment for which was planned, aware UTC."""
    population: int
    """How many records the data set holds."""
    due: int
    """How many the step would act on."""
    past_cap: int
    """How many of those should be gone already: the promised maximum is over."""
    kept: Mapping[str, int]
    """Why the others are left alone: a reason's code (`Reason` or `OTHER_STEP`) and how many records."""
    undatable: int
    """How many have no provable date; they are never acted on."""
    oldest_due: datetime | None
    latest_due: datetime | None
    digest: str
    """Digest (hex) over every record named here with its fingerprint, and the rule; binds an approval."""
    copies: tuple[Copy, ...] = ()
    """What outlives a delete there."""
    findings: tuple[Finding, ...] = ()
    undatable_samples: tuple[RecordRef, ...] = field(default=(), repr=False)
    """The first few of the undatable ones, for a person at the terminal; never logged."""

    @property
    def counts(self) -> dict[str, int]:
        """The figures of this plan as they stand in the deletion log."""
        return {
            "population": self.population,
            "due": self.due,
            "past-cap": self.past_cap,
            "kept": sum(self.kept.values()),
            "undatable": self.undatable,
        }


OTHER_STEP = "other-step"
"""In `StepPlan.kept`: the record is due for the rule's other step, which has a plan of its own."""


class Status(StrEnum):
    """How one step of a run, or the run as a whole, ended."""

    PLANNED = "planned"
    """A dry run: this is what would be done."""

    DONE = "done"
    """Everything that was due was done and read back; also when nothing was due."""
    REPORT = "report"
    """The rule's version is not approved: it was planned, and nothing was done."""
    AWAITING = "awaiting-approval"
    """A person has to approve the plan first, or another person the looser version of the rule; or the cool-off runs."""
    REFUSED = "refused"
    """A guard refused; nothing was done."""
    INCOMPLETE = "incomplete"
    """Some records could not be done; the outcomes tell which way."""
    FAILED = "failed"
    """The system could not be read or asked."""
    INTERRUPTED = "interrupted"
    """The run was told to stop; the batch in hand was finished."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step of one rule did."""

    rule: str
    rule_digest: str
    target: Target
    action: Action
    status: Status
    plan: StepPlan | None = None
    """None where the plan itself failed."""
    outcomes: Mapping[OutcomeKind, int] = field(default_factory=Counter)
    rows: int = 0
    """Rows, lines or parts that went along."""
    reasons: tuple[str, ...] = ()
    """Finished sentences: why it was refused, or what failed."""
    rule_awaits: bool = False
    """True where it is the version of the rule that awaits approval, and not the plan."""

    @classmethod
    def of(cls, assignment: Assignment, action: Action, status: Status, plan: StepPlan | None, *reasons: str) -> StepResult:
        """The result of a step that did nothing, with the reasons why."""
        return cls(assignment.rule.id, assignment.digest, assignment.target.target, action, status, plan, reasons=reasons)

    @property
    def done(self) -> int:
        """How many records are in the wished state by our act."""
        return self.outcomes.get(OutcomeKind.CONFIRMED, 0) + self.outcomes.get(OutcomeKind.PENDING_COPIES, 0)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was found out about one batch that a crash had left in doubt."""

    batch: str
    target: Target
    action: Action
    outcomes: Mapping[OutcomeKind, int]
    unresolved: str | None = None
    """Why it is still in doubt, a finished sentence; None where it is resolved."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a vendor said about one attestation of a policy."""

    rule: str
    system: str
    result: AttestationResult | None
    """None where nothing was attested: the vendor could not be asked, or tells a part only, and that is as expected."""
    problems: tuple[str, ...] = ()
    """Finished sentences: what is not as expected, or why it could not be asked."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run did."""

    run: str
    trigger: str
    as_of: datetime
    started_at: datetime
    ended_at: datetime
    status: Status
    steps: tuple[StepResult, ...]
    reconciled: tuple[Reconciled, ...] = ()
    bugs: tuple[Exception, ...] = field(default=(), repr=False)
    """What ended some of the steps though nobody raised it on purpose; whoever made the run raises the first."""
    anchoring: Anchoring | None = None
    """What became of the run's checkpoint; None where a bug kept it from the anchors."""
    asked: tuple[Asked, ...] = ()
    """What vendors said about their settings."""

    @property
    def exit_status(self) -> int:
        """0 done, 1 something failed, 3 a bug, 4 refused by a guard or not approved, 5 an anchor contradicts, 130 interrupted."""
        if self.anchoring is not None and self.anchoring.contradicted:
            return AuditError.exit_status
        if self.bugs:
            return 3
        statuses = {step.status for step in self.steps}
        if any(one.unresolved for one in self.reconciled) or statuses & {Status.FAILED, Status.INCOMPLETE}:
            return 1
        if Status.INTERRUPTED in statuses or self.status is Status.INTERRUPTED:
            return 130
        if statuses & {Status.REFUSED, Status.REPORT, Status.AWAITING}:
            return 4
        if any(one.problems for one in self.asked):
            return 1
        return 1 if self.anchoring is not None and self.anchoring.troubles else 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is; for a person who waits."""

    rule: str
    target: Target
    action: Action
    phase: str
    """`plan` while records are looked for, `act` while they are dealt with."""
    done: int
    total: int | None
    """None while nobody knows."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What the rule says about one record."""

    policy: str
    rule: str
    target: Target
    ref: RecordRef | None
    """None where the system holds no such record."""
    decision: Decision | None
    """None where there is no record to decide about."""
