"""A disk that loses its power: all that is written to it is recorded, and rebuilt as it may lie there after a cut.

What was synced is there; of everything later each piece may be there, missing or torn between two sectors, whatever the
order it was written in. The same holds for names: a file that was made, renamed or removed is so for sure once its
directory was synced. SQLite's files are recorded by an APSW file system, all others where Python makes them durable.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import apsw
import pytest

SECTOR = 512

How = Literal["lost", "kept", "torn"]
"""What became of all that was not synced."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at an offset."""

    path: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A new size."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """The content of a file is durable."""

    path: str


@dataclass(frozen=True, slots=True)
class SyncFolder:
    """The names in a directory are durable."""

    path: str


@dataclass(frozen=True, slots=True)
class Name:
    """A file gets a name: a new one, or that of `old`; a directory of its own name is none."""

    path: str
    old: str | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """A name goes."""

    path: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Nothing on the disk: somebody was told something, such as the size of the log after a commit."""

    what: str
    size: int


Step = Write | Truncate | Sync | SyncFolder | Name | Remove | Mark


@dataclass
class Tape:
    """What happened, in order."""

    steps: list[Step] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def add(self, step: Step) -> None:
        """Write down one step."""
        match step:
            case Name(path, old):
                self.names.discard(old or "")
                self.names.add(path)
            case Remove(path):
                self.names.discard(path)
        self.steps.append(step)

    def know(self, path: str) -> None:
        """A file is there, by whoever it was made."""
        if path not in self.names:
            self.add(Name(path))


class RecordingVFS(apsw.VFS):
    """The usual file system of SQLite, with everything written down."""

    def __init__(self, tape: Tape, name: str) -> None:
        self.tape, self.name = tape, name
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - APSW's name
        return RecordingFile(self.tape, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self.tape.add(Remove(filename))
        if syncdir:
            self.tape.add(SyncFolder(os.path.dirname(filename)))  # noqa: PTH120 - APSW gives texts


class RecordingFile(apsw.VFSFile):
    """One of its files."""

    def __init__(self, tape: Tape, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._tape = tape
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        # As SQLite does by itself: with the first sync of a journal its directory is synced, too.
        self._folder_too = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        super().__init__("", name, flags)
        tape.know(self._path)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._tape.add(Write(self._path, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._tape.add(Truncate(self._path, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        del flags  # the recording needs no disk that is slow
        self._tape.add(Sync(self._path))
        if self._folder_too:
            self._folder_too = False
            self._tape.add(SyncFolder(os.path.dirname(self._path)))  # noqa: PTH120


def record_files(monkeypatch: pytest.MonkeyPatch, tape: Tape, unsynced: Callable[[str], bool] = lambda _path: False) -> None:
    """Write down what Python does to files: what is synced, renamed and removed; of some, that they never are synced."""
    rename, unlink, mkdir = os.rename, os.unlink, os.mkdir

    def recording_fsync(descriptor: int) -> None:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if unsynced(path):
            return
        if os.path.isdir(path):  # noqa: PTH112
            tape.add(SyncFolder(path))
            return
        tape.know(path)
        content = Path(path).read_bytes()
        tape.add(Write(path, 0, content))
        tape.add(Truncate(path, len(content)))
        tape.add(Sync(path))

    def recording_rename(old: Any, new: Any, **_folders: Any) -> None:
        if str(old) not in tape.names:  # nobody synced it, so nobody knows what is in it
            tape.know(str(old))
            tape.add(Write(str(old), 0, Path(old).read_bytes()))
        rename(old, new)
        tape.add(Name(str(new), str(old)))

    def recording_unlink(path: Any, **_folders: Any) -> None:
        unlink(path)
        tape.add(Remove(str(path)))

    def recording_mkdir(path: Any, mode: int = 0o777, **_folders: Any) -> None:
        mkdir(path, mode)
        tape.know(f"{path}/")

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(os, "rename", recording_rename)
    monkeypatch.setattr(os, "unlink", recording_unlink)
    monkeypatch.setattr(os, "mkdir", recording_mkdir)


class Disk:
    """What is on the disk for sure, and what may be."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._sure_names: dict[str, int] = {}
        self._unsure_names: list[tuple[Name | Remove, int]] = []
        self._sure: list[bytes] = []
        self._unsure: list[list[Write | Truncate]] = []

    def do(self, step: Step) -> None:
        """Let one step happen."""
        match step:
            case Write() | Truncate():
                self._unsure[self._names[step.path]].append(step)
            case Sync(path):
                number = self._names[path]
                for piece in self._unsure[number]:
                    self._sure[number] = _with(self._sure[number], piece)
                self._unsure[number].clear()
            case Name(path, old):
                if old is None:
                    self._sure.append(b"")
                    self._unsure.append([])
                    self._names[path] = len(self._sure) - 1
                else:
                    self._names[path] = self._names.pop(old)
                self._unsure_names.append((step, self._names[path]))
            case Remove(path):
                self._unsure_names.append((step, self._names.pop(path, -1)))
            case SyncFolder(path):
                here = [one for one in self._unsure_names if os.path.dirname(one[0].path.rstrip("/")) == path]  # noqa: PTH120
                self._unsure_names = [one for one in self._unsure_names if one not in here]
                self._sure_names = self._named(self._sure_names, here)
            case Mark():
                pass

    def after_a_cut(self, chance: random.Random, how: How) -> dict[str, bytes]:
        """The files as they may be found: names and contents."""
        names = [one for one in self._unsure_names if how == "kept" or (how == "torn" and chance.random() < 0.5)]
        return {path: self._content(number, chance, how) for path, number in self._named(self._sure_names, names).items()}

    def _named(self, names: dict[str, int], steps: list[tuple[Name | Remove, int]]) -> dict[str, int]:
        found = dict(names)
        for step, number in steps:
            match step:
                case Name(path, old):
                    found.pop(old or "", None)
                    found[path] = number
                case Remove(path):
                    found.pop(path, None)
        return found

    def _content(self, number: int, chance: random.Random, how: How) -> bytes:
        content = self._sure[number]
        for piece in [] if how == "lost" else self._unsure[number]:
            for part in [piece] if how == "kept" else _torn(piece, chance):
                content = _with(content, part)
        return content


def _torn(piece: Write | Truncate, chance: random.Random) -> Iterator[Write | Truncate]:
    """What of it reached the disk: all, nothing, the first sectors, the last ones, or any."""
    fate = chance.choice(("all", "nothing", "first", "last", "any"))
    if isinstance(piece, Truncate):
        yield from [piece] if fate in {"all", "first"} else []
        return
    end = piece.offset + len(piece.data)
    borders = [piece.offset, *range(piece.offset - piece.offset % SECTOR + SECTOR, end, SECTOR), end]
    sectors = list(itertools.pairwise(borders))
    cut = chance.randrange(len(sectors) + 1)
    for place, (start, stop) in enumerate(sectors):
        there = {"all": True, "nothing": False, "first": place < cut, "last": place >= cut, "any": chance.random() < 0.5}
        if there[fate]:
            yield Write(piece.path, start, piece.data[start - piece.offset : stop - piece.offset])


def _with(content: bytes, piece: Write | Truncate) -> bytes:
    match piece:
        case Truncate(_, size):
            return content[:size].ljust(size, b"\0")
        case Write(_, offset, data):
            return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


def cuts(tape: Tape, seed: int, torn: int) -> Iterator[tuple[int, How, dict[str, bytes]]]:
    """The disk after a cut just before and just after every sync: all lost, all kept, and torn in so many ways.

    The first number tells how many steps had happened.
    """
    chance = random.Random(seed)  # noqa: S311 - a disk, no secret
    disk = Disk()
    ways: list[How] = ["lost", "kept"]
    ways += ["torn"] * torn
    for number, step in enumerate(tape.steps):
        if isinstance(step, Sync | SyncFolder):
            for how in ways:
                yield number, how, disk.after_a_cut(chance, how)
        disk.do(step)
    for how in ways:
        yield len(tape.steps), how, disk.after_a_cut(chance, how)


def lay_out(files: dict[str, bytes], old: Path, new: Path) -> None:
    """Put the files as they were found in `old` into `new`."""
    for name in sorted(files):
        place = new / Path(name).relative_to(old)
        if name.endswith("/"):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files.items():
        place = new / Path(name).relative_to(old)
        if not name.endswith("/") and place.parent.is_dir():  # else its directory is gone, and so is the file
            place.write_bytes(content)
            place.chmod(0o600)
