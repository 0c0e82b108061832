"""One record of a document and its sidecar: what lies where of it, and how the engine knows it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retentiond.connector import RecordRef
from retentiond_files.companions import names_of, sidecar_of
from retentiond_files.dataset import Dataset
from retentiond_files.keys import text_of
from retentiond_files.patterns import Path
from retentiond_files.records import STAMP, stamp_of
from retentiond_files.sidecar import Sidecar
from retentiond_files.telling import Told

NO_STAMP = "0" * STAMP
"""Stands in a fingerprint for the stamp of a file that is not there."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a bundle, as it was when it was looked at."""

    path: Path
    state: os.stat_result
    blocked: bool
    """True where it lies among the blocked files."""


Look = Callable[[Path], Sequence[Member]]
"""What lies under a name: nothing, a file, or one below the root and then one among the blocked."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A document, its parts and its sidecar: as much of them as is there."""

    document: Path
    """The name of the document, which is the record's key; the document itself may be gone, and its sidecar still be there."""
    members: tuple[Member, ...]
    """In the order in which they go: the sidecar is the last."""
    sidecar: Member | None
    written: os.stat_result | None
    """The state of the document; None where it is gone."""

    @property
    def blocked(self) -> bool:
        """True where all that is there lies among the blocked files: half-moved is not blocked."""
        return all(member.blocked for member in self.members)

    @property
    def doubled(self) -> bool:
        """True where a name is taken below the root and among the blocked: nobody can tell what belongs together."""
        return len({member.path for member in self.members}) < len(self.members)


def source_of(dataset: Dataset) -> Sidecar:
    """How the sidecars of the data set are read; only asked of one that has them."""
    source = dataset.options.source
    if not isinstance(source, Sidecar):
        raise TypeError
    return source


def assemble(source: Sidecar, document: Path, look: Look) -> Bundle:
    """The bundle of this document, of what `look` finds."""
    members = tuple(member for path in names_of(source, document) for member in look(path))
    last = sidecar_of(source, document)
    return Bundle(
        document,
        members,
        next((member for member in members if member.path == last), None),
        next((member.state for member in members if member.path == document), None),
    )


def reference(dataset: Dataset, bundle: Bundle, told: Told) -> RecordRef:
    """The record as the engine knows it.

    Its fingerprint tells the document's inode, size and mtime, then those of the sidecar, then what the sidecar tells: so what
    is left of a record whose document went is still known by the rest. Parts that come or go do not change it.
    """
    key = (text_of(bundle.document),)
    stamps = (bundle.written, None if bundle.sidecar is None else bundle.sidecar.state)
    return RecordRef(
        key,
        told.dates,
        "".join(NO_STAMP if state is None else stamp_of(state) for state in stamps) + _digest(told),
        key if dataset.options.identity else (),
        blocked=bundle.blocked,
        rows=len(bundle.members),
        facts=told.facts,
        subjects=told.subjects,
    )


def _digest(told: Told) -> str:
    dates = sorted((name, str(moment)) for name, moment in told.dates.items())
    persons = sorted((one.kind, one.value) for one in told.subjects)
    return hashlib.sha256(json.dumps([dates, sorted(told.facts.items()), persons]).encode()).hexdigest()[:STAMP]


def stamps_in(fingerprint: str) -> tuple[str, str]:
    """The stamp of the document and that of the sidecar; `NO_STAMP` where there was none."""
    return fingerprint[:STAMP], fingerprint[STAMP : 2 * STAMP]


def is_rest_of(now: RecordRef, found: RecordRef) -> bool:
    """True where the record is as it was found, but for its document, which is gone."""
    return now.fingerprint[:STAMP] == NO_STAMP and now.fingerprint[STAMP:] == found.fingerprint[STAMP:]
