"""The tree growing at its end, leaf hash by leaf hash, and the hashes of its tiles that become known on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from retentiond.audit.tile import HEIGHT, WIDTH
from retentiond.audit.tree import DIGEST, Range


@dataclass(frozen=True, slots=True)
class Growth:
    """What came of adding leaves."""

    tree: Range
    full: tuple[tuple[bytes, ...], ...]
    """For each tile level from 1 on, the hashes that became known, in order; empty where none did."""


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """The hash of each leaf's stored bytes."""
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


def grow(tree: Range, hashes: Sequence[bytes]) -> Growth:
    """The tree with more leaves, told by their hashes, at its end."""
    size, edge = tree.size, list(tree.hashes)
    full: dict[int, list[bytes]] = {}
    sha256 = hashlib.sha256

    def push(node: bytes, level: int) -> None:
        while True:
            if level and level % HEIGHT == 0:
                full.setdefault(level // HEIGHT, []).append(node)
            if not size >> level & 1:
                edge.append(node)
                return
            node = sha256(b"\x01" + edge.pop() + node).digest()
            level += 1

    place = 0
    while place < len(hashes):
        if size % WIDTH == 0 and len(hashes) - place >= WIDTH:
            push(folded(hashes[place : place + WIDTH]), HEIGHT)
            step = WIDTH
        else:
            push(hashes[place], 0)
            step = 1
        size += step
        place += step
    return Growth(Range(size, tuple(edge)), tuple(tuple(full[level]) for level in sorted(full)))


def folded(hashes: Sequence[bytes]) -> bytes:
    """The root over a full subtree's hashes; their number is a power of two."""
    sha256 = hashlib.sha256
    row = list(hashes)
    while len(row) > 1:
        following = iter(row)
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(following, following, strict=True)]
    return row[0]


def parted(packed: bytes) -> list[bytes]:
    """The hashes of a tile; raises `ValueError` where one is cut."""
    if len(packed) % DIGEST:
        raise ValueError("a hash is cut")
    return [packed[place : place + DIGEST] for place in range(0, len(packed), DIGEST)]
