"""Works out what one step of one rule would do. Holds a reader only, so it cannot change anything."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from retentiond.connector.api import Finding, Reader
from retentiond.engine.assignment import Assignment
from retentiond.engine.values import DueRecord, Progress, StepPlan
from retentiond.model.decision import Reason, Verdict, decide, searches, undatable_dates
from retentiond.model.record import Action, Cutoff, RecordRef, Target

SAMPLES = 20
"""How many undatable records are named to a person at the terminal."""


class Handles(Protocol):
    """Turns keys into handles that bind without telling; the deletion log's keys do it."""

    def handle(self, target: Target, key: tuple[str, ...]) -> bytes:
        """The record's handle, 32 bytes."""

    def fingerprint(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what decided about the record, 32 bytes."""


def plan_step(
    assignment: Assignment,
    action: Action,
    reader: Reader,
    now: datetime,
    handles: Handles,
    keep: Callable[[DueRecord], None],
    progress: Callable[[Progress], None],
) -> StepPlan:
    """Plan `action` for everything the rule governs, as of `now` (aware UTC).

    Each record that is due for it is handed to `keep`, oldest first within each search. Memory is constant.
    Raises `ConnectorError` where the system cannot be read.
    """
    rule, zone, target = assignment.rule, assignment.zone, assignment.target.target
    digest = hashlib.sha256()
    digest.update(f"{assignment.digest} {action} {target}".encode())
    kept: Counter[str] = Counter()
    due = past_cap = future = implausible = 0
    oldest: datetime | None = None
    latest: datetime | None = None
    samples: list[RecordRef] = []

    findings = tuple(reader.preflight(action))
    population = reader.count()

    undatable = 0
    for page in reader.undated(undatable_dates(rule)):
        undatable += len(page)
        samples += page[: SAMPLES - len(samples)]

    examined = 0
    for ref in _candidates(reader, searches(rule, zone, action, now), action):
        examined += 1
        decision = decide(rule, zone, ref.dates, ref.blocked, now)
        if decision.step is action:
            if decision.due_at is None and decision.block_at is None:
                raise AssertionError("a step without a moment")
            moment = decision.block_at if action is Action.BLOCK else decision.due_at
            assert moment is not None
            due += 1
            past_cap += decision.verdict is Verdict.MUST_BE_GONE
            oldest = moment if oldest is None else min(oldest, moment)
            latest = moment if latest is None else max(latest, moment)
            digest.update(handles.handle(target, ref.key))
            digest.update(handles.fingerprint(target, ref))
            keep(DueRecord(ref, moment))
        elif decision.verdict is Verdict.UNDATABLE:
            implausible += 1
            samples += [ref] if len(samples) < SAMPLES else []
        else:
            kept[decision.reason] += 1
        if examined % 1000 == 0:
            progress(Progress(rule.id, target, action, "plan", examined, population))

    # What no search found and is dated is simply not due yet; it was never fetched.
    unexamined = population - undatable - examined
    if unexamined > 0:
        kept[Reason.NOT_DUE] += unexamined
    digest.update(due.to_bytes(8))
    progress(Progress(rule.id, target, action, "plan", examined, population))
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
        undatable=undatable + implausible,
        future=future,
        oldest_due=oldest,
        latest_due=latest,
        digest=digest.hexdigest(),
        copies=tuple(assignment.target.copies()) if action is not Action.BLOCK else (),
        findings=findings,
        undatable_samples=tuple(samples),
    )


def _candidates(reader: Reader, passes: Sequence[Cutoff], action: Action) -> Iterator[RecordRef]:
    """Everything that some pass finds, each record once: a later pass leaves out what an earlier one admits."""
    for number, cutoff in enumerate(passes):
        for page in reader.find(cutoff, action):
            for ref in page:
                if not any(earlier.admits(ref.dates) for earlier in passes[:number]):
                    yield ref


def refusing(findings: Sequence[Finding]) -> list[str]:
    """The findings that forbid acting, as sentences."""
    return [finding.what for finding in findings if finding.refuses]
