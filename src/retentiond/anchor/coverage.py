"""How far anchors cover the deletion log: the newest checkpoint that each of them took, as the log itself tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path

from retentiond.anchor.receipts import kept
from retentiond.audit import Entry, LogReader

NEAR = 32
"""The entry about an anchor stands so near behind the checkpoint that was anchored: nobody else writes in between."""

AT_LEAST_EVERY = timedelta(hours=25)
"""So old the newest anchor may be: a day, and an hour for being late."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """One checkpoint that an anchor took."""

    type: str
    size: int
    """How many entries it covers."""
    root: str
    """Hex."""
    digest: str
    """Digest (SHA-256, hex) of the receipt."""
    at: datetime
    """Aware UTC."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far the log is anchored."""

    size: int
    """How many entries the log has."""
    last: Mapping[str, Anchored]
    """The newest that each type of anchor took."""

    @property
    def covered(self) -> int:
        """How many entries the newest anchored checkpoint covers; 0 where nothing was ever anchored."""
        return max((one.size for one in self.last.values()), default=0)

    @property
    def at(self) -> datetime | None:
        """When that was first anchored, aware UTC."""
        return min((one.at for one in self._newest()), default=None)

    @property
    def types(self) -> tuple[str, ...]:
        """Who took it."""
        return tuple(sorted(one.type for one in self._newest()))

    @property
    def since(self) -> int:
        """How many entries came after it: the unanchored tail."""
        return self.size - self.covered

    def late(self, types: Collection[str], now: datetime, within: timedelta = AT_LEAST_EVERY) -> list[str]:
        """Those of `types` that took nothing within this time before `now` (aware UTC)."""
        return [one for one in types if one not in self.last or now - self.last[one].at > within]

    def _newest(self) -> list[Anchored]:
        return [one for one in self.last.values() if one.size == self.covered]


def coverage(state: Path, log: LogReader) -> Coverage:
    """How far the log is anchored; raises `StateError` where the receipts cannot be listed."""
    last: dict[str, Anchored] = {}
    types = {one.type for one in kept(state)}
    for size, receipts in groupby(reversed(kept(state)), key=attrgetter("size")):
        told = anchored(log, size)
        # Where a crash came between receipt and entry, the one before counts.
        last = {one.type: told[one.type] for one in receipts if one.type in told} | last
        if last.keys() >= types:
            break
    return Coverage(log.size, last)


def anchored(log: LogReader, size: int) -> Mapping[str, Anchored]:
    """What the log tells of the anchoring of its first `size` entries, by type; empty where it tells nothing (any more)."""
    if size > log.size:
        return {}
    entries = (entry for entry in islice(log.entries(size), NEAR) if entry.kind == "anchor" and entry.fields.get("size") == size)
    return {one.type: one for entry in entries if (one := _anchored(entry))}


def _anchored(entry: Entry) -> Anchored | None:
    fields = entry.fields
    root, digest = fields.get("root"), fields.get("digest")
    if entry.at is None or not isinstance(root, str) or not isinstance(digest, str):
        return None
    return Anchored(str(fields["type"]), int(fields["size"]), root, digest, entry.at)
