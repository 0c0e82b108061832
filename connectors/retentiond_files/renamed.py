"""Tells a record that went from one that only has another name by now, as after a rotation."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from retentiond.connector import RecordRef
from retentiond_files.dataset import Dataset
from retentiond_files.failures import Astray
from retentiond_files.records import STAMP, Row, stamp_of
from retentiond_files.tree import Found, Tree

T = TypeVar("T")


Files = Iterator[tuple[Tree, Found]]
Listing = Callable[[Callable[[Tree, Found], None]], Files]
"""Told whom to tell each directory before what lies in it -> what a walk comes upon."""

WALKS = 3
"""So often the files are looked through where names come or go meanwhile."""


def settled(dataset: Dataset, look: Callable[[Files], set[T]], listing: Listing | None = None) -> set[T]:
    """All that `look` finds among all files, and again where names changed meanwhile: a listing misses what is renamed beside it.

    `listing` may give other files to look at. Where names change all the time, it would take a file that is renamed beside each
    of the looks to be missed.
    """
    found: set[T] = set()
    for _ in range(WALKS):
        entered: list[tuple[Tree, Found]] = []
        found |= look((listing or dataset.files)(lambda *one: entered.append(one)))  # noqa: B023 - called before the next round
        if not any(_changed(tree, one) for tree, one in entered):
            break
    return found


def _changed(tree: Tree, found: Found) -> bool:
    """True where names came or went in a directory since it was entered."""
    try:
        with tree.directory(found.path) as handle:
            now = os.fstat(handle)
    except (FileNotFoundError, Astray):
        return True
    return (now.st_ino, now.st_mtime_ns) != (found.stat.st_ino, found.stat.st_mtime_ns)


def renamed(dataset: Dataset, files: Files, fingerprints: Collection[str], *, blocked_too: bool = True) -> set[str]:
    """Those fingerprints of files whose inode, size and mtime are found among `files`.

    A file that was copied, compressed or moved out of the data set is not found.
    """
    wanted = {fingerprint[:STAMP]: fingerprint for fingerprint in fingerprints}
    return {
        wanted[stamp]
        for tree, found in files
        if (blocked_too or tree is dataset.tree) and (stamp := stamp_of(found.stat)) in wanted
    }


def resliced(rows: Iterable[Row], refs: Collection[RecordRef]) -> set[tuple[str, str]]:
    """Hour and fingerprint of those slices that stand, line for line, among `rows`."""
    wanted = {(ref.key[-1], ref.fingerprint) for ref in refs}
    return wanted & {(row.key[-1], row.fingerprint) for row in rows}
