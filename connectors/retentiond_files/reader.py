"""Finds records in files, and opens nothing for writing."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence

from retentiond.connector import Action, Cutoff, Finding, Presence, Reader, RecordRef
from retentiond_files.dataset import Dataset
from retentiond_files.failures import Astray, Unreadable, system_error
from retentiond_files.instant import order
from retentiond_files.keys import path_of
from retentiond_files.options import Content
from retentiond_files.patterns import Path
from retentiond_files.preflight import preflight
from retentiond_files.records import Row, file_row, rows_at, rows_of, slices_in
from retentiond_files.renamed import Files, renamed, resliced, settled
from retentiond_files.tree import Found, Tree

PAGE = 1000

_Stamp = tuple[int, int, int, int, int]


class FilesReader(Reader):
    """A reader of one data set. A search keeps about 400 bytes per record it found, to bring the oldest first."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        # What lines said, as long as the file system says that their file is untouched: one plan reads each file once.
        self._read: dict[tuple[bool, Path], tuple[_Stamp, list[Row]]] = {}
        # Hour and fingerprint of slices that a search found in several files: one of them is no other one renamed.
        self._twins: set[tuple[str, str]] = set()

    def close(self) -> None:
        """Give the handles back."""
        self._read.clear()
        self._dataset.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Look at the tree, the rights and the traps; changes nothing."""
        return preflight(self._dataset, action)

    def count(self) -> int:
        """How many files, or slices of files; undated, unreadable and blocked ones included."""
        if not self._dataset.by_line:
            return sum(1 for _ in self._dataset.files())
        return sum(1 for _ in self._rows())

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Pages of records before the cutoff, oldest first; the whole tree is read before the first page."""
        name = self._dataset.options.date_name
        found = [row for row in self._rows() if cutoff.admits({name: row.moment}) and _awaits(row, awaiting)]
        if self._dataset.by_line:
            counted = Counter((row.key[-1], row.fingerprint) for row in found)
            self._twins |= {mark for mark, files in counted.items() if files > 1}
        found.sort(key=lambda row: (order(row.moment), row.key))
        yield from self._pages(iter(found))

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Pages of records without a provable date, torn and unreadable files among them."""
        known = self._dataset.options.date_name in dates
        yield from self._pages(row for row in self._rows() if not known or row.moment is None)

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each record; each file is read anew, once for all its records.

        What is gone from its name is looked for under all others: a rotation between a crash and the next start
        must not make it absent.
        """
        seen: dict[int, Presence] = {}
        by_file: dict[str, list[int]] = {}
        for number, ref in enumerate(refs):
            by_file.setdefault(ref.key[0], []).append(number)
        for text, numbers in by_file.items():
            seen |= zip(numbers, self._seen(text, [refs[number] for number in numbers]), strict=True)
        missing = [number for number, presence in seen.items() if presence is Presence.ABSENT]
        elsewhere = self._elsewhere([refs[number] for number in missing])
        seen |= {number: Presence.PRESENT for number in missing if refs[number].key in elsewhere}
        return [seen[number] for number in range(len(refs))]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The file, or slice, under the key as it is now."""
        if not self._dataset.by_line:
            key = ("@".join(key),)  # a name may look like the key of lines
        path = path_of(key[0])
        if path is None or not self._dataset.selection.file(path):
            return None
        try:
            rows = rows_of(self._dataset, path)
        except (FileNotFoundError, Astray):
            return None
        except OSError as error:
            raise system_error(error, f"A file of {self._dataset.target} cannot be opened") from None
        return next((row.ref(self._dataset.options.date_name) for row in rows if row.key == key), None)

    def _elsewhere(self, refs: Sequence[RecordRef]) -> set[tuple[str, ...]]:
        if not refs:
            return set()
        if not self._dataset.by_line:
            fingerprints = [ref.fingerprint for ref in refs]
            moved = settled(self._dataset, lambda files: renamed(self._dataset, files, fingerprints))
            return {ref.key for ref in refs if ref.fingerprint in moved}
        stands = settled(self._dataset, lambda files: resliced(self._rows(files), refs)) - self._twins
        return {ref.key for ref in refs if (ref.key[-1], ref.fingerprint) in stands}

    def _pages(self, rows: Iterator[Row]) -> Iterator[Sequence[RecordRef]]:
        while page := [row.ref(self._dataset.options.date_name) for row in itertools.islice(rows, PAGE)]:
            yield page

    def _rows(self, files: Files | None = None) -> Iterator[Row]:
        for tree, found in self._dataset.files() if files is None else files:
            yield from self._rows_of(tree, found)

    def _rows_of(self, tree: Tree, found: Found) -> list[Row]:
        blocked = tree is self._dataset.blocked
        if not isinstance(self._dataset.options.source, Content):
            return [file_row(self._dataset, found.path, found.stat, None, blocked=blocked)]
        stamp = _stamp(found.stat)
        known = self._read.get((blocked, found.path))
        if known is not None and known[0] == stamp:
            return known[1]
        rows = rows_at(self._dataset, found.path)
        self._read[(blocked, found.path)] = stamp, rows
        return rows

    def _seen(self, text: str, refs: Sequence[RecordRef]) -> list[Presence]:
        path = path_of(text)
        if path is None:
            return [Presence.ABSENT] * len(refs)
        try:
            with self._dataset.opened(path) as (tree, handle):
                if not self._dataset.by_line:
                    return [Presence.BLOCKED if tree is self._dataset.blocked else Presence.PRESENT] * len(refs)
                slices = slices_in(self._dataset, path, handle, os.fstat(handle))
        except FileNotFoundError:
            return [Presence.ABSENT] * len(refs)
        except (Astray, PermissionError, BlockingIOError, Unreadable):
            # Something is there; that it is not the record cannot be shown.
            return [Presence.PRESENT] * len(refs)
        except OSError as error:
            raise system_error(error, f"A file of {self._dataset.target} cannot be opened") from None
        seen = []
        for ref in refs:
            piece = slices.get(ref.key[-1])
            if piece is None:
                seen.append(Presence.ABSENT)
            elif self._dataset.truncate is not None and not piece.whole_addresses:
                seen.append(Presence.ANONYMIZED)
            else:
                seen.append(Presence.PRESENT)
        return seen


def _awaits(row: Row, action: Action) -> bool:
    match action:
        case Action.DELETE:
            return True
        case Action.BLOCK:
            return not row.blocked
        case Action.ANONYMIZE:
            return row.whole_addresses
        case Action.UNBLOCK:
            return row.blocked


def _stamp(state: os.stat_result) -> _Stamp:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
