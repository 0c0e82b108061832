"""The tree below the root, walked by directory handles: never through a symlink, never onto another file system.

Every step opens one component relative to the handle of the one before, with O_NOFOLLOW, so that nobody can
swap a directory for a symlink in between.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from retentiond.connector import ConnectorError
from retentiond_files.failures import ASTRAY, GONE, Astray, reason_of, system_error
from retentiond_files.patterns import Path, Selection

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

STRAY = re.compile(r"\.retentiond-[0-9a-f]{32}\.tmp")
"""The names of our temporary files, and of nothing else; they are never records."""


def temporary_name() -> str:
    """A new name for a temporary file of ours."""
    return f".retentiond-{secrets.token_hex(16)}.tmp"


class Kind(StrEnum):
    """What a walk came upon."""

    FILE = "file"
    SYMLINK = "symlink"
    SPECIAL = "special"
    """A pipe, socket or device under a name that is included."""
    FOREIGN = "foreign"
    """A directory, or file, on another file system; not entered."""
    STRAY = "stray"
    """A temporary file of ours that an interrupted act left."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing a walk came upon, as it was then."""

    kind: Kind
    path: Path
    stat: os.stat_result


class Tree:
    """One directory of the settings and all below it. Reads only; made by `open_tree`."""

    def __init__(self, place: str, handle: int) -> None:
        self.place = place
        """The directory, as the settings name it."""
        self.handle = handle
        state = os.fstat(handle)
        self.device = state.st_dev
        self.inode = state.st_ino

    def close(self) -> None:
        """Give the handle back; harmless when repeated."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def walk(self, selection: Selection, leave_out: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Found]:
        """Everything included, directory by directory, in no order; `leave_out` are directories by device and inode.

        Raises `ConnectorError` where a directory that could hold something included cannot be read.
        """
        handle = _open(".", _DIRECTORY, self.handle)
        yield from self._walk(handle, (), selection, leave_out)

    def _walk(self, handle: int, above: Path, selection: Selection, leave_out: frozenset[tuple[int, int]]) -> Iterator[Found]:
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    try:
                        state = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    yield from self._entry(handle, (*above, entry.name), state, selection, leave_out)
        except OSError as error:
            raise self._unreadable(above, error) from None
        finally:
            os.close(handle)

    def _entry(
        self, handle: int, path: Path, state: os.stat_result, selection: Selection, leave_out: frozenset[tuple[int, int]]
    ) -> Iterator[Found]:
        if stat.S_ISDIR(state.st_mode):
            if selection.directory(path) and (state.st_dev, state.st_ino) not in leave_out:
                yield from self._directory(handle, path, state, selection, leave_out)
        elif STRAY.fullmatch(path[-1]):
            if stat.S_ISREG(state.st_mode):
                yield Found(Kind.STRAY, path, state)
        elif stat.S_ISLNK(state.st_mode):
            if selection.file(path) or selection.directory(path):
                yield Found(Kind.SYMLINK, path, state)
        elif selection.file(path):
            kind = Kind.FILE if stat.S_ISREG(state.st_mode) else Kind.SPECIAL
            yield Found(kind if state.st_dev == self.device else Kind.FOREIGN, path, state)

    def _directory(
        self, handle: int, path: Path, state: os.stat_result, selection: Selection, leave_out: frozenset[tuple[int, int]]
    ) -> Iterator[Found]:
        if state.st_dev != self.device:
            yield Found(Kind.FOREIGN, path, state)
            return
        try:
            inner = _open(path[-1], _DIRECTORY, handle)
        except OSError as error:
            if error.errno in GONE:
                return
            if error.errno in ASTRAY:  # swapped since it was listed
                yield Found(Kind.SYMLINK, path, state)
                return
            raise self._unreadable(path, error) from None
        if os.fstat(inner).st_dev != self.device:
            os.close(inner)
            yield Found(Kind.FOREIGN, path, state)
            return
        yield from self._walk(inner, path, selection, leave_out)

    def _unreadable(self, path: Path, error: OSError) -> ConnectorError:
        where = f"A directory {len(path)} levels below {self.place}" if path else f"The directory {self.place}"
        return ConnectorError(
            f"{where} cannot be read ({reason_of(error)}), so nobody knows what lies in it. "
            f"Give retentiond's user the right to read and enter it, or exclude it.",
            "forbidden" if isinstance(error, PermissionError) else "unreadable",
        )

    @contextmanager
    def directory(self, path: Path) -> Iterator[int]:
        """A handle of the directory at `path`; raises FileNotFoundError, or `Astray` where a symlink or mount is on the way."""
        handle = _open(".", _DIRECTORY, self.handle)
        try:
            for name in path:
                inner = _open_here(name, _DIRECTORY, handle)
                os.close(handle)
                handle = inner
                if os.fstat(handle).st_dev != self.device:
                    raise Astray
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def file(self, path: Path) -> Iterator[int]:
        """A reading handle of the plain file at `path`; raises as `directory`, and PermissionError."""
        with self.directory(path[:-1]) as above:
            handle = open_plain(path[-1], above, self.device)
        try:
            yield handle
        finally:
            os.close(handle)


def open_tree(place: str) -> Tree:
    """Open the directory `place` for reading; raise `ConnectorError` where there is none, or it is a symlink."""
    try:
        return Tree(place, _open(place, _DIRECTORY, None))
    except OSError as error:
        if error.errno in ASTRAY:
            raise ConnectorError(
                f"{place} is no directory, or a symlink, which is not followed; name the directory itself."
            ) from None
        raise system_error(error, f"The directory {place} cannot be opened") from None


def open_plain(name: str, above: int, device: int) -> int:
    """A reading handle of the plain file `name` in the directory `above`; raises FileNotFoundError or `Astray`."""
    handle = _open_here(name, _FILE, above)
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode) or state.st_dev != device:
        os.close(handle)
        raise Astray
    return handle


def _open_here(name: str, flags: int, above: int) -> int:
    try:
        return _open(name, flags, above)
    except OSError as error:
        if error.errno in ASTRAY:
            raise Astray from None
        raise


def _open(name: str, flags: int, above: int | None) -> int:
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=above)
    except PermissionError:  # only a file's owner may read it without a trace in its atime
        return os.open(name, flags, dir_fd=above)


def same(one: os.stat_result, other: os.stat_result) -> bool:
    """True where both are the same file with the same content, as far as the file system tells."""
    return (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) == (
        other.st_dev,
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
    )
