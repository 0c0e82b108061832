"""What a named person allowed: a version of a rule, one plan, or the clock. Each leaves an entry in the deletion log."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from retentiond.engine.assignment import Assignment
from retentiond.engine.clearance import Clearance, Cleared, Words, clearance, removals, words_of
from retentiond.engine.evidence import Evidence
from retentiond.engine.planfile import PlanFile, open_plan_file
from retentiond.engine.values import DueRecord
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError
from retentiond.model.record import Action, Target
from retentiond.policy.version import kept, version_of
from retentiond.store import Approval, ClockReading, PlanHeader, RuleVersion, Store

PLAN_LIVES = timedelta(days=30)
"""An approved plan that was not carried out by then has to be made and looked at again."""

_STAFF_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

CLOCK_LIVES = timedelta(hours=1)
"""How long a person's word that the clock is right stands; the next run within it settles the matter."""


def approve_rule(workplace: Workplace, evidence: Evidence, rule: str, by: str, now: datetime) -> Approval:
    """Give a person's word for the present version of one rule; `approve_rules` says what that is worth."""
    return approve_rules(workplace, evidence, [rule], by, now)[0]


def approve_rules(workplace: Workplace, evidence: Evidence, rules: Sequence[str], by: str, now: datetime) -> tuple[Approval, ...]:
    """Give a person's word for the present version of these rules.

    The first version of a rule may then act, and so may one that is tighter than the version in force. A looser one needs a
    second person, and the cool-off. `by` is a staff id, not a name. Raises `ConfigurationError`, before anything is recorded,
    for an unknown rule, and where the same person has approved a looser version already.
    """
    staff, words, cool_off = staff_id(by), _words(evidence), workplace.settings.guards.cool_off
    chosen = workplace.at(now).chosen(rules)
    for assignment in chosen:
        found, stored = clearance(words, assignment, now, cool_off), evidence.store.approvals()
        known = any((one.subject, one.digest, one.by) == ("rule", assignment.digest, staff) for one in stored)
        if known and staff in found.by and not found.in_force:
            raise ConfigurationError(_twice(f"rule {assignment.rule.id}", staff, found))
    given = []
    for assignment in chosen:
        rule, bound = assignment.rule, assignment.target
        version = version_of(assignment.policy.policy, rule, bound.mapping_digest)
        evidence.store.keep_version(RuleVersion(rule.id, assignment.digest, bound.mapping_digest, kept(version), now))
        given.append(_record(evidence, Approval("rule", rule.id, assignment.digest, staff, now, None)))
    return tuple(given)


def approve_removal(workplace: Workplace, evidence: Evidence, rule: str, by: str, now: datetime) -> Approval:
    """Give a person's word that a rule which was approved may be gone; two persons and the cool-off are needed.

    Raises `ConfigurationError` where the rule is still there, was never approved, and for the same person twice.
    """
    staff, words, cool_off = staff_id(by), _words(evidence), workplace.settings.guards.cool_off
    present = [one.rule.id for one in workplace.at(now).assignments]
    removed = {one.rule: one for one in removals(words, present, now, cool_off)}
    if rule not in removed:
        raise ConfigurationError(
            f"Rule {rule} is no rule that was in force and was removed, so there is no removal to approve. "
            f"Removed ones are: {', '.join(removed) or 'none'}."
        )
    if staff in removed[rule].found.by:
        raise ConfigurationError(_twice(f"removal {rule}", staff, removed[rule].found))
    return _record(evidence, Approval("removal", rule, removed[rule].digest, staff, now, None))


def _words(evidence: Evidence) -> Words:
    return words_of(evidence.store.approvals(), evidence.store.versions(), evidence.log.verify())


def _twice(what: str, by: str, found: Clearance) -> str:
    if found.state is Cleared.COOLING:
        return f"The {what} was already approved by {by} and another person, and its cool-off runs; nothing was recorded."
    return f"The {what} was already approved by {by}; the second word has to come from another person, so nothing was recorded."


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
