"""What a named person allowed: a version of a rule, one plan, or the clock. Each leaves an entry in the deletion log."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from retentiond.engine.assignment import Assignment
from retentiond.engine.evidence import Evidence
from retentiond.engine.planfile import PlanFile, open_plan_file
from retentiond.engine.values import DueRecord
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError
from retentiond.model.record import Action, Target
from retentiond.store import Approval, ClockReading, PlanHeader, Store

PLAN_LIVES = timedelta(days=30)
"""An approved plan that was not carried out by then has to be made and looked at again."""

_STAFF_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

CLOCK_LIVES = timedelta(hours=1)
"""How long a person's word that the clock is right stands; the next run within it settles the matter."""


def approve_rule(workplace: Workplace, evidence: Evidence, rule: str, by: str, now: datetime) -> Approval:
    """Allow this version of the rule to act; any change of it, or of how its data is reached, needs a new word.

    `by` is a staff id, not a name. Raises `ConfigurationError` for an unknown rule.
    """
    assignment = workplace.chosen([rule])[0]
    return _record(evidence, Approval("rule", rule, assignment.digest, staff_id(by), now, None))


def approve_plan(workplace: Workplace, evidence: Evidence, file: Path, by: str, now: datetime) -> tuple[Approval, ...]:
    """Allow exactly the records that the plan file names, as long as none of them changes; stands for 30 days.

    Raises `ConfigurationError` where the file is no whole plan, or was made for another version of a rule.
    """
    staff = staff_id(by)
    current = {(one.rule.id, one.digest) for one in workplace.assignments}
    with open_plan_file(file) as plan_file:
        for header in plan_file.headers:
            if (header.rule, header.rule_digest) not in current:
                raise ConfigurationError(
                    f"{file}: the plan was made for another version of rule {header.rule}. Make it anew: `retentiond plan -o`."
                )
        return tuple(_approve_step(evidence, plan_file, number, staff, now) for number in range(len(plan_file.headers)))


def _approve_step(evidence: Evidence, plan_file: PlanFile, number: int, by: str, now: datetime) -> Approval:
    planned = plan_file.headers[number]
    header = PlanHeader(
        digest=planned.digest,
        rule=planned.rule,
        rule_digest=planned.rule_digest,
        action=planned.action,
        as_of=planned.as_of,
        made_at=planned.as_of,
        expires_at=now + PLAN_LIVES,
        counts=planned.counts,
    )
    evidence.store.save_plan(header, plan_file.records(number))
    return _record(
        evidence, Approval("plan", _step_name(planned.rule, planned.action), planned.digest, by, now, now + PLAN_LIVES)
    )


def approve_clock(evidence: Evidence, reading: ClockReading, by: str) -> Approval:
    """Say that the clock is right although it jumped; stands for an hour."""
    return _record(evidence, Approval("clock", "clock", "", staff_id(by), reading.at, reading.at + CLOCK_LIVES))


def rule_approved(store: Store, assignment: Assignment, now: datetime) -> bool:
    """True where this version of the rule may act."""
    return store.approval("rule", assignment.rule.id, assignment.digest, now) is not None


def clock_approved(store: Store, now: datetime) -> bool:
    """True where a person just said that the clock is right; a word given by a clock that was ahead says nothing about now."""
    word = store.approval("clock", "clock", "", now)
    return word is not None and word.at <= now


def approved_plan(
    store: Store, assignment: Assignment, action: Action, now: datetime, logged: Collection[tuple[str, str]]
) -> PlanHeader | None:
    """The newest plan of this step that a person allowed and that still stands; None where there is none.

    `logged` are the approvals that the deletion log tells of; without an entry nobody gave that word to retentiond.
    """
    name = _step_name(assignment.rule.id, action)
    for approval in sorted(store.approvals(), key=lambda one: one.at, reverse=True):
        # Given by a clock that was ahead, it would stand for years instead of 30 days.
        stands = approval.at <= now and (approval.expires is None or now < approval.expires)
        if approval.subject == "plan" and approval.name == name and stands and (f"plan {name}", approval.digest) in logged:
            header = store.plan(approval.digest)
            if header is not None and header.rule_digest == assignment.digest:
                return header
    return None


def only_approved(
    evidence: Evidence, header: PlanHeader, target: Target, batches: Iterator[Sequence[DueRecord]]
) -> Iterator[Sequence[DueRecord]]:
    """Of each batch, the records that the approved plan names and that are still as they were then."""
    for batch in batches:
        known_as = [evidence.log.known_as(target, record.ref) for record in batch]
        listed = evidence.store.plan_lists(header.digest, [handle for marks in known_as for handle, _ in marks])
        chosen = [
            record
            for record, marks in zip(batch, known_as, strict=True)
            if any(listed.get(handle) == fingerprint for handle, fingerprint in marks)
        ]
        if chosen:
            yield chosen


def _record(evidence: Evidence, approval: Approval) -> Approval:
    subject = approval.subject if approval.subject == "clock" else f"{approval.subject} {approval.name}"
    evidence.log.event("approval", approval.at, subject=subject, digest=approval.digest, decision="approved", by=approval.by)
    evidence.store.approve(approval)
    if evidence.store.clock_reading() is None:
        # Else a clock that leaps between the first approval and the first run would be believed. No boot has an empty id.
        evidence.store.record_clock(ClockReading(approval.at, "", 0.0))
    evidence.log.checkpoint(approval.at)
    return approval


def _step_name(rule: str, action: str) -> str:
    return f"{rule} {action}"


def staff_id(by: str) -> str:
    """Return `by` where it is a staff id; raise `ConfigurationError` for anything else, such as a name."""
    if _STAFF_ID.fullmatch(by) is None:
        raise ConfigurationError(
            "Say who approves with `--by`: a staff id of 1 to 64 letters, digits, dots, dashes and underscores. "
            "It stays in the deletion log, where no name and no address may stand."
        )
    return by
