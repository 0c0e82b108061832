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
    joined = b""
    for part in parts:
        # A key component may be any text a file system or database allows, lone surrogates included.
        encoded = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        joined += len(encoded).to_bytes(4) + encoded
    return joined


# Being a mere sequence of parts, `lp` may be made in pieces; these stand before each record ever written.
_KEY_ID, _REF, _FP, _RC = (lp(f"retentiond/{word}/1") for word in ("k_id", "ref", "fp", "rc"))
_HASH = (32).to_bytes(4)
"""The length before a hash."""


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The key of one epoch; every handle of its time hangs on it."""

    kid: str
    """Its name in the log, such as `2026-1`."""
    secret: bytes = field(repr=False)

    def handle(self, target: Target, key: tuple[str, ...]) -> bytes:
        """The record's handle, 32 bytes."""
        return self._handle(lp(target.system, target.dataset, lp(*key)))

    def fingerprint(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what decided about the record, 32 bytes; differs after any such change."""
        return self._mac(lp("retentiond/decided/1", target.system, target.dataset, lp(*ref.key), ref.fingerprint))

    def named(self, target: Target, refs: Sequence[RecordRef]) -> list[bytes]:
        """Handle and fingerprint of each record, 64 bytes, in order."""
        return [self.handle(target, ref.key) + self.fingerprint(target, ref) for ref in refs]

    def identity(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what never changes in the record's life; empty where the data set declares nothing such."""
        return self._identity(lp(target.system, target.dataset, lp(*ref.key)), ref)

    def pairs(self, target: Target, records: Sequence[RecordRef]) -> list[tuple[bytes, bytes]]:
        """Handle and identity of each record, in order."""
        place = lp(target.system, target.dataset)
        who = [place + lp(lp(*ref.key)) for ref in records]
        return [(self._handle(one), self._identity(one, ref)) for one, ref in zip(who, records, strict=True)]

    def _handle(self, who: bytes) -> bytes:
        return hashlib.sha256(_REF + _HASH + self._mac(_KEY_ID + who) + who).digest()

    def _identity(self, who: bytes, ref: RecordRef) -> bytes:
        return self._mac(_FP + who + lp(*ref.identity)) if ref.identity else b""

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
    return hashlib.sha256(_RC + lp(record_salt, ref, identity)).digest()


def commitments(batch_salt: bytes, handles: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """The commitments of a batch, in order; `handles` are pairs of handle and identity."""
    return [commitment(salt(batch_salt, number), ref, identity) for number, (ref, identity) in enumerate(handles)]


def items(of: Sequence[bytes]) -> str:
    """The digest (hex) over all commitments of a batch."""
    return hashlib.sha256(b"".join(of)).hexdigest()
