"""What lies between two sets of policies: rule by rule, and for the records that a reader finds. Nothing here can change one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from retentiond.connector.api import Reader
from retentiond.connector.registry import BoundTarget
from retentiond.engine.assignment import assign
from retentiond.engine.registers import Registers, Standing
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.bound import Stage
from retentiond.model.decision import Decision, Reason, Verdict, searches, steps
from retentiond.model.policy import Policy
from retentiond.model.record import Action, RecordRef, Target
from retentiond.model.rule import Rule
from retentiond.policy.change import change, removal
from retentiond.policy.loaded import LoadedPolicy
from retentiond.policy.version import version_of


@dataclass(frozen=True, slots=True)
class Moved:
    """How many of the records that the old or the new version finds fare otherwise than before."""

    found: int = 0
    """How many either version finds; the others are not due under any of them."""
    newly_due: int = 0
    no_longer_due: int = 0
    newly_blocked: int = 0
    """Due to be blocked under the new version, and neither to be blocked nor to go under the old one."""
    newly_protected: int = 0
    """A duty, a hold or a requirement keeps them under the new version alone."""
    no_longer_protected: int = 0
    earlier: int = 0
    """Their due moment comes earlier, whether or not it has come yet."""
    later: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between the versions of one rule."""

    rule: str
    kind: str
    """`added`, `removed`, `same`, `tighter` or `looser`."""
    what: tuple[str, ...]
    """Finished sentences."""
    moved: Moved | None = None
    """None where no record was looked at."""
    trouble: str | None = None
    """Why the records could not be compared, a finished sentence."""


def differences(old: Sequence[LoadedPolicy], new: Sequence[LoadedPolicy]) -> tuple[Difference, ...]:
    """Compare the rules of two sets of policies, by name, in the order of the names; the same settings count for both."""
    was, now = _versions(old), _versions(new)
    found = []
    for name in sorted({*was, *now}):
        if name not in was:
            found.append(Difference(name, "added", (f"Rule {name} is new.",)))
        elif name not in now:
            found.append(Difference(name, "removed", removal(name).what))
        else:
            made = change(version_of(*was[name], ""), version_of(*now[name], ""))
            found.append(Difference(name, made.kind.value, made.what))
    return tuple(found)


def live_differences(
    old: Sequence[LoadedPolicy],
    new: Sequence[LoadedPolicy],
    targets: Mapping[Target, BoundTarget],
    registers: Registers,
    now: datetime,
) -> tuple[Difference, ...]:
    """Compare them for the records that lie there as of `now` (aware UTC), too.

    A system that cannot be read fails its own rules only. Memory is constant but for what requests and reviews
    name. Raises `ConfigurationError` where policies do not fit `targets`.
    """
    was = {one.rule.id: registers.for_rule(one) for one in assign(old, targets)}
    is_ = {one.rule.id: registers.for_rule(one) for one in assign(new, targets)}
    return tuple(_live(one, was.get(one.rule), is_.get(one.rule), now) for one in differences(old, new))


def _versions(policies: Sequence[LoadedPolicy]) -> dict[str, tuple[Policy, Rule]]:
    return {rule.id: (loaded.policy, rule) for loaded in policies for rule in loaded.policy.rules}


def _live(told: Difference, old: Standing | None, new: Standing | None, now: datetime) -> Difference:
    if told.kind == "same":
        return told
    either = new or old
    if either is None or (old and new and old.assignment.target.target != new.assignment.target.target):
        return replace(told, trouble="Its data set is another, so that no record of the one is a record of the other.")
    try:
        with either.assignment.target.reader() as reader:
            return replace(told, moved=_moved(old, new, reader, now))
    except (ConnectorError, ConfigurationError) as error:
        return replace(told, trouble=str(error))


def _moved(old: Standing | None, new: Standing | None, reader: Reader, now: datetime) -> Moved:
    counts: Counter[str] = Counter()
    for ref in _found([one for one in (old, new) if one], reader, now):
        was, is_ = (one.decide(ref, now) if one else None for one in (old, new))
        counts["found"] += 1
        counts["newly_due"] += _goes(is_, new) and not _goes(was, old)
        counts["no_longer_due"] += _goes(was, old) and not _goes(is_, new)
        counts["newly_blocked"] += _step(is_) is Action.BLOCK and _step(was) is None
        counts["newly_protected"] += _protected(is_, now) and not _protected(was, now)
        counts["no_longer_protected"] += _protected(was, now) and not _protected(is_, now)
        if was and is_ and was.due_at and is_.due_at:
            counts["earlier"] += is_.due_at < was.due_at
            counts["later"] += is_.due_at > was.due_at
    return Moved(**counts)


def _found(standings: Sequence[Standing], reader: Reader, now: datetime) -> Iterator[RecordRef]:
    """Every record that some version finds, each once."""
    named: set[tuple[str, ...]] = set()
    for standing in standings:
        for ref in standing.named(reader):
            if ref.key not in named:
                named.add(ref.key)
                yield ref
    passes = [
        cutoff
        for one in standings
        for step in steps(one.assignment.rule)
        for cutoff in searches(one.assignment.rule, one.assignment.zone, step, now, suspended=one.interrupted)
    ]
    # Who looks for what is to go finds what is blocked as well.
    action = min((one.assignment.rule.action for one in standings), key=lambda one: one is Action.BLOCK)
    for number, cutoff in enumerate(passes):
        for page in reader.find(cutoff, action):
            for ref in page:
                if ref.key not in named and not any(earlier.admits(ref.dates) for earlier in passes[:number]):
                    yield ref


def _step(decision: Decision | None) -> Action | None:
    return decision.step if decision else None


def _goes(decision: Decision | None, standing: Standing | None) -> bool:
    return decision is not None and standing is not None and decision.step is standing.assignment.rule.action


def _protected(decision: Decision | None, now: datetime) -> bool:
    if decision is None:
        return False
    duty = any(one.stage is Stage.KEEP_AT_LEAST and (one.end is None or one.end > now) for one in decision.ends)
    return duty or decision.verdict is Verdict.HELD or decision.reason in (Reason.GUARDED, Reason.REQUIREMENT)
