"""The log's own retention: what is old loses first what opens it, then its entries; its hashes stay, and so does every proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from retentiond.audit.arithmetic import ENTRIES, kept_digest
from retentiond.audit.leaf import kind_of, moment, read_leaf
from retentiond.audit.stored import first_bundle, stored_leaves
from retentiond.audit.tables import batches, bundles, kept
from retentiond.audit.tile import WIDTH
from retentiond.errors import AuditError

Needed = Callable[[Mapping[str, Any]], bool]
"""Whether an approval or a hold, told by its fields, has to stay when the entries around it go."""

OPENINGS = 1
"""The level of pruning at which only handles and salts go."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """What the log's rule lets go, as of one moment."""

    first: int
    """The index of the first entry that is there now."""
    openings: int
    """Of batches intended before this index, what opens them goes."""
    entries: int
    """Entries before this index go, a multiple of 256."""
    kept: tuple[tuple[int, bytes], ...]
    """Index and bytes of those among them that are still needed, and stay."""
    counts: Mapping[str, int]
    """How many entries of each kind go."""
    batches: int
    """How many batches lose what opens them."""

    @property
    def nothing(self) -> bool:
        """True where nothing is due."""
        return not self.batches and self.entries <= self.first


def prunable(connection: sa.Connection, due: Callable[[datetime], bool], needed: Needed) -> Prunable:
    """What goes of the log by its rule: `due` says so of an entry's moment (aware UTC), `needed` of the fields of one that stays.

    It is always a beginning of the log: up to the first entry that has to stay as it is, such as the intent of a batch that was
    concluded later. Raises `AuditError` where an entry cannot be read.
    """
    first = first_bundle(connection) * WIDTH
    end = _first_that_stays(connection, first, due)
    entries = max(first, end - end % WIDTH)
    still: dict[int, bytes] = {}
    counts: Counter[str] = Counter()
    latest: dict[str, int] = {}
    for index, leaf in stored_leaves(connection, 0, entries):
        fields = _read(index, leaf)
        kind = kind_of(fields)
        if kind == "policy":  # the last word on each rule
            still.pop(latest.pop(fields["rule"], -1), None)
            latest[fields["rule"]] = index
        if kind in {"log-start", "key", "policy", "prune"} or (kind in {"approval", "hold"} and needed(fields)):
            still[index] = leaf
        elif index >= first:
            counts[kind] += 1
    found = connection.execute(sa.select(sa.func.count()).select_from(batches).where(batches.c.idx < end)).scalar_one()
    return Prunable(first, end, entries, tuple(sorted(still.items())), dict(counts), found)


def _first_that_stays(connection: sa.Connection, first: int, due: Callable[[datetime], bool]) -> int:
    """The index of the first entry that is not due, or whose batch was not concluded, or not long enough ago."""
    open_since: dict[str, int] = {}
    index = first - 1
    for index, leaf in stored_leaves(connection, first):
        fields = _read(index, leaf)
        if "at" not in fields:
            continue
        if not due(moment(fields["at"])):
            return min([index, *open_since.values()])
        if fields["kind"] == "intent":
            open_since[fields["batch"]] = index
        elif fields["kind"] == "concluded":
            open_since.pop(fields["batch"], None)
    return min([index + 1, *open_since.values()])


def _read(index: int, leaf: bytes) -> dict[str, Any]:
    try:
        return read_leaf(leaf)
    except ValueError:
        raise AuditError(f"Entry {index} of the deletion log cannot be read; run `retentiond audit verify`.") from None


def prune(connection: sa.Connection, found: Prunable) -> None:
    """Let go what was found; harmless when repeated. The log's entry about it has to be signed before."""
    there = set(connection.execute(sa.select(kept.c.idx)).scalars())
    stay = [{"idx": index, "leaf": leaf} for index, leaf in found.kept]
    connection.execute(sa.delete(kept).where(kept.c.idx.in_(there - {row["idx"] for row in stay})))
    if rows := [row for row in stay if row["idx"] not in there]:
        connection.execute(sa.insert(kept), rows)
    connection.execute(sa.delete(bundles).where(bundles.c.n < found.entries // WIDTH))
    connection.execute(sa.delete(batches).where(batches.c.idx < found.openings))


def prune_leaves(found: Prunable, rule: str) -> list[dict[str, Any]]:
    """The fields of the entries that tell of it."""
    steps = [(OPENINGS, found.openings, {"batch": found.batches})] if found.batches else []
    if found.entries > found.first:
        steps.append((ENTRIES, found.entries, dict(found.counts)))
    leaves: list[dict[str, Any]] = [
        {"level": level, "from": found.first, "to": to, "rule": rule, "counts": counts} for level, to, counts in steps
    ]
    if leaves and leaves[-1]["level"] == ENTRIES:
        leaves[-1]["kept"] = kept_digest(found.kept)
    return leaves
