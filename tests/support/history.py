"""A log in memory, and what an anchor is handed of it: reckoned by the plain recursion of RFC 6962, independent of the code."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from retentiond.anchor import Handover
from retentiond.audit.note import Checkpoint, Signer

NOW = datetime(2026, 11, 22, 3, 12, 1, tzinfo=UTC)
ORIGIN = "log.example.org/retentiond/test"


def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(0x40, 0x60)))


@dataclass
class History:
    """A log of so many entries, of which any earlier size can be handed over, too."""

    leaves: list[bytes]
    origin: str = ORIGIN
    key: Ed25519PrivateKey = field(default_factory=_key)

    @classmethod
    def of(cls, size: int, mark: str = "") -> History:
        """`size` entries; two with another `mark` have no entry in common."""
        return cls([f"{mark}{number}".encode() for number in range(size)])

    @property
    def signer(self) -> Signer:
        return Signer(self.origin, self.key)

    def root(self, size: int) -> bytes:
        return subtree(self.leaves[:size])

    def root_at(self, size: int) -> bytes | None:
        return self.root(size) if size <= len(self.leaves) else None

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        return _subproof(old, self.leaves[:new], whole=True)

    def note(self, size: int) -> str:
        return self.signer.sign(Checkpoint(self.origin, size, self.root(size)).text())

    def handover(self, state: Path, size: int, before: int = 0) -> Handover:
        return Handover(
            note=self.note(size),
            checkpoint=Checkpoint(self.origin, size, self.root(size)),
            key=self.signer.verifier,
            before=before,
            root_at=self.root_at,
            consistency=self.consistency,
            state=state,
            now=NOW,
        )


def subtree(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = _split(len(leaves))
    return hashlib.sha256(b"\1" + subtree(leaves[:split]) + subtree(leaves[split:])).digest()


def proven(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    """Whether `proof` shows that the tree of `new` leaves continues that of `old` ones (RFC 9162, section 2.1.4.2)."""
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first = hashlib.sha256(b"\1" + one + first).digest()
            second = hashlib.sha256(b"\1" + one + second).digest()
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = hashlib.sha256(b"\1" + second + one).digest()
        at, last = at >> 1, last >> 1
    return first == old_root and second == new_root and last == 0


def _subproof(old: int, leaves: list[bytes], *, whole: bool) -> tuple[bytes, ...]:
    if old == len(leaves):
        return () if whole else (subtree(leaves),)
    split = _split(len(leaves))
    if old <= split:
        return (*_subproof(old, leaves[:split], whole=whole), subtree(leaves[split:]))
    return (*_subproof(old - split, leaves[split:], whole=False), subtree(leaves[:split]))


def _split(size: int) -> int:
    split = 1
    while 2 * split < size:
        split *= 2
    return split


def consistency_of(text: str) -> tuple[int, list[bytes], str]:
    """What a consistency file says: the old size, the proof, the note."""
    head, _, note = text.partition("\n\n")
    first, *hashes = head.split("\n")
    return int(first.removeprefix("old ")), [base64.b64decode(one, validate=True) for one in hashes], note
