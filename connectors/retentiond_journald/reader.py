"""Finds journal files, and opens nothing for writing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from retentiond.connector import Action, Cutoff, Finding, Presence, Reader, RecordRef, Target
from retentiond_journald.options import JournaldConnection, JournaldOptions
from retentiond_journald.preflight import preflight
from retentiond_journald.records import Found, look
from retentiond_journald.tree import Tree, place_of

PAGE = 500


class JournaldReader(Reader):
    """A reader of one data set."""

    def __init__(self, connection: JournaldConnection, options: JournaldOptions, target: Target) -> None:
        self._connection = connection
        self._options = options
        self._tree = Tree(connection.root, options.streams, target)

    def close(self) -> None:
        """Give the handle back."""
        self._tree.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Look at rights, at what journald was told, and at how long its files are; changes nothing."""
        return preflight(self._tree, self._connection, self._options, action)

    def count(self) -> int:
        """How many files; those that are still written to, and torn ones, included."""
        return sum(1 for _ in self._tree.places())

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Pages of records before the cutoff, oldest first; those that are still written to come, too, and fail."""
        del awaiting
        due = []
        for one in self._found():
            moment = one.ref.dates.get(cutoff.by)
            if isinstance(moment, datetime) and cutoff.admits(one.ref.dates):
                due.append((moment, one.ref.key, one.ref))
        due.sort(key=lambda one: one[:2])
        yield from _pages([ref for _, _, ref in due])

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Pages of records without any of these dates, torn ones among them."""
        yield from _pages([one.ref for one in self._found() if all(one.ref.dates.get(name) is None for name in dates)])

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What lies at each place now; anything that is not nothing counts as there."""
        places = [place_of(ref.key) for ref in refs]
        return [Presence.PRESENT if place is not None and self._tree.exists(place) else Presence.ABSENT for place in places]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The journal under the key as it is now."""
        place = place_of(key)
        if place is None or not self._tree.holds(place) or not self._tree.exists(place):
            return None
        found = look(self._tree, place, self._options)
        return None if found is None else found.ref

    def _found(self) -> Iterator[Found]:
        looked = (look(self._tree, place, self._options) for place in self._tree.places())
        return (one for one in looked if one is not None)


def _pages(refs: Sequence[RecordRef]) -> Iterator[Sequence[RecordRef]]:
    rest = iter(refs)
    while page := list(islice(rest, PAGE)):
        yield page
