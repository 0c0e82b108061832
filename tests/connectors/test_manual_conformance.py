"""The connector manual keeps every promise of the kit, of tasks whose person has given their word."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

import retentiond_manual.reader
from retentiond.connector import Presence
from retentiond.testing import ConformanceKit, Gap, World
from retentiond.testing.world import Key
from retentiond_manual import connector

FLOCK = fcntl.flock
WORD = {"at": "2020-01-01T00:00:00+00:00", "by": "staff-1", "evidence": "C-1", "document": None}
ODD = (" ", "007", "7", "%", "it's", '"', "two\nlines", "\x1b[31mred", "Zoë", "🚀", "recurs@2020-01-01", "../up", "e" * 5000)


class ManualWorld(World):
    """A register, and its file as a person would write it."""

    day = "due_on"
    gaps: Mapping[Gap, str] = {
        Gap.BLOCK: "a task is not the data, so nothing is out of reach when it is",
        Gap.ANONYMIZE: "a task has no content",
        Gap.INSTANT: "people are given days",
        Gap.WRITE_THROUGH: "the reader keeps no session, and opens the file for reading only",
        Gap.REFUSE: "a file refuses no single task",
        Gap.ABOUT: "whom a task is about stands nowhere that could be searched by it",
        Gap.CONTESTED: "a task is in one file",
        Gap.RECEIPTS: "a file that is exchanged as a whole keeps no note of who did it",
        Gap.LOST_ANSWER: "a call of the operating system cannot lose its answer",
        Gap.RIGHTS: "the tests may run as root, who has every right",
        Gap.UNBLOCK: "nothing is blocked",
    }

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "register"
        self.folder.mkdir(mode=0o700)
        self.file = self.folder / "kit.records.json"
        self.connector = connector
        self.connection = {"register": str(self.folder)}
        self.options = {"owner": "bookkeeping", "instructions": "Delete it there.", "within": "P14D"}
        self.at_work: int | None = None
        self.empty()

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        assert state is Presence.PRESENT
        assert not isinstance(moment, datetime)
        return self._put(f"task-{number}", moment)

    def put_many(self, moments: Any) -> list[Key]:
        tasks = [self._task(f"task-{number}", moment) for number, moment in enumerate(moments)]
        self._write([*self._tasks(), *tasks])
        return [(task["key"],) for task in tasks]

    def put_odd(self, moment: datetime | date) -> list[Key]:
        return [self._put(key, moment) for key in ODD]

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        return self._put(f"task-{number}" + "x" * 3_000_000, moment)

    def change(self, key: Key) -> None:
        self._edit(key, {"dates": {"due_on": "2021-05-05"}})

    def change_fact(self, key: Key) -> None:
        self._edit(key, {"word": None})

    def remove(self, key: Key) -> None:
        self._write([task for task in self._tasks() if task["key"] != key[0]])

    def all_keys(self) -> set[Key]:
        return {(task["key"],) for task in self._tasks()}

    def content(self, key: Key) -> object:
        return [task for task in self._tasks() if task["key"] == key[0]]

    def state(self, key: Key) -> Presence:
        return Presence.PRESENT if key in self.all_keys() else Presence.ABSENT

    def empty(self) -> None:
        self._write([])

    def unreachable(self) -> None:
        self.folder.rename(self.folder.with_name("taken-away"))

    def stumble(self) -> None:
        """Somebody else writes, until the lock has been asked for once."""
        if self.at_work is not None:
            os.close(self.at_work)
        self.at_work = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        FLOCK(self.at_work, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def asked(self, descriptor: int, how: int) -> None:
        """In place of the system's `flock`."""
        busy, self.at_work = self.at_work, None
        try:
            FLOCK(descriptor, how)
        finally:
            if busy is not None:
                os.close(busy)

    def typed(self, key: Key) -> str:
        return key[0]

    def _task(self, key: str, moment: date | None) -> dict[str, Any]:
        return {"key": key, "dates": {"due_on": moment.isoformat() if moment else None}, "word": WORD}

    def _put(self, key: str, moment: date | None) -> Key:
        self._write([*self._tasks(), self._task(key, moment)])
        return (key,)

    def _edit(self, key: Key, change: dict[str, Any]) -> None:
        self._write([task | change if task["key"] == key[0] else task for task in self._tasks()])

    def _tasks(self) -> list[dict[str, Any]]:
        told: dict[str, list[dict[str, Any]]] = json.loads(self.file.read_text())
        return told["tasks"]

    def _write(self, tasks: list[dict[str, Any]]) -> None:
        told = {"version": 1, "dataset": "kit/records", "settled": None, "word": None, "tasks": tasks}
        self.file.write_text(json.dumps(told))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(retentiond_manual.reader, "PAGE", 3)
    made = ManualWorld(tmp_path)
    monkeypatch.setattr(fcntl, "flock", made.asked)
    return made


class TestManual(ConformanceKit):
    pass
