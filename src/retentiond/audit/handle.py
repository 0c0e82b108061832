"""Handles: they bind a record without telling which one it is to anybody who lacks the key."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from retentiond.model.record import RecordRef, Target


def lp(*parts: str | bytes) -> bytes:
    """Each part with its length before it, so that no two lists of parts give the same bytes."""
    # A key component may be any text a file system or database allows, lone surrogates included.
    encoded = [part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(4) + part for part in encoded)


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The key of one epoch; every handle of its time hangs on it."""

    kid: str
    """Its name in the log, such as `2026-1`."""
    secret: bytes = field(repr=False)

    def handle(self, target: Target, key: tuple[str, ...]) -> bytes:
        """The record's handle, 32 bytes."""
        where = (target.system, target.dataset, lp(*key))
        key_id = self._mac(lp("retentiond/k_id/1", *where))
        return hashlib.sha256(lp("retentiond/ref/1", key_id, *where)).digest()

    def fingerprint(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what decided about the record, 32 bytes; differs after any such change."""
        return self._mac(lp("retentiond/decided/1", target.system, target.dataset, lp(*ref.key), ref.fingerprint))

    def identity(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what never changes in the record's life; empty where the data set declares nothing such."""
        if not ref.identity:
            return b""
        return self._mac(lp("retentiond/fp/1", target.system, target.dataset, lp(*ref.key), *ref.identity))

    def _mac(self, message: bytes) -> bytes:
        return hmac.digest(self.secret, message, "sha256")


def ephemeral_handles() -> EpochKey:
    """Handles for a dry run without a log: good for this process only."""
    return EpochKey("none", secrets.token_bytes(32))


def salt(batch_salt: bytes, number: int) -> bytes:
    """The salt of one record of a batch; can be handed out alone."""
    return hmac.digest(batch_salt, number.to_bytes(8), "sha256")


def commitment(record_salt: bytes, ref: bytes, identity: bytes) -> bytes:
    """What stands in the log for one record: hides it, and can be opened by who has its salt and handle."""
    return hashlib.sha256(lp("retentiond/rc/1", record_salt, ref, identity)).digest()


def commitments(batch_salt: bytes, handles: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """The commitments of a batch, in order; `handles` are pairs of handle and identity."""
    return [commitment(salt(batch_salt, number), ref, identity) for number, (ref, identity) in enumerate(handles)]


def items(of: Sequence[bytes]) -> str:
    """The digest (hex) over all commitments of a batch."""
    return hashlib.sha256(b"".join(of)).hexdigest()
