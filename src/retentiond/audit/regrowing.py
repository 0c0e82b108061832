"""The tree grown anew by what is stored, bundle by bundle, and compared with the tiles that are stored beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from retentiond.audit.growth import grow, leaf_hashes
from retentiond.audit.stored import stored_bundles, stored_tiles, unbundled
from retentiond.audit.tile import HEIGHT, WIDTH
from retentiond.audit.tree import DIGEST, Range
from retentiond.errors import AuditError


class Regrowing:
    """A tree that grows; what is strange about the tiles is noted on the way and at the end."""

    def __init__(self, connection: sa.Connection, tree: Range) -> None:
        self.tree = tree
        self.strange: list[str] = []
        """Finished sentences."""
        self._begin = tree.size
        self._connection = connection
        self._tiles = stored_tiles(connection, 0, tree.size // WIDTH)
        self._above: list[list[bytes]] = []

    def add(self, n: int, hashes: Sequence[bytes], stops: Sequence[int] = ()) -> Iterator[Range]:
        """Add what is new of bundle `n`, told by the hashes of all its leaves; yields the tree at each of `stops` on the way."""
        found = next(self._tiles, None)
        if found is None or found[0] != n or found[1] != b"".join(hashes):
            self.strange.append(f"The tile of the entries from {n * WIDTH} on is another one than the entries make.")
        for stop in (*stops, n * WIDTH + len(hashes)):
            growth = grow(self.tree, hashes[self.tree.size - n * WIDTH : stop - n * WIDTH])
            self.tree = growth.tree
            for level, more in enumerate(growth.full):
                if level == len(self._above):
                    self._above.append([])
                self._above[level] += more
            if stop in stops:
                yield self.tree

    def end(self) -> list[str]:
        """Compare the tiles above those of the leaves, and look for some behind the end; all that is strange."""
        if not self.strange:
            if next(self._tiles, None) is not None:
                self.strange.append("There is a tile of entries behind the last one.")
            for level, more in enumerate([*self._above, []], start=1):
                self._compare(level, more)
        return self.strange

    def _compare(self, level: int, more: Sequence[bytes]) -> None:
        n, place = divmod(self._begin >> HEIGHT * level, WIDTH)
        stored = b"".join(hashes for _, hashes in stored_tiles(self._connection, level, n))
        if stored[place * DIGEST :] != b"".join(more):
            self.strange.append(f"The tiles of level {level} are others than the entries make.")


def regrown(connection: sa.Connection, tree: Range, size: int) -> Range:
    """`tree` grown to `size` leaves by hashing those that are stored; raises `AuditError` where one, or a tile, is amiss."""
    regrowing = Regrowing(connection, tree)
    start = tree.size // WIDTH
    for expected, (n, bundle) in enumerate(stored_bundles(connection, start), start=start):
        if n != expected:
            raise AuditError(f"Bundle {expected} of the deletion log is missing.")
        hashes = leaf_hashes(unbundled(n, bundle))
        if size < n * WIDTH + len(hashes):  # a state before the last one, whose tiles tell of more
            return next(regrowing.add(n, hashes, (size,)))
        for _ in regrowing.add(n, hashes):
            pass
        if regrowing.strange:
            break
    if strange := regrowing.end():
        raise AuditError(f"{strange[0]} Restore the deletion log from its backup.")
    if regrowing.tree.size != size:
        raise AuditError(f"Entry {regrowing.tree.size} of the deletion log is missing.")
    return regrowing.tree
