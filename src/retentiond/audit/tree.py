"""The Merkle tree of RFC 6962, as far as it is needed to append and to know the root: hashes of the full subtrees."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256().digest()
DIGEST = 32


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's stored bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Range:
    """A tree of `size` leaves, told by the hashes of its largest full subtrees, left to right, one per set bit."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count() or any(len(one) != DIGEST for one in self.hashes):
            raise ValueError("a tree of this size has another number of subtrees")

    def grown(self, leaves: Iterable[bytes]) -> Range:
        """The tree with more leaves (their bytes) at its end."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            node = leaf_hash(leaf)
            level = size
            while level & 1:
                node = node_hash(hashes.pop(), node)
                level >>= 1
            hashes.append(node)
            size += 1
        return Range(size, tuple(hashes))

    def root(self) -> bytes:
        """The root hash, 32 bytes."""
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root

    def packed(self) -> bytes:
        """The hashes in one piece, for a database."""
        return b"".join(self.hashes)

    @classmethod
    def unpacked(cls, size: int, packed: bytes) -> Range:
        """Read back what `packed` made; raises `ValueError` where that is no tree of `size` leaves."""
        if type(size) is not int or len(packed) % DIGEST:
            raise ValueError("a size is no number, or a hash is cut")
        return cls(size, tuple(packed[place : place + DIGEST] for place in range(0, len(packed), DIGEST)))
