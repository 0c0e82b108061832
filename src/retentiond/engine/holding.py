"""Places, renews and lifts holds, and keeps the register of tax years: checked whole first, then written at once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from retentiond.engine.approval import staff_id
from retentiond.engine.assignment import Assignment
from retentiond.engine.persons import PersonRecords, find_person
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError
from retentiond.model.due import Start, end_of
from retentiond.model.hold import PLACED, Hold, HoldKind, Scope
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Target
from retentiond.model.subject import Subject
from retentiond.model.tax import TaxYear
from retentiond.sealing import open_seal
from retentiond.store import Entry, Store

Waiting = Callable[[], None]
"""Called once where a batch in hand has to be waited for."""

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,79}")

_A_MONTH, _HALF_A_YEAR = RetentionPeriod(days=30), RetentionPeriod(months=6)

REVIEW_AFTER: Mapping[HoldKind, RetentionPeriod] = {
    HoldKind.LEGAL_CLAIM: _HALF_A_YEAR,
    HoldKind.TAX_AUDIT: _HALF_A_YEAR,
    HoldKind.AUTHORITY_ORDER: _HALF_A_YEAR,
    HoldKind.INCIDENT: _A_MONTH,
    HoldKind.TECHNICAL_FAULT: _A_MONTH,
}
"""When a hold has to be looked at again where nobody says so."""

ENDS_AFTER: Mapping[HoldKind, timedelta] = {
    HoldKind.INCIDENT: timedelta(days=180),
    HoldKind.TECHNICAL_FAULT: timedelta(days=30),
}
"""After how long a hold of this kind ends by itself; that of an incident can be renewed."""

FIRST_TAX_YEAR = 1977
"""The fiscal code (AO) is in force since then."""

TAX_DAYS = ("filed_on", "closed_on", "audit_since", "audit_until")
"""What there is to know of a tax year, by the names and in the order of `TaxYear`."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A hold that stands, and what it does not reach although its scope does."""

    hold: Hold
    deaf: tuple[str, ...]
    """The rules in its scope that do not let holds of this kind stop them."""
    unreadable: tuple[Target, ...]
    """The data sets in its scope in which the person could not be looked up; the hold counts there all the same."""
    unknowing: tuple[Target, ...] = ()
    """The data sets in its scope that know no such kind of identifier: the person's records there are not held."""


def reference(text: str) -> str:
    """Return `text` where it refers to a file; raises `ConfigurationError` for anything that could hold a name."""
    if _REFERENCE.fullmatch(text) is None:
        raise ConfigurationError(
            "A reason is a reference to a file, such as case-2026-17: up to 80 letters, digits, dots, dashes, slashes and "
            "underscores, and no name. Nothing was done."
        )
    return text


def place(
    workplace: Workplace,
    store: Store,
    kind: HoldKind,
    scope: Scope,
    *,
    reason: str,
    owner: str,
    by: str,
    now: datetime,
    review_on: date | None = None,
    waiting: Waiting = lambda: None,
) -> Placed:
    """Place a hold; once this returns nothing goes any more that it is about. `owner` and `by` are staff ids.

    Raises `ConfigurationError`, in one sentence and with nothing changed, where the scope names what is not there, where no
    rule in it can be stopped by such a hold, or where a date lies in the past; `ConnectorError` where the record that is to be
    held cannot be looked up.
    """
    if kind not in PLACED:
        raise ConfigurationError(
            f"A hold of the kind {kind} is not placed by hand: the register of tax years (`retentiond tax`), or a request, "
            f"brings it about. Nothing was done."
        )
    staff_id(by), _owner_id(owner), reference(reason)
    looked_at = _to_come(review_on, now) if review_on else _review_day(kind, now)
    concerned = _concerned(workplace, scope, now)
    reached = [one for one in concerned if one.rule.holds is None or kind in one.rule.holds]
    if not reached:
        rules = ", ".join(one.rule.id for one in concerned)
        raise ConfigurationError(f"No rule in this scope is stopped by a hold of the kind {kind} ({rules}). Nothing was done.")
    _refuse_unknown_record(concerned, scope)
    unreadable = () if scope.person is None else _look_up(workplace, concerned, scope, scope.person)
    lasts = ENDS_AFTER.get(kind)
    hold = Hold(
        hold=secrets.token_hex(4),
        kind=kind,
        scope=scope,
        reason=reason,
        owner=owner,
        placed_at=now,
        placed_by=by,
        review_on=looked_at,
        expires=None if lasts is None else now + lasts,
    )
    with store.changing(waiting):
        store.place_hold(hold, _entry(workplace, hold, "placed", by, now))
    deaf = tuple(one.rule.id for one in concerned if one not in reached)
    known = {one.target.target for one in concerned}
    wide = [one for one in workplace.at(now).assignments if scope.person is not None and _inside(scope, one)]
    unknowing = tuple(sorted({one.target.target for one in wide} - known, key=str))
    return Placed(hold, deaf, unreadable, unknowing)


def lift(workplace: Workplace, store: Store, hold: str, by: str, now: datetime, waiting: Waiting = lambda: None) -> Hold:
    """Lift a hold that stands; what it kept is decided anew by the next run.

    Raises `ConfigurationError` where there is no such hold, or it is over.
    """
    staff_id(by)
    with store.changing(waiting):
        found = _standing(store, hold, now)
        store.lift_hold(hold, now, _entry(workplace, found, "lifted", by, now))
    return replace(found, lifted_at=now)


def give_up(workplace: Workplace, store: Store, hold: str, by: str, now: datetime) -> None:
    """Have the log close a hold that the store no longer has; raises `ConfigurationError` where it still has it."""
    staff_id(by)
    if any(one.hold == hold and one.end is None for one in store.holds()):
        raise ConfigurationError(f"The store still knows the hold {hold}, so it is not lost; lift it without `--lost`.")
    digest = open_seal(workplace.settings.state).mark("scope", hold, "lost").hex()
    store.enqueue(Entry("hold", now, {"hold": hold, "type": "lost", "op": "lifted", "scope_digest": digest, "by": by}))


def renew(
    workplace: Workplace, store: Store, hold: str, review_on: date, by: str, now: datetime, waiting: Waiting = lambda: None
) -> Hold:
    """Say that a hold is still needed, and when it is to be looked at again; that of an incident lasts 180 days from now on.

    Raises `ConfigurationError` where there is no such hold, it is over, is for a technical fault, or the day lies in the past.
    """
    staff_id(by), _to_come(review_on, now)
    with store.changing(waiting):
        found = _standing(store, hold, now)
        if found.kind is HoldKind.TECHNICAL_FAULT:
            raise ConfigurationError(
                f"The hold {hold} is for a technical fault, which lasts 30 days at the most; mend it, or place another hold. "
                f"Nothing was done."
            )
        lasts = ENDS_AFTER.get(found.kind)
        renewed = replace(found, review_on=review_on, expires=None if lasts is None else now + lasts)
        store.renew_hold(hold, review_on, renewed.expires, _entry(workplace, renewed, "renewed", by, now))
    return renewed


def set_tax_year(
    workplace: Workplace,
    store: Store,
    year: int,
    days: Mapping[str, date | None],
    by: str,
    now: datetime,
    waiting: Waiting = lambda: None,
) -> TaxYear:
    """Keep what is known of a tax year: `days` by the names of `TAX_DAYS`; those left out stay as they are, None takes one back.

    Raises `ConfigurationError`, with nothing changed, where a day lies ahead, or not after the year; or where an audit ends
    that did not begin.
    """
    staff_id(by)
    today = now.astimezone(UTC).date()
    if not FIRST_TAX_YEAR <= year <= today.year:
        raise ConfigurationError(f"A tax year is one from {FIRST_TAX_YEAR} to {today.year}. Nothing was done.")
    if not days:
        raise ConfigurationError(f"Say what is known of the tax year {year}. Nothing was done.")
    for name, day in days.items():
        # A day more: where the year and the day end earlier than in UTC, today is tomorrow already.
        if day is not None and not date(year, 12, 31) < day <= today + timedelta(days=1):
            raise ConfigurationError(
                f"{name.replace('_', '-')} of the tax year {year} has to lie after that year and not ahead. Nothing was done."
            )
    with store.changing(waiting):
        known = store.tax_years().get(year, TaxYear(year))
        told = TaxYear(year, *(days.get(name, getattr(known, name)) for name in TAX_DAYS))
        if told.audit_until is not None and (told.audit_since is None or told.audit_until < told.audit_since):
            raise ConfigurationError(f"An audit of {year} that is over has to have begun before. Nothing was done.")
        kind = HoldKind.TAX_AUDIT if any(name.startswith("audit") for name in days) else HoldKind.TAX_HOLD
        mark = open_seal(workplace.settings.state).mark("tax-year", repr(told)).hex()
        fields = {"hold": f"tax-{year}", "type": kind.value, "op": "set", "scope_digest": mark, "by": by}
        store.set_tax_year(told, now, Entry("hold", now, fields))
    return told


def stands(hold: Hold, now: datetime) -> bool:
    """True while nobody lifted it and it did not end by itself."""
    return hold.end is None or hold.end > now


def _standing(store: Store, hold: str, now: datetime) -> Hold:
    found = next((one for one in store.holds() if one.hold == hold), None)
    if found is None:
        raise ConfigurationError(f"There is no hold {hold}; `retentiond hold list` shows those that stand. Nothing was done.")
    if found.end is not None and not stands(found, now):
        raise ConfigurationError(f"The hold {hold} is over since {found.end:%Y-%m-%d}. Nothing was done.")
    return found


def _owner_id(owner: str) -> str:
    try:
        return staff_id(owner)
    except ConfigurationError:
        raise ConfigurationError(
            "Say who has to review the hold with `--owner`: a staff id of 1 to 64 letters, digits, dots, dashes and underscores. "
            "Nothing was done."
        ) from None


def _to_come(day: date, now: datetime) -> date:
    if day < now.astimezone(UTC).date():
        raise ConfigurationError("The day of the next review lies in the past; name one to come. Nothing was done.")
    return day


def _review_day(kind: HoldKind, now: datetime) -> date:
    end = end_of(Start(now.astimezone(UTC).date()), Term(REVIEW_AFTER[kind], Counted.DAY_END), "UTC")
    return (end - timedelta(days=1)).date()  # the day that ends then


def _concerned(workplace: Workplace, scope: Scope, now: datetime) -> list[Assignment]:
    """The rules in the scope; raises `ConfigurationError` where it says too little, or names what is not there."""
    _refuse_half(scope)
    inside: Sequence[Assignment] = workplace.at(now).assignments
    inside = _only("system", scope.system, inside, lambda one: {one.target.target.system})
    inside = _only("data set", scope.dataset, inside, lambda one: {one.target.target.dataset})
    inside = _only("rule", scope.rule, inside, lambda one: {one.rule.id})
    _only("fact", scope.fact[0] if scope.fact else None, inside, lambda one: one.target.offer().facts)
    _only("date", scope.date_name, inside, lambda one: one.target.offer().dates)
    return list(_only("kind of identifier", scope.person.kind if scope.person else None, inside, lambda one: one.subjects))


def _inside(scope: Scope, one: Assignment) -> bool:
    target = one.target.target
    named = ((scope.system, target.system), (scope.dataset, target.dataset), (scope.rule, one.rule.id))
    return all(wanted in (None, there) for wanted, there in named)


def _only(
    what: str, name: str | None, inside: Sequence[Assignment], offers: Callable[[Assignment], Collection[str]]
) -> Sequence[Assignment]:
    if name is None:
        return inside
    chosen = [one for one in inside if name in offers(one)]
    if not chosen:
        known = ", ".join(sorted({word for one in inside for word in offers(one)})) or "none"
        raise ConfigurationError(f"No rule in this scope governs a {what} {name}; there are: {known}. Nothing was done.")
    return chosen


def _refuse_half(scope: Scope) -> None:
    if scope == Scope():
        raise ConfigurationError("Say what is to be held: a system, data set, rule, record, person, fact or date.")
    if (scope.date_name is None) != (scope.since is None and scope.until is None):
        raise ConfigurationError("A hold by dates needs the name of the date, and since or until when. Nothing was done.")
    if scope.since is not None and scope.until is not None and scope.until < scope.since:
        raise ConfigurationError("The last day of a hold by dates lies before its first. Nothing was done.")


def _refuse_unknown_record(concerned: Iterable[Assignment], scope: Scope) -> None:
    if scope.key is None:
        return
    for one in concerned:
        with one.target.reader() as reader:
            if reader.explain(scope.key) is not None:
                return
    raise ConfigurationError("There is no such record in that data set; look how its key is written. Nothing was done.")


def _look_up(workplace: Workplace, concerned: Sequence[Assignment], scope: Scope, person: Subject) -> tuple[Target, ...]:
    """The data sets that could not be asked; raises `ConfigurationError` where the person is found nowhere, or is several."""
    targets = {one.target.target for one in concerned}
    looked = find_person(workplace, person, targets.__contains__)
    if not any(scope.key in (None, ref.key) for _target, ref in looked.found):
        raise ConfigurationError(_nobody(looked))
    if looked.ambiguous:
        told = " and ".join(f"{kind} in {system}" for system, kind in looked.ambiguous)
        raise ConfigurationError(
            f"The records with this {person.kind} seem to be those of several persons: they differ in {told}. "
            f"Name the person by that instead. Nothing was done."
        )
    return tuple(looked.unreadable)


def _nobody(looked: PersonRecords) -> str:
    unread = f" Not searched, because they cannot be read: {', '.join(map(str, looked.unreadable))}." if looked.unreadable else ""
    return f"No record in this scope has this {looked.person.kind}; look how it is written.{unread} Nothing was done."


def _entry(workplace: Workplace, hold: Hold, op: str, by: str, now: datetime) -> Entry:
    digest = open_seal(workplace.settings.state).mark("scope", hold.hold, repr(_told(hold.scope))).hex()
    return Entry("hold", now, {"hold": hold.hold, "type": hold.kind.value, "op": op, "scope_digest": digest, "by": by})


def _told(scope: Scope) -> tuple[object, ...]:
    """Everything the scope says, the hidden parts included, for a digest that tells nothing without the key."""
    person = None if scope.person is None else (scope.person.kind, scope.person.value)
    rest = (scope.fact, scope.date_name, str(scope.since), str(scope.until))
    return (scope.system, scope.dataset, scope.rule, scope.key, person, *rest)
