"""The files connector keeps every promise of the kit: for whole files, by their mtime, name or sidecar, and for lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from connectors.files_support import line
from connectors.sidecar_world import SidecarWorld

from retentiond.connector import Presence
from retentiond.testing import ConformanceKit, Gap, World
from retentiond.testing.world import Key
from retentiond_files import connector

LONG_AGO = datetime(2019, 1, 1, tzinfo=UTC)

ODD = (
    *("a b", "'", '"; rm -rf *', "*", "[a]", "?", "-rf", ".hidden", "%2e", "back\\slash"),
    *("two\nlines", "\x1b[31mred", "Zoë", "🚀"),
)
"""Names that a file may have, and nobody gives on purpose."""

NO_READER_SESSION = "a reader of files has no session that could be given a command, only open files"
NEVER_REFUSED_ALONE = "which one file the system would refuse to change hangs on its directory, and the tests may run as root"

FILE_SYSTEM = {
    Gap.STUMBLE: "a file system is not busy in a way that it tells",
    Gap.LOST_ANSWER: "a call of the operating system cannot lose its answer",
    Gap.RIGHTS: "the tests may run as root, who has every right",
}
TELLS_NO_MORE = {
    Gap.ABOUT: "whom a file or a line is about stands nowhere that could be searched by it",
    Gap.FACTS: "nothing but its date is told of a file or a line",
    Gap.CONTESTED: "which other data set holds a file, too, is not told",
    Gap.UNBLOCK: "a file that was moved away is put back by hand",
}


class FilesWorld(World):
    """Files below a directory, and the directory that they are moved to when they are blocked."""

    def __init__(self, folder: Path) -> None:
        self.root, self.moved = folder / "files", folder / "blocked"
        self.root.mkdir()
        self.moved.mkdir(mode=0o700)
        self.connector = connector
        self.connection = {"root": str(self.root)}

    def remove(self, key: Key) -> None:
        for place in self._places(key):
            place.unlink(missing_ok=True)

    def state(self, key: Key) -> Presence:
        here, moved = (place.exists() for place in self._places(key))
        assert not (here and moved), "a file lies in both places"
        return Presence.PRESENT if here else Presence.BLOCKED if moved else Presence.ABSENT

    def content(self, key: Key) -> object:
        return [(place.read_bytes(), place.stat().st_mtime_ns) if place.exists() else None for place in self._places(key)]

    def empty(self) -> None:
        for file in self._files():
            file.unlink()

    def unreachable(self) -> None:
        self.root.rename(self.root.with_name("taken-away"))

    def typed(self, key: Key) -> str:
        return "@".join(key)

    def _places(self, key: Key) -> tuple[Path, Path]:
        name = key[0].replace("\\\\", "\\")
        return self.root / name, self.moved / name

    def _files(self) -> list[Path]:
        return [file for place in (self.root, self.moved) for file in place.rglob("*") if file.is_file()]

    def _write(self, path: Path, content: bytes, written: datetime = LONG_AGO) -> None:
        path.write_bytes(content)
        os.utime(path, (written.timestamp(), written.timestamp()))


class Written(FilesWorld):
    """Whole files, dated by when they were last written."""

    instant: str | None = "written"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.options = {
            "include": ["**"],
            "record": "file",
            "source": {"from": "mtime"},
            "block": {"moved_to": str(self.moved)},
            "quiet_minutes": 0,
        }
        self.gaps = {
            Gap.RECEIPTS: "a file system keeps no note in the act of unlinking",
            Gap.ANONYMIZE: "whole files cannot be anonymized",
            Gap.DAY: "the file system tells instants only",
            Gap.UNDATED: "every file was written at some time",
            Gap.WRITE_THROUGH: NO_READER_SESSION,
            Gap.REFUSE: NEVER_REFUSED_ALONE,
            **TELLS_NO_MORE,
            **FILE_SYSTEM,
        }

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        if moment is None:
            raise NotImplementedError
        assert isinstance(moment, datetime)
        key = (f"call{number}.wav",)
        self._write(self._places(key)[state is Presence.BLOCKED], f"voice {number}".encode(), moment)
        return key

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        key = self.put(number, moment)
        here, _ = self._places(key)
        written = here.stat().st_mtime_ns
        here.write_bytes(bytes(8_000_000))
        os.utime(here, ns=(written, written))
        return key

    def put_odd(self, moment: datetime | date) -> list[Key]:
        assert isinstance(moment, datetime)
        for name in ODD:
            self._write(self.root / name, b"voice", moment)
        return [(_text(name),) for name in sorted(ODD)]

    def change(self, key: Key) -> None:
        here, _ = self._places(key)
        written = here.stat().st_mtime_ns
        here.write_bytes(here.read_bytes() + b" and more")
        os.utime(here, ns=(written, written))

    def all_keys(self) -> set[Key]:
        names = [file.relative_to(self.root if self.root in file.parents else self.moved) for file in self._files()]
        return {(_text(name),) for name in names}


class Named(Written):
    """Whole files, dated by the day in their name."""

    instant = None
    day = "named"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.options = {**self.options, "source": {"from": "name", "pattern": "export*_%Y-%m-%d.csv"}}
        self.gaps = {
            Gap.RECEIPTS: "a file system keeps no note in the act of unlinking",
            Gap.ANONYMIZE: "whole files cannot be anonymized",
            Gap.INSTANT: "these names tell days only",
            Gap.ODD_KEYS: "a name with a date in it is not odd",
            Gap.WRITE_THROUGH: NO_READER_SESSION,
            Gap.REFUSE: NEVER_REFUSED_ALONE,
            **TELLS_NO_MORE,
            **FILE_SYSTEM,
        }

    put_odd = World.put_odd

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        key = (f"export{number}_{'unknown' if moment is None else moment.isoformat()}.csv",)
        self._write(self._places(key)[state is Presence.BLOCKED], f"row {number}".encode())
        return key


class Lines(FilesWorld):
    """The lines of one hour in one file; several records share a file."""

    instant = "entry"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.options = {
            "include": ["**"],
            "record": "line",
            "source": {"from": "content", "format": "nginx-combined"},
            "anonymize": {},
            "quiet_minutes": 0,
            "when_empty": "delete",
        }
        self.gaps = {
            Gap.RECEIPTS: "a file system keeps no note in the act of unlinking",
            Gap.BLOCK: "only whole files can be blocked",
            Gap.DAY: "lines tell instants",
            Gap.WRITE_THROUGH: NO_READER_SESSION,
            Gap.REFUSE: NEVER_REFUSED_ALONE,
            **TELLS_NO_MORE,
            **FILE_SYSTEM,
            Gap.HUGE: "a record is the lines of one hour; long lines have a test of their own",
        }

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        return self._put(f"access{number % 3}.log", number, moment, state)

    def put_many(self, moments: Sequence[datetime | date]) -> list[Key]:
        """One file each: what is of one hour in one file is one record."""
        return [self._put(f"many{number}.log", number, moment) for number, moment in enumerate(moments)]

    def put_odd(self, moment: datetime | date) -> list[Key]:
        return [self._put(name, 0, moment) for name in sorted(ODD)]

    def change(self, key: Key) -> None:
        here, _ = self._places(key)
        lines = [one + one if _hour(one) == key[1] else one for one in self._lines(here)]
        self._write(here, b"".join(lines))

    def remove(self, key: Key) -> None:
        here, _ = self._places(key)
        left = [one for one in self._lines(here) if _hour(one) != key[1]]
        self._write(here, b"".join(left)) if left else here.unlink()

    def all_keys(self) -> set[Key]:
        return {(_text(file.relative_to(self.root)), _hour(one)) for file in self._files() for one in self._lines(file)}

    def content(self, key: Key) -> object:
        here, _ = self._places(key)
        return [one for one in self._lines(here) if _hour(one) == key[1]] if here.exists() else []

    def state(self, key: Key) -> Presence:
        lines = self.content(key)
        assert isinstance(lines, list)
        if not lines:
            return Presence.ABSENT
        return Presence.PRESENT if any(b"192.0.2.17" in one for one in lines) else Presence.ANONYMIZED

    def _put(self, name: str, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        address = "192.0.2.0" if state is Presence.ANONYMIZED else "192.0.2.17"
        if moment is None:
            name, text = f"torn{number}.log", b"no date at all\n"
        else:
            assert isinstance(moment, datetime)
            text = line(moment, f"GET /{number} HTTP/1.1", address)
        path = self.root / name
        before = path.read_bytes() if path.exists() else b""
        self._write(path, before + text)
        return (_text(name), _hour(text))

    @staticmethod
    def _lines(file: Path) -> list[bytes]:
        return file.read_bytes().splitlines(keepends=True)


def _text(name: str | Path) -> str:
    return str(name).replace("\\", "\\\\")


def _hour(text: bytes) -> str:
    if b"[" not in text:
        return "undated"
    return datetime.strptime(text.split(b"[")[1].split(b"]")[0].decode(), "%d/%b/%Y:%H:%M:%S %z").strftime("%Y-%m-%dT%HZ")


@pytest.fixture(params=[Written, Named, Lines, SidecarWorld])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("retentiond_files.reader.PAGE", 3)
    monkeypatch.setattr("retentiond_files.bundlereader.PAGE", 3)
    made: World = request.param(tmp_path)
    return made


class TestFiles(ConformanceKit):
    pass
