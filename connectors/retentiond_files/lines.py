"""Reads and writes the lines of one file, plain or gzip; bytes pass through untouched."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from retentiond_files.failures import Unreadable

LONGEST = 16 * 1024 * 1024
"""A longer line makes its file unreadable: it is no log line, and would not fit into constant memory."""

_BUFFER = 1 << 20
_MAGIC = b"\x1f\x8b"


def is_gzip(handle: int, name: str) -> bool:
    """True where the file is gzip, or its name says that it is."""
    return name.endswith(".gz") or os.pread(handle, 2, 0) == _MAGIC


def lines_of(handle: int, name: str) -> Iterator[bytes]:
    """Each line with its ending, from the beginning; only a line feed ends one. The handle stays open.

    Raises `Unreadable` where the gzip is torn or broken, a line is longer than `LONGEST`, or the disk fails.
    """
    os.lseek(handle, 0, os.SEEK_SET)
    with open(handle, "rb", buffering=_BUFFER, closefd=False) as raw:
        # An empty file is no torn gzip: logrotate and our own rewrites leave such.
        zipped = is_gzip(handle, name) and os.fstat(handle).st_size > 0
        stream: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=raw, mode="rb"), _BUFFER) if zipped else raw  # type: ignore[type-var, arg-type, unused-ignore] # typeshed does not see that GzipFile reads raw
        try:
            while line := stream.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    raise Unreadable
                yield line
        except (EOFError, zlib.error, OSError):
            raise Unreadable from None


@contextmanager
def line_writer(handle: int, *, zipped: bool, written: int) -> Iterator[IO[bytes]]:
    """Something to write lines to, which have reached the handle at the end. `written` (seconds) is the mtime a gzip tells."""
    with open(handle, "wb", buffering=_BUFFER, closefd=False) as raw:
        if not zipped:
            yield raw
            return
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=written) as stream:
            yield stream  # type: ignore[misc, unused-ignore] # a GzipFile is all of IO[bytes] that is used
