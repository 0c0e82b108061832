"""Records what data subjects demand and what is decided about it; each word leaves an entry in the deletion log."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from retentiond.engine.approval import staff_id
from retentiond.engine.assignment import Assignment
from retentiond.engine.holding import reference
from retentiond.engine.persons import PersonRecords, find_person
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError
from retentiond.model.due import Start, end_of
from retentiond.model.record import RecordRef, Target
from retentiond.model.request import AT_ONCE, DONE_WITHIN, NO_EFFECT, Request, RequestKind, RequestState, effect
from retentiond.model.subject import Subject
from retentiond.store import Entry, Store

WEIGHED = (RequestKind.ERASURE, RequestKind.OBJECTION, RequestKind.RESTRICTION)
"""What a person has to grant or refuse."""

Waiting = Callable[[], None]
"""Called once where a batch in hand has to be waited for."""


def nobody_waits() -> None:
    """Tell nobody."""


_OBJECTIONS = (RequestKind.OBJECTION, RequestKind.OBJECTION_TO_MARKETING, RequestKind.CONSENT_WITHDRAWN)


def open_request(
    workplace: Workplace,
    store: Store,
    kind: RequestKind,
    persons: Collection[Subject],
    received_at: datetime,
    case: str,
    by: str,
    rules: Sequence[str],
    now: datetime,
    waiting: Waiting = nobody_waits,
) -> Request:
    """Record a request; from then on it counts. `by` is a staff id, `case` a reference to the file; no `rules` means all.

    Whoever must not be contacted any more is on the suppression list when this returns, as far as a rule asks for it.

    Raises `ConfigurationError` where it was received in the future, a rule is unknown, or a person is unknown or may be
    several persons; then nothing was recorded.
    """
    if received_at > now:
        raise ConfigurationError("The request cannot have been received in the future. Nothing was recorded.")
    if not persons:
        raise ConfigurationError("Say whom the request is about with `--person KIND:IDENTIFIER`. Nothing was recorded.")
    by, case = staff_id(by), reference(case)
    workplace.chosen(rules)
    found = _found(workplace, persons)
    at_once = kind in AT_ONCE
    request = Request(
        request=secrets.token_hex(4),
        kind=kind,
        persons=frozenset(persons),
        received_at=received_at,
        state=RequestState.GRANTED if at_once else RequestState.OPEN,
        by=by,
        case=case,
        decided_at=received_at if at_once else None,
        decided_by=by if at_once else None,
        rules=frozenset(rules) or None,
    )
    with store.changing(waiting):
        for one in _to_suppress(workplace, request, found, now):
            store.suppress(one, request.request, now)
        store.open_request(request, [(target, ref.key) for target, ref in found], _entry(store, request, "opened", by, now))
    return request


def decide_request(
    store: Store, request: str, state: RequestState, by: str, now: datetime, waiting: Waiting = nobody_waits
) -> Request:
    """Grant or refuse a request that is open.

    Raises `ConfigurationError` where it is unknown, was decided before, or nothing is to be decided about its kind.
    """
    by = staff_id(by)
    with store.changing(waiting):
        found = request_of(store, request)
        if found.kind not in WEIGHED:
            raise ConfigurationError(
                f"Nothing is to be decided about request {request}: {_needless(found.kind)} Nothing was changed."
            )
        if found.state is not RequestState.OPEN:
            raise ConfigurationError(
                f"Request {request} is {found.state} already; a second decision does not count. Nothing was changed."
            )
        store.decide_request(request, state, now, by, _entry(store, found, state.value, by, now))
        return request_of(store, request)


def lift_request(store: Store, request: str, by: str, now: datetime, waiting: Waiting = nobody_waits) -> Request:
    """End what a request brings about from now on: the person took it back, or what it was for is over.

    What is gone stays gone. Raises `ConfigurationError` where it is unknown, or has no effect any more.
    """
    by = staff_id(by)
    with store.changing(waiting):
        found = request_of(store, request)
        if found.state is RequestState.REFUSED:
            raise ConfigurationError(f"Request {request} has no effect any more; there is nothing to lift. Nothing was changed.")
        store.decide_request(request, RequestState.REFUSED, now, by, _entry(store, found, "lifted", by, now))
        return request_of(store, request)


def answer_request(store: Store, request: str, by: str, now: datetime, waiting: Waiting = nobody_waits) -> Request:
    """Record that the person was answered. From then on only records that were there before are concerned.

    Raises `ConfigurationError` where the request is unknown, was answered before, or is not decided yet.
    """
    by = staff_id(by)
    with store.changing(waiting):
        found = request_of(store, request)
        if found.answered_at is not None:
            raise ConfigurationError(f"Request {request} was answered on {found.answered_at:%Y-%m-%d}. Nothing was changed.")
        if found.kind in WEIGHED and found.state is RequestState.OPEN:
            raise ConfigurationError(
                f"Request {request} is not decided yet: first `retentiond request grant` or `refuse`. Nothing was changed."
            )
        store.answer_request(request, now, _entry(store, found, "answered", by, now))
        if found.kind is RequestKind.ACCESS:  # it held the records until now
            store.decide_request(request, RequestState.GRANTED, now, by)
        return request_of(store, request)


def remove_suppression(store: Store, person: Subject, case: str, by: str, now: datetime, waiting: Waiting = nobody_waits) -> None:
    """Take a person's identifier off the suppression list, because of a new consent; `case` is where that is on file.

    Raises `ConfigurationError` where it is not on the list, or where an objection that stands would put it there again.
    """
    by, case = staff_id(by), reference(case)
    with store.changing(waiting):
        for request in store.requests():
            if person in request.persons and request.kind in _OBJECTIONS and request.state is not RequestState.REFUSED:
                raise ConfigurationError(
                    f"The objection in request {request.request} still stands and would put the {person.kind} on the list again; "
                    f"first `retentiond request lift {request.request}`. Nothing was changed."
                )
        mark = store.suppression_mark(person)
        entry = Entry("approval", now, {"subject": f"suppression {case}", "digest": mark, "decision": "removed", "by": by})
        if not store.unsuppress(person, now, entry):
            raise ConfigurationError(f"This {person.kind} is not on the suppression list. Nothing was changed.")


def request_of(store: Store, request: str) -> Request:
    """The request of this id; raises `ConfigurationError` where there is none."""
    for one in store.requests():
        if one.request == request:
            return one
    raise ConfigurationError(f"There is no request {request}; `retentiond request list` tells which there are.")


def zones(workplace: Workplace) -> frozenset[str]:
    """The IANA zones in which the policies count days."""
    return frozenset(loaded.policy.zone for loaded in workplace.policies)


def answer_due(request: Request, among: Iterable[str]) -> datetime | None:
    """From when the answer is overdue (UTC), in the zone where that is first; None where nobody waits for one."""
    if request.kind is RequestKind.PURPOSE_ENDED or request.answered_at is not None:
        return None
    return min(map(request.answer_due, among))


def gone_by(request: Request, among: Iterable[str]) -> datetime | None:
    """By when all that it brings about is to be done (UTC); None where it lets nothing go, or is not decided."""
    ending = request.kind in AT_ONCE or request.kind in (RequestKind.ERASURE, RequestKind.OBJECTION)
    if not ending or request.state is not RequestState.GRANTED or request.decided_at is None:
        return None
    start = Start(request.decided_at)
    return min(end_of(start, DONE_WITHIN, zone) for zone in among)


def rules_reached(workplace: Workplace, request: Request, now: datetime) -> tuple[Assignment, ...]:
    """The rules under which the request brings something about, at least once it is granted."""
    return tuple(
        one
        for one in workplace.at(now).assignments
        if request.rules is None or one.rule.id in request.rules
        if any(
            effect(request.kind, state, one.rule.lawful(one.policy.policy.basis), one.rule.ended_by) != NO_EFFECT
            for state in (RequestState.OPEN, RequestState.GRANTED)
        )
    )


def _to_suppress(
    workplace: Workplace, request: Request, found: Collection[tuple[Target, RecordRef]], now: datetime
) -> frozenset[Subject]:
    """The identifiers that go on the suppression list at once; those of other requests go there before their records do."""
    if request.kind not in AT_ONCE or request.kind is RequestKind.PURPOSE_ENDED:
        return frozenset()
    return frozenset(
        one
        for rule in rules_reached(workplace, request, now)
        for target, ref in found
        if target == rule.target.target
        for one in ref.subjects | request.persons
        if one.kind in (rule.rule.suppress or ())
    )


def _found(workplace: Workplace, persons: Collection[Subject]) -> list[tuple[Target, RecordRef]]:
    """The records of all identifiers; raises `ConfigurationError` where one is unknown, or may be several persons'."""
    records: dict[tuple[Target, tuple[str, ...]], RecordRef] = {}
    for person in sorted(persons):
        looked = find_person(workplace, person)
        if not looked.found:
            raise ConfigurationError(_unknown(looked))
        named = {one.kind for one in persons}
        if shared := [place for place in looked.ambiguous if place[1] not in named]:
            system, kind = shared[0]
            raise ConfigurationError(
                f"The records of this {person.kind} in {system} have different identifiers of kind {kind}, so they may be "
                f"several persons'. Name the person by {kind}. Nothing was recorded."
            )
        records |= {(target, ref.key): ref for target, ref in looked.found}
    return [(target, ref) for (target, _), ref in records.items()]


def _unknown(looked: PersonRecords) -> str:
    kind = looked.person.kind
    if looked.unreadable:
        left_out = ", ".join(sorted(map(str, looked.unreadable)))
        return (
            f"No record of this {kind} was found, but {left_out} could not be searched. "
            f"Try again once that can be reached. Nothing was recorded."
        )
    return f"No system holds a record of this {kind}; look how the identifier is written. Nothing was recorded."


def _needless(kind: RequestKind) -> str:
    if kind is RequestKind.ACCESS:
        return "record the answer with `retentiond request answered`."
    return f"{kind} counts from the moment it was received."


def _entry(store: Store, request: Request, decision: str, by: str, now: datetime) -> Entry:
    digest = store.request_mark(request.request)
    return Entry("approval", now, {"subject": f"request {request.request}", "digest": digest, "decision": decision, "by": by})
