"""Finds a person's records, wherever they can be searched for, and tells where they cannot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from retentiond.connector.registry import BoundTarget
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.record import RecordRef, Target
from retentiond.model.subject import Subject


@dataclass(frozen=True, slots=True)
class PersonRecords:
    """What was found under one identifier. Personal data: never shown or logged."""

    person: Subject = field(repr=False)
    found: tuple[tuple[Target, RecordRef], ...] = field(repr=False)
    """The records, each with the data set it lies in."""
    unknowing: tuple[Target, ...]
    """The data sets that know no such kind of identifier."""
    unreadable: Mapping[Target, str]
    """The data sets that know it and could not be read, and why, in a finished sentence."""

    @property
    def ambiguous(self) -> tuple[tuple[str, str], ...]:
        """System and kind of identifier by which the records seem to be those of several persons.

        So it is where two records of one system share the person's identifier and none of their identifiers of another kind.
        """
        told: dict[tuple[str, str], set[frozenset[str]]] = defaultdict(set)
        for target, ref in self.found:
            for kind in {one.kind for one in ref.subjects} - {self.person.kind}:
                told[target.system, kind].add(frozenset(one.value for one in ref.subjects if one.kind == kind))
        return tuple(sorted(place for place, groups in told.items() if any(a.isdisjoint(b) for a, b in combinations(groups, 2))))


def find_person(workplace: Workplace, person: Subject, within: Callable[[Target], bool] = lambda _target: True) -> PersonRecords:
    """Look the person up in all data sets of the settings, or in those `within` lets in.

    A data set that cannot be read is told of, not raised: the others are searched all the same.
    """
    found: list[tuple[Target, RecordRef]] = []
    unknowing: list[Target] = []
    unreadable: dict[Target, str] = {}
    for target, bound in sorted(workplace.targets.items(), key=lambda item: str(item[0])):
        if not within(target):
            continue
        try:
            if person.kind in bound.offer().subjects:
                found += [(target, ref) for ref in _records(bound, person)]
            else:
                unknowing.append(target)
        except (ConnectorError, ConfigurationError) as error:
            unreadable[target] = str(error)
    return PersonRecords(person, tuple(found), tuple(unknowing), unreadable)


def _records(bound: BoundTarget, person: Subject) -> list[RecordRef]:
    with bound.reader() as reader:
        return [ref for page in reader.about(person) for ref in page]
