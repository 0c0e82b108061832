"""Works out what one step of one rule would do. Holds a reader only, so it cannot change anything."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

from retentiond.connector.api import Finding, Reader
from retentiond.engine.registers import Standing
from retentiond.engine.values import OTHER_STEP, DueRecord, Progress, StepPlan
from retentiond.errors import ConnectorError
from retentiond.model.decision import Decision, Reason, Verdict, searches, undatable_dates
from retentiond.model.record import Action, Cutoff, RecordRef, Target

SAMPLES = 20
"""How many undatable records are named to a person at the terminal."""

MOST = 2**53
"""So many records no data set holds."""

EVERY = 1000
"""How many records pass between two words about progress."""


@dataclass(frozen=True, slots=True)
class Noting:
    """Where a plan hands on what it comes across."""

    due: Callable[[Sequence[DueRecord]], None] = lambda _records: None
    """Some records that are due, in the order of the plan."""
    review: Callable[[RecordRef, datetime], None] = lambda _ref, _due: None
    """A record that is up for review, and from when (UTC)."""
    finding: Callable[[Reason, RecordRef], None] = lambda _reason, _ref: None
    """A record that no rule can be applied to: `UNDATABLE` or `CONTESTED`."""


NOTHING_NOTED = Noting()


class Handles(Protocol):
    """Turns keys into handles that bind without telling; the deletion log's keys do it."""

    def named(self, target: Target, refs: Sequence[RecordRef]) -> list[bytes]:
        """Handle and fingerprint of each record, 64 bytes, in order."""
        ...


def plan_step(
    standing: Standing,
    action: Action,
    reader: Reader,
    now: datetime,
    handles: Handles,
    findings: Sequence[Finding] = (),
    noting: Noting = NOTHING_NOTED,
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> StepPlan:
    """Plan `action` for everything the rule governs, as of `now` (aware UTC).

    Each record that is due for it is handed to `noting`, oldest first within each search, after those that a request or a
    review names; so is each that a person has to look at. Memory is constant but for what is named. `findings` are those
    of the reader's preflight. Raises `ConnectorError` where the system cannot be read.
    """
    assignment = standing.assignment
    rule, zone, target = assignment.rule, assignment.zone, assignment.target.target
    found = _Found(standing.deciding(now), action, target, handles, noting)
    population = reader.count()
    if not 0 <= population < MOST:
        raise ConnectorError(f"The connector of {target} counts {population} records; this is a defect of it.", "malformed")

    named: set[tuple[str, ...]] = set()
    for page in _in_pages(standing.named(reader)):
        named.update(ref.key for ref in page)
        found.take(page)
    for page in reader.undated(undatable_dates(rule)):
        found.take(_without(page, named))
    passes = searches(rule, zone, action, now, suspended=standing.interrupted)
    examined = told = 0
    progress(Progress(rule.id, target, action, "plan", examined, population))
    for page in _candidates(reader, passes, action):
        found.take(_without(page, named))
        examined += len(page)
        if examined - told >= EVERY:
            told = examined
            progress(Progress(rule.id, target, action, "plan", examined, population))

    # What no search found, and has a date, is simply not due yet; it was never fetched.
    unexamined = population - found.undatable - found.due - found.kept.total()
    if unexamined > 0:
        found.kept[Reason.NOT_DUE] += unexamined
    progress(Progress(rule.id, target, action, "plan", population, population))
    return StepPlan(
        policy=assignment.policy.policy.policy,
        rule=rule.id,
        rule_digest=assignment.digest,
        target=target,
        action=action,
        as_of=now,
        population=population,
        due=found.due,
        past_cap=found.past_cap,
        kept=dict(found.kept),
        undatable=found.undatable,
        oldest_due=found.oldest,
        latest_due=found.latest,
        digest=plan_digest(assignment.digest, action, target, found.digest),
        copies=tuple(assignment.target.copies()) if action is not Action.BLOCK else (),
        findings=tuple(findings),
        undatable_samples=tuple(found.samples),
    )


class _Found:
    """What a plan comes to so far."""

    def __init__(
        self,
        decide: Callable[[Sequence[RecordRef]], list[Decision]],
        action: Action,
        target: Target,
        handles: Handles,
        noting: Noting,
    ) -> None:
        self._decide = decide
        self._action = action
        self._target = target
        self._handles = handles
        self._noting = noting
        self.digest = hashlib.sha256()
        self.kept: Counter[str] = Counter()
        self.due = self.past_cap = self.undatable = 0
        self.oldest: datetime | None = None
        self.latest: datetime | None = None
        self.samples: list[RecordRef] = []

    def take(self, refs: Sequence[RecordRef]) -> None:
        """Decide about records, each of which was not taken before."""
        due: list[DueRecord] = []
        past_cap = 0
        action, must_be_gone = self._action, Verdict.MUST_BE_GONE
        for ref, decision in zip(refs, self._decide(refs), strict=True):
            if decision.step is action:
                past_cap += decision.verdict is must_be_gone
                due.append(DueRecord(ref, _moment(decision, action, self._target)))
            else:
                self._leave(ref, decision)
        if not due:
            return
        moments = {record.due_at for record in due}
        self.oldest = min(moments if self.oldest is None else {self.oldest, *moments})
        self.latest = max(moments if self.latest is None else {self.latest, *moments})
        self.due += len(due)
        self.past_cap += past_cap
        self.digest.update(b"".join(self._handles.named(self._target, [record.ref for record in due])))
        self._noting.due(due)

    def _leave(self, ref: RecordRef, decision: Decision) -> None:
        if decision.verdict is Verdict.UNDATABLE:
            self.undatable += 1
            self.samples.extend([ref] if len(self.samples) < SAMPLES else [])
            self._noting.finding(Reason.UNDATABLE, ref)
            return
        self.kept[OTHER_STEP if decision.step else decision.reason] += 1
        if decision.reason is Reason.CONTESTED:
            self._noting.finding(Reason.CONTESTED, ref)
        elif decision.reason is Reason.REVIEW_DUE and decision.review_at is not None:
            self._noting.review(ref, decision.review_at)


def plan_digest(rule_digest: str, action: str, target: Target, named: Hash) -> str:
    """Digest (hex) of a plan; `named` has taken in handle and fingerprint of each record, in order."""
    return hashlib.sha256(f"{rule_digest} {action} {target} {named.hexdigest()}".encode()).hexdigest()


class Hash(Protocol):
    """What `hashlib` makes."""

    def hexdigest(self) -> str:
        """The digest of all that was taken in."""
        ...


def _moment(decision: Decision, action: Action, target: Target) -> datetime:
    moment = decision.block_at if action is Action.BLOCK else decision.due_at
    if moment is None:
        raise ConnectorError(f"A record of {target} is to be dealt with but has no due moment; this is a defect.", "malformed")
    return moment


def _in_pages(refs: Iterator[RecordRef]) -> Iterator[Sequence[RecordRef]]:
    while page := list(islice(refs, EVERY)):
        yield page


def _without(page: Sequence[RecordRef], named: AbstractSet[tuple[str, ...]]) -> Sequence[RecordRef]:
    return [ref for ref in page if ref.key not in named] if named else page


def _candidates(reader: Reader, passes: Sequence[Cutoff], action: Action) -> Iterator[Sequence[RecordRef]]:
    """Everything that some pass finds, each record once: a later pass leaves out what an earlier one admits."""
    for number, cutoff in enumerate(passes):
        earlier = passes[:number]
        for page in reader.find(cutoff, action):
            yield [ref for ref in page if not any(one.admits(ref.dates) for one in earlier)] if earlier else page
