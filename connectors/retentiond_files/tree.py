"""The tree below the root, walked by directory handles: never through a symlink, never into another mount.

Every step opens one component relative to the handle of the one before, with O_NOFOLLOW, so that nobody can
swap a directory for a symlink in between.
"""

from __future__ import annotations

import os
import pathlib
import re
import secrets
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

from retentiond.connector import ConnectorError
from retentiond_files.failures import ASTRAY, GONE, Astray, reason_of, system_error
from retentiond_files.patterns import Path, Selection

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

STRAY = re.compile(r"\.retentiond-[0-9a-f]{32}\.tmp")
"""The names of our temporary files, and of nothing else; they are never records."""


KEPT = re.compile(STRAY.pattern + r"\.kept")
"""The names of files that came out of a race under a temporary name, and are not ours."""


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
    """A directory, or file, on another file system, or a directory mounted from elsewhere; not entered."""
    STRAY = "stray"
    """A temporary file of ours that an interrupted act left."""
    ENTERED = "entered"
    """A directory of the tree, as it was before what lies in it was looked at."""
    KEPT = "kept"
    """A file of others that lost its name in a race and is no record; only a person knows where it belongs."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing a walk came upon, as it was then."""

    kind: Kind
    path: Path
    stat: os.stat_result


_Level = tuple[int, Path, Generator[os.DirEntry[str]]]
"""A directory that a walk is in: its handle, its path and what is still to be looked at."""


class Tree:
    """One directory of the settings and all below it. Reads only; made by `open_tree`."""

    def __init__(self, place: str, handle: int) -> None:
        self.place = place
        """The directory, as the settings name it."""
        self.handle = handle
        state = os.fstat(handle)
        self.device = state.st_dev
        self.inode = state.st_ino
        self.mount = _mount(handle)

    def close(self) -> None:
        """Give the handle back; harmless when repeated."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def walk(self, selection: Selection, leave_out: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Found]:
        """Everything included, directory by directory, in no order; `leave_out` are directories by device and inode.

        Raises `ConnectorError` where a directory that could hold something included cannot be read.
        """
        levels = [_level(_open(".", _DIRECTORY, self.handle), ())]
        try:
            yield Found(Kind.ENTERED, (), os.fstat(levels[0][0]))
            while levels:  # no recursion: how deep a tree is, others decide
                handle, above, entries = levels[-1]
                try:
                    entry = next(entries, None)
                    state = None if entry is None else entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise self._unreadable(above, error) from None
                if entry is None or state is None:
                    _leave(levels.pop())
                    continue
                path = (*above, entry.name)
                if not stat.S_ISDIR(state.st_mode):
                    if (found := self._found(handle, path, state, selection)) is not None:
                        yield found
                elif selection.directory(path) and (state.st_dev, state.st_ino) not in leave_out:
                    inner = self._entered(handle, path, state)
                    if isinstance(inner, Found):
                        yield inner
                    elif inner is not None:
                        levels.append(_level(inner, path))
                        yield Found(Kind.ENTERED, path, os.fstat(inner))
        finally:
            for level in levels:
                _leave(level)

    def _found(self, handle: int, path: Path, state: os.stat_result, selection: Selection) -> Found | None:
        if STRAY.fullmatch(path[-1]):
            return Found(Kind.STRAY, path, state) if stat.S_ISREG(state.st_mode) else None
        if stat.S_ISLNK(state.st_mode):
            return Found(Kind.SYMLINK, path, state) if selection.file(path) or selection.directory(path) else None
        if not selection.file(path):
            return Found(Kind.KEPT, path, state) if KEPT.fullmatch(path[-1]) else None
        kind = Kind.FILE if stat.S_ISREG(state.st_mode) else Kind.SPECIAL
        at_home = state.st_dev == self.device or self._lists_home(handle, path[-1])
        return Found(kind if at_home else Kind.FOREIGN, path, state)

    def _lists_home(self, above: int, name: str) -> bool:
        try:
            handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        except FileNotFoundError:  # went since it was listed; whoever opens it finds out
            return True
        try:
            return self.is_home(handle)
        finally:
            os.close(handle)

    def _entered(self, handle: int, path: Path, state: os.stat_result) -> Found | int | None:
        """A handle of the directory at `path`; what it is instead where it is not entered; None where it went."""
        if state.st_dev != self.device:
            return Found(Kind.FOREIGN, path, state)
        try:
            inner = _open(path[-1], _DIRECTORY, handle)
        except OSError as error:
            if error.errno in GONE:
                return None
            if error.errno in ASTRAY:  # swapped since it was listed
                return Found(Kind.SYMLINK, path, state)
            raise self._unreadable(path, error) from None
        if not self.is_home(inner):
            os.close(inner)
            return Found(Kind.FOREIGN, path, state)
        return inner

    def is_home(self, handle: int) -> bool:
        """True where a handle leads to the root's own file system, and through no other mount.

        The device alone does not tell: a bind mount may show any other place of it, and an overlay shows a plain file with the
        device of the layer it lies in.
        """
        mount = _mount(handle)
        return os.fstat(handle).st_dev == self.device if mount is None else mount == self.mount

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
                if not self.is_home(handle):
                    raise Astray
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def file(self, path: Path) -> Iterator[int]:
        """A reading handle of the plain file at `path`; raises as `directory`, and PermissionError."""
        with self.directory(path[:-1]) as above:
            handle = open_plain(path[-1], above, self)
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


def open_plain(name: str, above: int, tree: Tree) -> int:
    """A reading handle of the plain file `name` in the directory `above`; raises FileNotFoundError or `Astray`."""
    handle = _open_here(name, _FILE, above)
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode) or not tree.is_home(handle):
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


def _mount(handle: int) -> bytes | None:
    """Which mount a handle was opened through; None where the kernel does not tell."""
    try:
        told = pathlib.Path("/proc/self/fdinfo", str(handle)).read_bytes()
    except FileNotFoundError:  # no /proc here
        return None
    return next((line for line in told.splitlines() if line.startswith(b"mnt_id:")), None)


def file_system(handle: int) -> str:
    """What kind of file system a handle is on, as `/proc/self/mountinfo` calls it; nothing where the kernel does not tell."""
    mount = (_mount(handle) or b"").split()
    with suppress(FileNotFoundError):
        for line in pathlib.Path("/proc/self/mountinfo").read_bytes().splitlines():
            about, _, kind = line.partition(b" - ")
            if about.split()[:1] == mount[1:]:
                return kind.split()[0].decode()
    return ""


def _level(handle: int, path: Path) -> _Level:
    return handle, path, _entries(handle)


def _entries(handle: int) -> Generator[os.DirEntry[str]]:
    with os.scandir(handle) as entries:
        yield from entries


def _leave(level: _Level) -> None:
    handle, _, entries = level
    entries.close()
    os.close(handle)


def same(one: os.stat_result, other: os.stat_result) -> bool:
    """True where both are the same file with the same content, as far as the file system tells."""
    return (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) == (
        other.st_dev,
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
    )
