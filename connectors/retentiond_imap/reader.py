"""Finds records in a mailbox, over a connection that lets no other than reading commands through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from itertools import islice

from retentiond.connector import Action, Cutoff, Finding, Presence, Reader, RecordRef, Subject, Target
from retentiond_imap.dates import order
from retentiond_imap.options import ImapConnection, ImapOptions, Received
from retentiond_imap.preflight import preflight
from retentiond_imap.records import Dataset, Found, dataset_of
from retentiond_imap.session import Session
from retentiond_imap.store import refuse_unfit, resolve, scan

PAGE = 500


class ImapReader(Reader):
    """A reader of one data set. A search keeps some 2 kB per record it found, to bring the oldest first."""

    def __init__(self, connection: ImapConnection, options: ImapOptions, target: Target) -> None:
        self._dataset: Dataset = dataset_of(connection, options, target)
        refuse_unfit(self._dataset)
        self._session = Session.open(connection, writes=False)

    def close(self) -> None:
        """Log out; a mailbox that is open for reading is left without expunging anything."""
        self._session.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Look at folders, rights, what the server can do, and the traps; changes nothing."""
        return preflight(self._session, self._dataset, action)

    def count(self) -> int:
        """How many messages, undated and blocked ones included."""
        return len(scan(self._session, self._dataset))

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Pages of records before the cutoff, oldest first; all folders are read before the first page."""
        found = [
            (order(moment), one.ref.key, one.ref)
            for one in scan(self._session, self._dataset, self._bound(cutoff))
            if _awaits(one, awaiting) and cutoff.admits(one.ref.dates) and (moment := one.ref.dates[cutoff.by]) is not None
        ]
        found.sort(key=lambda told: told[:2])
        yield from _pages([ref for _, _, ref in found])

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Pages of records without any of these dates."""
        refs = (one.ref for one in scan(self._session, self._dataset))
        yield from _pages([ref for ref in refs if all(ref.dates.get(name) is None for name in dates)])

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each record; every folder is opened anew."""
        if not refs:
            return []
        there = resolve(self._session, self._dataset, [ref.key for ref in refs])
        return [_presence(there.get(ref.key)) for ref in refs]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The message under the key as it is now, where the data set claims it."""
        found = resolve(self._session, self._dataset, [key]).get(key)
        return found.ref if found is not None and found.claimed else None

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """Pages of records that name exactly this address in a header of `persons`."""
        if person.kind != "email" or not self._dataset.options.persons:
            return super().about(person)
        return _pages([one.ref for one in scan(self._session, self._dataset) if person in one.ref.subjects])

    def _bound(self, cutoff: Cutoff) -> datetime | None:
        """What the server is asked for only where it knows the date; it is decided here in any case."""
        if not isinstance(self._dataset.options.dates.get(cutoff.by), Received):
            return None
        return max(cutoff.before, datetime.combine(cutoff.before_date, time(), UTC))


def _awaits(one: Found, action: Action) -> bool:
    match action:
        case Action.BLOCK:
            return not one.ref.blocked
        case Action.UNBLOCK:
            return one.ref.blocked
        case Action.DELETE | Action.ANONYMIZE:
            return True


def _presence(found: Found | None) -> Presence:
    if found is None:
        return Presence.ABSENT
    return Presence.BLOCKED if found.ref.blocked else Presence.PRESENT


def _pages(refs: Sequence[RecordRef]) -> Iterator[Sequence[RecordRef]]:
    rest = iter(refs)
    while page := list(islice(rest, PAGE)):
        yield page
