"""A disk that fails: full, broken, or read-only from some write on; an APSW file system that lets the rest through."""

from __future__ import annotations

from typing import Any

import apsw

ERRORS: dict[str, tuple[type[apsw.Error], int]] = {
    "full": (apsw.FullError, apsw.SQLITE_FULL),
    "write": (apsw.IOError, apsw.SQLITE_IOERR_WRITE),
    "sync": (apsw.IOError, apsw.SQLITE_IOERR_FSYNC),
    "read-only": (apsw.ReadOnlyError, apsw.SQLITE_READONLY),
}


class FaultyVFS(apsw.VFS):
    """From the write numbered `fails_from` (0 is the first) on, nothing is written to files of that name, until it is mended."""

    def __init__(self, name: str, file: str) -> None:
        self.name, self.file = name, file
        self.fails_from: int | None = None
        self.kind = "full"
        self.written = 0
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - APSW's name
        return FaultyFile(self, name, flags)

    def touch(self, path: str, *, sync: bool = False) -> None:
        """Count one write to a file, or fail."""
        if self.file not in path:
            return
        number, self.written = self.written, self.written + 1
        if self.fails_from is None or number < self.fails_from or (self.kind == "sync" and not sync):
            return
        kind, code = ERRORS[self.kind]
        error = kind("the disk's own words")
        vars(error).update(result=code & 0xFF, extendedresult=code)
        raise error


class FaultyFile(apsw.VFSFile):
    """One of its files."""

    def __init__(self, vfs: FaultyVFS, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._vfs = vfs
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._vfs.touch(self._path)
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._vfs.touch(self._path)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._vfs.touch(self._path, sync=True)
        super().xSync(flags)
