"""What every acting role begins with: alone on the root, and no leftovers of an interrupted act."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time

from retentiond.connector import TransientConnectorError
from retentiond_files.dataset import Dataset
from retentiond_files.failures import Astray, system_error
from retentiond_files.patterns import Path
from retentiond_files.tree import Found, Kind, Tree, file_system

LENT_BY_A_SERVER = frozenset({"nfs", "nfs4", "cifs", "smb3"})
"""File systems that refuse a lease, in the words for a file that is open, unless their server has granted one by itself."""


def begin(dataset: Dataset) -> None:
    """Lock the root until its handle is closed, then remove leftovers.

    Raises `TransientConnectorError` while another session of ours acts on the root, `ConnectorError` where a leftover stays.
    """
    try:
        fcntl.flock(dataset.tree.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TransientConnectorError(
            f"Another session of retentiond acts on {dataset.tree.place} at the moment; {dataset.target} was left alone."
        ) from None
    except OSError as error:
        raise system_error(error, f"The directory {dataset.tree.place} cannot be locked") from None
    for tree, found in leftovers(dataset):
        _remove(dataset, tree, found.path)


def leftovers(dataset: Dataset) -> list[tuple[Tree, Found]]:
    """What an interrupted act left, whoever owns it: a file set aside to be unlinked still has the owner it was found with."""
    strays = [(dataset.tree, found) for found in dataset.walk() if found.kind is Kind.STRAY]
    if dataset.blocked is not None:
        strays += [(dataset.blocked, found) for found in dataset.walk_blocked() if found.kind is Kind.STRAY]
    return strays


def _remove(dataset: Dataset, tree: Tree, path: Path) -> None:
    try:
        if _in_use(tree, path):
            return
        with tree.directory(path[:-1]) as above:
            os.unlink(path[-1], dir_fd=above)
            os.fsync(above)
    except (FileNotFoundError, Astray):
        return
    except OSError as error:
        raise system_error(
            error, f"A leftover of an interrupted act on {dataset.target} below {tree.place} cannot be removed"
        ) from None


def _in_use(tree: Tree, path: Path) -> bool:
    """True where another session, on a root that holds this one or lies in it, is at work on the temporary file."""
    try:
        with tree.file(path) as handle:
            return held_for_writing(handle)
    except (PermissionError, BlockingIOError):
        return False


def is_live(dataset: Dataset, path: Path, handle: int) -> bool:
    """True where a server may be writing to the file: it matches `live`, changed within `quiet_minutes`, or is held open.

    The machine's clock is compared with stamps that the same clock made; an mtime in the future counts as live.
    """
    quiet = dataset.options.quiet_minutes * 60 * 1_000_000_000
    return (
        dataset.live.match(path)
        or (quiet > 0 and time.time_ns() - os.fstat(handle).st_mtime_ns < quiet)
        or held_for_writing(handle)
    )


def held_for_writing(handle: int) -> bool:
    """True where some process has the file open for writing, and could yet write to what is gone from its name.

    False also where the kernel does not tell: it tells a file's owner, and whoever has CAP_LEASE, and only of this machine.
    """
    try:
        # Whoever opens the file in this very moment ends the lease by a signal; the usual one, SIGIO, would end us.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN and file_system(handle) not in LENT_BY_A_SERVER
    return False
