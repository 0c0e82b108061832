"""Reads journal files: their state, and when their entries were written. Strictly, so that what is torn has no date."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MAGIC = b"LPKSHHRH"
_STATE, _INCOMPATIBLE, _FILE_ID = 16, 12, 24
_HEADER_SIZE, _N_ENTRIES, _ARRAY, _SMALLEST = 88, 152, 176, 208
_COMPACT = 1 << 4
"""With this flag offsets within arrays have four bytes."""
_KNOWN = 0b11111
"""The incompatible features that say nothing new about entries and arrays of them."""
_ENTRY, _ENTRY_ARRAY = 3, 6
_ENTRY_SMALLEST, _ARRAY_HEAD = 64, 24

ARCHIVED = 2
"""The state in which nobody writes to a journal any more."""

_DAWN = datetime(1970, 1, 1, tzinfo=UTC)


class TornError(Exception):
    """The file does not read as a journal."""


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal file tells of itself."""

    state: int
    file_id: str
    entries: int
    first: datetime | None
    """When its oldest entry was written, aware UTC; None where it has none."""
    last: datetime | None
    """When its youngest entry was written."""

    @property
    def archived(self) -> bool:
        """True where journald is done with it."""
        return self.state == ARCHIVED


def read(handle: int) -> Journal:
    """What the open file tells; raises `TornError` where it is torn, OSError where it cannot be read.

    Each entry is looked at: after the clock was set, the first one is not the oldest and the last one not the youngest.
    """
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise TornError
    head = _bytes(handle, 0, _SMALLEST)
    features = int(struct.unpack_from("<I", head, _INCOMPATIBLE)[0])
    if head[:8] != _MAGIC or features & ~_KNOWN or _number(head, _HEADER_SIZE) < _SMALLEST:
        raise TornError
    count = _number(head, _N_ENTRIES)
    oldest, youngest = None, None
    for written in _written(handle, _number(head, _ARRAY), compact=bool(features & _COMPACT), count=count):
        oldest = written if oldest is None else min(oldest, written)
        youngest = written if youngest is None else max(youngest, written)
    return Journal(head[_STATE], head[_FILE_ID : _FILE_ID + 16].hex(), count, _instant(oldest), _instant(youngest))


def _written(handle: int, array: int, *, compact: bool, count: int) -> Iterator[int]:
    """When each entry was written, in microseconds; raises `TornError` unless there are exactly `count` of them."""
    left, before = count, 0
    item = struct.Struct("<I" if compact else "<Q")
    while left:
        if array <= before:  # arrays follow each other, so that none can lead back
            raise TornError
        head, size = _object(handle, array, _ENTRY_ARRAY, _ARRAY_HEAD)
        many = min(left, (size - _ARRAY_HEAD) // item.size)
        items = _bytes(handle, array + _ARRAY_HEAD, many * item.size)
        for (offset,) in item.iter_unpack(items):
            entry, _ = _object(handle, offset, _ENTRY, _ENTRY_SMALLEST)
            yield _number(entry, 24)
        left -= many
        before, array = array, _number(head, 16)


def _object(handle: int, offset: int, kind: int, smallest: int) -> tuple[bytes, int]:
    """The beginning of the object there, and its size; raises `TornError` where there is no such one."""
    if offset % 8 or offset < _SMALLEST:
        raise TornError
    head = _bytes(handle, offset, smallest)
    size = _number(head, 8)
    if head[0] != kind or size < smallest:
        raise TornError
    return head, size


def _bytes(handle: int, offset: int, size: int) -> bytes:
    # Not mapped into memory: journald shortens its files, and whoever looks at what is gone is killed for it.
    try:
        read = os.pread(handle, size, offset)
    except (OverflowError, ValueError):
        raise TornError from None
    if len(read) != size:
        raise TornError
    return read


def _number(data: bytes, offset: int) -> int:
    return int(struct.unpack_from("<Q", data, offset)[0])


def _instant(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    try:
        return _DAWN + timedelta(microseconds=microseconds)
    except OverflowError:
        raise TornError from None
