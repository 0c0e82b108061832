"""Asks vendors, where a connector can, whether their settings are as the policies expect, and records the answer. Only reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from retentiond.connector.api import Attested as Setting
from retentiond.connector.registry import BoundTarget
from retentiond.engine.isolation import attempted
from retentiond.engine.retry import patiently
from retentiond.engine.reviewing import attested
from retentiond.engine.values import Asked
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.due import later_by
from retentiond.model.expectation import is_plain, unmet
from retentiond.model.policy import Attested
from retentiond.model.record import Target
from retentiond.settings import Retry
from retentiond.store import Attestation, AttestationResult, Entry, Store

AGAIN_AFTER = timedelta(hours=20)
"""An answer that is the same as before is recorded again after this time: one a day, however often runs are made."""

Told = dict[Target, Mapping[str, str]]
"""By data set, the settings that it told."""

BY = "connector:"
"""What stands before the name of the connector that attested; a person's staff id has no colon."""


def attestors(workplace: Workplace, asked: Attested) -> list[BoundTarget]:
    """The data sets whose connector tells something of what is expected."""
    bound = sorted(workplace.targets.items(), key=lambda item: str(item[0]))
    return [one for target, one in bound if target.system == asked.system and not one.offer().attests.isdisjoint(asked.expect)]


def is_whole(bound: Sequence[BoundTarget], asked: Attested) -> bool:
    """True where these data sets tell all of what is expected; otherwise a person has to attest the rest."""
    told = frozenset[str]().union(*(one.offer().attests for one in bound))
    return bool(bound) and told >= asked.expect.keys()


def attest_all(
    workplace: Workplace,
    store: Store,
    retry: Retry,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    stop: Callable[[], bool],
    bugs: list[Exception],
) -> tuple[Asked, ...]:
    """Ask for every attestation that a connector can give, one after the other; who cannot be asked stops no other.

    Where a vendor tells a part only, that it is not as expected is recorded; that it is, is not: a person attests the whole.
    `clock` gives aware UTC. Raises `StateError` where the store cannot be written.
    """
    done: list[Asked] = []
    told: dict[tuple[Target, ...], Told | str] = {}
    for rule, (asked, zone) in sorted(attested(workplace, clock()).items()):
        bound = attestors(workplace, asked)
        if not bound:
            continue
        if stop():
            break
        places = tuple(one.target for one in bound)
        if places not in told:
            told[places] = attempted(partial(_told, bound, retry, sleep), bugs) or (
                f"A bug ended the question for the settings of {asked.system}; please report it."
            )
        match told[places]:
            case str() as trouble:
                done.append(Asked(rule, asked.system, None, (f"{rule} was not attested: {trouble}",)))
            case settings:
                done.append(_recorded(store, asked, zone, bound, settings, clock()))
    return tuple(done)


def _told(bound: Sequence[BoundTarget], retry: Retry, sleep: Callable[[float], None]) -> Told | str:
    """The settings of each data set, or why they are not known."""
    found: Told = {}
    try:
        for one in bound:
            found[one.target] = {setting.name: setting.value for setting in patiently(partial(_ask, one), retry, sleep)}
    except (ConnectorError, ConfigurationError) as error:
        return str(error)
    return found if any(found.values()) else f"{bound[0].target.system} told none of its settings."


def _ask(bound: BoundTarget) -> tuple[Setting, ...]:
    with bound.attestor() as attestor:
        return tuple(attestor.attest())


def _recorded(store: Store, asked: Attested, zone: str, bound: Sequence[BoundTarget], told: Told, now: datetime) -> Asked:
    # Each data set that offers a setting has to tell it, and as expected: one pull zone says nothing about another.
    expected = {one.target: {name: value for name, value in asked.expect.items() if name in one.offer().attests} for one in bound}
    missed = [(target, name) for target, some in expected.items() for name in unmet(some, told[target])]
    if not missed and not is_whole(bound, asked):
        return Asked(asked.id, asked.system, None)
    result = AttestationResult.NOT_MET if missed else AttestationResult.MET
    relevant = [
        [str(target), name, value, told[target].get(name)] for target, some in expected.items() for name, value in some.items()
    ]
    digest = hashlib.sha256(json.dumps(sorted(relevant, key=str), separators=(",", ":")).encode()).hexdigest()
    expires = later_by(now, asked.every, zone)
    made = Attestation(
        asked.id,
        result,
        f"sha256-{digest}",
        f"{BY}{bound[0].connector.name}",
        now,
        expires if isinstance(expires, datetime) else now,
    )
    if _is_news(store, made):
        mark = store.attestation_mark(made)
        fields = {"subject": f"attestation {asked.id}", "digest": mark, "decision": result.value, "by": made.by}
        store.attest(made, Entry("approval", now, fields))
    return Asked(
        asked.id, asked.system, result, tuple(_misses(asked, target, name, told[target].get(name)) for target, name in missed)
    )


def _is_news(store: Store, made: Attestation) -> bool:
    last = next((one for one in store.attestations() if one.rule == made.rule), None)
    if last is None or (last.result, last.reference, last.by) != (made.result, made.reference, made.by):
        return True
    return made.at - last.at >= AGAIN_AFTER or last.expires <= made.at


def _misses(asked: Attested, target: Target, name: str, value: str | None) -> str:
    have = "does not tell it" if value is None else f"tells {value}" if is_plain(value) else "tells something else"
    return f"{asked.id} is not met: {name} should be {asked.expect[name]}, and {target} {have}."
