"""What a request comes to: for each record of the person, whether it is gone, when it goes, and what is in its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from retentiond.audit import LogReader
from retentiond.engine.assignment import Assignment
from retentiond.engine.persons import find_person
from retentiond.engine.registers import Registers
from retentiond.engine.workplace import Workplace
from retentiond.model.bound import Stage
from retentiond.model.circumstances import Suspension
from retentiond.model.decision import Decision, Reason, Verdict
from retentiond.model.due import LAST_MOMENT
from retentiond.model.policy import Policy, Role
from retentiond.model.record import Action, OutcomeKind, RecordRef, Target
from retentiond.model.request import Request
from retentiond.model.written import Text
from retentiond.store import Store

_DONE = (OutcomeKind.CONFIRMED, OutcomeKind.PENDING_COPIES)


class Fate(StrEnum):
    """What becomes of a record of the person."""

    DELETED = "deleted"
    """Gone, and the deletion log tells that retentiond did it."""
    VANISHED = "vanished"
    """Gone, and the deletion log tells of no act of ours."""
    ANONYMIZED = "anonymized"
    """No longer a record of the person."""
    GOES = "goes"
    """It goes at a moment that is known."""
    DUTY = "duty"
    """A duty to keep it runs on; until then it is blocked."""
    HELD = "held"
    """A hold, an open tax year or a request is in the way."""
    UNDATABLE = "undatable"
    """Nobody can tell when it is due: a person has to look."""
    WAITS = "waits"
    """It stays until something happens that has not happened yet, or that a person has to decide."""
    STAYS = "stays"
    """No rule lets it go."""


@dataclass(frozen=True, slots=True)
class Told:
    """What becomes of one record. Holds nothing by which the record or the person could be told."""

    target: Target
    fate: Fate
    rule: str | None = None
    """None where it is gone, or no rule governs it."""
    data_kind: Text | None = None
    action: Action = Action.DELETE
    """What the rule comes to do."""
    at: datetime | None = None
    """When it went, or goes, or when the duty ends (UTC); None where nobody knows."""
    blocked: bool = False
    """True where it is blocked now."""
    to_block: bool = False
    """True where the next run blocks it."""
    basis: str | None = None
    """The law behind the duty."""
    suspensions: tuple[Suspension, ...] = ()
    concerned: bool = False
    """True where the request brings something about for it."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody else who holds such data, and is to be told (Art. 19 GDPR)."""

    system: str
    holder: str
    role: Role


@dataclass(frozen=True, slots=True)
class Answer:
    """All of it, as of one moment."""

    request: Request
    as_of: datetime
    zone: str
    """In which its days are told."""
    records: tuple[Told, ...]
    recipients: tuple[Recipient, ...]
    unknowing: tuple[Target, ...]
    """The data sets that cannot be searched by any of the identifiers."""
    unreadable: tuple[Target, ...]
    """The data sets that could be searched and did not answer: the answer is not whole."""


def answer(
    workplace: Workplace, store: Store, registers: Registers, log: LogReader | None, request: Request, now: datetime
) -> Answer:
    """Look up every record of the person and say what becomes of it, as of `now` (aware UTC).

    `log` is the deletion log; None before there is one. Changes nothing.
    """
    at = workplace.at(now)
    found: dict[tuple[Target, tuple[str, ...]], RecordRef] = {}
    known: list[frozenset[Target]] = []
    unreadable: set[Target] = set()
    for person in sorted(request.persons):
        looked = find_person(workplace, person)
        found |= {(target, ref.key): ref for target, ref in looked.found}
        known.append(frozenset(looked.unknowing))
        unreadable |= looked.unreadable.keys()
    unknowing = frozenset.intersection(*known) if known else frozenset()
    standing = [told for (target, _), ref in found.items() for told in _told(at, registers, target, ref, request, now)]
    gone = [
        _gone(at, log, request, target, key)
        for target, key in store.found_for(request.request)
        if (target, key) not in found and target not in unreadable
    ]
    records = tuple(sorted((*gone, *standing), key=lambda one: (str(one.target), one.rule or "", one.fate)))
    systems = {one.target.system for one in records}
    return Answer(
        request,
        now,
        min(loaded.policy.zone for loaded in workplace.policies),
        records,
        tuple(_recipients(at, systems)),
        tuple(sorted(unknowing, key=str)),
        tuple(sorted(unreadable, key=str)),
    )


def _told(
    workplace: Workplace, registers: Registers, target: Target, ref: RecordRef, request: Request, now: datetime
) -> Iterator[Told]:
    governing = [one for one in workplace.assignments if one.target.target == target]
    if not governing:
        yield Told(target, Fate.STAYS, blocked=ref.blocked)
    for assignment in governing:
        decision = registers.for_rule(assignment).decide(ref, now)
        yield _fate(assignment, ref, decision, request, now)


def _fate(assignment: Assignment, ref: RecordRef, decision: Decision, request: Request, now: datetime) -> Told:
    rule = assignment.rule
    duty = next((end for end in decision.ends if end.stage is Stage.KEEP_AT_LEAST), None)
    at = decision.act_from if decision.act_from != LAST_MOMENT else None
    waits_for_duty = duty is not None and duty.end is not None and duty.end > now
    if decision.verdict is Verdict.UNDATABLE or decision.reason is Reason.CONTESTED:
        fate, at = Fate.UNDATABLE, None
    elif rule.action is Action.BLOCK:
        fate, at = Fate.STAYS, None
    elif open_now := [one for one in decision.suspensions if one.end is None or one.end > now]:
        fate, at = Fate.HELD, at if all(one.end for one in open_now) else None
    elif at is None or decision.unmet:
        fate, at = Fate.WAITS, None
    else:
        fate = Fate.DUTY if waits_for_duty else Fate.GOES
    return Told(
        target=assignment.target.target,
        fate=fate,
        rule=rule.id,
        data_kind=rule.data_kind,
        action=rule.action,
        at=at,
        blocked=ref.blocked,
        to_block=decision.step is Action.BLOCK,
        basis=duty.basis if duty is not None and waits_for_duty else None,
        suspensions=tuple(one for one in decision.suspensions if one.end is None or one.end > now),
        concerned=request.request
        in {
            *(one.reference for one in decision.triggers),
            *(one.reference for one in decision.suspensions),
        },
    )


def _gone(workplace: Workplace, log: LogReader | None, request: Request, target: Target, key: tuple[str, ...]) -> Told:
    """What became of a record that was there when the request was recorded."""
    kind = next((one.rule.data_kind for one in workplace.assignments if one.target.target == target), None)
    for entry in reversed(log.find(target, key) if log else []):
        if log is None or entry.fields["o"] not in _DONE:
            continue
        intent = log.entry(int(entry.fields["i"]))
        action = Action(intent.fields["action"])
        if intent.at is None or intent.at < request.received_at.replace(microsecond=0):
            break  # that was another record, under the same key
        if action is Action.DELETE:
            return Told(target, Fate.DELETED, data_kind=kind, at=intent.at, concerned=True)
        if action is Action.ANONYMIZE:
            return Told(target, Fate.ANONYMIZED, data_kind=kind, action=action, at=intent.at, concerned=True)
    return Told(target, Fate.VANISHED, data_kind=kind, concerned=True)


def _recipients(workplace: Workplace, systems: Iterable[str]) -> Iterator[Recipient]:
    told: set[tuple[str, str]] = set()
    wanted = set(systems)
    for policy in _policies(workplace):
        for name, info in sorted(policy.systems.items()):
            if name in wanted and info.role is not Role.OWN and (name, info.holder) not in told:
                told.add((name, info.holder))
                yield Recipient(name, info.holder, info.role)


def _policies(workplace: Workplace) -> Sequence[Policy]:
    return list({id(one.policy): one.policy.policy for one in workplace.assignments}.values())
