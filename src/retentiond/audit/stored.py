"""Reads leaves and the tree over them from the log's tables."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from retentiond.audit.tables import checkpoints, handles, head, leaves
from retentiond.audit.tree import Range
from retentiond.errors import AuditError

PAGE = 2000


def as_bytes(value: object) -> bytes:
    """What is stored, as bytes; SQLite keeps values of any type in any column, and whoever tampers may leave one there."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def stored_leaves(connection: sa.Connection, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Index and bytes of each leaf from `start` up to, without, `end`, in order; memory stays constant."""
    while end is None or start < end:
        wanted = sa.select(leaves.c.idx, leaves.c.leaf).where(leaves.c.idx >= start).order_by(leaves.c.idx).limit(PAGE)
        page = connection.execute(wanted if end is None else wanted.where(leaves.c.idx < end)).all()
        yield from ((row.idx, as_bytes(row.leaf)) for row in page)
        if len(page) < PAGE:
            return
        start = page[-1].idx + 1


def latest_leaves(connection: sa.Connection) -> Iterator[tuple[int, bytes]]:
    """Index and bytes of each leaf, the newest first."""
    end: int | None = None
    while end is None or end > 0:
        wanted = sa.select(leaves.c.idx, leaves.c.leaf).order_by(leaves.c.idx.desc()).limit(PAGE)
        page = connection.execute(wanted if end is None else wanted.where(leaves.c.idx < end)).all()
        yield from ((row.idx, as_bytes(row.leaf)) for row in page)
        if len(page) < PAGE:
            return
        end = page[-1].idx


def stored_handles(connection: sa.Connection) -> Iterator[tuple[int, bytes, bytes]]:
    """Index of the outcome, handle and identity of each record the log tells of, in order; memory stays constant."""
    start = 0
    while True:
        wanted = sa.select(handles).where(handles.c.idx >= start).order_by(handles.c.idx).limit(PAGE)
        page = connection.execute(wanted).all()
        yield from ((row.idx, as_bytes(row.ref), as_bytes(row.identity)) for row in page)
        if len(page) < PAGE:
            return
        start = page[-1].idx + 1


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


def newest_signed(connection: sa.Connection) -> Range | None:
    """The tree under the newest checkpoint in the database; None where there is none, `AuditError` where it is damaged."""
    row = connection.execute(sa.select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)).one_or_none()
    try:
        return None if row is None else Range.unpacked(row.size, as_bytes(row.tree))
    except ValueError:
        raise AuditError("The newest checkpoint of the deletion log is damaged. Restore the log from its backup.") from None


def regrown(connection: sa.Connection, tree: Range, size: int) -> Range:
    """`tree` grown to `size` leaves by hashing those that are stored; raises `AuditError` where one is missing."""

    def following() -> Iterator[bytes]:
        for expected, (index, leaf) in enumerate(stored_leaves(connection, tree.size, size), start=tree.size):
            if index != expected:
                raise AuditError(f"Entry {expected} of the deletion log is missing.")
            yield leaf

    grown = tree.grown(following())
    if grown.size != size:
        raise AuditError(f"Entry {grown.size} of the deletion log is missing.")
    return grown
