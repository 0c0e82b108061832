"""What persons and registers say, as it stands at one moment, brought to bear on single records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from retentiond.connector.api import Reader
from retentiond.engine.assignment import Assignment
from retentiond.errors import StateError
from retentiond.model.alike import Alike
from retentiond.model.circumstances import Circumstances, ReviewDecision, Suspension, Trigger
from retentiond.model.decision import Decision, decide, steps
from retentiond.model.due import as_instant
from retentiond.model.hold import Hold, HoldKind
from retentiond.model.record import Action, RecordRef, Target
from retentiond.model.request import Effect, Request, effect
from retentiond.model.subject import Subject
from retentiond.model.tax import TaxYear
from retentiond.store import Store

Key = tuple[str, ...]

BY_YEAR = frozenset((HoldKind.TAX_HOLD, HoldKind.TAX_AUDIT))
"""The kinds of holds that come from the register of tax years."""


@dataclass(frozen=True, slots=True)
class Registers:
    """Holds, tax years, requests and reviews. Personal data: never shown or logged."""

    holds: tuple[Hold, ...] = ()
    tax_years: Mapping[int, TaxYear] | None = field(default_factory=dict)
    """None where the register of tax years cannot be read: then nothing goes that it could be about."""
    requests: tuple[Request, ...] = field(default=(), repr=False)
    reviews: Mapping[str, Mapping[Key, ReviewDecision]] = field(default_factory=dict, repr=False)
    """By rule and record, what was decided last."""

    def for_rule(self, assignment: Assignment) -> Standing:
        """What of it concerns the records of one rule."""
        rule, target = assignment.rule, assignment.target.target
        lawful = rule.lawful(assignment.policy.policy.basis)
        effects = [
            (request, does)
            for request in self.requests
            if request.rules is None or rule.id in request.rules
            if (does := effect(request.kind, request.state, lawful, rule.ended_by)) != Effect()
        ]
        return Standing(
            assignment,
            tuple(hold for hold in self.holds if _could_concern(hold, target, rule.id)),
            tuple(effects),
            self.reviews.get(rule.id, {}),
            self.tax_years,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What the registers say about the records of one rule."""

    assignment: Assignment
    holds: tuple[Hold, ...]
    effects: tuple[tuple[Request, Effect], ...] = field(repr=False)
    reviews: Mapping[Key, ReviewDecision] = field(repr=False)
    tax_years: Mapping[int, TaxYear] | None

    @property
    def steps(self) -> tuple[Action, ...]:
        """What the rule can come to do, in the order of a record's life; it blocks, too, where its course is interrupted."""
        own = steps(self.assignment.rule)
        return (Action.BLOCK, *own) if self.interrupted and self.assignment.can_block and Action.BLOCK not in own else own

    @property
    def interrupted(self) -> bool:
        """True where something can stand against the course of the dates, so that records are kept past their time."""
        by_tax = not BY_YEAR.isdisjoint(self.assignment.rule.holds or ())
        return bool(self.holds or self.effects or by_tax)

    @property
    def persons(self) -> frozenset[Subject]:
        """Whose records are to be looked up, because something that happened to them decides, and not a date."""
        return frozenset(person for request, does in self.effects if does.ends or does.blocks for person in request.persons)

    def named(self, reader: Reader) -> Iterator[RecordRef]:
        """Yield, each once, the records that requests and reviews have something to say about."""
        seen: set[Key] = set()
        for ref in self._looked_up(reader):
            if ref.key not in seen:
                seen.add(ref.key)
                yield ref

    def decide(self, ref: RecordRef, now: datetime) -> Decision:
        """What the rule says about the record, as of `now` (aware UTC), with everything that is known."""
        return decide(
            self.assignment.rule,
            self.assignment.zone,
            ref.dates,
            ref.blocked,
            now,
            facts=ref.facts,
            contested=ref.contested,
            circumstances=self.circumstances(ref),
        )

    def deciding(self, now: datetime) -> Callable[[Sequence[RecordRef]], list[Decision]]:
        """What decides about many records as `decide` does about each, `Decision.ends` left out; to be kept for all of a step."""
        alike = Alike(self.assignment.rule, self.assignment.zone, now)
        said = bool(self.holds or self.effects or self.reviews)
        nothing = self.circumstances(RecordRef(()))  # of a record about which nobody said anything

        def told(ref: RecordRef) -> Circumstances:
            found = self.circumstances(ref)
            return nothing if found == nothing else found

        return lambda refs: alike.decide(refs, told if said else lambda _ref: nothing)

    def circumstances(self, ref: RecordRef) -> Circumstances:
        """What is known about one record."""
        target, rule = self.assignment.target.target, self.assignment.rule
        suspensions = [
            Suspension(hold.kind, hold.end, hold.hold) for hold in self.holds if hold.scope.takes_in(target, rule.id, ref)
        ]
        endings: list[Trigger] = []
        restrictions: list[Trigger] = []
        for request, does in self.effects:
            if ref.subjects.isdisjoint(request.persons) or not _was_there(ref, request, self.assignment.zone):
                continue
            trigger = Trigger(request.kind.value, request.received_at, request.request)
            endings += [trigger] if does.ends else []
            restrictions += [trigger] if does.blocks else []
            suspensions += [Suspension(HoldKind.REQUEST, None, request.request)] if does.suspends else []
        if self.tax_years is None:
            kinds = BY_YEAR.intersection(rule.holds or ())
            suspensions += [Suspension(kind, None, "the register of tax years cannot be read") for kind in sorted(kinds)]
        return Circumstances(
            tuple(suspensions),
            tuple(endings),
            tuple(restrictions),
            self.reviews.get(ref.key) if self.reviews else None,
            self.tax_years,
            self.assignment.can_block,
        )

    def _looked_up(self, reader: Reader) -> Iterator[RecordRef]:
        known = self.assignment.subjects
        for person in sorted(self.persons):
            if person.kind in known:
                for page in reader.about(person):
                    yield from page
        for key in self.reviews:
            ref = reader.explain(key)
            if ref is not None:
                yield ref


def read_registers(store: Store, rules: Iterable[str]) -> Registers:
    """Read everything; raises `StateError` where holds, requests or reviews cannot be read: then nothing may be done."""
    try:
        tax_years: Mapping[int, TaxYear] | None = store.tax_years()
    except StateError:
        tax_years = None
    reviews = {rule: words for rule in rules if (words := store.review_words(rule))}
    return Registers(tuple(store.holds()), tax_years, tuple(store.requests()), reviews)


def _could_concern(hold: Hold, target: Target, rule: str) -> bool:
    scope = hold.scope
    return scope.system in (None, target.system) and scope.dataset in (None, target.dataset) and scope.rule in (None, rule)


def _was_there(ref: RecordRef, request: Request, zone: str) -> bool:
    """True unless the record came only after a request that was answered since: that is a new matter of the same person."""
    if request.answered_at is None:
        return True
    known = [as_instant(moment, zone) for moment in ref.dates.values() if moment is not None]
    return not known or min(known) <= request.received_at
