"""From what a system tells of a record to the reference that points at it; its content stays behind."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from retentiond.connector import ConnectorError, Fact, Presence, RecordRef, Subject, Target, subject
from retentiond_rest.kinds import FactSpec, Kind
from retentiond_rest.places import Told


@dataclass(frozen=True, slots=True)
class Seen:
    """One record as it was seen."""

    ref: RecordRef
    state: Presence
    of_kind: bool
    """False where the system has it and the kind leaves it out."""


def seen(kind: Kind, told: Told, target: Target) -> Seen:
    """The record; raises `ConnectorError` where it has no key, or a date that it has to have is missing."""
    dates = {name: spec.moment(told, str(target)) for name, spec in kind.dates.items()}
    facts = {name: _fact(spec, told.at(spec.at)) for name, spec in kind.facts.items()}
    people = frozenset(_people(kind, told))
    identity = tuple(json.dumps(told.at(place), sort_keys=True) for place in kind.identity)
    decides = {
        "dates": {name: str(moment) for name, moment in dates.items()},
        "facts": facts,
        "people": sorted((one.kind, one.value) for one in people),
        "covers": [told.at(place) for place in (*kind.covers, *(shape.at for shape in kind.only))],
        "identity": identity,
    }
    state = state_of(kind, told)
    ref = RecordRef(
        key_of(kind, told, target),
        dates,
        hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest(),
        identity,
        blocked=state is Presence.BLOCKED,
        facts=facts,
        subjects=people,
    )
    return Seen(ref, state, belongs(kind, told))


def key_of(kind: Kind, told: Told, target: Target) -> tuple[str, ...]:
    """The components of the record's key."""
    values = [told.at(place) for place in kind.key]
    if any(isinstance(value, bool) or not isinstance(value, str | int) or value == "" for value in values):
        raise ConnectorError(f"{target} tells a record without its key; its manifest may be for another version.", "malformed")
    return tuple(str(value) for value in values)


def state_of(kind: Kind, told: Told) -> Presence:
    """Blocked, anonymized, or just there."""
    if kind.anonymize is not None and kind.anonymize.state.fits(told.body):
        return Presence.ANONYMIZED
    if kind.block is not None and kind.block.state.fits(told.body):
        return Presence.BLOCKED
    return Presence.PRESENT


def belongs(kind: Kind, told: Told) -> bool:
    """True where it is of the shapes that the kind is limited to."""
    return all(shape.fits(told.body) for shape in kind.only)


def _people(kind: Kind, told: Told) -> list[Subject]:
    found = []
    for name, places in kind.subjects.items():
        for place in places:
            values = told.at(place)
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, str | int) and not isinstance(value, bool):
                    found += [one] if (one := subject(name, str(value))) is not None else []
    return found


def _fact(spec: FactSpec, value: Any) -> Fact:
    match spec.is_:
        case "truth":
            return value if isinstance(value, bool) else None
        case "whole":
            return value if isinstance(value, int) and not isinstance(value, bool) else None
        case "text":
            return value if isinstance(value, str) else None
