"""Keeps a bug in one place, of a connector say, from taking the turn of everything else; the run then ends as what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from retentiond.errors import RetentiondError

T = TypeVar("T")


def attempted(act: Callable[[], T], bugs: list[Exception]) -> T | None:
    """What `act` gives; None where a bug ended it, which is added to `bugs` for whoever ends the run to raise.

    Errors that are raised on purpose pass through.
    """
    try:
        return act()
    except RetentiondError:
        raise
    except Exception as bug:  # noqa: BLE001 - nothing is swallowed: the run is reported as ended by it
        bugs.append(bug)
        return None
