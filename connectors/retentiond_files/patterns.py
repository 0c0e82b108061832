"""Which paths belong to a data set: globs relative to the root, `**` for any number of directories."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

ANY_DEPTH = "**"

Path = tuple[str, ...]
"""The components of a path relative to the root."""

_Glob = tuple[re.Pattern[str] | None, ...]
"""One expression per component; None stands for `**`."""

_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Globs:
    """Several patterns, of which one must match. `*` matches names that begin with a dot too, and never a slash."""

    globs: tuple[_Glob, ...]

    @classmethod
    def of(cls, patterns: Sequence[str]) -> Self:
        """Compile `patterns`, each relative to the root."""
        return cls(
            tuple(
                tuple(None if part == ANY_DEPTH else re.compile(fnmatch.translate(part)) for part in pattern.split("/"))
                for pattern in patterns
            )
        )

    def match(self, path: Path) -> bool:
        """True where a pattern matches the whole path."""
        return any(_match(glob, path) for glob in self.globs)

    def lead_into(self, directory: Path) -> bool:
        """True where a pattern could match something below the directory."""
        return any(_leads(glob, directory) for glob in self.globs)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is included and not excluded; excluding a directory excludes all below it."""

    include: Globs
    exclude: Globs

    def file(self, path: Path) -> bool:
        """True where the path belongs to the data set."""
        return self.include.match(path) and not self._excluded(path)

    def directory(self, path: Path) -> bool:
        """True where something below the directory could belong to the data set."""
        return self.include.lead_into(path) and not self._excluded(path)

    def _excluded(self, path: Path) -> bool:
        return any(self.exclude.match(path[:length]) for length in range(1, len(path) + 1))


def _match(glob: _Glob, path: Path) -> bool:
    return len(glob) in _reached(glob, path)


def _leads(glob: _Glob, directory: Path) -> bool:
    return any(place < len(glob) for place in _reached(glob, directory))


def _reached(glob: _Glob, path: Path) -> set[int]:
    """How many parts of the glob can have been used up by the path: neither gets slow, or deep, by many parts or `**`."""
    places = _onwards(glob, {0})
    for name in path:
        used = set()
        for place in places:
            part = glob[place] if place < len(glob) else _NOTHING
            if part is None:
                used.add(place)
            elif part.match(name) is not None:
                used.add(place + 1)
        places = _onwards(glob, used)
    return places


def _onwards(glob: _Glob, places: set[int]) -> set[int]:
    """`places`, and those behind a `**` that stands for no directory at all."""
    reached = set()
    for place in places:
        last = place
        reached.add(last)
        while last < len(glob) and glob[last] is None:
            last += 1
            reached.add(last)
    return reached
