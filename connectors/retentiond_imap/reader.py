"""Finds records in a mailbox, over a connection that lets no other than reading commands through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from itertools import islice

from retentiond.connector import Action, Cutoff, Finding, Presence, Reader, RecordRef, Subject, Target
from retentiond_imap.dates import order
from retentiond_imap.options import ImapConnection, ImapOptions, Received
from retentiond_imap.preflight import preflight
from retentiond_imap.records import Dataset, Found, dataset_of, stamp
from retentiond_imap.session import Session
from retentiond_imap.store import refuse_unfit, resolve, scan, unclaimed

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
        self._session.awake()
        return preflight(self._session, self._dataset, action)

    def count(self) -> int:
        """How many messages, undated and blocked ones included."""
        self._session.awake()
        return len(scan(self._session, self._dataset))

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Pages of records before the cutoff, oldest first; all folders are read before the first page."""
        self._session.awake()
        found = [
            (order(moment), stamp(one.copies[0].message.received), one.ref.key, one.ref)
            for one in scan(self._session, self._dataset, self._bound(cutoff))
            if _awaits(one, awaiting) and cutoff.admits(one.ref.dates) and (moment := one.ref.dates[cutoff.by]) is not None
        ]
        # Of a conversation the youngest goes last, because by it the others are dated.
        found.sort(key=lambda told: told[:3])
        yield from _pages([ref for *_, ref in found])

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Pages of records without any of these dates."""
        self._session.awake()
        refs = (one.ref for one in scan(self._session, self._dataset))
        yield from _pages([ref for ref in refs if all(ref.dates.get(name) is None for name in dates)])

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each record; every folder is opened anew."""
        if not refs:
            return []
        self._session.awake()
        there = resolve(self._session, self._dataset, [ref.key for ref in refs], dated=False)
        return [_presence(there.get(ref.key)) for ref in refs]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The message under the key as it is now, where the data set claims it."""
        self._session.awake()
        found = resolve(self._session, self._dataset, [key]).get(key)
        return found.ref if found is not None and found.claimed else None

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """Pages of records that name exactly this address in a header of `persons`."""
        if person.kind != "email" or not self._dataset.options.persons:
            return super().about(person)
        self._session.awake()
        return _pages([one.ref for one in scan(self._session, self._dataset) if person in one.ref.subjects])

    def coverage(self) -> Sequence[Finding]:
        """How many folders no data set of the mailbox claims; their names may be those of persons."""
        self._session.awake()
        forgotten = unclaimed(self._session, self._dataset)
        if not forgotten:
            return ()
        return (
            Finding(
                f"{forgotten:,} folders of {self._dataset.target.system} are claimed by no data set, so what lies in them stays; "
                f"add them to `folders` of one.",
                refuses=False,
            ),
        )

    def _bound(self, cutoff: Cutoff) -> datetime | None:
        """What the server is asked for only where it knows the date; it is decided here in any case."""
        options = self._dataset.options
        if options.converses or not isinstance(options.dates.get(cutoff.by), Received):
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
