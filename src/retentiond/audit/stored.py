"""Reads leaves, tiles and checkpoints from the log's tables, and appends to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from retentiond.audit.growth import grow, leaf_hashes
from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note
from retentiond.audit.tables import bundles, checkpoints, head, kept, tiles
from retentiond.audit.tile import HEIGHT, WIDTH, TileError, full_bundle, hash_at_of, split_bundle
from retentiond.audit.tree import DIGEST, HashAt, Range
from retentiond.errors import AuditError

PAGE = 64
"""So many bundles are read at once."""


def as_bytes(value: object) -> bytes:
    """What is stored, as bytes; SQLite keeps values of any type in any column, and whoever tampers may leave one there."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def append(connection: sa.Connection, written: Sequence[bytes], last_at: str) -> int:
    """Add leaves at the end, `last_at` being the moment of the last one that bears any; the index of the first.

    Nobody else can append until the transaction ends.
    """
    tree = stored_tree(connection, lock=True)
    hashes = leaf_hashes(written)
    growth = grow(tree, hashes)
    _extend_bundles(connection, tree.size, written)
    for level, more in enumerate((hashes, *growth.full)):
        _extend_tiles(connection, level, tree.size >> HEIGHT * level, more)
    values = {"size": growth.tree.size, "tree": growth.tree.packed(), "last_at": last_at}
    connection.execute(sa.update(head).where(head.c.id == 1).values(values))
    return tree.size


def _extend_bundles(connection: sa.Connection, size: int, written: Sequence[bytes]) -> None:
    n, there = divmod(size, WIDTH)
    begun = b""
    if there:
        begun = as_bytes(connection.execute(sa.select(bundles.c.entries).where(bundles.c.n == n)).scalar_one_or_none() or b"")
        whole = begun + full_bundle(written[: WIDTH - there])
        if connection.execute(sa.update(bundles).where(bundles.c.n == n).values(entries=whole)).rowcount != 1 or not begun:
            raise _damaged()
    begin = WIDTH - there if there else 0
    rows = [
        {"n": (size + place) // WIDTH, "entries": full_bundle(written[place : place + WIDTH])}
        for place in range(begin, len(written), WIDTH)
    ]
    if rows:
        connection.execute(sa.insert(bundles), rows)


def _extend_tiles(connection: sa.Connection, level: int, size: int, more: Sequence[bytes]) -> None:
    n, there = divmod(size, WIDTH)
    if there and more:
        here = (tiles.c.level == level) & (tiles.c.n == n)
        begun = as_bytes(connection.execute(sa.select(tiles.c.hashes).where(here)).scalar_one_or_none() or b"")
        if len(begun) != there * DIGEST:
            raise _damaged()
        connection.execute(sa.update(tiles).where(here).values(hashes=begun + b"".join(more[: WIDTH - there])))
    begin = WIDTH - there if there else 0
    rows = [
        {"level": level, "n": (size + place) // WIDTH, "hashes": b"".join(more[place : place + WIDTH])}
        for place in range(begin, len(more), WIDTH)
    ]
    if rows:
        connection.execute(sa.insert(tiles), rows)


def _damaged() -> AuditError:
    return AuditError("The end of the deletion log is not as it was written; nothing was added. Restore it from its backup.")


def stored_bundles(connection: sa.Connection, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each bundle from number `start` on, in order; memory stays constant."""
    while True:
        page = connection.execute(sa.select(bundles).where(bundles.c.n >= start).order_by(bundles.c.n).limit(PAGE)).all()
        yield from ((row.n, as_bytes(row.entries)) for row in page)
        if len(page) < PAGE:
            return
        start = page[-1].n + 1


def first_bundle(connection: sa.Connection) -> int:
    """The number of the first bundle that is there: those before it were pruned."""
    first = connection.execute(sa.select(sa.func.min(bundles.c.n))).scalar_one()
    return first if isinstance(first, int) and first > 0 else 0


def stored_bundle(connection: sa.Connection, n: int) -> bytes | None:
    """One bundle; None where it is not there."""
    found = connection.execute(sa.select(bundles.c.entries).where(bundles.c.n == n)).scalar_one_or_none()
    return None if found is None else as_bytes(found)


def stored_leaves(connection: sa.Connection, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Index and bytes of each leaf from `start` up to, without, `end`, in order; pruned ones are left out but for those kept.

    Memory stays constant. Raises `AuditError` where a bundle cannot be read.
    """
    wanted = sa.select(kept).where(kept.c.idx >= start).order_by(kept.c.idx)
    for row in connection.execute(wanted if end is None else wanted.where(kept.c.idx < end)).all():
        yield row.idx, as_bytes(row.leaf)
    for n, bundle in stored_bundles(connection, start // WIDTH):
        if end is not None and n * WIDTH >= end:
            return
        for index, leaf in enumerate(unbundled(n, bundle), start=n * WIDTH):
            if index >= start and (end is None or index < end):
                yield index, leaf


def latest_leaves(connection: sa.Connection) -> Iterator[tuple[int, bytes]]:
    """Index and bytes of each leaf that was not pruned, the newest first."""
    end: int | None = None
    while end is None or end > 0:
        wanted = sa.select(bundles).order_by(bundles.c.n.desc()).limit(PAGE)
        page = connection.execute(wanted if end is None else wanted.where(bundles.c.n < end)).all()
        for row in page:
            leaves = unbundled(row.n, as_bytes(row.entries))
            yield from ((row.n * WIDTH + place, leaves[place]) for place in reversed(range(len(leaves))))
        if len(page) < PAGE:
            return
        end = page[-1].n


def unbundled(n: int, bundle: bytes) -> list[bytes]:
    """The leaves of bundle `n`; raises `AuditError` where it cannot be read."""
    try:
        return split_bundle(bundle)
    except ValueError:
        raise AuditError(f"Bundle {n} of the deletion log cannot be read. Restore the log from its backup.") from None


def stored_tile(connection: sa.Connection, level: int, n: int) -> bytes:
    """The hashes of one tile, in one piece; raises `AuditError` where it is not there."""
    wanted = sa.select(tiles.c.hashes).where(tiles.c.level == level, tiles.c.n == n)
    found = connection.execute(wanted).scalar_one_or_none()
    if found is None:
        raise AuditError(f"Tile {level}/{n} of the deletion log is missing. Restore the log from its backup.")
    return as_bytes(found)


def stored_tiles(connection: sa.Connection, level: int, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Number and hashes of each tile of a level from number `start` on, in order; memory stays constant."""
    while True:
        wanted = sa.select(tiles.c.n, tiles.c.hashes).where(tiles.c.level == level, tiles.c.n >= start)
        page = connection.execute(wanted.order_by(tiles.c.n).limit(PAGE)).all()
        yield from ((row.n, as_bytes(row.hashes)) for row in page)
        if len(page) < PAGE:
            return
        start = page[-1].n + 1


def stored_tree(connection: sa.Connection, *, lock: bool = False) -> Range:
    """The tree as the head has it; with `lock`, nobody else can append until the transaction ends."""
    wanted = sa.select(head.c.size, head.c.tree).where(head.c.id == 1)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise AuditError("The deletion log has lost its head; nothing was written. Restore it from its backup.")
    try:
        return Range.unpacked(row.size, as_bytes(row.tree))
    except ValueError:
        raise AuditError("The head of the deletion log is damaged; nothing was written. Restore it from its backup.") from None


def tree_at(connection: sa.Connection, size: int) -> Range:
    """The tree as it was at `size` leaves, by its tiles; raises `AuditError` where these do not reach so far."""
    hash_at = tile_hashes(connection)
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    try:
        return Range(size, tuple(hash_at(level, (size >> level) - 1) for level in levels))
    except TileError:
        raise AuditError("A tile of the deletion log is damaged. Restore the log from its backup.") from None


def tile_hashes(connection: sa.Connection) -> HashAt:
    """The hashes of full subtrees of the log as it is in this transaction."""
    return hash_at_of(lambda level, n: stored_tile(connection, level, n))


def newest_note(connection: sa.Connection) -> tuple[int, str] | None:
    """Size and text of the newest checkpoint in the database; None where there is none."""
    row = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)).one_or_none()
    return None if row is None else (row.size, as_bytes(row.note).decode("utf-8", "replace"))


def newest_signed(connection: sa.Connection, key: VerifierKey) -> Range | None:
    """The tree under the newest checkpoint in the database; None where there is none, `AuditError` where it does not hold."""
    newest = newest_note(connection)
    if newest is None:
        return None
    try:
        signed = Checkpoint.parse(open_note(newest[1], key))
    except NoteError:
        raise AuditError("The newest checkpoint of the deletion log is damaged. Restore the log from its backup.") from None
    tree = tree_at(connection, signed.size)
    if signed.size != newest[0] or tree.root() != signed.root:
        raise AuditError("The deletion log differs from its newest checkpoint. Restore it from its backup.")
    return tree
