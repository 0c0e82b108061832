"""A hold: somebody's word that some records must not go for the time being."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from retentiond.model.record import Dates, Fact, RecordRef, Target
from retentiond.model.subject import Subject


class HoldKind(StrEnum):
    """Why a deletion is suspended."""

    LEGAL_CLAIM = "legal-claim"
    """A claim is made or defended (Art. 17(3)(e) GDPR)."""
    INCIDENT = "incident"
    """A security incident is looked into (Art. 32, 33 GDPR). Ends after 180 days unless it is renewed."""
    TAX_HOLD = "tax-hold"
    """The tax that it matters for can still be assessed (section 147(3) sentence 5 AO); the register of tax years tells."""
    TAX_AUDIT = "tax-audit"
    """The tax office audits (section 171(4) AO)."""
    AUTHORITY_ORDER = "authority-order"
    """A court or an authority wants it kept (Art. 6(1)(c) GDPR)."""
    TECHNICAL_FAULT = "technical-fault"
    """Deleting cannot be trusted for the moment. Ends after 30 days at the latest."""
    REQUEST = "request"
    """A person's request is open that needs the record, or forbids its deletion (Art. 15, 18 GDPR). Nobody places it."""


PLACED = tuple(kind for kind in HoldKind if kind not in (HoldKind.TAX_HOLD, HoldKind.REQUEST))
"""The kinds that a person places; the others come from the register of tax years and from requests."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which records a hold is about: those that fit everything that is given. At least one thing is."""

    system: str | None = None
    dataset: str | None = None
    rule: str | None = None
    key: tuple[str, ...] | None = field(default=None, repr=False)
    """Of one record; then system and dataset are given, too."""
    person: Subject | None = None
    fact: tuple[str, Fact] | None = None
    """The name of a fact and the value it has."""
    date_name: str | None = None
    """With `since` and `until`: those whose date of this name is known and lies between the two days."""
    since: date | None = None
    until: date | None = None
    """The last day."""

    def takes_in(self, target: Target, rule: str, ref: RecordRef) -> bool:
        """True where the record, which the rule governs, is one of those meant. A date that is unknown is taken in."""
        return (
            self.system in (None, target.system)
            and self.dataset in (None, target.dataset)
            and self.rule in (None, rule)
            and self.key in (None, ref.key)
            and (self.person is None or self.person in ref.subjects)
            and (self.fact is None or (known := ref.facts.get(self.fact[0])) is None or _typed(known) == _typed(self.fact[1]))
            and self._dated(ref.dates)
        )

    def _dated(self, dates: Dates) -> bool:
        moment = dates.get(self.date_name) if self.date_name is not None else None
        if moment is None:
            return True
        # A day more on both sides: a hold that takes in a record too many does no harm, and the zone need not be asked.
        day = moment.date() if isinstance(moment, datetime) else moment
        return (self.since is None or (day - self.since).days >= -1) and (self.until is None or (day - self.until).days <= 1)


def _typed(value: Fact) -> str:
    """The value as a person types it, who need not know whether a system keeps 1 or "1"."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it was placed. Suspends deleting and anonymizing, never blocking; prolongs no period and restarts none."""

    hold: str
    """Its id."""
    kind: HoldKind
    scope: Scope
    reason: str
    """A reference to a file, such as a case number; no name."""
    owner: str
    """The staff id of whoever has to review it."""
    placed_at: datetime
    placed_by: str
    review_on: date
    """By when the owner has to look whether it is still needed."""
    expires: datetime | None = None
    """When it ends by itself (UTC); None for a hold that only a person ends."""
    lifted_at: datetime | None = None
    """When a person lifted it (UTC); None while it stands."""

    @property
    def end(self) -> datetime | None:
        """When it ended or is to end; None while nobody knows."""
        known = [one for one in (self.expires, self.lifted_at) if one is not None]
        return min(known, default=None)
