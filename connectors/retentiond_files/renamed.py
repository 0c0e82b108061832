"""Tells a record that went from one that only has another name by now, as after a rotation."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from retentiond.connector import RecordRef
from retentiond_files.dataset import Dataset
from retentiond_files.records import STAMP, Row, stamp_of


def renamed(dataset: Dataset, fingerprints: Collection[str], *, blocked_too: bool = True) -> set[str]:
    """Those fingerprints of files whose inode, size and mtime are found anywhere in the data set.

    A file that was copied, compressed or moved out of the data set is not found.
    """
    wanted = {fingerprint[:STAMP]: fingerprint for fingerprint in fingerprints}
    return {
        wanted[stamp]
        for tree, found in dataset.files()
        if (blocked_too or tree is dataset.tree) and (stamp := stamp_of(found.stat)) in wanted
    }


def resliced(rows: Iterable[Row], refs: Collection[RecordRef]) -> set[tuple[str, str]]:
    """Hour and fingerprint of those slices that stand, line for line, among `rows`."""
    wanted = {(ref.key[-1], ref.fingerprint) for ref in refs}
    return wanted & {(row.key[-1], row.fingerprint) for row in rows}
