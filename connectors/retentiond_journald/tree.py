"""The directory of the journals, walked by handles: never through a symlink, and one level deep."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from retentiond.connector import ConnectorError, Target

SUFFIXES = (".journal", ".journal~")
"""Names of journals; the latter were set aside because they were not closed properly."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CODES = {errno.EACCES: "forbidden", errno.EPERM: "forbidden", errno.EROFS: "forbidden", errno.ENOSPC: "no-space"}


def code_of(error: OSError) -> str:
    """The word for an error of the operating system."""
    return _CODES.get(error.errno or 0, "unreadable")


@dataclass(frozen=True, slots=True)
class Place:
    """One journal file, by its name and the directory it lies in."""

    folder: str
    """Empty for the root itself."""
    name: str

    @property
    def key(self) -> str:
        """Its path below the root."""
        return f"{self.folder}/{self.name}" if self.folder else self.name

    @property
    def set_aside(self) -> bool:
        """True for a journal that was not closed properly and replaced by a new one: nobody writes to it any more."""
        return self.name.endswith("~")


def place_of(key: tuple[str, ...]) -> Place | None:
    """The place that a key names; None where it names none."""
    if len(key) != 1:
        return None
    folder, _, name = key[0].rpartition("/")
    if "/" in folder or {folder, name} & {".", ".."} or "\0" in key[0] or not name.endswith(SUFFIXES):
        return None
    return Place(folder, name) if Place(folder, name).key == key[0] else None


class Tree:
    """The open directory; `close` gives its handle back."""

    def __init__(self, root: str, streams: tuple[str, ...], target: Target) -> None:
        self.root = root
        self.target = target
        self._streams = streams
        try:
            self._handle: int | None = os.open(root, _FOLDER)
        except OSError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Give the handle back; harmless when repeated."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def holds(self, place: Place) -> bool:
        """True where the journal is part of the data set."""
        stem = place.name.rsplit(".journal", 1)[0].split("@", 1)[0]
        return any(fnmatchcase(stem, one) for one in self._streams)

    def places(self) -> Iterator[Place]:
        """Every journal of the data set. Raises `ConnectorError` where a directory cannot be read."""
        try:
            self._there()
            for folder in ("", *self._folders()):
                with self.folder(folder) as handle:
                    names = sorted(os.listdir(handle))  # noqa: PTH208 - of a handle
                for name in names:
                    place = Place(folder, name)
                    if name.endswith(SUFFIXES) and self.holds(place):
                        name.encode()
                        yield place
        except OSError as error:
            raise self._error(error) from None
        except UnicodeEncodeError:
            raise ConnectorError(
                f"A journal below {self.root} has a name that is no UTF-8; journald gives no such names. Rename it.", "unreadable"
            ) from None

    @contextmanager
    def folder(self, name: str) -> Iterator[int]:
        """The handle of the root, or of a directory in it; raises OSError."""
        assert self._handle is not None, "the tree is closed"  # noqa: S101 - a defect of ours
        handle = os.open(name or ".", _FOLDER, dir_fd=self._handle)
        try:
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def file(self, place: Place) -> Iterator[tuple[int, int]]:
        """The handles of its directory and of the file itself, for reading; raises OSError."""
        with self.folder(place.folder) as above:
            handle = os.open(place.name, _FILE, dir_fd=above)
            try:
                yield above, handle
            finally:
                os.close(handle)

    def exists(self, place: Place) -> bool:
        """True where anything lies there; raises `ConnectorError` where nobody can tell."""
        try:
            self._there()
            with self.folder(place.folder) as above:
                os.stat(place.name, dir_fd=above, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            self._there()
            return False
        except OSError as error:
            raise self._error(error) from None
        return True

    def _there(self) -> None:
        """Raise `ConnectorError` where another directory lies at the root's path by now, or none."""
        assert self._handle is not None, "the tree is closed"  # noqa: S101 - a defect of ours
        try:
            path, open_one = Path(self.root).lstat(), os.fstat(self._handle)
        except OSError as error:
            raise self._error(error) from None
        if not os.path.samestat(path, open_one):
            raise ConnectorError(f"The directory {self.root} was exchanged while it was looked at. Try again.", "unavailable")

    def _folders(self) -> list[str]:
        assert self._handle is not None, "the tree is closed"  # noqa: S101 - a defect of ours
        with os.scandir(self._handle) as found:
            return sorted(one.name for one in found if one.is_dir(follow_symlinks=False))

    def _error(self, error: OSError) -> ConnectorError:
        code = "unavailable" if isinstance(error, FileNotFoundError | NotADirectoryError) else code_of(error)
        reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
        return ConnectorError(
            f"The journals of {self.target} below {self.root} cannot be looked at ({reason}). See whether the directory is "
            f"there and retentiond's user may read it (group systemd-journal).",
            code,
        )


def regular(state: os.stat_result) -> bool:
    """True for a plain file."""
    return stat.S_ISREG(state.st_mode)
