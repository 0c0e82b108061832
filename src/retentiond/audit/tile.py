"""Tiles: a tree's hashes in files of 256, its leaves in bundles of 256, laid out and named as C2SP tlog-tiles has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from retentiond.audit.tree import DIGEST, HashAt, node_hash

WIDTH = 256
"""Hashes in a full tile, entries in a full bundle."""
HEIGHT = 8
"""Levels of the tree from one level of tiles to the next."""
LONGEST_ENTRY = 65535
_LENGTH = 2
_KEPT = 64


class TileError(ValueError):
    """A tile or a bundle is not what it has to be."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile of a log of a certain size: `width` (1 to 256) hashes of tree level 8 x `level`, from 256 x `n` on."""

    level: int
    n: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies."""
        return tile_path(self.level, self.n, self.width)


def tile_path(level: int, n: int, width: int = WIDTH) -> str:
    """Where the tile lies in the directory of the log; raises `ValueError` where there is no such tile."""
    if level < 0:
        raise ValueError("a tile has another level")
    return f"tile/{level}/{_numbered(n, width)}"


def bundle_path(n: int, width: int = WIDTH) -> str:
    """Where bundle `n`, of `width` entries, lies in the directory of the log; raises `ValueError` where there is none."""
    return f"tile/entries/{_numbered(n, width)}"


def tiles_of(old: int, new: int) -> Iterator[Tile]:
    """The tiles that a log of `new` entries has and a log of `old` entries had not, lowest level first; all where `old` is 0."""
    level = 0
    while new:
        if old < new:
            for n in range(old // WIDTH, -(-new // WIDTH)):
                yield Tile(level, n, min(WIDTH, new - n * WIDTH))
        old, new, level = old // WIDTH, new // WIDTH, level + 1


def full_bundle(entries: Iterable[bytes]) -> bytes:
    """The entries one after another, each behind its length in two bytes; raises `TileError` where one is too long for that."""
    pieces: list[bytes] = []
    for entry in entries:
        if len(entry) > LONGEST_ENTRY:
            raise TileError("An entry is longer than a bundle can tell.")
        pieces += (len(entry).to_bytes(_LENGTH, "big"), entry)
    return b"".join(pieces)


def split_bundle(bundle: bytes) -> list[bytes]:
    """Read back what `full_bundle` made; raises `TileError` where it was cut, or holds more entries than a bundle can."""
    entries: list[bytes] = []
    place, end = 0, len(bundle)
    while place < end:
        begin = place + _LENGTH
        place = begin + (bundle[place] << 8 | bundle[begin - 1] if begin <= end else end)
        entries.append(bundle[begin:place])
    if place != end:
        raise TileError("A bundle of entries is cut.")
    if len(entries) > WIDTH:
        raise TileError("A bundle holds more entries than it can.")
    return entries


def hash_at_of(tile: Callable[[int, int], bytes]) -> HashAt:
    """The hashes of full subtrees, from the tiles: `tile(level, n)` gives the hashes that are stored there, as far as there are.

    Tiles that were looked at are kept, so what comes back is good for the log as it is now, not for one that has grown. It raises
    `TileError` where a tile is cut or does not reach as far.
    """

    @lru_cache(maxsize=_KEPT)
    def rows(level: int, n: int) -> list[list[bytes]]:
        """The stored hashes of a tile and, above them, what follows from them."""
        stored = tile(level, n)
        if len(stored) % DIGEST or len(stored) > WIDTH * DIGEST:
            raise TileError("A tile is cut.")
        found = [[stored[place : place + DIGEST] for place in range(0, len(stored), DIGEST)]]
        while len(found) < HEIGHT:
            each = iter(found[-1])
            found.append([node_hash(left, right) for left, right in zip(each, each, strict=False)])
        return found

    def hash_at(level: int, index: int) -> bytes:
        above = level % HEIGHT
        n, place = divmod(index, WIDTH >> above)
        row = rows(level // HEIGHT, n)[above]
        if place >= len(row):
            raise TileError("A tile does not reach as far as the log.")
        return row[place]

    return hash_at


def _numbered(n: int, width: int) -> str:
    if n < 0 or not 0 < width <= WIDTH:
        raise ValueError("a tile has another number or width")
    groups = f"{n:,}".split(",")  # groups of three digits, but the first has no leading zeros yet
    *before, last = [group.zfill(3) for group in groups]
    path = "/".join([*(f"x{group}" for group in before), last])
    return path if width == WIDTH else f"{path}.p/{width}"
