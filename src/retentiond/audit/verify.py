"""Checks a whole log as somebody would who trusts nobody: needs the public key only, reads every entry, changes nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retentiond.audit.handle import commitment, salt
from retentiond.audit.leaf import ALLOWED, kind_of, moment, raw, read_leaf
from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note
from retentiond.audit.place import LogPlace, last_signed, reading
from retentiond.audit.stored import as_bytes, stored_handles, stored_leaves, stored_tree
from retentiond.audit.tables import checkpoints, handles, leaves, salts, work
from retentiond.audit.tables import head as HEAD  # noqa: N812 - `head` is what was read from it
from retentiond.audit.tree import Range
from retentiond.database import DatabaseError, Fault
from retentiond.errors import AuditError, ConfigurationError, StateError
from retentiond.model.record import FAILURE_CODES, How, OutcomeKind

MOST_TOLD = 20
"""So many problems are told; a log that is damaged all over needs no more."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one person allowed, as it stands in the log."""

    subject: str
    """`rule` or `removal`, and the rule."""
    digest: str
    by: str
    """The person's staff id."""
    at: datetime
    """UTC, to the second."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found."""

    size: int
    """How many entries there are."""
    root: str
    """The root over all of them, hex."""
    signed_size: int
    """How many of them the newest checkpoint covers."""
    unsigned_tail: int
    """How many came after it."""
    open_batches: int
    """How many batches are in doubt; no problem in itself, the next run resolves them."""
    problems: tuple[str, ...]
    """Finished sentences; empty where the log is in order."""
    approvals: frozenset[tuple[str, str]] = frozenset()
    """What named persons allowed: subject and digest, as they stand in the log."""
    policies: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Of each rule the digest and the mode that were written down last."""
    words: tuple[Word, ...] = ()
    """Each approval of a rule, or of its removal, in the order of the log."""
    holds: Mapping[str, str] = field(default_factory=dict)
    """Each hold that was placed and not lifted, as the log tells it, with its kind."""

    @property
    def in_order(self) -> bool:
        """True where nothing was found."""
        return not self.problems


def verify_log(place: LogPlace, vkey: str | None = None, checkpoint: Path | None = None) -> Verification:
    """Check the log at `place` against `vkey`, or the key that lies beside it where none is given.

    `checkpoint` is a signed checkpoint from elsewhere, which the log must still contain. Raises `StateError` where there is no
    log, `AuditError` where the key beside it cannot be read, `ConfigurationError` where `vkey` is none.
    """
    if vkey is None and not place.public_key.exists() and not place.last_signed.exists():
        with reading(place):  # says where there is no log at all
            pass
    return verify(place, _key(place, vkey), _elsewhere(checkpoint))


def verify(place: LogPlace, key: VerifierKey, elsewhere: str | None = None) -> Verification:
    """Check the log at `place` with the key at hand; raises `StateError` where there is none, and none was ever signed."""
    problems = _Problems()
    signed = _signed_before(place, key, problems)
    if elsewhere is not None:
        _take(signed, elsewhere, key, "The checkpoint you gave", problems)
    try:
        return _verify(place, key, signed, problems)
    except DatabaseError as error:
        if error.fault not in {Fault.DAMAGED, Fault.REFUSED}:
            raise  # it may be in the best of orders; nobody could look
        problems.add(str(error))
    except StateError:
        if not place.last_signed.exists():
            raise
        problems.add(f"The log is gone, though {place.last_signed} says that it was signed. Restore it from its backup.")
    return Verification(0, Range().root().hex(), 0, 0, 0, tuple(problems.found))


def _verify(place: LogPlace, key: VerifierKey, signed: _Signed, problems: _Problems) -> Verification:
    with reading(place) as connection:
        rows = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.size)).all()
        for row in rows:
            note = as_bytes(row.note).decode("utf-8", "replace")
            _take(signed, note, key, f"The checkpoint of size {row.size}", problems, size=row.size)
        if not rows and place.last_signed.exists():
            pass  # a crash came between the file and the row; the file is checked like any other
        elif rows and not place.last_signed.exists():
            problems.add(f"{place.last_signed} is gone, though the log was signed; a rollback would not be noticed.")
        history = _History(signed, {row.size: as_bytes(row.tree) for row in rows}, problems)
        tree, batches = Range(), _Batches(problems, _Openings(connection, problems), signed.keys())
        for expected, (index, leaf) in enumerate(stored_leaves(connection)):
            if index != expected:
                problems.add(f"Entry {expected} is missing.")
                break
            history.compare(tree)
            tree = tree.grown((leaf,))
            batches.take(index, leaf, place.origin, key)
        history.compare(tree)
        _compare_head(connection, tree, batches.last_at, problems)
        batches.compare_open({row.idx for row in connection.execute(sa.select(work.c.idx))})
        _look_for_strays(connection, batches.intended, problems)
    for size, (_, what) in signed.items():
        if size > tree.size:
            problems.add(f"{what} covers {size} entries, but only {tree.size} are there: the log was cut or rolled back.")
    newest = max((row.size for row in rows), default=0)
    return Verification(
        size=tree.size,
        root=tree.root().hex(),
        signed_size=newest,
        unsigned_tail=tree.size - newest,
        open_batches=len(batches.open),
        problems=tuple(problems.found),
        approvals=frozenset(batches.approvals),
        policies=batches.policies,
        words=tuple(batches.words),
        holds=batches.holds,
    )


@dataclass(slots=True)
class _Problems:
    found: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        if len(self.found) < MOST_TOLD and what not in self.found:
            self.found.append(what)


_Signed = dict[int, tuple[bytes, str]]
"""By size: the root that was signed, and what to call it."""


def _key(place: LogPlace, vkey: str | None) -> VerifierKey:
    try:
        return VerifierKey.parse(place.public_key.read_text(encoding="utf-8") if vkey is None else vkey)
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"The key {place.public_key} cannot be read ({type(error).__name__}); give it with --vkey.") from None
    except NoteError as error:
        raise (AuditError if vkey is None else ConfigurationError)(str(error)) from None


def _elsewhere(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"The checkpoint {file} cannot be read ({type(error).__name__}).") from None


def _signed_before(place: LogPlace, key: VerifierKey, problems: _Problems) -> _Signed:
    try:
        beside = last_signed(place, key)
    except AuditError as error:
        problems.add(str(error))
        return {}
    return {} if beside is None else {beside.size: (beside.root, str(place.last_signed))}


def _take(signed: _Signed, note: str, key: VerifierKey, what: str, problems: _Problems, size: int | None = None) -> None:
    try:
        checkpoint = Checkpoint.parse(open_note(note, key))
    except NoteError as error:
        problems.add(f"{what} does not hold. {error}")
        return
    if checkpoint.origin != key.name or (size is not None and checkpoint.size != size):
        problems.add(f"{what} is that of another log, or of another size.")
        return
    other = signed.setdefault(checkpoint.size, (checkpoint.root, what))
    if other[0] != checkpoint.root:
        problems.add(f"{what} and {other[1]} tell of two different histories of {checkpoint.size} entries.")


@dataclass(slots=True)
class _History:
    """Whether the entries are those that were signed; told once, because whatever follows a change differs, too."""

    signed: _Signed
    edges: Mapping[int, bytes]
    problems: _Problems
    agreed: int = 0
    broken: bool = False

    def compare(self, tree: Range) -> None:
        """Compare the entries so far with what was signed of just as many."""
        if self.broken:
            return
        root, what = self.signed.get(tree.size, (tree.root(), ""))
        if root != tree.root():
            self.broken = True
            self.problems.add(f"Among the entries {self.agreed} to {tree.size - 1}, something is not as it was signed ({what}).")
        elif self.edges.get(tree.size, tree.packed()) != tree.packed():
            self.problems.add(f"The tree kept beside the checkpoint of size {tree.size} is another one.")
        elif what:
            self.agreed = tree.size


def _compare_head(connection: sa.Connection, tree: Range, last_at: str | None, problems: _Problems) -> None:
    try:
        head = stored_tree(connection)
    except AuditError as error:
        problems.add(str(error))
        return
    if head != tree:
        problems.add(f"The head tells of {head.size} entries, but the {tree.size} that are there are not those.")
    if connection.execute(sa.select(HEAD.c.last_at).where(HEAD.c.id == 1)).scalar_one() != last_at:
        problems.add("The head tells another moment for the last entry than the entry itself.")


def _look_for_strays(connection: sa.Connection, intended: int, problems: _Problems) -> None:
    """Rows that stand where reading in order never comes, and that others would trip over."""
    for place in (leaves.c.idx, handles.c.idx):
        if connection.execute(sa.select(sa.func.count()).where(place < 0)).scalar_one():
            problems.add(f"The table {place.table.name} holds something before the first entry.")
    kept = connection.execute(sa.select(sa.func.count()).select_from(salts)).scalar_one()
    if kept != intended:
        problems.add(f"There are {kept} salts for the {intended} batches that were intended.")


@dataclass(slots=True)
class _Batch:
    index: int
    number: str
    count: int
    items: str
    seen: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    counts: Counter[str] = field(default_factory=Counter)


class _Openings:
    """The handles, which have to open the commitments in the entries: otherwise nothing could be found, or the wrong record."""

    def __init__(self, connection: sa.Connection, problems: _Problems) -> None:
        self._connection = connection
        self._problems = problems
        self._following = stored_handles(connection)
        self._next = next(self._following, None)
        self._salt: tuple[int, bytes | None] = (-1, None)

    def open(self, index: int, batch: _Batch, commitment_there: bytes) -> None:
        """Compare the handle of the outcome at `index`, which is the next one of `batch`."""
        self._pass(index)
        stored, self._next = self._next, next(self._following, None) if self._next and self._next[0] == index else self._next
        batch_salt = self._salt_of(batch.index)
        if stored is None or stored[0] != index or batch_salt is None:
            self._problems.add(f"The handles of the batch of entry {batch.index} are not whole; its records cannot be found.")
        elif commitment(salt(batch_salt, batch.seen), stored[1], stored[2]) != commitment_there:
            self._problems.add(f"The handle of entry {index} is that of another record.")

    def close(self) -> None:
        """Tell of handles behind the last entry."""
        self._pass(None)

    def _pass(self, index: int | None) -> None:
        while self._next is not None and (index is None or self._next[0] < index):
            self._problems.add(f"There is a handle for entry {self._next[0]}, which is no outcome.")
            self._next = next(self._following, None)

    def _salt_of(self, intent: int) -> bytes | None:
        if self._salt[0] != intent:
            found = self._connection.execute(sa.select(salts.c.salt).where(salts.c.idx == intent)).scalar_one_or_none()
            self._salt = (intent, None if found is None else as_bytes(found))
        return self._salt[1]


class _Batches:
    """The arithmetic of batches: what was intended, what became of it, and that both agree."""

    def __init__(self, problems: _Problems, openings: _Openings, signed: Collection[int]) -> None:
        self._signed = signed
        self.open: dict[int, _Batch] = {}
        self.intended = 0
        self.approvals: set[tuple[str, str]] = set()
        self.policies: dict[str, tuple[str, str]] = {}
        self.words: list[Word] = []
        self.holds: dict[str, str] = {}
        self.last_at: str | None = None
        self._openings = openings
        self._numbers: dict[str, int] = {}
        self._problems = problems

    def take(self, index: int, leaf: bytes, origin: str, key: VerifierKey) -> None:
        """Look at the next entry."""
        try:
            fields = read_leaf(leaf)
        except ValueError:
            self._problems.add(f"Entry {index} cannot be read.")
            return
        try:
            if index == 0 and (fields.get("kind"), fields.get("origin"), fields.get("vkey")) != ("log-start", origin, str(key)):
                self._problems.add("The first entry is not the beginning of this log under this key.")
            self.last_at = fields.get("at", self.last_at)
            if "kind" not in fields:
                self._outcome(index, fields)
            elif fields.get("v") == 1:
                self._event(index, fields)
        except (KeyError, TypeError, ValueError):
            self._problems.add(f"Entry {index} ({kind_of(fields)}) lacks something, or says something that cannot be.")

    def compare_open(self, put_aside: set[int]) -> None:
        """Compare what is open with the rows put aside for open batches, and end with the handles."""
        self._openings.close()
        for index, batch in self.open.items():
            if batch.seen:
                self._problems.add(f"The batch of entry {index} has outcomes and no conclusion; both are written together.")
        for index in self.open.keys() - put_aside:
            self._problems.add(f"The batch of entry {index} is open, but what is needed to look it up is gone.")
        for index in put_aside - self.open.keys():
            self._problems.add(f"Something is put aside for a batch of entry {index}, but none is open there.")

    def _event(self, index: int, fields: Mapping[str, Any]) -> None:
        if fields["kind"] == "run-start" and index not in self._signed:
            # No run begins before all there is was signed; else whoever has no key could take the signatures away and then write.
            self._problems.add(f"Entry {index} begins a run, but the signature of what stands before it is gone.")
        elif fields["kind"] == "intent":
            if fields["count"] < 1 or fields["batch"] in self._numbers:
                self._problems.add(f"Entry {index} intends nothing, or a batch that was intended before.")
            self.intended += 1
            self.open[index] = _Batch(index, fields["batch"], fields["count"], fields["items"])
            self._numbers[fields["batch"]] = index
        elif fields["kind"] == "approval":
            self.approvals.add((fields["subject"], fields["digest"]))
            if fields["subject"].startswith(("rule ", "removal ")):
                self.words.append(Word(fields["subject"], fields["digest"], fields["by"], moment(fields["at"])))
        elif fields["kind"] == "hold" and fields["op"] == "placed":
            self.holds[fields["hold"]] = fields["type"]
        elif fields["kind"] == "hold" and fields["op"] == "lifted":
            self.holds.pop(fields["hold"], None)
        elif fields["kind"] == "policy":
            self.policies[fields["rule"].partition("@")[0]] = fields["digest"], fields["mode"]
        elif fields["kind"] == "concluded":
            place = self._numbers.get(fields["batch"], -1)
            batch = self.open.pop(place, None)
            if batch is None:
                self._problems.add(f"Entry {index} concludes a batch that is not open.")
                return
            self._numbers.pop(fields["batch"])
            agreed = (
                batch.seen == batch.count == fields["count"]
                and batch.digest.hexdigest() == batch.items
                and dict(batch.counts) == fields["counts"]
            )
            if not agreed:
                self._problems.add(f"Entry {index} concludes another batch than was intended at entry {place}.")

    def _outcome(self, index: int, fields: Mapping[str, Any]) -> None:
        batch = self.open.get(fields["i"])
        if batch is None or fields["n"] != batch.seen:
            self._problems.add(f"Entry {index} is an outcome that was not intended, or stands out of order.")
            return
        kind, how = OutcomeKind(fields["o"]), How(fields["how"])
        if how not in ALLOWED[kind] or (fields.get("code") in FAILURE_CODES) != (kind is OutcomeKind.FAILED):
            self._problems.add(f"Entry {index} claims more than can be known.")
        hidden = raw(fields["rc"])
        self._openings.open(index, batch, hidden)
        batch.seen += 1
        batch.digest.update(hidden)
        batch.counts[kind.value] += 1
