"""One holder at a time: a lock file that the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from retentiond.errors import StateError

LONGEST_WAIT = 600
"""Seconds that a turn is waited for."""

ATTEMPTS = 20
"""How often in a second it is asked for."""


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` (mode 0600, made where missing); never waits.

    `what` names, for a person, what is held (`the daemon`). Raises `StateError` naming the holder's process id where
    another process, or another holder in this one, has it. The file stays behind; a stale one is no hindrance.
    """
    descriptor = _open(path, what)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(path, what, os.pread(descriptor, 32, 0)) from None
        except OSError as error:
            raise _unusable(path, what, error) from None
        _sign(descriptor, path, what)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def turn(path: Path, what: str, *, alone: bool, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file `path` together with others, or `alone`; waits for its turn, at most ten minutes.

    Nobody who waits to be alone is passed by those who come after: they queue at a door, a second file beside it. `waiting`
    is called once after a second without a turn. Raises `StateError` where the turn does not come.
    """
    door, lock = _open(path.with_name(f"{path.name}.door"), what), _open(path, what)
    try:
        attempts = iter(range(LONGEST_WAIT * ATTEMPTS))  # one patience for both
        for descriptor in (door, lock):
            _await(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, attempts, path, what, waiting)
        if not alone:
            fcntl.flock(door, fcntl.LOCK_UN)
        yield
    finally:
        os.close(lock)
        os.close(door)


def _await(descriptor: int, how: int, attempts: Iterator[int], path: Path, what: str, waiting: Callable[[], None]) -> None:
    for attempt in attempts:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt == ATTEMPTS:
                waiting()
            time.sleep(1 / ATTEMPTS)
        except OSError as error:
            raise _unusable(path, what, error) from None
        else:
            return
    raise StateError(
        f"The lock of {what} ({path}) was held for {LONGEST_WAIT} seconds; nothing was done. `fuser {path}` shows by whom."
    )


def _open(path: Path, what: str) -> int:
    try:
        # Whoever can open the file can hold the lock for ever, so nobody else may: also not through a link laid there before.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unusable(path, what, error) from None
    return descriptor


def _sign(descriptor: int, path: Path, what: str) -> None:
    try:
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise _unusable(path, what, error) from None


def _held(path: Path, what: str, signed: bytes) -> StateError:
    pid = signed.decode("ascii", "replace").strip()
    # The holder signs just after it locks: for a moment the file may still be empty.
    holder, look = (f"process {pid}", f"ps {pid}") if pid.isdigit() else ("another process", f"fuser {path}")
    return StateError(
        f"The lock of {what} ({path}) is held by {holder}; nothing was done. Wait until it is done; `{look}` shows what it is."
    )


def _unusable(path: Path, what: str, error: OSError) -> StateError:
    return StateError(
        f"The lock of {what} ({path}) cannot be taken ({error.strerror}). Check that the state directory exists, "
        f"belongs to the user retentiond runs as, and has room."
    )
