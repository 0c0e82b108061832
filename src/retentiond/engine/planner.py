"""Works out what one step of one rule would do. Holds a reader only, so it cannot change anything."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
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

    due: Callable[[DueRecord], None] = lambda _record: None
    review: Callable[[RecordRef, datetime], None] = lambda _ref, _due: None
    """A record that is up for review, and from when (UTC)."""
    finding: Callable[[Reason, RecordRef], None] = lambda _reason, _ref: None
    """A record that no rule can be applied to: `UNDATABLE` or `CONTESTED`."""


NOTHING_NOTED = Noting()


class Handles(Protocol):
    """Turns keys into handles that bind without telling; the deletion log's keys do it."""

    def handle(self, target: Target, key: tuple[str, ...]) -> bytes:
        """The record's handle, 32 bytes."""
        ...

    def fingerprint(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what decided about the record, 32 bytes."""
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
    digest = hashlib.sha256()
    kept: Counter[str] = Counter()
    due = past_cap = undatable = 0
    oldest: datetime | None = None
    latest: datetime | None = None
    samples: list[RecordRef] = []
    population = reader.count()
    if not 0 <= population < MOST:
        raise ConnectorError(f"The connector of {target} counts {population} records; this is a defect of it.", "malformed")

    named: set[tuple[str, ...]] = set()

    def take(ref: RecordRef) -> None:
        nonlocal due, past_cap, undatable, oldest, latest
        decision = standing.decide(ref, now)
        if decision.step is action:
            moment = _moment(decision, action, target)
            due += 1
            past_cap += decision.verdict is Verdict.MUST_BE_GONE
            oldest = moment if oldest is None else min(oldest, moment)
            latest = moment if latest is None else max(latest, moment)
            digest.update(handles.handle(target, ref.key) + handles.fingerprint(target, ref))
            noting.due(DueRecord(ref, moment))
        elif decision.verdict is Verdict.UNDATABLE:
            undatable += 1
            samples.extend([ref] if len(samples) < SAMPLES else [])
            noting.finding(Reason.UNDATABLE, ref)
        else:
            kept[OTHER_STEP if decision.step else decision.reason] += 1
            if decision.reason is Reason.CONTESTED:
                noting.finding(Reason.CONTESTED, ref)
            elif decision.reason is Reason.REVIEW_DUE and decision.review_at is not None:
                noting.review(ref, decision.review_at)

    for ref in standing.named(reader):
        named.add(ref.key)
        take(ref)
    names = undatable_dates(rule)
    for page in reader.undated(names):
        for ref in page:
            if ref.key not in named:
                take(ref)
    passes = searches(rule, zone, action, now, suspended=standing.interrupted)
    for examined, ref in enumerate(_candidates(reader, passes, action)):
        if examined % EVERY == 0:
            progress(Progress(rule.id, target, action, "plan", examined, population))
        if ref.key not in named:
            take(ref)

    # What no search found, and has a date, is simply not due yet; it was never fetched.
    unexamined = population - undatable - due - kept.total()
    if unexamined > 0:
        kept[Reason.NOT_DUE] += unexamined
    progress(Progress(rule.id, target, action, "plan", population, population))
    return StepPlan(
        policy=assignment.policy.policy.policy,
        rule=rule.id,
        rule_digest=assignment.digest,
        target=target,
        action=action,
        as_of=now,
        population=population,
        due=due,
        past_cap=past_cap,
        kept=dict(kept),
        undatable=undatable,
        oldest_due=oldest,
        latest_due=latest,
        digest=plan_digest(assignment.digest, action, target, digest),
        copies=tuple(assignment.target.copies()) if action is not Action.BLOCK else (),
        findings=tuple(findings),
        undatable_samples=tuple(samples),
    )


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


def _candidates(reader: Reader, passes: Sequence[Cutoff], action: Action) -> Iterator[RecordRef]:
    """Everything that some pass finds, each record once: a later pass leaves out what an earlier one admits."""
    for number, cutoff in enumerate(passes):
        for page in reader.find(cutoff, action):
            for ref in page:
                if not any(earlier.admits(ref.dates) for earlier in passes[:number]):
                    yield ref
