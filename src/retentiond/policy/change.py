"""What a change of a rule comes to: whether it lets more records go, or earlier. What is not provably tighter is looser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from retentiond.model.bound import Bound, Cap, Duty, Review, Stage, StartSpec
from retentiond.model.hold import HoldKind
from retentiond.model.period import Counted, Term
from retentiond.model.request import RequestKind, RequestState, effect
from retentiond.model.rule import Approval, Limits, Rule
from retentiond.model.search import no_earlier
from retentiond.policy.version import Version

_TAX = frozenset({HoldKind.TAX_HOLD, HoldKind.TAX_AUDIT})


class ChangeKind(StrEnum):
    """What a change comes to as a whole."""

    SAME = "same"
    """Nothing that decides was changed."""
    TIGHTER = "tighter"
    """Fewer records go, or later."""
    LOOSER = "looser"
    """More records may go, or earlier, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class Change:
    """What lies between two versions of a rule."""

    kind: ChangeKind
    what: tuple[str, ...]
    """Finished sentences, what loosens first."""


@dataclass(frozen=True, slots=True)
class _Found:
    loosens: bool
    what: str


def change(old: Version, new: Version) -> Change:
    """Say what `new` changes about `old`.

    Tighter or same means: for any record, at any moment, whatever holds, requests and registers say, the new version deletes or
    anonymizes nothing that the old one would not, and blocks nothing that the old one would neither block nor have gone. Two
    things are not covered: a person's decision of a review that only the new version asks for, and records that were due
    under the old version but waited for a fact or for the days of grace; those the new one may block.
    """
    if old.digest == new.digest:
        return Change(ChangeKind.SAME, ())
    found = sorted(_found(old, new), key=lambda one: not one.loosens)
    # Digests differ, so something was changed; what nobody recognizes is no tightening.
    if not found:
        found = [_Found(True, "Something was changed that cannot be told.")]
    kind = ChangeKind.LOOSER if found[0].loosens else ChangeKind.TIGHTER
    return Change(kind, tuple(one.what for one in found))


def removal(rule: str) -> Change:
    """Say what the removal of a rule comes to: nobody looks after its data set any more."""
    return Change(ChangeKind.LOOSER, (f"Rule {rule} was removed, and what it said to keep is protected no longer.",))


def _found(old: Version, new: Version) -> Iterator[_Found]:
    was, now = old.rule, new.rule
    for name, before, after in (
        ("name", was.id, now.id),
        ("data set", f"{was.target.system}/{was.target.dataset}", f"{now.target.system}/{now.target.dataset}"),
        ("zone", old.zone, new.zone),
        ("action", was.action, now.action),
    ):
        if before != after:
            yield _Found(True, f"Its {name} was {before} and is {after}.")
    if old.mapping != new.mapping:
        yield _Found(True, "The way its data set is reached was changed in the settings.")
    if (old.law != new.law) and _class(was) == _class(now):
        yield _Found(True, "The law's catalogue says something else about its class than before.")
    yield from _bounds(was, now)
    yield from _sets(old, new)
    yield from _limits(was.limits, now.limits)
    if was.approval is not now.approval:
        loosens = now.approval is not Approval.PLAN
        yield _Found(loosens, f"It was `approval: {was.approval}` and is `approval: {now.approval}`.")


def _bounds(was: Rule, now: Rule) -> Iterator[_Found]:
    for stage in Stage:
        before, after = _bound(was, stage), _bound(now, stage)
        if before is None and after is None:
            continue
        if after is None and before is not None:
            yield _Found(not _may_go(was, now, stage), f"`{stage}` ({_told(before)}) was removed.")
        elif before is None and after is not None:
            yield _Found(not _may_come(was, now, stage, after), f"`{stage}` ({_told(after)}) was added.")
        elif before is not None and after is not None:
            yield from _moved(stage, before, was.start_of(before), after, now.start_of(after))
    tax = _TAX.intersection(was.holds or ())
    if tax and _tax_start(was) != _tax_start(now):
        yield _Found(True, "The date that tells the tax year of a record is another.")


def _moved(stage: Stage, before: Bound, start: StartSpec, after: Bound, new_start: StartSpec) -> Iterator[_Found]:
    if start != new_start:
        yield _Found(True, f"`{stage}` counts from {_dates(new_start)} instead of {_dates(start)}, or in another way.")
    if before.term != after.term:
        yield _Found(not _no_earlier(before.term, after.term), f"`{stage}` was {_told(before)} and is {_told(after)}.")
    if isinstance(before, Duty) and isinstance(after, Duty) and before.class_ != after.class_:
        # A class adds the law's own end to that of the rule; another class may end sooner.
        yield _Found(before.statute is not None, f"`{stage}` was of class {before.class_} and is of class {after.class_}.")
    if isinstance(before, Cap) and isinstance(after, Cap) and before.lead != after.lead:
        yield _Found(
            _hours(after) > _hours(before), f"The lead of `{stage}` was {before.lead or 'none'} and is {after.lead or 'none'}."
        )
    if isinstance(before, Review) and isinstance(after, Review):
        yield from _reviewed(before, after)


def _reviewed(before: Review, after: Review) -> Iterator[_Found]:
    if (before.owner, before.four_eyes) != (after.owner, after.four_eyes):
        yield _Found(True, "Somebody else, or another number of persons, decides its reviews.")
    if before.no_decision != after.no_decision:
        waits = after.no_decision is None or (
            before.no_decision is not None
            and before.no_decision.block.whole_days <= after.no_decision.block.whole_days
            and before.no_decision.delete.whole_days <= after.no_decision.delete.whole_days
        )
        yield _Found(not waits, "Without a decision of its review, a record is blocked or goes at another time.")


def _may_go(was: Rule, now: Rule, stage: Stage) -> bool:
    """True where it is certain that without this bound nothing goes earlier."""
    match stage:
        case Stage.BLOCK_AFTER | Stage.DELETE_BY:
            return True
        case Stage.DELETE_AFTER if now.review_after is not None:
            return True  # whether the review comes early enough to matter is said where it is added
        case Stage.DELETE_AFTER:
            return not (was.keep_at_least or now.keep_at_least)  # the purpose would end with the duty, which may be earlier
        case _:
            return False


def _may_come(was: Rule, now: Rule, stage: Stage, added: Bound) -> bool:
    """True where it is certain that with this bound nothing goes earlier."""
    match stage:
        case Stage.KEEP_AT_LEAST:
            # The end of our own purpose must be said elsewhere; otherwise the duty would end it, before a cap does.
            return bool(was.delete_after or was.review_after) and bool(now.delete_after or now.review_after)
        case Stage.DELETE_AFTER if isinstance(was.keep_at_least, Duty) and was.review_after is None:
            same = was.start_of(was.keep_at_least) == now.start_of(added)
            return same and all(_no_earlier(term, added.term) for term in _duty_terms(was.keep_at_least))
        case Stage.REVIEW_AFTER if isinstance(added, Review):
            purpose = was.delete_after
            if purpose is None:
                return isinstance(was.keep_at_least, Duty) and added.no_decision is None
            same = was.start_of(purpose) == now.start_of(added)
            return same and (added.no_decision is None or _no_earlier(purpose.term, added.term))
        case _:
            return False


def _sets(old: Version, new: Version) -> Iterator[_Found]:
    was, now = old.rule, new.rule
    if was.requires != now.requires:
        more = set(was.requires or ()) <= set(now.requires or ())
        yield _Found(not more, "The facts that it requires are others.")
    if was.holds != now.holds:
        more = _kinds(was) <= _kinds(now) and _TAX.intersection(was.holds or ()) <= _TAX.intersection(now.holds or ())
        yield _Found(not more, "It is stopped by other kinds of holds.")
    if was.suppress != now.suppress:
        more = set(was.suppress or ()) <= set(now.suppress or ())
        yield _Found(not more, "Other identifiers go on the suppression list.")
    if old.lawful != new.lawful or was.ended_by != now.ended_by:
        yield _Found(not _no_more_ends(old, new), "What requests do to its records was changed, by `ended_by` or by its basis.")


def _no_more_ends(old: Version, new: Version) -> bool:
    for kind in RequestKind:
        for state in RequestState:
            before = effect(kind, state, old.lawful, old.rule.ended_by)
            after = effect(kind, state, new.lawful, new.rule.ended_by)
            ends, blocks = after.ends and not before.ends, after.blocks and not (before.blocks or before.ends)
            if ends or blocks or (before.suspends and not after.suspends):
                return False
    return True


def _limits(was: Limits | None, now: Limits | None) -> Iterator[_Found]:
    for name in Limits.model_fields:
        before, after = getattr(was, name, None), getattr(now, name, None)
        if before != after:
            # The guards of the settings, which `default` takes, may be either.
            stricter = before is not None and after is not None and after <= before
            shown = [
                "default" if one is None else f"{one:,}" if isinstance(one, int) else f"{one:.6g}" for one in (before, after)
            ]
            yield _Found(not stricter, f"`limits: {name}` was {shown[0]} and is {shown[1]}.")
    if was != now and not any(getattr(was or now, name) for name in Limits.model_fields):
        yield _Found(False, "The limits are written in another way.")


def _bound(rule: Rule, stage: Stage) -> Bound | None:
    return dict(rule.bounds).get(stage)


def _class(rule: Rule) -> str | None:
    return rule.keep_at_least.class_ if isinstance(rule.keep_at_least, Duty) else None


def _duty_terms(duty: Duty) -> list[Term]:
    """Every term with which the duty may end."""
    statute = duty.statute
    if statute is None:
        return [duty.term]
    old = [Term(statute.shortened.from_, statute.counted)] if statute.shortened else []
    return [duty.term, statute.term, *old]


def _kinds(rule: Rule) -> frozenset[HoldKind]:
    return frozenset(HoldKind if rule.holds is None else rule.holds) - {HoldKind.REQUEST}


def _tax_start(rule: Rule) -> StartSpec | None:
    bounds = dict(rule.bounds)
    first = bounds.get(Stage.KEEP_AT_LEAST) or next(iter(bounds.values()), None)
    return None if first is None else rule.start_of(first)


def _no_earlier(first: Term, second: Term) -> bool:
    """True where it is certain, also where a zone left a day out, which a period that is a day longer makes up for."""
    from_exact = first.counted is Counted.EXACT and second.counted is not Counted.EXACT
    return no_earlier(first, second) and not (from_exact and first.period.whole_days == second.period.whole_days)


def _hours(cap: Cap) -> float:
    """The lead; its days count 24 hours."""
    return 0 if cap.lead is None else 24 * cap.lead.whole_days + cap.lead.elapsed_seconds / 3600


def _told(bound: Bound) -> str:
    return f"{bound.period} {bound.counted}"


def _dates(start: StartSpec) -> str:
    return ", ".join(start.date_names)
