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
    if not glob:
        return not path
    if glob[0] is None:
        return _match(glob[1:], path) or (bool(path) and _match(glob, path[1:]))
    return bool(path) and glob[0].match(path[0]) is not None and _match(glob[1:], path[1:])


def _leads(glob: _Glob, directory: Path) -> bool:
    if not directory or not glob:
        return bool(glob)
    if glob[0] is None:
        return True
    return glob[0].match(directory[0]) is not None and _leads(glob[1:], directory[1:])
