"""The one writer of the deletion log. Each method is one durable transaction; when it returns, what it wrote stays."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retentiond.audit.batch import Intent, OpenBatch
from retentiond.audit.generation import came_after, forget_mark
from retentiond.audit.handle import commitments, items, packed_pairs
from retentiond.audit.keys import (
    Keys,
    destroy_work_key,
    next_kid,
    open_keys,
    refuse_shredding,
    sealed,
    shred_epoch,
    unsealed,
    with_new_epoch,
    work_key,
)
from retentiond.audit.leaf import event_leaf, kind_of, moment, outcome_leaves, read_leaf
from retentiond.audit.note import Checkpoint
from retentiond.audit.place import LogPlace, last_signed, reading, write_beside
from retentiond.audit.pruning import Needed, Prunable, prunable, prune, prune_leaves
from retentiond.audit.regrowing import regrown
from retentiond.audit.stored import append, as_bytes, latest_leaves, newest_signed, stored_leaves, stored_tree
from retentiond.audit.tables import batches, checkpoints, head, work
from retentiond.audit.tree import Range
from retentiond.audit.verify import Verification, verify
from retentiond.database import is_at, migrate, open_database, refuse_without_fsync, translated
from retentiond.errors import AuditError, StateError
from retentiond.failpoint import failpoint
from retentiond.folder import make_state_directory
from retentiond.lock import exclusive
from retentiond.model.record import Outcome, OutcomeKind, RecordRef, Target

TOUCHED = (OutcomeKind.CONFIRMED, OutcomeKind.PENDING_COPIES, OutcomeKind.UNVERIFIED, OutcomeKind.ALREADY_ABSENT)

NEWEST = "0001"
"""The last of the steps in `migrations/versions`; a test compares."""


@contextmanager
def open_log(place: LogPlace, now: datetime, software: str) -> Iterator[DeletionLog]:
    """Open the log for writing, alone; begin it, with its keys, where there is none.

    Raises `StateError` where another process writes it, `AuditError` where it cannot be written or differs from what was
    last signed.
    """
    make_state_directory(place.state)
    with exclusive(place.state / "log.lock", "the deletion log"):
        try:
            engine = open_database(place.database)
        except StateError as error:
            raise AuditError(str(error)) from None
        try:
            with _written():
                refuse_without_fsync(engine)
                if not is_at(engine, "audit_version", NEWEST):
                    migrate(engine, "retentiond.audit:migrations")
            with _written(), engine.begin() as connection:
                # Locked: a commit of a killed writer that is still under way on the server is waited for, and seen.
                begun = stored_tree(connection, lock=True).size > 0
                used = _newest_kid(connection)
            if not begun:
                _refuse_second(place)
            log = DeletionLog(place, engine, open_keys(place.state, place.origin, now.year, make=not begun))
            if not begun:
                log.begin(now, software)
            log.check_beginning()
            log.check_last_signed()
            log.turn_of_the_year(now, used)
            yield log
        finally:
            engine.dispose()


class DeletionLog:
    """An open deletion log; got from `open_log`."""

    def __init__(self, place: LogPlace, engine: sa.Engine, keys: Keys) -> None:
        self._place = place
        self._engine = engine
        self._keys = keys
        self._numbers = itertools.count(1)
        self.cleared = True

    @property
    def origin(self) -> str:
        """The log's name, which is its own in the world."""
        return self._place.origin

    def begin(self, now: datetime, software: str) -> None:
        """Write the first entry of a new log, and its verifier key beside it."""
        key = str(self._keys.signer.verifier)
        write_beside(self._place.public_key, key + "\n")
        failpoint("key-beside")
        self.event("log-start", now, origin=self._place.origin, vkey=key, software=software, **came_after(self._place.state))
        forget_mark(self._place.state)

    def check_beginning(self) -> None:
        """Raise `AuditError` where the log was begun under another name or another signing key."""
        with _written(), self._engine.begin() as connection:
            first = _leaf(connection, 0)
        if (first.get("origin"), first.get("vkey")) != (self._place.origin, str(self._keys.signer.verifier)):
            raise AuditError(
                "The deletion log was begun under another name or signing key. Restore the key from its backup, and `origin` in "
                "the settings; a new name needs a new state directory."
            )

    def turn_of_the_year(self, now: datetime, used: str | None) -> None:
        """Begin a new epoch where the year of `now` (aware UTC) has none; `used` is the newest epoch a batch was made under.

        Raises `AuditError` where the key of `used` is gone: it must not be made anew under the same name.
        """
        if used is not None and used not in {epoch.kid for epoch in self._keys.epochs}:
            raise AuditError(f"The key {used}, which the log's handles hang on, is gone. Restore the keys from their backup.")
        if now.year > int(self._keys.epoch.kid.partition("-")[0]):
            self.rotate(now)

    def rotate(self, now: datetime) -> str:
        """Begin a new epoch: new handles hang on a new key from now on. Its name."""
        kid = next_kid(self._keys, now.year)
        # The entry goes first: a key that the log tells of and nobody made is made at the next start.
        self.event("key", now, what="epoch", op="created", kid=kid)
        failpoint("epoch-told")
        self._keys = with_new_epoch(self._keys, self._place.state, self._place.origin, kid)
        return kid

    def shred(self, kid: str, now: datetime, new_kek: bytes | None = None) -> None:
        """Destroy the key of an epoch and all that finds or opens its records; what the log proves it goes on proving.

        The other epochs are wrapped anew, under `new_kek` where the present wrapping key is a credential, which nobody but
        the operator can exchange. May be repeated after a crash. Raises `ConfigurationError` for the epoch in use, one that is
        not there, and where `new_kek` is missing or not wanted.
        """
        refuse_shredding(self._keys, kid, new_kek)
        if any(batch.kid == kid for batch in self.open_batches()):
            raise StateError(f"A batch of the epoch {kid} is still in doubt; let the next run look it up, then shred.")
        self.event("key", now, what="epoch", op="shredding", kid=kid)
        self.checkpoint(now)
        failpoint("shredding-signed")
        with _written(), self._engine.begin() as connection:
            connection.execute(sa.delete(batches).where(batches.c.kid == kid))
        self._truncate()
        failpoint("handles-shredded")
        shred_epoch(self._keys, kid, self._place.origin, new_kek)
        self._keys = replace(self._keys, epochs=tuple(epoch for epoch in self._keys.epochs if epoch.kid != kid))
        self.event("key", now, what="epoch", op="shredded", kid=kid)
        self.checkpoint(now)

    def concluded_under(self, kid: str) -> datetime | None:
        """When the last batch of an epoch was intended (aware UTC); None where there is none that could still be opened."""
        with _written(), self._engine.connect() as connection:
            index = connection.execute(sa.select(sa.func.max(batches.c.idx)).where(batches.c.kid == kid)).scalar_one()
            return None if index is None else moment(_leaf(connection, index)["at"])

    @property
    def keys_folder(self) -> Path:
        """Where the keys lie that are no credentials."""
        return self._keys.folder

    @property
    def epochs(self) -> tuple[str, ...]:
        """The names of the epochs whose keys are there, oldest first; the last one is in use."""
        return tuple(epoch.kid for epoch in self._keys.epochs)

    def check_last_signed(self) -> None:
        """Raise `AuditError` where the log is behind, or differs from, what was signed last."""
        signed = last_signed(self._place, self._keys.signer.verifier)
        with _written(), self._engine.begin() as connection:
            newest, tree = newest_signed(connection, self._keys.signer.verifier), stored_tree(connection)
            if signed is None and newest is None:
                return
            if signed is None:
                raise AuditError(f"{self._place.last_signed} is gone, though the log was signed. Restore it from its backup.")
            known = newest or Range()
            if signed.size > tree.size or signed.size < known.size:
                raise AuditError(
                    f"The deletion log has {tree.size} entries, signed up to {known.size}, but {self._place.last_signed} has "
                    f"{signed.size}: one of them was rolled back or exchanged. Restore the newer one; if it is lost for good, "
                    f"begin another under a new `origin`: `retentiond audit generation`."
                )
            if regrown(connection, known, signed.size).root() != signed.root:
                raise AuditError(f"The deletion log differs from what was signed in {self._place.last_signed}.")
            if signed.size > known.size:  # a crash came between the file and the row
                note = self._place.last_signed.read_text(encoding="utf-8")
                connection.execute(sa.insert(checkpoints).values(size=signed.size, note=note))

    def event(self, kind: str, now: datetime, **fields: Any) -> int:
        """Write one entry that is about no single record; its index."""
        leaf = event_leaf(kind, now, fields)
        with _written(), self._engine.begin() as connection:
            return self._append(connection, [leaf], now)

    def intend(self, intent: Intent, records: Sequence[RecordRef], now: datetime, again: Sequence[int | None] = ()) -> OpenBatch:
        """Write down what is about to be done to `records`; only when this has returned may it be done.

        In a replay `again` says for each record by which entry it was dealt with before; its outcome will say so.
        """
        if not records:
            raise AuditError("A batch without records cannot be intended; nothing was written. This is a defect.")
        epoch = self._keys.epoch
        salt = secrets.token_bytes(32)
        number = f"{intent.run}.{next(self._numbers)}"
        found = epoch.pairs(intent.target, records)
        hidden = commitments(salt, found)
        fields = intent.fields | {
            "batch": number,
            "kid": epoch.kid,
            "count": len(records),
            "items": items(hidden),
        }
        leaf = event_leaf("intent", now, fields)
        with _written(), self._engine.begin() as connection:
            index = self._append(connection, [leaf], now)
            batch = OpenBatch(
                number, index, intent, tuple(records), salt, epoch.kid, tuple(found), tuple(hidden), fields["items"]
            )
            batch = replace(batch, again=tuple(again))
            body = sealed(work_key(self._keys.folder, make=True), batch.packed(), f"{self._place.origin} {index}")
            place = str(intent.target)
            connection.execute(sa.insert(batches).values(idx=index, place=place, kid=epoch.kid, salt=salt))
            connection.execute(sa.insert(work).values(idx=index, body=body))
        return batch

    def note(self, batch: OpenBatch, body: bytes) -> None:
        """Keep `body` with the open batch, after what was noted before; durable when this returns.

        Raises `AuditError` where the batch is not open (any more), or the log cannot be written.
        """
        with _written(), self._engine.begin() as connection:
            stored = connection.execute(sa.select(work.c.body).where(work.c.idx == batch.index)).scalar_one_or_none()
            if stored is None:
                raise AuditError(f"The batch {batch.batch} is not open; nothing was noted.")
            secret, bound_to = work_key(self._keys.folder, make=False), f"{self._place.origin} {batch.index}"
            known = OpenBatch.unpacked(batch.index, unsealed(secret, as_bytes(stored), bound_to))
            noted = replace(known, notes=(*known.notes, body))
            again = sealed(secret, noted.packed(), bound_to)
            connection.execute(sa.update(work).where(work.c.idx == batch.index).values(body=again))

    def conclude(self, batch: OpenBatch, outcomes: Sequence[Outcome], now: datetime, *, resolved: bool = False) -> None:
        """Write down what became of each record of the batch, in order; `resolved` where that was found out after a crash.

        Raises `AuditError` before anything is written where an outcome is missing or claims too much.
        """
        if len(outcomes) != len(batch.records):
            raise AuditError(
                f"{len(outcomes)} outcomes for {len(batch.records)} records cannot be concluded; nothing was written."
            )
        epoch = next((one for one in self._keys.epochs if one.kid == batch.kid), None)
        if epoch is None:
            raise AuditError(f"The key {batch.kid} of an open batch is gone. Restore the keys from their backup.")
        found = batch.pairs or epoch.pairs(batch.intent.target, batch.records)
        if batch.again:
            outcomes = [replace(outcome, again=before) for outcome, before in zip(outcomes, batch.again, strict=True)]
        written = outcome_leaves(batch.index, outcomes, batch.hidden or commitments(batch.salt, found))
        counts = Counter(outcome.kind.value for outcome in outcomes)
        fields: dict[str, Any] = {"batch": batch.batch, "count": len(outcomes), "counts": dict(counts)}
        if resolved:
            fields["resolved"] = 1
        written.append(event_leaf("concluded", now, fields))
        with _written(), self._engine.begin() as connection:
            if connection.execute(sa.delete(work).where(work.c.idx == batch.index)).rowcount != 1:
                raise AuditError(f"The batch {batch.batch} is not open; nothing was written.")
            first = self._append(connection, written, now)
            opened = packed_pairs(found)
            values = {"first": first, "refs": opened[0], "identities": opened[1]}
            connection.execute(sa.update(batches).where(batches.c.idx == batch.index).values(values))

    def open_batches(self) -> list[OpenBatch]:
        """The batches that were intended and never concluded, oldest first; their dates are not kept."""
        with _written(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(work).order_by(work.c.idx)).all()
        secret = work_key(self._keys.folder, make=False) if rows else b""
        sealed_for = self._place.origin
        return [OpenBatch.unpacked(row.idx, unsealed(secret, as_bytes(row.body), f"{sealed_for} {row.idx}")) for row in rows]

    def checkpoint(self, now: datetime) -> Checkpoint:
        """Sign the log as it is, after reading back and hashing anew what was added since the last time.

        Clears away what open batches left behind. Raises `AuditError`, and signs nothing, where what is stored is not what
        was written.
        """
        del now  # a checkpoint bears no date; the entries do
        with _written(), reading(self._place) as connection:
            newest, tree = newest_signed(connection, self._keys.signer.verifier), stored_tree(connection)
            known = newest or Range()
            grown = regrown(connection, known, tree.size)
            still_open = connection.execute(sa.select(sa.func.count()).select_from(work)).scalar_one()
        if grown != tree:
            raise AuditError("What the deletion log holds is not what was written to it; it was not signed. Look at its storage.")
        checkpoint = Checkpoint(self._place.origin, grown.size, grown.root())
        if newest is None or grown.size > newest.size:
            note = self._keys.signer.sign(checkpoint.text())
            # The file goes first: after a crash it may be ahead of the row, which the next start mends, and never behind.
            write_beside(self._place.last_signed, note)
            failpoint("signed-beside")
            with _written(), self._engine.begin() as connection:
                connection.execute(sa.insert(checkpoints).values(size=grown.size, note=note))
            failpoint("signed")
        if not still_open:
            self._clear_away()
        return checkpoint

    def prunable(self, due: Callable[[datetime], bool], needed: Needed) -> Prunable:
        """What `prune` would let go; changes nothing."""
        with _written(), reading(self._place) as connection:
            return prunable(connection, due, needed)

    @property
    def size(self) -> int:
        """How many entries there are, pruned ones included."""
        with _written(), self._engine.connect() as connection:
            return stored_tree(connection).size

    def prune(self, rule: str, due: Callable[[datetime], bool], needed: Needed, now: datetime) -> Prunable:
        """Let go what the log's own `rule` (its id and version) says, as `prunable` finds it; signed entries tell of it before.

        Of approvals and holds those stay that are `needed`. After a crash it is simply done again.
        """
        found = self.prunable(due, needed)
        if found.nothing:
            return found
        signed = self.checkpoint(now)
        for fields in prune_leaves(found, rule):
            self.event("prune", now, **fields, size=signed.size, root=signed.root.hex())
        self.checkpoint(now)
        failpoint("prune-signed")
        with _written(), self._engine.begin() as connection:
            prune(connection, found)
        failpoint("pruned")
        self._truncate()
        return found

    def verify(self, *, full: bool = False) -> Verification:
        """Check the whole log: every entry, every signature, every batch; with `full` also what finds and opens them."""
        return verify(self._place, self._keys.signer.verifier, full=full)

    def last_at(self) -> datetime | None:
        """The moment that the last entry bears (aware UTC)."""
        with _written(), self._engine.connect() as connection:
            written = connection.execute(sa.select(head.c.last_at).where(head.c.id == 1)).scalar_one()
        return None if written is None else moment(written)

    def done_since(self, since: datetime) -> Counter[tuple[str, str]]:
        """How many records were dealt with, or may have been, in batches concluded at `since` (aware UTC) or later.

        By rule and action. Those that were changed, held or surely not done do not count.
        """
        concluded: dict[str, int] = {}
        done: Counter[tuple[str, str]] = Counter()
        with _written(), self._engine.begin() as connection:
            for _, leaf in latest_leaves(connection):
                fields = read_leaf(leaf)
                match kind_of(fields):
                    case "outcome":
                        continue
                    case "concluded" if moment(fields["at"]) >= since:
                        concluded[fields["batch"]] = sum(fields["counts"].get(kind.value, 0) for kind in TOUCHED)
                    case "intent":
                        done[fields["rule"].partition("@")[0], fields["action"]] += concluded.pop(fields["batch"], 0)
                if not concluded and moment(fields["at"]) < since:
                    break
        return done

    def handle(self, target: Target, key: tuple[str, ...]) -> bytes:
        """The record's handle, 32 bytes."""
        return self._keys.epoch.handle(target, key)

    def fingerprint(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what decided about the record, 32 bytes."""
        return self._keys.epoch.fingerprint(target, ref)

    def named(self, target: Target, refs: Sequence[RecordRef]) -> list[bytes]:
        """Handle and fingerprint of each record, 64 bytes, in order."""
        return self._keys.epoch.named(target, refs)

    def known_as(self, target: Target, ref: RecordRef) -> list[tuple[bytes, bytes]]:
        """Handle and fingerprint of the record under each epoch's key: a plan may have been made before the year turned."""
        return [(epoch.handle(target, ref.key), epoch.fingerprint(target, ref)) for epoch in self._keys.epochs]

    def _append(self, connection: sa.Connection, written: Sequence[bytes], now: datetime) -> int:
        index = append(connection, written, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        failpoint("appended")  # written and not yet committed
        return index

    def _clear_away(self) -> None:
        destroy_work_key(self._keys.folder)
        failpoint("work-key-destroyed")
        self._truncate()

    def _truncate(self) -> None:
        """Empty the write-ahead log, in which what was deleted may still stand; `cleared` tells whether that could be done.

        Where a reader is in the way it stays until the next time: sealed, under a key that is gone by now. `remains` tells of it.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with _written():
            connection = self._engine.raw_connection()
            try:
                busy, _, _ = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.close()
        self.cleared = not busy


def _refuse_second(place: LogPlace) -> None:
    """Raise `AuditError` where a log was signed here before: an empty one beside that is no new beginning."""
    if place.last_signed.exists():
        raise AuditError(
            f"The deletion log is empty, but {place.last_signed} says that one was signed here. "
            f"Restore the log; or, if it is lost for good, begin another under a new `origin`: `retentiond audit generation`."
        )


def _leaf(connection: sa.Connection, index: int) -> dict[str, Any]:
    found = next(stored_leaves(connection, index, index + 1), None)
    try:
        return read_leaf(found[1] if found else b"")
    except ValueError:
        raise AuditError(f"Entry {index} of the deletion log cannot be read. Restore the log from its backup.") from None


def _newest_kid(connection: sa.Connection) -> str | None:
    """The epoch under which the newest batch was made; None where there is no batch."""
    newest = connection.execute(sa.select(batches.c.kid).order_by(batches.c.idx.desc()).limit(1)).scalar_one_or_none()
    return None if newest is None else str(newest)


@contextmanager
def _written() -> Iterator[None]:
    """A log that cannot be written or read stops everything."""
    try:
        with translated():
            yield
    except StateError as error:
        raise AuditError(f"The deletion log cannot be used, so nothing is done. {error}") from None
