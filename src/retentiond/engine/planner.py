"""Works out what one step of one rule would do. Holds a reader only, so it cannot change anything."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from retentiond.connector.api import Finding, Reader
from retentiond.engine.assignment import Assignment
from retentiond.engine.values import OTHER_STEP, DueRecord, Progress, StepPlan
from retentiond.errors import ConnectorError
from retentiond.model.decision import Decision, Reason, Verdict, decide, searches, undatable_dates
from retentiond.model.record import Action, Cutoff, RecordRef, Target

SAMPLES = 20
"""How many undatable records are named to a person at the terminal."""

MOST = 2**53
"""So many records no data set holds."""

EVERY = 1000
"""How many records pass between two words about progress."""


class Handles(Protocol):
    """Turns keys into handles that bind without telling; the deletion log's keys do it."""

    def handle(self, target: Target, key: tuple[str, ...]) -> bytes:
        """The record's handle, 32 bytes."""
        ...

    def fingerprint(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what decided about the record, 32 bytes."""
        ...


def plan_step(
    assignment: Assignment,
    action: Action,
    reader: Reader,
    now: datetime,
    handles: Handles,
    findings: Sequence[Finding] = (),
    keep: Callable[[DueRecord], None] = lambda _record: None,
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> StepPlan:
    """Plan `action` for everything the rule governs, as of `now` (aware UTC).

    Each record that is due for it is handed to `keep`, oldest first within each search. Memory is constant.
    `findings` are those of the reader's preflight. Raises `ConnectorError` where the system cannot be read.
    """
    rule, zone, target = assignment.rule, assignment.zone, assignment.target.target
    named = hashlib.sha256()
    kept: Counter[str] = Counter()
    due = past_cap = undatable = 0
    oldest: datetime | None = None
    latest: datetime | None = None
    samples: list[RecordRef] = []
    population = reader.count()
    if not 0 <= population < MOST:
        raise ConnectorError(f"The connector of {target} counts {population} records; this is a defect of it.", "malformed")

    for page in reader.undated(undatable_dates(rule)):
        undatable += len(page)
        samples += page[: SAMPLES - len(samples)]

    for examined, ref in enumerate(_candidates(reader, searches(rule, zone, action, now), action)):
        if examined % EVERY == 0:
            progress(Progress(rule.id, target, action, "plan", examined, population))
        decision = decide(rule, zone, ref.dates, ref.blocked, now)
        if decision.step is action:
            moment = _moment(decision, action, target)
            due += 1
            past_cap += decision.verdict is Verdict.MUST_BE_GONE
            oldest = moment if oldest is None else min(oldest, moment)
            latest = moment if latest is None else max(latest, moment)
            named.update(handles.handle(target, ref.key) + handles.fingerprint(target, ref))
            keep(DueRecord(ref, moment))
        elif decision.verdict is Verdict.UNDATABLE:
            undatable += 1
            samples += [ref] if len(samples) < SAMPLES else []
        else:
            kept[OTHER_STEP if decision.step else decision.reason] += 1

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
        digest=plan_digest(assignment.digest, action, target, named),
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
