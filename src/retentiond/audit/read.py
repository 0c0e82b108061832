"""Reads the log for people: lists entries, shows one, finds those about one record. Needs no key but for the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from retentiond.audit.handle import SIZE
from retentiond.audit.keys import Keys, open_keys
from retentiond.audit.leaf import kind_of, moment, read_leaf
from retentiond.audit.place import LogPlace, reading
from retentiond.audit.proving import Opening, Signed, consistency, inclusion, newest, notes, opening
from retentiond.audit.stored import (
    PAGE,
    as_bytes,
    first_bundle,
    stored_bundle,
    stored_leaves,
    stored_tile,
    stored_tree,
    tile_hashes,
    tree_at,
)
from retentiond.audit.tables import batches, work
from retentiond.audit.tile import WIDTH
from retentiond.audit.tree import consistency_proof
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
        return tree_at(self._connection, size).root() if size <= self.size else None

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The hashes which prove that the first `old` entries are the beginning of the first `new` ones (RFC 6962)."""
        return consistency_proof(old, new, tile_hashes(self._connection))

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
        refs = {epoch.kid: epoch.handle(target, key) for epoch in self._keys().epochs}
        return [self.entry(index) for index in self._outcomes_of(target, refs)]

    def find_openings(self, target: Target, key: tuple[str, ...], outcomes: Sequence[Entry]) -> list[Opening]:
        """What opens each of these outcomes, which `find` found, for this record; needs the log's keys. Personal data."""
        epochs = {epoch.kid: epoch for epoch in self._keys().epochs}
        return [opening(self._connection, epochs, target, key, int(one.fields["i"]), one.index) for one in outcomes]

    def proof(self, index: int) -> str:
        """The proof file of one entry against the newest checkpoint; raises `AuditError` where there can be none (yet)."""
        return inclusion(self._connection, index, newest(self._connection))

    def consistency_file(self, old: int) -> str:
        """The consistency file from an older state to the newest checkpoint; raises `ConfigurationError` where there is none."""
        return consistency(self._connection, old, newest(self._connection))

    @property
    def newest(self) -> Signed:
        """The newest checkpoint; raises `StateError` where nothing was signed yet."""
        return newest(self._connection)

    @property
    def shredded(self) -> tuple[str, ...]:
        """The epochs whose keys were destroyed, as the log tells it."""
        return tuple(entry.fields["kid"] for entry in self.entries(kind="key") if entry.fields["op"] == "shredded")

    def notes(self) -> Mapping[int, str]:
        """Every checkpoint that was signed, by its size."""
        return notes(self._connection)

    def tile(self, level: int, n: int) -> bytes:
        """The stored hashes of one tile."""
        return stored_tile(self._connection, level, n)

    def bundle(self, n: int) -> bytes | None:
        """One bundle of entries; None where it was pruned."""
        return stored_bundle(self._connection, n)

    @property
    def first(self) -> int:
        """The index of the first entry that was not pruned."""
        return first_bundle(self._connection) * WIDTH

    @property
    def kept(self) -> Sequence[int]:
        """The indexes of the entries that were kept when those around them were pruned."""
        return [index for index, _ in stored_leaves(self._connection, 0, self.first)]

    def _keys(self) -> Keys:
        return open_keys(self._place.state, self._place.origin, 0, make=False)

    def _outcomes_of(self, target: Target, refs: Mapping[str, bytes]) -> Iterator[int]:
        """The indexes of the outcomes about a record, by its handle under each epoch's key."""
        wanted = sa.select(batches.c.kid, batches.c.first, batches.c.refs).where(
            batches.c.place == str(target), batches.c.first.is_not(None)
        )
        rows = self._connection.execute(wanted.order_by(batches.c.idx).execution_options(yield_per=PAGE))
        for kid, first, stored in rows:
            ref, handles = refs.get(kid), as_bytes(stored)
            place = handles.find(ref) if ref is not None else -1
            while ref is not None and place >= 0:
                if place % SIZE == 0:
                    yield first + place // SIZE
                place = handles.find(ref, place + 1)

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
