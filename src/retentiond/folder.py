"""Makes the state directory, and sees to it that a power cut takes back neither it nor what was put into it."""

from __future__ import annotations

import os
from pathlib import Path

from retentiond.errors import StateError


def make_state_directory(state: Path) -> None:
    """Make `state` with mode 0700, and what is missing above it; raises `StateError` where that cannot be done."""
    try:
        missing = [folder for folder in (state, *state.parents) if not folder.exists()]
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in missing:
            sync_folder(folder.parent)  # a file may be as durable as can be: without its directory it is gone all the same
    except OSError as error:
        raise StateError(
            f"The state directory {state} cannot be made ({error.strerror}). Make it, and give it to the user retentiond runs as."
        ) from None


def sync_folder(folder: Path) -> None:
    """Make durable which names there are in `folder`; raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
