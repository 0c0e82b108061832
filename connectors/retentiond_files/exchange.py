"""The two renames that Python does not offer: swap two names, and never replace anything (Linux renameat2)."""

from __future__ import annotations

import ctypes
import errno
import os

_NOREPLACE = 1
_EXCHANGE = 2
_UNKNOWN = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})

_libc = ctypes.CDLL(None, use_errno=True)


class NotOffered(Exception):
    """This kernel, C library or file system does not offer the rename."""


def exchange(directory: int, one: str, other: str) -> None:
    """Swap two names of a directory in one step; raises OSError, or `NotOffered`."""
    _renameat2(directory, one, directory, other, _EXCHANGE)


def move_to_free_name(source: int, name: str, target: int, new_name: str) -> None:
    """Move a name between directories; raises FileExistsError where the new one is taken, OSError, or `NotOffered`."""
    _renameat2(source, name, target, new_name, _NOREPLACE)


def _renameat2(source: int, name: str, target: int, new_name: str, flags: int) -> None:
    function = getattr(_libc, "renameat2", None)
    if function is None:
        raise NotOffered
    ctypes.set_errno(0)
    if function(source, os.fsencode(name), target, os.fsencode(new_name), flags) != 0:
        number = ctypes.get_errno()
        if number in _UNKNOWN:
            raise NotOffered
        raise OSError(number, os.strerror(number))
