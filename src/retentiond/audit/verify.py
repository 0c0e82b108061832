"""Checks a whole log as somebody would who trusts nobody: needs the public key only, reads every entry, changes nothing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from retentiond.audit.arithmetic import Arithmetic, Problems, Word, kept_digest
from retentiond.audit.beside import Beside, Unlooked
from retentiond.audit.growth import leaf_hashes, parted
from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note
from retentiond.audit.place import LogPlace, last_signed, reading
from retentiond.audit.regrowing import Regrowing
from retentiond.audit.stored import as_bytes, first_bundle, stored_bundles, stored_tile, stored_tree
from retentiond.audit.tables import checkpoints, kept, work
from retentiond.audit.tables import head as HEAD  # noqa: N812 - `head` is what was read from it
from retentiond.audit.tile import WIDTH, split_bundle
from retentiond.audit.tree import Range
from retentiond.database import DatabaseError, Fault
from retentiond.errors import AuditError, ConfigurationError, StateError


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
    pruned: int = 0
    """How many entries at the beginning are gone, by the log's own rule; their hashes stay."""

    @property
    def in_order(self) -> bool:
        """True where nothing was found."""
        return not self.problems


def verify_log(place: LogPlace, vkey: str | None = None, elsewhere: Sequence[Path] = (), *, full: bool = False) -> Verification:
    """Check the log at `place` against `vkey`, or the key that lies beside it where none is given.

    Every entry is read, hashed and compared with every checkpoint, and the arithmetic of batches is done again; with `full`
    also what lies beside the entries and finds or opens them. `elsewhere` are signed checkpoints from elsewhere, which the
    log must still contain. Raises `StateError` where there is no log, `AuditError` where the key beside it, or a checkpoint,
    cannot be read, `ConfigurationError` where `vkey` is none.
    """
    if vkey is None and not place.public_key.exists() and not place.last_signed.exists():
        with reading(place):  # says where there is no log at all
            pass
    return verify(place, verifier_key(place, vkey), [(str(file), _elsewhere(file)) for file in elsewhere], full=full)


def verify(place: LogPlace, key: VerifierKey, elsewhere: Sequence[tuple[str, str]] = (), *, full: bool = False) -> Verification:
    """Check the log at `place` with the key at hand; `elsewhere` are checkpoints with a name for each.

    Raises `StateError` where there is no log, and none was ever signed.
    """
    problems = Problems()
    signed = _signed_before(place, key, problems)
    for name, note in elsewhere:
        _take(signed, note, key, f"The checkpoint {name}", problems)
    try:
        return _verify(place, key, signed, problems, full=full)
    except DatabaseError as error:
        if error.fault not in {Fault.DAMAGED, Fault.REFUSED}:
            raise  # it may be in the best of orders; nobody could look
        problems.add(str(error))
    except StateError:
        if not place.last_signed.exists():
            raise
        problems.add(f"The log is gone, though {place.last_signed} says that it was signed. Restore it from its backup.")
    return Verification(0, Range().root().hex(), 0, 0, 0, tuple(problems.found))


def _verify(place: LogPlace, key: VerifierKey, signed: _Signed, problems: Problems, *, full: bool) -> Verification:
    with reading(place) as connection:
        rows = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.size)).all()
        for row in rows:
            note = as_bytes(row.note).decode("utf-8", "replace")
            _take(signed, note, key, f"The checkpoint of size {row.size}", problems, size=row.size)
        if not rows and place.last_signed.exists():
            pass  # a crash came between the file and the row; the file is checked like any other
        elif rows and not place.last_signed.exists():
            problems.add(f"{place.last_signed} is gone, though the log was signed; a rollback would not be noticed.")
        begin = first_bundle(connection) * WIDTH
        beside = Beside(connection, problems) if full else Unlooked()
        history = _History(signed, problems)
        batches = Arithmetic(problems, beside, signed.keys(), place.origin, key, begin)
        digest = ""
        growing = _Growing(Regrowing(connection, Range()), history, problems)
        try:
            digest = _take_pruned(connection, begin, growing, batches, problems)
            for expected, (n, bundle) in enumerate(stored_bundles(connection), start=begin // WIDTH):
                if n != expected:
                    problems.add(f"Bundle {expected}, with the entries from {expected * WIDTH} on, is missing.")
                    break
                leaves = split_bundle(bundle)
                growing.add(leaf_hashes(leaves))
                batches.take(n * WIDTH, leaves)
                if len(leaves) != WIDTH:
                    growing.ended = True
        except ValueError:
            problems.add(f"The bundle of the entries from {growing.tree.size} on cannot be read.")
        except AuditError as error:
            problems.add(str(error))
        tree = growing.tree
        history.compare(tree)
        for strange in growing.growing.end():
            problems.add(strange)
        _compare_head(connection, tree, batches.last_at, problems)
        batches.compare_open({row.idx for row in connection.execute(sa.select(work.c.idx))})
        if batches.pruned.entries < begin:
            problems.add(f"The entries before {begin} are gone, and the log tells of no pruning so far.")
        elif begin and batches.pruned.kept.get(begin) != digest:
            problems.add("Of the entries that were kept when others were pruned, some are gone, or others are there.")
        beside.end(batches.pruned)
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
        pruned=begin,
    )


def _take_pruned(connection: sa.Connection, begin: int, growing: _Growing, batches: Arithmetic, problems: Problems) -> str:
    """Go through what was pruned by the hashes that stay, and look at the entries that were kept; the digest over these."""
    still = {row.idx: as_bytes(row.leaf) for row in connection.execute(sa.select(kept).order_by(kept.c.idx))}
    digest = kept_digest(still.items())
    for n in range(begin // WIDTH):
        hashes = parted(stored_tile(connection, 0, n))
        growing.add(hashes)
        for index in [index for index in still if n * WIDTH <= index < (n + 1) * WIDTH]:
            leaf = still.pop(index)
            if leaf_hashes([leaf])[0] != hashes[index - n * WIDTH]:
                problems.add(f"Entry {index}, which was kept when others were pruned, is another one than was signed.")
            batches.take(index, [leaf])
    if still:
        problems.add(f"Entry {min(still)} is kept apart, though nothing around it was pruned.")
    return digest


@dataclass(slots=True)
class _Growing:
    """The tree, grown bundle by bundle and compared with the stored tiles and with what was signed."""

    growing: Regrowing
    history: _History
    problems: Problems
    ended: bool = False
    """True after a bundle that is not full: nothing may follow it."""

    def add(self, hashes: Sequence[bytes]) -> None:
        """Add the hashes of one bundle's leaves, the first of which stands at a multiple of 256."""
        begin = self.tree.size
        if self.ended or not 0 < len(hashes) <= WIDTH:
            self.problems.add(f"The bundle of the entries from {begin} on is not whole, or there is none before it.")
        self.history.compare(self.tree)
        for tree in self.growing.add(begin // WIDTH, hashes, self.history.sizes(begin, begin + len(hashes))):
            self.history.compare(tree)

    @property
    def tree(self) -> Range:
        """The tree as far as it has grown."""
        return self.growing.tree


_Signed = dict[int, tuple[bytes, str]]
"""By size: the root that was signed, and what to call it."""


def verifier_key(place: LogPlace, vkey: str | None = None) -> VerifierKey:
    """The key to verify with: `vkey`, or the one beside the log; raises `AuditError`, or `ConfigurationError` for `vkey`."""
    try:
        return VerifierKey.parse(place.public_key.read_text(encoding="utf-8") if vkey is None else vkey)
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"The key {place.public_key} cannot be read ({type(error).__name__}); give it with --vkey.") from None
    except NoteError as error:
        raise (AuditError if vkey is None else ConfigurationError)(str(error)) from None


def _elsewhere(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"The checkpoint {file} cannot be read ({type(error).__name__}).") from None


def _signed_before(place: LogPlace, key: VerifierKey, problems: Problems) -> _Signed:
    try:
        beside = last_signed(place, key)
    except AuditError as error:
        problems.add(str(error))
        return {}
    return {} if beside is None else {beside.size: (beside.root, str(place.last_signed))}


def _take(signed: _Signed, note: str, key: VerifierKey, what: str, problems: Problems, size: int | None = None) -> None:
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


class _History:
    """Whether the entries are those that were signed; told once, because whatever follows a change differs, too."""

    def __init__(self, signed: _Signed, problems: Problems) -> None:
        self._signed = signed
        self._sizes = sorted(signed)
        self._problems = problems
        self._agreed = 0
        self._broken = False

    def sizes(self, begin: int, end: int) -> Sequence[int]:
        """The sizes between the two, without them, that were signed."""
        return self._sizes[bisect_right(self._sizes, begin) : bisect_left(self._sizes, end)]

    def compare(self, tree: Range) -> None:
        """Compare the entries so far with what was signed of just as many."""
        if self._broken or tree.size not in self._signed:
            return
        root, what = self._signed[tree.size]
        if root != tree.root():
            self._broken = True
            self._problems.add(
                f"Among the entries {self._agreed} to {tree.size - 1}, something is not as it was signed ({what})."
            )
        else:
            self._agreed = tree.size


def _compare_head(connection: sa.Connection, tree: Range, last_at: str | None, problems: Problems) -> None:
    try:
        head = stored_tree(connection)
    except AuditError as error:
        problems.add(str(error))
        return
    if head != tree:
        problems.add(f"The head tells of {head.size} entries, but the {tree.size} that are there are not those.")
    if connection.execute(sa.select(HEAD.c.last_at).where(HEAD.c.id == 1)).scalar_one() != last_at:
        problems.add("The head tells another moment for the last entry than the entry itself.")
