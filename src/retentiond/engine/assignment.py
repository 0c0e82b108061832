"""Joins each rule to the data set it speaks of, and refuses what cannot fit before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retentiond.connector.registry import BoundTarget
from retentiond.errors import ConfigurationError, Problem
from retentiond.model.decision import date_names, steps, undatable_dates
from retentiond.model.record import Action, Target
from retentiond.model.rule import Rule
from retentiond.policy.digest import rule_digest
from retentiond.policy.loaded import LoadedPolicy


@dataclass(frozen=True, slots=True)
class Assignment:
    """One rule, the data set it governs, and the digest that an approval of it binds."""

    policy: LoadedPolicy
    rule: Rule
    target: BoundTarget
    digest: str
    """Digest (hex) of all that decides: the rule and how its data set is reached."""
    can_block: bool = False
    """True where records of the data set can be blocked."""
    subjects: frozenset[str] = frozenset()
    """The kinds of identifiers by which a person's records are found there."""

    @property
    def zone(self) -> str:
        """The IANA time zone in which the rule's days and years are counted."""
        return self.policy.policy.zone


def assign(policies: Sequence[LoadedPolicy], targets: Mapping[Target, BoundTarget]) -> tuple[Assignment, ...]:
    """Join every rule to its data set; raise `ConfigurationError` with all misfits at once."""
    problems: list[Problem] = []
    assignments: list[Assignment] = []
    for loaded in policies:
        for rule in loaded.policy.rules:
            place = Target(rule.target.system, rule.target.dataset)
            bound = targets.get(place)
            where = loaded.where(rule)
            if bound is None:
                known = ", ".join(sorted(map(str, targets))) or "none"
                what = f"the settings know no data set {place}; known are: {known}"
                problems.append(Problem(where, f"rule {rule.id}: target", what))
                continue
            problems += [Problem(where, f"rule {rule.id}", what) for what in _misfits(rule, bound)]
            digest = rule_digest(loaded.policy, rule, bound.mapping_digest)
            offer = bound.offer()
            assignments.append(Assignment(loaded, rule, bound, digest, Action.BLOCK in offer.actions, offer.subjects))
    if problems:
        raise ConfigurationError("The policies do not fit the settings; nothing was done.", problems)
    return tuple(assignments)


def _misfits(rule: Rule, bound: BoundTarget) -> list[str]:
    offer = bound.offer()
    misfits = [
        f"{bound.target} offers no date {name!r}; it offers: {', '.join(sorted(offer.dates)) or 'none'}"
        for name in sorted(date_names(rule))
        if name not in offer.dates
    ]
    misfits += [
        f"{bound.target} works the date {name!r} out from other records, so no search can be led by it; "
        f"name it beside another in a list, as `optional`"
        for name in sorted(offer.computed.intersection(undatable_dates(rule)))
    ]
    misfits += [
        f"{bound.target} offers no fact {one.fact!r}; it offers: {', '.join(sorted(offer.facts)) or 'none'}"
        for one in rule.requires or ()
        if one.fact not in offer.facts
    ]
    required = {one.fact for one in rule.requires or () if one.is_ is True}
    misfits += [
        f"nothing of {bound.target} may go before {fact!r} is true; write `requires: [{{fact: {fact}, is: true}}]`"
        for fact in sorted(offer.demands - required)
        if rule.action is not Action.BLOCK
    ]
    if offer.facts and rule.requires is None and rule.action is not Action.BLOCK:
        misfits.append(
            f"{bound.target} offers facts ({', '.join(sorted(offer.facts))}), so the rule must say which it requires; "
            f"write `requires`, if only as `[]`"
        )
    misfits += [
        f"{bound.target} knows no identifier {kind!r} to put on the suppression list; it knows: "
        f"{', '.join(sorted(offer.subjects)) or 'none'}"
        for kind in rule.suppress or ()
        if kind not in offer.subjects
    ]
    misfits += [
        f"the rule can come to {step}, but {bound.target} (connector {bound.connector.name}) is not set up for it; "
        f"it can: {', '.join(sorted(offer.actions)) or 'nothing'}"
        for step in steps(rule)
        if step not in offer.actions
    ]
    return misfits
