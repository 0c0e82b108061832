"""The two renames that Python does not offer: swap two names, and never replace anything (Linux renameat2).

And what is safe to do with them beside a rotation.
"""

from __future__ import annotations

import ctypes
import errno
import os

from retentiond_files.tree import same, temporary_name

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


def unlink_only(directory: int, name: str, state: os.stat_result) -> bool:
    """Take away the name of the file that was in `state`; False where the name leads to another file by now, which keeps it.

    It first gets a temporary name: so what is unlinked is surely what was found, and no file that a rotation
    gave the name to in between. Raises OSError.
    """
    aside = temporary_name()
    try:
        move_to_free_name(directory, name, directory, aside)
    except NotOffered:
        os.unlink(name, dir_fd=directory)
        return True
    if not same(os.stat(aside, dir_fd=directory, follow_symlinks=False), state):
        put_back(directory, aside, name)
        return False
    try:
        os.unlink(aside, dir_fd=directory)
    except OSError:
        put_back(directory, aside, name)
        raise
    return True


def put_back(directory: int, name: str, old_name: str) -> None:
    """Give a file its name back; where that is taken by now, a name that no later session takes for a leftover."""
    try:
        move_to_free_name(directory, name, directory, old_name)
    except FileExistsError:
        os.rename(name, kept_name(name), src_dir_fd=directory, dst_dir_fd=directory)


def kept_name(name: str) -> str:
    """What a file that is not ours, and has no name to go back to, is called instead of a temporary name."""
    return f"{name}.kept"


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
