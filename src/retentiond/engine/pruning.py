"""Applies the deletion log's own rule: a rule like any other, whose records are the entries of the log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from retentiond.audit import DeletionLog, Prunable, Verification
from retentiond.connector.own import WRITTEN_AT, OwnDataset
from retentiond.engine.approval import staff_id
from retentiond.engine.assignment import Assignment
from retentiond.engine.clearance import clearance, waits_for, words_of
from retentiond.engine.evidence import Evidence
from retentiond.engine.registers import Standing, read_registers
from retentiond.engine.values import Status, StepPlan, StepResult
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError, GuardRefused
from retentiond.model.decision import Reason
from retentiond.model.record import Action, RecordRef
from retentiond.store import Approval, Store

APPROVED = "plan"
"""What a person's word about one pruning is called."""


def is_own(assignment: Assignment) -> bool:
    """True for a rule about the deletion log."""
    options = assignment.target.options
    return isinstance(options, OwnDataset) and options.kind == "deletion-log"


def own_rule(workplace: Workplace, now: datetime) -> Assignment:
    """The rule about the deletion log that counts at `now`; raises `ConfigurationError` where there is none, or more than one."""
    found = [one for one in workplace.at(now).assignments if is_own(one)]
    if len(found) != 1:
        raise ConfigurationError(
            "No rule says how long the deletion log is kept. Add one to the policies, and a system with `connector: retentiond` "
            "to the settings."
            if not found
            else f"More than one rule is about the deletion log: {', '.join(one.rule.id for one in found)}."
        )
    return found[0]


def prunable(evidence: Evidence, told: Verification, assignment: Assignment, now: datetime) -> Prunable:
    """What the rule lets go at `now` (aware UTC); changes nothing. `told` is what the log tells.

    Raises `StateError` where the registers cannot be read.
    """
    return evidence.log.prunable(_due(evidence.store, assignment, now), _needed(evidence.store, told, now))


def prune_plan(assignment: Assignment, found: Prunable, size: int, now: datetime) -> StepPlan:
    """The same as a plan of a step; its digest is what a person approves."""
    due = found.entries - found.first - sum(index >= found.first for index, _ in found.kept)
    text = f"{assignment.digest} {found.first} {found.openings} {found.entries} {[index for index, _ in found.kept]}"
    return StepPlan(
        policy=assignment.policy.policy.policy,
        rule=assignment.rule.id,
        rule_digest=assignment.digest,
        target=assignment.target.target,
        action=Action.DELETE,
        as_of=now,
        population=size - found.first,
        due=max(due, 0),
        past_cap=0,
        kept={Reason.NOT_DUE: size - found.first - max(due, 0)},
        undatable=0,
        oldest_due=None,
        latest_due=None,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        copies=(),
        findings=(),
        undatable_samples=(),
    )


def prune(workplace: Workplace, evidence: Evidence, digest: str, by: str, now: datetime) -> Prunable:
    """Carry out the pruning that a person looked at (`digest` of its plan, or its beginning) and allows now.

    Raises `GuardRefused` where the rule's version may not act or something else would go by now, `ConfigurationError` for a
    word that is no staff id.
    """
    staff, assignment, told = staff_id(by), own_rule(workplace, now), evidence.log.verify()
    if (waits := _waits(workplace, evidence, told, assignment, now)) is not None:
        raise GuardRefused(waits)
    found = prunable(evidence, told, assignment, now)
    plan = prune_plan(assignment, found, evidence.log.size, now)
    if found.nothing:
        raise GuardRefused("Nothing of the deletion log is due, so nothing was pruned.")
    if len(digest) < SHORTEST or not plan.digest.startswith(digest):
        raise GuardRefused(
            f"The plan {digest[:16]} is not what would go by now; look again: `retentiond audit prune`. Nothing was pruned."
        )
    subject = f"{APPROVED} {assignment.rule.id} {Action.DELETE}"
    evidence.log.event("approval", now, subject=subject, digest=plan.digest, decision="approved", by=staff)
    return _carry_out(evidence, told, assignment, now)


SHORTEST = 16
"""So much of a plan's digest has to be given at the least."""


def prune_step(workplace: Workplace, evidence: Evidence, told: Verification, assignment: Assignment, now: datetime) -> StepResult:
    """What a run does about the log itself: prune it, or say for what it waits. `told` is what the log told before."""
    found = prunable(evidence, told, assignment, now)
    plan = prune_plan(assignment, found, evidence.log.size, now)
    if found.nothing:
        return StepResult.of(assignment, Action.DELETE, Status.DONE, plan)
    if (waits := _waits(workplace, evidence, told, assignment, now)) is not None:
        return StepResult.of(assignment, Action.DELETE, Status.AWAITING, plan, waits)
    if assignment.rule.approval == "plan":
        why = (
            f"Rule {assignment.rule.id} needs a person's word: `retentiond audit prune` shows what would go, and how to allow it."
        )
        return StepResult.of(assignment, Action.DELETE, Status.AWAITING, plan, why)
    _carry_out(evidence, told, assignment, now)
    return StepResult.of(assignment, Action.DELETE, Status.DONE, plan, f"{plan.due:,} entries of the deletion log were pruned.")


def _carry_out(evidence: Evidence, told: Verification, assignment: Assignment, now: datetime) -> Prunable:
    version = f"{assignment.rule.id}@{assignment.digest[:16]}"
    return evidence.log.prune(version, _due(evidence.store, assignment, now), _needed(evidence.store, told, now), now)


def _waits(workplace: Workplace, evidence: Evidence, told: Verification, assignment: Assignment, now: datetime) -> str | None:
    """Why the rule's version may not act; None where it may."""
    words = words_of(evidence.store.approvals(), evidence.store.versions(), told)
    found = clearance(words, assignment, now, workplace.settings.guards.cool_off)
    return None if found.in_force else waits_for(assignment.rule.id, found)


def _due(store: Store, assignment: Assignment, now: datetime) -> Callable[[datetime], bool]:
    standing = read_registers(store, [assignment.rule.id]).for_rule(assignment)
    known: dict[datetime, bool] = {}

    def due(moment: datetime) -> bool:
        if moment not in known:  # the entries of a run bear few different seconds
            known[moment] = _decided(standing, moment, now)
        return known[moment]

    return due


def _decided(standing: Standing, moment: datetime, now: datetime) -> bool:
    return standing.decide(RecordRef(("deletion-log",), dates={WRITTEN_AT: moment}), now).step is Action.DELETE


def _needed(store: Store, told: Verification, now: datetime) -> Callable[[Mapping[str, Any]], bool]:
    """Approvals that still stand and holds that were not lifted stay in the log: without them nothing acts, or all does."""
    standing = {(_subject(one), one.digest) for one in store.approvals() if one.expires is None or one.expires > now}

    def needed(fields: Mapping[str, Any]) -> bool:
        if fields["kind"] == "hold":
            return fields["hold"] in told.holds
        return (fields["subject"], fields["digest"]) in standing

    return needed


def _subject(approval: Approval) -> str:
    return approval.subject if approval.subject == "clock" else f"{approval.subject} {approval.name}"


def shreddable_from(workplace: Workplace, log: DeletionLog, epoch: str) -> tuple[datetime | None, list[str]]:
    """From when (aware UTC) no backup needs the epoch for a replay, and the data sets of whose backups nobody told."""
    last = log.concluded_under(epoch)
    copies = [(target, copy) for target, bound in workplace.targets.items() for copy in bound.copies()]
    unknown = sorted({str(target) for target, copy in copies if copy.lives is None})
    lives = [copy.lives for _, copy in copies if copy.lives is not None]
    if last is None:
        return None, []
    return (last + max(lives) if lives else last), unknown
