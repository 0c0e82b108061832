"""Finds records of a site, over a session that cannot send anything that changes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from itertools import islice

from retentiond.connector import Action, Cutoff, Finding, Moment, Presence, Reader, RecordRef, Subject, Target
from retentiond_frappe.options import FrappeConnection, FrappeOptions
from retentiond_frappe.preflight import preflight
from retentiond_frappe.records import Dataset, Found
from retentiond_frappe.remains import remaining
from retentiond_frappe.search import lookup, scan
from retentiond_frappe.site import Site

PAGE = 500


class FrappeReader(Reader):
    """A reader of one data set. A search keeps some 2 kB per record it found, to bring the oldest first."""

    def __init__(self, connection: FrappeConnection, options: FrappeOptions, target: Target) -> None:
        self._dataset = Dataset(connection, options, target)
        self._site = Site(connection, self._dataset.who, writes=False)

    def close(self) -> None:
        """End the session."""
        self._site.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Look at the site, the zone, the rights, and what is hidden from us; changes nothing."""
        return preflight(self._site, self._dataset, action)

    def count(self) -> int:
        """How many records, those included of which a copy of our own delete is left."""
        return sum(1 for _ in scan(self._site, self._dataset))

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Pages of records before the cutoff, oldest first; everything is read before the first page."""
        found = [one for one in scan(self._site, self._dataset, cutoff) if cutoff.admits(one.ref.dates)]
        wanted = self._awaiting(found, awaiting)
        yield from _pages([one.ref for one in sorted(wanted, key=lambda one: (_order(one.ref.dates[cutoff.by]), one.ref.key))])

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Pages of records without any of these dates."""
        every = (one.ref for one in scan(self._site, self._dataset))
        yield from _pages([ref for ref in every if all(ref.dates.get(name) is None for name in dates)])

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each. A record of which a copy is left in the trash, or old values in the history, is there."""
        live, thrown = lookup(self._site, self._dataset, [ref.key for ref in refs])
        mine = [_mine(ref, live) for ref in refs]
        gone = [ref.key[0] for ref, found in zip(refs, mine, strict=True) if found is None and len(ref.key) == 1]
        masked = [found.ref.key[0] for found in mine if found is not None and found.state is Presence.ANONYMIZED]
        reused = live.keys()
        left = remaining(self._site, self._dataset.options.doctype, list(dict.fromkeys([*gone, *masked])))
        told = []
        for ref, found in zip(refs, mine, strict=True):
            name = ref.key[0] if ref.key else ""
            if found is not None:
                told.append(Presence.PRESENT if found.state is Presence.ANONYMIZED and name in left else found.state)
            elif any(key[0] == name and ref.identity in {(), (key[1],)} for key in thrown):
                told.append(Presence.PRESENT)
            else:
                told.append(Presence.PRESENT if name in left and name not in reused else Presence.ABSENT)
        return told

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The record under the key, where the data set holds it; else one of which our delete has left a copy."""
        live, thrown = lookup(self._site, self._dataset, [key])
        every = [*live.values(), *thrown.values()]
        return next((one.ref for one in every if one.ref.key == key and self._holds(one)), None)

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """Pages of records that have exactly this identifier."""
        if person.kind not in self._dataset.options.subjects:
            return super().about(person)
        return _pages([one.ref for one in scan(self._site, self._dataset) if person in one.ref.subjects])

    def now(self) -> datetime | None:
        """The site's clock."""
        return self._site.now()

    def _holds(self, found: Found) -> bool:
        answered = self._dataset.options.answered
        if not self._dataset.holds(found.row):
            return False
        return answered is None or any(one.ref.key == found.ref.key for one in scan(self._site, self._dataset))

    def _awaiting(self, found: Sequence[Found], action: Action) -> list[Found]:
        if action is Action.DELETE:
            return list(found)
        live = [one for one in found if not one.trash]
        if action is Action.UNBLOCK:
            return [one for one in live if one.state is Presence.BLOCKED]
        plain = [one for one in live if one.state is not Presence.ANONYMIZED]
        if action is Action.BLOCK:
            return [one for one in plain if one.state is Presence.PRESENT]
        masked = [one for one in live if one.state is Presence.ANONYMIZED]
        left = remaining(self._site, self._dataset.options.doctype, [one.ref.key[0] for one in masked])
        return [*plain, *(one for one in masked if one.ref.key[0] in left)]


def _mine(ref: RecordRef, live: dict[str, Found]) -> Found | None:
    """The live record that is meant; a stranger under a name that is used again is not."""
    found = live.get(ref.key[0]) if len(ref.key) == 1 else None
    return found if found is not None and ref.identity in {(), found.ref.identity} else None


def _order(moment: Moment | None) -> datetime:
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment if moment is not None else date.max, time(), UTC)


def _pages(refs: Sequence[RecordRef]) -> Iterator[Sequence[RecordRef]]:
    rest = iter(refs)
    while page := list(islice(rest, PAGE)):
        yield page
