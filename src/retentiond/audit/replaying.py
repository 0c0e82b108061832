"""What the log says was done to records, looked up by the records themselves: after a restore, or to notice one."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retentiond.audit.batch import Intent
from retentiond.audit.handle import EpochKey, unpacked_pairs
from retentiond.audit.keys import open_keys
from retentiond.audit.leaf import moment, read_leaf
from retentiond.audit.log import TOUCHED
from retentiond.audit.place import LogPlace, reading
from retentiond.audit.stored import PAGE, as_bytes, first_bundle, stored_leaves
from retentiond.audit.tables import batches
from retentiond.audit.tile import WIDTH
from retentiond.errors import AuditError, StateError
from retentiond.model.record import Action, OutcomeKind, RecordRef, Target

CHUNK = 500
"""So many handles one question to the index names."""

CACHE = 32 * 1024
"""KiB of the index that are held in memory."""

_OUTCOME = (b'{"again"', b'{"code"', b'{"due"', b'{"how"')
"""How the leaf of an outcome begins: its fields are sorted, and every other leaf says first when it was written."""

_INDEX = """\
CREATE TABLE acts (ref BLOB, idx INTEGER, batch INTEGER, kind TEXT, identity BLOB, PRIMARY KEY (ref, idx)) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that the log says was done to the record, or was so already."""

    index: int
    """The index of its outcome."""
    outcome: OutcomeKind
    intent: Intent
    concluded: datetime
    """When it was written down (aware UTC)."""
    same: bool | None
    """Whether it was this very record, and no other under its key; None where nothing tells them apart."""

    @property
    def action(self) -> Action:
        """What was done."""
        return self.intent.action


class Past:
    """What was done in one data set; got from `open_past`."""

    def __init__(self, target: Target, epochs: Sequence[EpochKey], index: sqlite3.Connection) -> None:
        self._target = target
        self._epochs = epochs
        self._index = index
        self._batches: list[tuple[Intent, datetime]] = []
        self._intents: dict[Intent, Intent] = {}
        self.lost = 0
        """How many records it cannot tell of, because the key of their epoch, or what finds them, is gone."""
        self.begins: datetime | None = None
        """From when on it tells (aware UTC), where older entries were pruned or stand in another log; None where none do."""

    @property
    def empty(self) -> bool:
        """True where nothing was done."""
        return not self._batches and not self.lost

    def acts(self, refs: Sequence[RecordRef]) -> list[list[Act]]:
        """For each record, in order, what was done to it, or to another one under its key; oldest first."""
        found: list[list[Act]] = [[] for _ in refs]
        for epoch in self._epochs:
            pairs = epoch.pairs(self._target, refs)
            known = self._known([handle for handle, _ in pairs])
            for place, (handle, identity) in enumerate(pairs):
                for index, batch, kind, then in known.get(handle, ()):
                    intent, concluded = self._batches[batch]
                    same = None if not identity or not then else identity == then
                    found[place].append(Act(index, OutcomeKind(kind), intent, concluded, same))
        for acts in found:
            acts.sort(key=lambda act: act.index)
        return found

    def add(self, first: int, intent: Intent, concluded: datetime, records: Sequence[tuple[int, str, bytes, bytes]]) -> None:
        """Take in a batch: number, outcome, handle and identity of each of its records."""
        batch = len(self._batches)
        self._batches.append((self._intents.setdefault(intent, intent), concluded))
        rows = [(ref, first + number, batch, kind, identity) for number, kind, ref, identity in records]
        self._index.executemany("INSERT INTO acts VALUES (?, ?, ?, ?, ?)", rows)

    def _known(self, handles: Sequence[bytes]) -> dict[bytes, list[tuple[int, int, str, bytes]]]:
        known: dict[bytes, list[tuple[int, int, str, bytes]]] = defaultdict(list)
        for start in range(0, len(handles), CHUNK):
            asked = handles[start : start + CHUNK]
            marks = ",".join("?" * len(asked))
            for ref, *act in self._index.execute(f"SELECT * FROM acts WHERE ref IN ({marks})", asked):  # noqa: S608 - marks only
                known[ref].append((act[0], act[1], act[2], act[3]))
        return known


@contextmanager
def open_past(
    place: LogPlace, target: Target, since: datetime | None = None, about: Sequence[RecordRef] | None = None
) -> Iterator[Past]:
    """What was done in a data set and concluded at `since` (aware UTC) or later; of the records of `about` only where given.

    Memory stays constant: it lies in a nameless file in the state directory. Needs the log's keys. Raises `AuditError` where
    log or keys cannot be read, `StateError` where the file cannot be written.
    """
    if since is not None:
        since = since.replace(microsecond=0)  # entries tell no part of a second, so one of that very second counts as later
    with reading(place) as connection, _nameless(place.state) as index:
        epochs = open_keys(place.state, place.origin, 0, make=False).epochs
        wanted = None if about is None else {handle for one in epochs for handle, _ in one.pairs(target, about)}
        past = Past(target, epochs, index)
        try:
            if wanted is None or _any_known(connection, target, wanted):
                _take_in(connection, past, target, {epoch.kid for epoch in epochs}, since, wanted)
            yield past
        except sqlite3.Error:
            raise StateError(
                f"What the log tells of {target} cannot be laid out in the state directory. Free space there, or let us write."
            ) from None


@contextmanager
def _nameless(directory: Path) -> Iterator[sqlite3.Connection]:
    """An empty database on the disk of `directory`, which goes when it is closed or the process dies."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".replay-", dir=directory)
        os.close(descriptor)
    except OSError as error:
        raise StateError(
            f"Nothing can be laid out in the state directory ({error.strerror}). Free space there, or give write access."
        ) from None
    try:
        index = sqlite3.connect(name, isolation_level=None)
        # Without a journal nothing needs the file's name again, so that it can go at once.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", f"cache_size=-{CACHE}"):
            index.execute(f"PRAGMA {pragma}")
        index.execute(_INDEX)
    finally:
        Path(name).unlink()
    with closing(index):
        yield index


def _any_known(connection: sa.Connection, target: Target, wanted: Collection[bytes]) -> bool:
    """True where the log has ever dealt with one of these handles: most often it has not, and need not be read."""
    stored = sa.select(batches.c.refs).where(batches.c.place == str(target), batches.c.first.is_not(None))
    for (refs,) in connection.execute(stored.execution_options(yield_per=PAGE)):
        packed = as_bytes(refs)
        if any(ref in wanted for ref, _ in unpacked_pairs(packed, bytes(len(packed)))):
            return True
    return False


def _take_in(
    connection: sa.Connection,
    past: Past,
    target: Target,
    kids: Collection[str],
    since: datetime | None,
    wanted: Collection[bytes] | None,
) -> None:
    """Read the whole log once, in order: the outcomes of a batch stand just before its conclusion."""
    intents: dict[str, tuple[int, dict[str, Any]]] = {}
    outcomes: list[tuple[int, bytes]] = []
    first = first_bundle(connection) * WIDTH
    cut = first > 0
    for index, leaf in stored_leaves(connection):
        if leaf.startswith(_OUTCOME):
            outcomes.append((index, leaf))
            continue
        fields = _read(index, leaf)
        kind = fields.get("kind")
        cut = cut or "prev_origin" in fields
        if cut and past.begins is None and index >= first:
            past.begins = moment(fields["at"])
        if kind == "intent" and (fields["system"], fields["dataset"]) == (target.system, target.dataset):
            intents[fields["batch"]] = index, fields
        elif kind == "concluded" and fields["batch"] in intents:
            begun, intent = intents.pop(fields["batch"])
            concluded = moment(fields["at"])
            if since is None or concluded >= since:
                done = [(number, text) for number, text in _done(outcomes) if text in _TOUCHED]
                pairs = _pairs(connection, begun, kids)
                if len(pairs) != len(outcomes):
                    past.lost += len(done)
                elif done:
                    found = [(number, text, *pairs[number]) for number, text in done]
                    chosen = found if wanted is None else [one for one in found if one[2] in wanted]
                    past.add(outcomes[0][0], Intent.of(intent), concluded, chosen)
        outcomes.clear()


_TOUCHED = frozenset(kind.value for kind in TOUCHED)


def _done(outcomes: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, str]]:
    for index, leaf in outcomes:
        fields = _read(index, leaf)
        yield fields["n"], fields["o"]


def _pairs(connection: sa.Connection, batch: int, kids: Collection[str]) -> list[tuple[bytes, bytes]]:
    """Handle and identity of each record of a batch; empty where they, or the key they hang on, are gone."""
    wanted = sa.select(batches.c.kid, batches.c.refs, batches.c.identities).where(batches.c.idx == batch)
    row = connection.execute(wanted).one_or_none()
    if row is None or row.refs is None or row.kid not in kids:
        return []
    try:
        return unpacked_pairs(as_bytes(row.refs), as_bytes(row.identities))
    except ValueError:
        raise _unreadable(batch) from None


def _read(index: int, leaf: bytes) -> dict[str, Any]:
    try:
        return read_leaf(leaf)
    except ValueError:
        raise _unreadable(index) from None


def _unreadable(index: int) -> AuditError:
    return AuditError(f"Entry {index} of the deletion log cannot be read; run `retentiond audit verify`.")
