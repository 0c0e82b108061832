"""The journald connector keeps every promise of the kit, on journals that systemd wrote."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from support.journals import journal

from retentiond.connector import Presence
from retentiond.testing import ConformanceKit, Gap, World
from retentiond.testing.world import Key
from retentiond_journald import connector


class JournaldWorld(World):
    """Archived journals of one machine, dated by their youngest entry."""

    instant = "last_entry"

    def __init__(self, folder: Path) -> None:
        self.root = folder / "journal"
        self.folder = self.root / "0123456789abcdef0123456789abcdef"
        self.folder.mkdir(parents=True)
        self.connector = connector
        self.connection = {"root": str(self.root), "config": []}
        self.options: dict[str, object] = {}
        self.gaps = {
            Gap.BLOCK: "whoever may read the journal may read all of it",
            Gap.ANONYMIZE: "an entry cannot be changed",
            Gap.DAY: "entries tell instants",
            Gap.WRITE_THROUGH: "a reader has no session that could be given a command, only open files",
            Gap.REFUSE: "which one file the system would refuse to change hangs on its directory",
            Gap.ODD_KEYS: "journald names its files itself",
            Gap.ABOUT: "whom entries are about stands nowhere that could be searched by it",
            Gap.FACTS: "nothing but its dates is told of a journal",
            Gap.CONTESTED: "which other data set holds a journal, too, is not told",
            Gap.RECEIPTS: "a file system keeps no note in the act of unlinking",
            Gap.STUMBLE: "a file system is not busy in a way that it tells",
            Gap.LOST_ANSWER: "a call of the operating system cannot lose its answer",
            Gap.RIGHTS: "the tests may run as root, who has every right",
        }

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        del state
        path = self.folder / f"system@{number}-0000000000000001-0005a.journal"
        if isinstance(moment, datetime):
            journal(path, [moment - timedelta(hours=3), moment])
        else:
            path.write_bytes(b"LPKSHHRH torn")
        return self._key(path)

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        key = self.put(number, moment)
        assert isinstance(moment, datetime)
        journal(self.root / key[0], [moment] * 3000, message="All work and no play. " * 20)
        return key

    def change(self, key: Key) -> None:
        journal(self.root / key[0], [datetime.fromisoformat("2021-05-05T05:05:05+00:00")])

    def remove(self, key: Key) -> None:
        (self.root / key[0]).unlink(missing_ok=True)

    def all_keys(self) -> set[Key]:
        return {self._key(path) for path in self.folder.iterdir()}

    def content(self, key: Key) -> object:
        path = self.root / key[0]
        return (path.read_bytes().rstrip(b"\0"), path.stat().st_mtime_ns) if path.exists() else None

    def state(self, key: Key) -> Presence:
        return Presence.PRESENT if (self.root / key[0]).exists() else Presence.ABSENT

    def empty(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()

    def unreachable(self) -> None:
        self.root.rename(self.root.with_name("taken-away"))

    def typed(self, key: Key) -> str:
        return key[0]

    def _key(self, path: Path) -> Key:
        return (str(path.relative_to(self.root)),)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("retentiond_journald.reader.PAGE", 3)
    return JournaldWorld(tmp_path)


class TestJournald(ConformanceKit):
    pass
