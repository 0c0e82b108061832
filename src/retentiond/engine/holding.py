"""Places, renews and lifts holds, and keeps the register of tax years: checked whole first, then written at once."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from retentiond.engine.approval import staff_id
from retentiond.engine.assignment import Assignment
from retentiond.engine.persons import find_person
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError
from retentiond.model.hold import PLACED, Hold, HoldKind, Scope
from retentiond.model.record import Target
from retentiond.model.tax import TaxYear
from retentiond.sealing import open_seal
from retentiond.store import Entry, Store

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,79}")

REVIEW_AFTER = {HoldKind.INCIDENT: timedelta(days=30), HoldKind.TECHNICAL_FAULT: timedelta(days=30)}
"""When a hold has to be looked at again where nobody says so; half a year for the other kinds."""

HALF_A_YEAR = timedelta(days=182)

ENDS_AFTER = {HoldKind.INCIDENT: timedelta(days=180), HoldKind.TECHNICAL_FAULT: timedelta(days=30)}
"""After how long a hold of this kind ends by itself unless it is renewed."""

FIRST_TAX_YEAR = 1977


@dataclass(frozen=True, slots=True)
class Placed:
    """A hold that stands, and what it does not reach although its scope does."""

    hold: Hold
    deaf: tuple[str, ...]
    """The rules in its scope that do not let holds of this kind stop them."""


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
    waiting: Callable[[], None] = lambda: None,
) -> Placed:
    """Place a hold; once this returns nothing goes any more that it is about.

    Raises `ConfigurationError`, in one sentence and with nothing changed, where the scope names what is not there, where no
    rule in it can be stopped by such a hold, or where a date lies in the past.
    """
    if kind not in PLACED:
        raise ConfigurationError(
            f"A hold of the kind {kind} is not placed by hand; `retentiond tax` and `request` bring it about."
        )
    staff_id(by), staff_id(owner), reference(reason)
    day = now.astimezone(UTC).date()
    looked_at = review_on or (now + REVIEW_AFTER.get(kind, HALF_A_YEAR)).date()
    if looked_at < day:
        raise ConfigurationError("The day of the next review lies in the past; name one to come. Nothing was done.")
    concerned = _concerned(workplace, scope, now)
    reached = [one for one in concerned if one.rule.holds is None or kind in one.rule.holds]
    if not reached:
        rules = ", ".join(one.rule.id for one in concerned)
        raise ConfigurationError(f"No rule in this scope is stopped by a hold of the kind {kind} ({rules}). Nothing was done.")
    _refuse_unknown_record(concerned, scope)
    if scope.person is not None:
        find_person(workplace, scope.person)
    lasts = ENDS_AFTER.get(kind)
    hold = Hold(
        hold=f"h-{uuid.uuid4().hex[:8]}",
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
    return Placed(hold, tuple(one.rule.id for one in concerned if one not in reached))


def lift(workplace: Workplace, store: Store, hold_id: str, by: str, now: datetime) -> Hold:
    """Lift a hold that stands; what it kept is decided anew by the next run."""
    staff_id(by)
    with store.changing():
        hold = _standing(store, hold_id, now)
        store.lift_hold(hold_id, now, _entry(workplace, hold, "lifted", by, now))
    return replace(hold, lifted_at=now)


def renew(workplace: Workplace, store: Store, hold_id: str, review_on: date, by: str, now: datetime) -> Hold:
    """Say that a hold is still needed, and when it is to be looked at again."""
    staff_id(by)
    if review_on < now.astimezone(UTC).date():
        raise ConfigurationError("The day of the next review lies in the past; name one to come. Nothing was done.")
    with store.changing():
        hold = _standing(store, hold_id, now)
        lasts = ENDS_AFTER.get(hold.kind)
        if hold.kind is HoldKind.TECHNICAL_FAULT:
            raise ConfigurationError(
                "A technical fault holds for 30 days at the most and is not renewed; mend it, or place another."
            )
        expires = None if lasts is None else now + lasts
        store.renew_hold(hold_id, review_on, expires, _entry(workplace, hold, "renewed", by, now))
    return replace(hold, review_on=review_on, expires=expires)


def set_tax_year(workplace: Workplace, store: Store, year: TaxYear, by: str, now: datetime) -> TaxYear:
    """Keep what is known of a tax year, in place of what was known before. Days lie neither ahead nor before the year's end."""
    staff_id(by)
    today = now.astimezone(UTC).date()
    if not FIRST_TAX_YEAR <= year.year <= today.year:
        raise ConfigurationError(f"There is no tax year {year.year} to speak of yet. Nothing was done.")
    days = {
        "filed": year.filed_on,
        "closed": year.closed_on,
        "audited since": year.audit_since,
        "audited until": year.audit_until,
    }
    for what, day in days.items():
        if day is not None and not date(year.year, 12, 31) < day <= today + timedelta(days=1):
            raise ConfigurationError(
                f"The day on which {year.year} was {what} lies before the end of that year, or in the future. Nothing was done."
            )
    if year.audit_until is not None and (year.audit_since is None or year.audit_until < year.audit_since):
        raise ConfigurationError("An audit that is over began before; name `--audit-since`, too. Nothing was done.")
    kind = HoldKind.TAX_AUDIT if year.audit_since is not None else HoldKind.TAX_HOLD
    fields = {"hold": f"tax-{year.year}", "type": kind.value, "op": "set", "by": by}
    fields["scope_digest"] = open_seal(workplace.settings.state).mark("tax-year", str(year.year)).hex()
    with store.changing():
        store.set_tax_year(year, now, Entry("hold", now, fields))
    return year


def standing(holds: Iterable[Hold], now: datetime) -> list[Hold]:
    """Those that stand at `now`."""
    return [hold for hold in holds if hold.end is None or hold.end > now]


def _standing(store: Store, hold_id: str, now: datetime) -> Hold:
    known = {hold.hold: hold for hold in store.holds()}
    hold = known.get(hold_id)
    if hold is None:
        raise ConfigurationError(f"There is no hold {hold_id}; `retentiond hold list` shows those that stand. Nothing was done.")
    if hold.end is not None and hold.end <= now:
        raise ConfigurationError(f"The hold {hold_id} is over since {hold.end:%Y-%m-%d}. Nothing was done.")
    return hold


def _concerned(workplace: Workplace, scope: Scope, now: datetime) -> list[Assignment]:
    """The rules in the scope; raises `ConfigurationError` where it is empty, or names what is not there."""
    if scope == Scope():
        raise ConfigurationError(
            "Say what is to be held: a system, data set, rule, record, person, fact or date. Nothing was done."
        )
    assignments = workplace.at(now).assignments
    for what, name, known in (
        ("system", scope.system, {one.target.target.system for one in assignments}),
        ("rule", scope.rule, {one.rule.id for one in assignments}),
    ):
        if name is not None and name not in known:
            raise ConfigurationError(f"There is no {what} {name} that a rule governs; known are: {', '.join(sorted(known))}.")
    found = [
        one
        for one in assignments
        if scope.system in (None, one.target.target.system)
        and scope.dataset in (None, one.target.target.dataset)
        and scope.rule in (None, one.rule.id)
        and (scope.fact is None or scope.fact[0] in one.target.offer().facts)
        and (scope.date_name is None or scope.date_name in one.target.offer().dates)
        and (scope.person is None or scope.person.kind in one.subjects)
    ]
    if not found:
        raise ConfigurationError(
            "No rule governs anything in this scope: look how data set, fact, date and kind of identifier are written "
            "(`retentiond systems`). Nothing was done."
        )
    return found


def _refuse_unknown_record(concerned: Iterable[Assignment], scope: Scope) -> None:
    if scope.key is None:
        return
    for one in concerned:
        with one.target.reader() as reader:
            if reader.explain(scope.key) is not None:
                return
    raise ConfigurationError("There is no such record in that data set; look how its key is written. Nothing was done.")


def _entry(workplace: Workplace, hold: Hold, op: str, by: str, now: datetime) -> Entry:
    digest = open_seal(workplace.settings.state).mark("scope", repr(_told(hold.scope))).hex()
    fields = {"hold": hold.hold, "type": hold.kind.value, "op": op, "scope_digest": digest, "by": by}
    return Entry("hold", now, fields)


def _told(scope: Scope) -> tuple[object, ...]:
    """Everything the scope says, the hidden parts included, for a digest that tells nothing without the key."""
    person = None if scope.person is None else (scope.person.kind, scope.person.value)
    rest = (scope.fact, scope.date_name, str(scope.since), str(scope.until))
    return (scope.system, scope.dataset, scope.rule, scope.key, person, *rest)


def record_scope(workplace: Workplace, target: Target, key: str, rest: Scope) -> Scope:
    """The scope of one record, whose key a person typed; raises `ConfigurationError` for an unknown data set."""
    bound = workplace.targets.get(target)
    if bound is None:
        known = ", ".join(sorted(map(str, workplace.targets)))
        raise ConfigurationError(f"The settings know no data set {target}; known are: {known}. Nothing was done.")
    return replace(rest, system=target.system, dataset=target.dataset, key=bound.connector.key(key))
