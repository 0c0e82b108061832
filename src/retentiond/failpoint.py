"""Named places at which a test may end the process, to prove that a crash there loses nothing."""

from __future__ import annotations

from collections.abc import Callable


def _pass(_name: str) -> None:
    return


hook: Callable[[str], None] = _pass
"""Called with the place's name; only the crash harness sets it to something that kills."""


def failpoint(name: str) -> None:
    """Mark a boundary of the write-ahead protocol."""
    hook(name)
