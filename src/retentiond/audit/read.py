"""Reads the log for people: lists entries, shows one, finds those about one record. Needs no key but for the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from retentiond.audit.keys import open_keys
from retentiond.audit.leaf import kind_of, moment, read_leaf
from retentiond.audit.place import LogPlace, reading
from retentiond.audit.stored import regrown, stored_leaves, stored_tree
from retentiond.audit.tables import REF_START, handles, work
from retentiond.audit.tree import Range, leaf_hash, node_hash
from retentiond.errors import AuditError, ConfigurationError
from retentiond.model.record import Target


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log."""

    index: int
    kind: str
    at: datetime | None
    """Aware UTC; None for an outcome, whose time lies between those of its intent and its conclusion."""
    fields: Mapping[str, Any]
    leaf: bytes
    """The stored bytes, which are what is hashed."""


@contextmanager
def read_log(place: LogPlace) -> Iterator[LogReader]:
    """Open the log for reading, as it is at this moment; raises `StateError` where there is none."""
    with reading(place) as connection:
        yield LogReader(place, connection)


class LogReader:
    """An open log that cannot be written to; got from `read_log`."""

    def __init__(self, place: LogPlace, connection: sa.Connection) -> None:
        self._place = place
        self._connection = connection

    @property
    def size(self) -> int:
        """How many entries there are."""
        return stored_tree(self._connection).size

    @property
    def open_batches(self) -> int:
        """How many batches are in doubt."""
        return int(self._connection.execute(sa.select(sa.func.count()).select_from(work)).scalar_one())

    def root_at(self, size: int) -> bytes | None:
        """The root over the first `size` entries; None where there are fewer."""
        return regrown(self._connection, Range(), size).root() if size <= self.size else None

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The hashes which prove that the first `old` entries are the beginning of the first `new` ones (RFC 6962)."""
        hashes = [leaf_hash(leaf) for _, leaf in stored_leaves(self._connection, 0, new)]

        def root(begin: int, end: int) -> bytes:
            if end - begin == 1:
                return hashes[begin]
            middle = begin + (1 << (end - begin - 1).bit_length() - 1)
            return node_hash(root(begin, middle), root(middle, end))

        def proof(begin: int, end: int, size: int, *, whole: bool) -> tuple[bytes, ...]:
            if size == end:
                return () if whole else (root(begin, end),)
            middle = begin + (1 << (end - begin - 1).bit_length() - 1)
            if size <= middle:
                return (*proof(begin, middle, size, whole=whole), root(middle, end))
            return (*proof(middle, end, size, whole=False), root(begin, middle))

        return proof(0, new, old, whole=True) if old else ()

    def entries(
        self, start: int = 0, limit: int | None = None, kind: str | None = None, rule: str | None = None, run: str | None = None
    ) -> Iterator[Entry]:
        """The entries from index `start` on, in order, at most `limit`; those of one kind, rule or run where asked.

        An outcome belongs to the rule and the run of its intent.
        """
        told = 0
        intents: dict[int, bool] = {}
        batches: set[str] = set()
        for index, leaf in stored_leaves(self._connection, start):
            if limit is not None and told >= limit:
                return
            entry = _entry(index, leaf)
            if rule is not None or run is not None:
                if entry.kind == "outcome":
                    fits = self._intent_fits(entry.fields, intents, rule, run)
                elif entry.kind == "concluded":
                    fits = entry.fields["batch"] in batches
                else:
                    fits = _fits(entry.fields, rule, run)
                if entry.kind == "intent":
                    intents[index] = fits
                    if fits:
                        batches.add(entry.fields["batch"])
                if not fits:
                    continue
            if kind is None or entry.kind == kind:
                told += 1
                yield entry

    def entry(self, index: int) -> Entry:
        """One entry; raises `ConfigurationError` where there is none of that index."""
        found = next(stored_leaves(self._connection, index, index + 1), None) if index >= 0 else None
        if found is None:
            raise ConfigurationError(f"The deletion log has no entry {index}; it has entries 0 to {self.size - 1}.")
        return _entry(*found)

    def find(self, target: Target, key: tuple[str, ...]) -> list[Entry]:
        """The outcomes about one record, oldest first; needs the log's keys. Empty says only that this log tells of none."""
        keys = open_keys(self._place.state, self._place.origin, 0, make=False)
        refs = [epoch.handle(target, key) for epoch in keys.epochs]
        starts = [ref[:8] for ref in refs]
        wanted = sa.select(handles.c.idx).where(REF_START.in_(starts), handles.c.ref.in_(refs)).order_by(handles.c.idx)
        return [self.entry(index) for index in self._connection.execute(wanted).scalars()]

    def _intent_fits(self, fields: Mapping[str, Any], known: dict[int, bool], rule: str | None, run: str | None) -> bool:
        if fields["i"] not in known:
            known[fields["i"]] = _fits(self.entry(fields["i"]).fields, rule, run)
        return known[fields["i"]]


def _entry(index: int, leaf: bytes) -> Entry:
    try:
        fields = read_leaf(leaf)
        at = moment(fields["at"]) if "at" in fields else None
    except ValueError:
        raise AuditError(f"Entry {index} of the deletion log cannot be read; run `retentiond audit verify`.") from None
    return Entry(index, kind_of(fields), at, fields, leaf)


def _fits(fields: Mapping[str, Any], rule: str | None, run: str | None) -> bool:
    of_rule = rule is None or str(fields.get("rule", "")).partition("@")[0] == rule
    return of_rule and (run is None or fields.get("run") == run)
