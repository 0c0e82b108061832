"""Handles: they bind a record without telling which one it is to anybody who lacks the key."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from retentiond.model.record import RecordRef, Target


def lp(*parts: str | bytes) -> bytes:
    """Each part with its length before it, so that no two lists of parts give the same bytes."""
    joined = b""
    for part in parts:
        # A key component may be any text a file system or database allows, lone surrogates included.
        encoded = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        joined += len(encoded).to_bytes(4) + encoded
    return joined


# Being a mere sequence of parts, `lp` may be made in pieces; these stand before each record ever written.
_KEY_ID, _REF, _FP, _RC = (lp(f"retentiond/{word}/1") for word in ("k_id", "ref", "fp", "rc"))
SIZE = 32
_HASH = SIZE.to_bytes(4)
"""The length before a hash."""
_NOTHING = lp(b"")
_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def keyed(secret: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA256 under a key of at most 64 bytes, made ready once: half the price of `hmac.digest` for a short message."""
    padded = secret.ljust(_BLOCK, b"\0")
    inner, outer = hashlib.sha256(padded.translate(_INNER)), hashlib.sha256(padded.translate(_OUTER))

    def mac(message: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    return mac


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The key of one epoch; every handle of its time hangs on it."""

    kid: str
    """Its name in the log, such as `2026-1`."""
    secret: bytes = field(repr=False)

    def handle(self, target: Target, key: tuple[str, ...]) -> bytes:
        """The record's handle, 32 bytes."""
        return self.pairs(target, [RecordRef(key)])[0][0]

    def fingerprint(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what decided about the record, 32 bytes; differs after any such change."""
        return keyed(self.secret)(lp("retentiond/decided/1", target.system, target.dataset, lp(*ref.key), ref.fingerprint))

    def named(self, target: Target, refs: Sequence[RecordRef]) -> list[bytes]:
        """Handle and fingerprint of each record, 64 bytes, in order."""
        decided, mac = lp("retentiond/decided/1", target.system, target.dataset), keyed(self.secret)
        return [
            handle + mac(decided + lp(lp(*ref.key), ref.fingerprint))
            for (handle, _), ref in zip(self.pairs(target, refs), refs, strict=True)
        ]

    def identity(self, target: Target, ref: RecordRef) -> bytes:
        """A keyed digest of what never changes in the record's life; empty where the data set declares nothing such."""
        return self.pairs(target, [ref])[0][1]

    def pairs(self, target: Target, records: Sequence[RecordRef]) -> list[tuple[bytes, bytes]]:
        """Handle and identity of each record, in order."""
        place = lp(target.system, target.dataset)
        mac, sha256, before = keyed(self.secret), hashlib.sha256, _REF + _HASH
        found = []
        for ref in records:
            key = lp(*ref.key)
            who = place + len(key).to_bytes(4) + key
            handle = sha256(before + mac(_KEY_ID + who) + who).digest()
            found.append((handle, mac(_FP + who + lp(*ref.identity)) if ref.identity else b""))
        return found


def opening_key(epoch: EpochKey, target: Target, key: tuple[str, ...]) -> bytes:
    """What makes the handle of this one record and of no other; it can be handed out without the epoch's key."""
    return keyed(epoch.secret)(_KEY_ID + lp(target.system, target.dataset, lp(*key)))


def opened_handle(opening: bytes, target: Target, key: tuple[str, ...]) -> bytes:
    """The handle that `opening_key` leads to."""
    return hashlib.sha256(_REF + lp(opening, target.system, target.dataset, lp(*key))).digest()


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
    mac, sha256 = keyed(batch_salt), hashlib.sha256
    before, between = _RC + _HASH, _HASH
    return [
        sha256(before + mac(number.to_bytes(8)) + between + ref + (between + identity if identity else _NOTHING)).digest()
        for number, (ref, identity) in enumerate(handles)
    ]


def items(of: Sequence[bytes]) -> str:
    """The digest (hex) over all commitments of a batch."""
    return hashlib.sha256(b"".join(of)).hexdigest()


def packed_pairs(handles: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """All handles and all identities of a batch, 32 bytes each, in one piece; zeros stand for an empty identity."""
    nothing = bytes(SIZE)
    return b"".join([ref for ref, _ in handles]), b"".join([identity or nothing for _, identity in handles])


def unpacked_pairs(refs: bytes, identities: bytes) -> list[tuple[bytes, bytes]]:
    """Read back what `packed_pairs` made; raises `ValueError` where that is cut."""
    if len(refs) != len(identities) or len(refs) % SIZE:
        raise ValueError("a handle is cut")
    nothing = bytes(SIZE)
    places = range(0, len(refs), SIZE)
    found = [(refs[place : place + SIZE], identities[place : place + SIZE]) for place in places]
    return [(ref, b"" if identity == nothing else identity) for ref, identity in found]
