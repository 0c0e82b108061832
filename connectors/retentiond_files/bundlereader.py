"""Finds records that are a document and its sidecar, and opens nothing for writing."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence

from retentiond.connector import Action, ConnectorError, Cutoff, Finding, Presence, Reader, RecordRef, Subject
from retentiond_files.bundle import Bundle, assemble, reference, source_of, stamps_in
from retentiond_files.bundlechecks import checks
from retentiond_files.bundles import bundle_at, stamps_there, survey, trees
from retentiond_files.dataset import Dataset
from retentiond_files.failures import Astray, system_error
from retentiond_files.instant import order
from retentiond_files.keys import path_of
from retentiond_files.patterns import Path
from retentiond_files.preflight import preflight
from retentiond_files.telling import Told, nothing_told, told_by

PAGE = 1000

_Stamp = tuple[int, int, int, int, int]


class BundleReader(Reader):
    """A reader of one data set whose dates stand in sidecars. A search keeps all that it found, to bring the oldest first."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._source = source_of(dataset)
        # What sidecars told, as long as the file system says that they are untouched: one plan reads each of them once.
        self._read: dict[tuple[bool, Path], tuple[_Stamp, Told]] = {}

    def close(self) -> None:
        """Give the handles back."""
        self._read.clear()
        self._dataset.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Look at the tree, the rights, the traps and the sidecars; changes nothing."""
        found = preflight(self._dataset, action)
        try:
            return [*found, *checks(self._dataset, survey(self._dataset), self._told)]
        except ConnectorError as error:
            return [*found, *([] if any(one.what == str(error) for one in found) else [Finding(str(error))])]

    def count(self) -> int:
        """How many documents; undated and blocked ones included, and those of which only the sidecar is left."""
        return len(survey(self._dataset).documents)

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Pages of records before the cutoff, oldest first; every sidecar is read before the first page."""
        found = [ref for ref in self._refs() if cutoff.admits(ref.dates) and _awaits(ref, awaiting)]
        found.sort(key=lambda ref: (order(ref.dates[cutoff.by]), ref.key))
        yield from _pages(iter(found))

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Pages of records of which no sidecar tells one of the dates."""
        yield from _pages(ref for ref in self._refs() if all(ref.dates.get(name) is None for name in dates))

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """Pages of the person's records; raises `ConnectorError` after them where some sidecar cannot be read."""
        if person.kind not in self._source.subjects:
            yield from super().about(person)
        unclear: list[Path] = []
        yield from _pages(ref for ref in self._refs(unclear.append) if person in ref.subjects)
        if unclear:
            raise ConnectorError(
                f"{len(unclear):,} sidecars of {self._dataset.target} are no JSON object, or hold no identifier where one should "
                f"be, so nobody knows whom their documents are about; mend them.",
                "unreadable",
            )

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each record: it is absent once document, parts and sidecar are gone, and blocked once all moved.

        What is gone from its name is looked for under all others, also under the temporary ones of an interrupted act.
        """
        seen = [self._seen(ref.key) for ref in refs]
        missing = [number for number, presence in enumerate(seen) if presence is Presence.ABSENT]
        stamps = {number: stamps_in(refs[number].fingerprint) for number in missing}
        there = stamps_there(self._dataset, {one for pair in stamps.values() for one in pair}, trees(self._dataset))
        for number in missing:
            if not there.isdisjoint(stamps[number]):
                seen[number] = Presence.PRESENT
        return seen

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The record of the document under the key as it is now."""
        document = path_of("@".join(key))  # a name may look like the key of lines
        if document is None or not self._dataset.selection.file(document):
            return None
        try:
            bundle = bundle_at(self._dataset, document)
        except Astray:
            return None
        except OSError as error:
            raise system_error(error, f"A file of {self._dataset.target} cannot be looked at") from None
        if not bundle.members:
            return None
        if bundle.sidecar is None and document not in survey(self._dataset).documents:
            return None  # a part, or the sidecar of another document
        return reference(self._dataset, bundle, self._told(bundle))

    def _refs(self, unclear: Callable[[Path], None] = lambda _document: None) -> Iterator[RecordRef]:
        found = survey(self._dataset)
        for document in found.documents:
            bundle = assemble(self._source, document, found.look)
            told = self._told(bundle)
            if not told.clear:
                unclear(document)
            yield reference(self._dataset, bundle, told)

    def _told(self, bundle: Bundle) -> Told:
        sidecar = bundle.sidecar
        if sidecar is None:
            return nothing_told(self._source, clear=True)
        known = self._read.get((sidecar.blocked, sidecar.path))
        if known is not None and known[0] == _stamp(sidecar.state):
            return known[1]
        tree = trees(self._dataset)[sidecar.blocked]
        try:
            with tree.file(sidecar.path) as handle:
                stamp, told = _stamp(os.fstat(handle)), told_by(self._source, handle)
        except (FileNotFoundError, Astray, BlockingIOError):
            # It went since it was listed, or a file server has lent it out, and is asked to give it back.
            return nothing_told(self._source, clear=False)
        except OSError as error:
            raise system_error(error, f"A sidecar of {self._dataset.target} below {tree.place} cannot be read") from None
        if stamp != _stamp(sidecar.state):  # written anew since it was listed: what it tells now is not told by that stamp
            return nothing_told(self._source, clear=False)
        self._read[(sidecar.blocked, sidecar.path)] = stamp, told
        return told

    def _seen(self, key: tuple[str, ...]) -> Presence:
        document = path_of(key[0]) if len(key) == 1 else None
        if document is None:
            return Presence.ABSENT
        try:
            bundle = bundle_at(self._dataset, document)
        except (Astray, PermissionError):
            return Presence.PRESENT  # something is there; that it is not the record cannot be shown
        except OSError as error:
            raise system_error(error, f"A file of {self._dataset.target} cannot be looked at") from None
        if not bundle.members:
            return Presence.ABSENT
        return Presence.BLOCKED if bundle.blocked else Presence.PRESENT


def _awaits(ref: RecordRef, action: Action) -> bool:
    match action:
        case Action.DELETE:
            return True
        case Action.BLOCK:
            return not ref.blocked
        case Action.UNBLOCK:
            return ref.blocked
        case Action.ANONYMIZE:
            return False


def _pages(refs: Iterator[RecordRef]) -> Iterator[Sequence[RecordRef]]:
    while page := list(itertools.islice(refs, PAGE)):
        yield page


def _stamp(state: os.stat_result) -> _Stamp:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
