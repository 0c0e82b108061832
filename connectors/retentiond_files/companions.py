"""The names that go with a document: its parts and its sidecar, and which files may be such ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate

from retentiond_files.patterns import ANY_DEPTH, Globs, Path, Selection
from retentiond_files.sidecar import NAME, STEM, Sidecar


def names_of(source: Sidecar, document: Path) -> tuple[Path, ...]:
    """The document, its parts and last its sidecar, in the order in which they go; each once, whether it is there or not."""
    *above, name = document
    head, dot, _ = name.rpartition(".")
    stem = head if dot and head.strip(".") else name
    parts = [(*above, *part.replace(NAME, name).replace(STEM, stem).split("/")) for part in source.parts]
    sidecar = sidecar_of(source, document)
    return tuple(dict.fromkeys([document, *(part for part in parts if part != sidecar), sidecar]))


def sidecar_of(source: Sidecar, document: Path) -> Path:
    """Where the document's sidecar lies, or would."""
    return (*document[:-1], document[-1] + source.suffix)


def document_of(source: Sidecar, path: Path) -> Path | None:
    """Whose sidecar lies there by its name; None where no document's does."""
    name = path[-1].removesuffix(source.suffix)
    return None if name in {path[-1], ""} else (*path[:-1], name)


@dataclass(frozen=True, slots=True)
class Accompanied(Selection):
    """The documents that are selected, and whatever may go with them, so that a walk comes upon all of it.

    Whether a sidecar belongs to the data set is asked of its document: excluding `*.json` leaves no sidecar behind.
    """

    source: Sidecar
    parts: Globs

    def file(self, path: Path) -> bool:
        """True for a document, a sidecar of one, and what may be a part."""
        if Selection.file(self, path) or self.parts.match(path):
            return True
        document = document_of(self.source, path)
        return document is not None and Selection.file(self, document)

    def directory(self, path: Path) -> bool:
        """True where any of these could lie below the directory."""
        return Selection.directory(self, path) or self.parts.lead_into(path)


def accompanied(selection: Selection, include: Sequence[str], source: Sidecar) -> Accompanied:
    """What to walk through for the documents of `selection`, which `include` selects."""
    globs = Globs(tuple(_glob(pattern, part) for pattern in include for part in source.parts))
    return Accompanied(selection.include, selection.exclude, source, globs)


def _glob(include: str, part: str) -> tuple[re.Pattern[str] | None, ...]:
    *above, last = include.split("/")
    folders = [*above, last] if last == ANY_DEPTH else above
    place = [None if folder == ANY_DEPTH else re.compile(translate(folder)) for folder in folders]
    names = [re.sub(r"\\{(name|stem)\\}", ".+", re.escape(piece)) for piece in part.split("/")]
    return (*place, *(re.compile(rf"(?s:{name})\Z") for name in names))
