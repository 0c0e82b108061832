"""The Merkle tree of RFC 6962: growing it, its root, and proofs that an entry or an older tree is part of it.

Nothing here reads or writes; hashes of full subtrees come from a function that the caller gives. A proof of inclusion shows that
a leaf belongs to a root, at a position of a tree of a certain size; that the size is the right one only a signed checkpoint can
say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256().digest()
DIGEST = 32
_LEAF = hashlib.sha256(b"\x00")
_NODE = hashlib.sha256(b"\x01")

HashAt = Callable[[int, int], bytes]
"""Given a level (0: leaves) and a position there, the hash of the full subtree of 2**level leaves at that position."""


class ProofError(ValueError):
    """A proof does not show what it is said to show."""


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
        # The busiest loop there is: a copied hash is faster than a new one, and a local name than `leaf_hash` and `node_hash`.
        leaf_start, node_start, pop, push = _LEAF.copy, _NODE.copy, hashes.pop, hashes.append
        for leaf in leaves:
            hashing = leaf_start()
            hashing.update(leaf)
            full = size  # each set bit at its end is a full subtree as high as the new one, to be joined with it
            while full & 1:
                right, hashing = hashing.digest(), node_start()
                hashing.update(pop() + right)
                full >>= 1
            push(hashing.digest())
            size += 1
        return Range(size, tuple(hashes))

    def root(self) -> bytes:
        """The root hash, 32 bytes."""
        return _folded(self.hashes) if self.hashes else EMPTY_ROOT

    def packed(self) -> bytes:
        """The hashes in one piece, for a database."""
        return b"".join(self.hashes)

    @classmethod
    def unpacked(cls, size: int, packed: bytes) -> Range:
        """Read back what `packed` made; raises `ValueError` where that is no tree of `size` leaves."""
        if type(size) is not int:
            raise ValueError("a size is no number")
        return cls(size, tuple(packed[place : place + DIGEST] for place in range(0, len(packed), DIGEST)))


def root(size: int, hash_at: HashAt) -> bytes:
    """The root hash of the first `size` leaves."""
    return _subtree(0, size, hash_at) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """What shows that the leaf at `index` is one of the first `size`: hashes from its sibling upwards.

    Raises `ValueError` where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("a tree has no leaf at this index")
    path, begin, end = [], 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_subtree(middle, end, hash_at))
            end = middle
        else:
            path.append(_subtree(begin, middle, hash_at))
            begin = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """What shows that the first `new` leaves begin with the first `old` ones; empty where `old` is 0 or `new`.

    Raises `ValueError` where `old` is larger than `new`.
    """
    if not 0 <= old <= new:
        raise ValueError("an older tree is no larger than a newer one")
    if old == 0:
        return ()
    path, begin, end = [], 0, new
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_subtree(middle, end, hash_at))
            end = middle
        else:
            path.append(_subtree(begin, middle, hash_at))
            begin = middle
    if begin:  # else this subtree is the whole old tree, whose root the verifier has
        path.append(_subtree(begin, end, hash_at))
    return tuple(reversed(path))


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Raises `ProofError` unless `proof` shows that the leaf at `index` of the tree of `size` leaves and this root has this hash.

    The size is taken as given: for some other sizes the same path would do.
    """
    if not 0 <= index < size:
        raise ProofError("The tree has no entry at this index.")
    _check_lengths(leaf_hash, root, *proof)
    node, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if not last:
            raise ProofError("The proof is longer than the tree is high.")
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1:  # a subtree without a right neighbour moves up as it is
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("The proof is shorter than the tree is high.")
    if found != root:
        raise ProofError("The proof leads to another root.")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises `ProofError` unless `proof` shows that the tree of `new` leaves begins with the tree of `old` leaves."""
    if not 0 <= old <= new:
        raise ProofError("An older tree is no larger than a newer one.")
    _check_lengths(old_root, new_root, *proof)
    if old in {0, new}:
        if proof:
            raise ProofError("The proof is longer than the tree is high.")
        if old_root != (new_root if old else EMPTY_ROOT):
            raise ProofError("Two trees of one size have different roots.")
        return
    if not proof:
        raise ProofError("The proof is shorter than the tree is high.")
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # Where the old tree is one full subtree its root is where both ways begin; else the proof begins with what they share.
    first, *rest = proof if node else (old_root, *proof)
    old_found = new_found = first
    for sibling in rest:
        if not last:
            raise ProofError("The proof is longer than the tree is high.")
        if node & 1 or node == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("The proof is shorter than the tree is high.")
    if old_found != old_root or new_found != new_root:
        raise ProofError("The older tree is not the beginning of the newer one.")


def _check_lengths(*hashes: bytes) -> None:
    if any(len(one) != DIGEST for one in hashes):
        raise ProofError("A hash is cut, or too long.")


def _split(leaves: int) -> int:
    """The largest power of two below `leaves`, at least 2."""
    return 1 << (leaves - 1).bit_length() - 1


def _subtree(begin: int, end: int, hash_at: HashAt) -> bytes:
    """The hash over the leaves from `begin` up to `end`, at least one, where they are a subtree of the whole."""
    hashes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        hashes.append(hash_at(level, begin >> level))
        begin += 1 << level
    return _folded(hashes)


def _folded(hashes: Sequence[bytes]) -> bytes:
    """The hash over full subtrees that grow smaller from left to right."""
    *rest, found = hashes
    for left in reversed(rest):
        found = node_hash(left, found)
    return found
