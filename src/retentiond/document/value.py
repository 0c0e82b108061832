"""What was read, and where each part of it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Loc = tuple[str | int, ...]
"""The way to one place in a document: keys and positions, from the top."""

Spot = tuple[int, int]
"""Line and column, counted from 1."""

NO_VALUE = "has no value; write one, or leave the key out"
"""What is wrong with nothing at all, and with `null` where that means nothing."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a person wrote, as plain text, int, float, bool, None, list and dict, and where each of them stands."""

    path: Path
    data: Any = field(repr=False)
    places: Mapping[Loc, Spot] = field(default_factory=dict, repr=False, compare=False)
    """Where each value stands; for a list or mapping under a key, where that key stands."""
    keys: Mapping[Loc, Spot] = field(default_factory=dict, repr=False, compare=False)
    """Where each key stands."""
    digest: str = ""
    """SHA-256 (hex) of the file's bytes; empty where there was no file."""

    def where(self, loc: Loc, *, key: bool = False) -> str:
        """Return `file:line:column` of the value at `loc`, or with `key` of its key.

        For a missing key it is the place of what should hold it; the file alone where no place is known.
        """
        if key and loc in self.keys:
            return spotted(self.path, self.keys[loc])
        for length in range(len(loc), -1, -1):
            if loc[:length] in self.places:
                return spotted(self.path, self.places[loc[:length]])
        return str(self.path)


def spotted(path: Path, spot: Spot) -> str:
    """Return `file:line:column`."""
    return f"{path}:{spot[0]}:{spot[1]}"


def dotted(loc: Loc) -> str:
    """Return the way to a place as a person writes it: `rules[0].starts.at`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")
