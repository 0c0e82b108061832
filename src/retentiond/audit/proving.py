"""Proofs about one record: that an entry is in the log, and, for who may know it, which record the entry is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from retentiond.audit.handle import EpochKey, commitment, opened_handle, opening_key, salt, unpacked_pairs
from retentiond.audit.note import Checkpoint
from retentiond.audit.proof import consistency_text, proof_text
from retentiond.audit.stored import as_bytes, newest_note, stored_leaves, tile_hashes
from retentiond.audit.tables import batches, checkpoints
from retentiond.audit.tree import consistency_proof, inclusion_proof
from retentiond.errors import AuditError, ConfigurationError, StateError
from retentiond.model.record import Target


@dataclass(frozen=True, slots=True)
class Signed:
    """The newest checkpoint: what proofs are made for."""

    size: int
    note: str


def newest(connection: sa.Connection) -> Signed:
    """The newest checkpoint; raises `StateError` where none was signed yet."""
    found = newest_note(connection)
    if found is None:
        raise StateError(
            "Nothing of the deletion log is signed yet, so nothing can be proven; run `retentiond audit checkpoint`."
        )
    return Signed(*found)


def checkpoint_of(signed: Signed) -> Checkpoint:
    """What it says; its signature is not looked at."""
    return Checkpoint.parse(signed.note.rpartition("\n\n")[0] + "\n")


def inclusion(connection: sa.Connection, index: int, signed: Signed) -> str:
    """The proof file of one entry; raises `StateError` where it is not signed yet, or was pruned."""
    leaf = next((leaf for found, leaf in stored_leaves(connection, index, index + 1) if found == index), None)
    if leaf is None:
        raise StateError(f"Entry {index} of the deletion log was pruned; proofs that were handed out before stay good.")
    if index >= signed.size:
        raise StateError(f"Entry {index} of the deletion log is not signed yet; run `retentiond audit checkpoint`.")
    return proof_text(leaf, index, inclusion_proof(index, signed.size, tile_hashes(connection)), signed.note)


def consistency(connection: sa.Connection, old: int, signed: Signed) -> str:
    """The consistency file from the state of `old` entries to the newest checkpoint.

    Raises `ConfigurationError` where the log was never so small, or is smaller.
    """
    if not 0 < old <= signed.size:
        raise ConfigurationError(f"The deletion log is signed for {signed.size} entries; there is no older state of {old}.")
    return consistency_text(old, consistency_proof(old, signed.size, tile_hashes(connection)), signed.note)


def notes(connection: sa.Connection) -> dict[int, str]:
    """Every checkpoint that was signed, by its size."""
    rows = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.size)).all()
    return {row.size: as_bytes(row.note).decode("utf-8", "replace") for row in rows}


@dataclass(frozen=True, slots=True)
class Opening:
    """Which record an entry is about. Personal data: for nobody but who may know it."""

    index: int
    target: Target
    key: tuple[str, ...] = field(repr=False)
    k_id: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    identity: bytes = field(repr=False)

    def text(self) -> str:
        """As a JSON file."""
        body: Mapping[str, object] = {
            "index": self.index,
            "system": self.target.system,
            "dataset": self.target.dataset,
            "key": list(self.key),
            "k_id": self.k_id.hex(),
            "salt": self.salt.hex(),
            "fp": self.identity.hex(),
        }
        return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def opening(
    connection: sa.Connection, epochs: Mapping[str, EpochKey], target: Target, key: tuple[str, ...], intent: int, index: int
) -> Opening:
    """What opens the commitment of the outcome at `index`, of the batch intended at `intent`, for one record only.

    Raises `StateError` where what opens it is gone, `AuditError` where it opens another record.
    """
    row = connection.execute(sa.select(batches).where(batches.c.idx == intent)).one_or_none()
    if row is None or row.first is None or row.kid not in epochs:
        raise StateError(f"What opens the batch of entry {intent} is gone, by pruning or shredding; the entry stays provable.")
    number = index - row.first
    ref, identity = unpacked_pairs(as_bytes(row.refs), as_bytes(row.identities))[number]
    epoch = epochs[row.kid]
    if epoch.handle(target, key) != ref:
        raise AuditError(f"Entry {index} is about another record.")
    return Opening(index, target, key, opening_key(epoch, target, key), salt(as_bytes(row.salt), number), identity)


def opened(found: Opening) -> bytes:
    """The commitment that an opening leads to."""
    return commitment(found.salt, opened_handle(found.k_id, found.target, found.key), found.identity)
