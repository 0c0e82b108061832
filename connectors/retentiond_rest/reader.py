"""Finds records, and sends nothing but questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice

from retentiond.connector import Action, Cutoff, Finding, Presence, Reader, RecordRef, Subject
from retentiond_rest.looking import everything, looked
from retentiond_rest.preflight import preflight
from retentiond_rest.records import Seen
from retentiond_rest.session import Session

PAGE = 500


class RestReader(Reader):
    """A reader of one data set. All of it is read before the first page, about a kilobyte each in memory."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Ask whether we see what we have to, and whether the key ends soon."""
        return preflight(self._session, action)

    def count(self) -> int:
        """How many records there are."""
        return len(everything(self._session))

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Pages of records before the cutoff, oldest first; the system is asked for all, and the cutoff is held here."""
        due = [one.ref for one in everything(self._session) if cutoff.admits(one.ref.dates) and _awaits(one, awaiting)]
        due.sort(key=lambda ref: (_order(ref.dates[cutoff.by]), ref.key))
        yield from _pages(due)

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Pages of records without a date that can be believed."""
        yield from _pages(one.ref for one in everything(self._session) if all(one.ref.dates.get(name) is None for name in dates))

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each record, asked anew."""
        now = looked(self._session, [ref.key for ref in refs]) if refs else {}
        return [Presence.ABSENT if (one := now[ref.key]) is None else one.state for ref in refs]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The record under the key as it is now."""
        if len(key) != len(self._session.kind.key):
            return None
        one = looked(self._session, [key])[key]
        if one is None or self._session.spared(key) or not one.of_kind:
            return None
        return one.ref

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """Pages of the records of a person; all records are read, since no system's own search is trusted to be exact."""
        if person.kind not in self._session.kind.subjects:
            return super().about(person)
        return _pages(one.ref for one in everything(self._session) if person in one.ref.subjects)

    def now(self) -> datetime | None:
        """The clock that the system's answers tell."""
        self._session.see()
        return self._session.clock


def _awaits(one: Seen, awaiting: Action) -> bool:
    match awaiting:
        case Action.BLOCK:
            return one.state is Presence.PRESENT
        case Action.ANONYMIZE:
            return one.state is not Presence.ANONYMIZED
        case _:
            return True


def _order(moment: datetime | date | None) -> datetime:
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment or date.max, datetime.min.time(), UTC)


def _pages(refs: Iterable[RecordRef]) -> Iterator[Sequence[RecordRef]]:
    rest = iter(refs)
    while page := list(islice(rest, PAGE)):
        yield page
