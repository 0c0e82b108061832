"""Documents with sidecars in a temporary directory, and acts upon them that are cut off wherever a test likes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from connectors.files_support import LONG_AGO, TARGET, World, cutoff
from support.nobody import NOBODY

from retentiond.connector import Action, RecordRef, Subject
from retentiond_files import connector, exchange

SOURCE = {
    "from": "sidecar",
    "dates": {"issued_on": "/issued_on", "closed_at": {"at": "/closed", "kind": "instant"}},
    "subjects": {"email": ["/customer/email"]},
    "facts": {"dunning": "/dunning"},
}


@dataclass
class Archive(World):
    """One data set of documents with sidecars."""

    blocked: Path = field(default_factory=Path)

    def voucher(self, name: str, *parts: str, place: Path | None = None, **told: Any) -> None:
        """A document that is long since due, with these further files and its sidecar."""
        for one in (name, *parts):
            put((place or self.root) / one, f"content of {one}".encode())
        self.tell(name, place=place, **{"issued_on": "2010-01-01", **told})

    def tell(self, name: str, place: Path | None = None, **told: Any) -> Path:
        """What the document's sidecar tells from now on."""
        return put((place or self.root) / f"{name}.json", json.dumps(told).encode())

    def due(self, awaiting: Action = Action.DELETE) -> list[RecordRef]:
        return self.find(cutoff(by="issued_on"), awaiting)

    def unknown(self, *dates: str) -> list[str]:
        """The keys of the records of which none of the dates is known."""
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return sorted(ref.key[0] for page in reader.undated(dates or ["issued_on"]) for ref in page)

    def about(self, person: Subject) -> Iterator[RecordRef]:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            for page in reader.about(person):
                yield from page

    def there(self) -> list[str]:
        """All files, wherever and under whatever name."""
        places = (self.root, self.blocked)
        return sorted(f"{place.name}/{one.relative_to(place)}" for place in places for one in place.rglob("*") if one.is_file())


def archive(folder: Path, **source: Any) -> Archive:
    """An archive that blocks, and in which a document may have a transcript and a picture."""
    root, blocked = folder / "root", folder / "blocked"
    root.mkdir()
    blocked.mkdir(mode=0o700)
    parts = ["{name}.txt", "thumbs/{name}.png"]
    settings = {
        "record": "file",
        "include": ["**/*.pdf"],
        "source": {**SOURCE, "parts": parts, **source},
        "block": {"moved_to": str(blocked)},
    }
    return Archive(root, settings, blocked)


def put(path: Path, content: bytes) -> Path:
    """A file that was written long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    return path


def give_to_nobody(world: Archive) -> None:
    """Have everything belong to a user without further rights, as whom a test goes on."""
    for path in [world.root, *world.root.rglob("*"), world.blocked] if os.geteuid() == 0 else []:
        os.chown(path, NOBODY, NOBODY)


class Crash(BaseException):
    """The process dies here."""


@contextmanager
def crash_after(steps: int) -> Iterator[list[int]]:
    """Within it the process dies once it has changed the disk, or asked for a flush, so many times. Yields the count so far."""
    done = [0]

    def cut(real: Any) -> Any:
        def step(*args: Any, **options: Any) -> Any:
            if done[0] == steps:
                raise Crash
            done[0] += 1
            return real(*args, **options)

        return step

    with pytest.MonkeyPatch.context() as patch:
        for place, name in ((os, "unlink"), (os, "fsync"), (os, "mkdir"), (exchange, "_renameat2")):
            patch.setattr(place, name, cut(getattr(place, name)))
        yield done
