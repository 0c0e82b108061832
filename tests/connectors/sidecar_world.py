"""For the conformance kit: documents of which a file beside each tells dates, facts and persons, and derived files of theirs."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from retentiond.connector import Presence
from retentiond.testing import Gap, World
from retentiond.testing.world import Key
from retentiond_files import connector

LONG_AGO = datetime(2019, 1, 1, tzinfo=UTC)

ODD = (
    *("a b", "'", '"; rm -rf *', "*", "[a]", "?", "-rf", ".hidden", "%2e", "back\\slash", "{name}", "{stem}"),
    *("two\nlines", "\x1b[31mred", "Zoë", "🚀", "a@2025-01-10T00Z", "json", "a.json.b", "...c"),
)
"""Names that a document may have, and nobody gives on purpose."""


class SidecarWorld(World):
    """Documents, each with a sidecar; every third has a transcript beside it and a picture in a directory of its own, too."""

    instant = "closed_at"
    day = "issued_on"
    subject = "email"

    def __init__(self, folder: Path) -> None:
        self.root, self.moved = folder / "files", folder / "blocked"
        self.root.mkdir()
        self.moved.mkdir(mode=0o700)
        self.connector = connector
        self.connection = {"root": str(self.root)}
        self.options = {
            "include": ["*"],
            "record": "file",
            "source": {
                "from": "sidecar",
                "dates": {"issued_on": "/issued_on", "closed_at": {"at": "/closed", "kind": "instant"}},
                "facts": {"settled": "/settled"},
                "subjects": {"email": ["/customer/email", "/contacts"]},
                "parts": ["{name}.txt", "thumbs/{name}.png"],
            },
            "identity": "key",
            "block": {"moved_to": str(self.moved)},
            "quiet_minutes": 0,
        }
        self.gaps = {
            Gap.RECEIPTS: "a file system keeps no note in the act of unlinking",
            Gap.ANONYMIZE: "whole files cannot be anonymized",
            Gap.WRITE_THROUGH: "a reader of files has no session that could be given a command, only open files",
            Gap.REFUSE: "which one file the system would refuse hangs on its directory, and the tests may run as root",
            Gap.CONTESTED: "which other data set holds a file, too, is not told",
            Gap.UNBLOCK: "a file that was moved away is put back by hand",
            Gap.STUMBLE: "a file system is not busy in a way that it tells",
            Gap.LOST_ANSWER: "a call of the operating system cannot lose its answer",
            Gap.RIGHTS: "the tests may run as root, who has every right",
        }

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        return self._put(f"voucher{number}.pdf", moment, state, parts=number % 3 == 0)

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        key = self.put(number, moment, state)
        self.change_person(key, person)
        return key

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        key = self.put(number, moment)
        write(self._document(key), bytes(8_000_000))
        return key

    def put_odd(self, moment: datetime | date) -> list[Key]:
        return [self._put(name, moment, Presence.PRESENT, parts=True) for name in sorted(ODD)]

    def change(self, key: Key) -> None:
        document = self._document(key)
        write(document, document.read_bytes() + b" and more")

    def change_person(self, key: Key, person: str) -> None:
        self._tell(key, customer={"email": person})

    def change_fact(self, key: Key) -> None:
        self._tell(key, settled=True)

    def remove(self, key: Key) -> None:
        for place in self._places(key):
            place.unlink(missing_ok=True)

    def all_keys(self) -> set[Key]:
        """A record is there as long as any of its files is."""
        names = [file.name for place in (self.root, self.moved) for file in place.rglob("*") if file.is_file()]
        known = {name.removesuffix(suffix) for name in names for suffix in (".json", ".txt", ".png") if name.endswith(suffix)}
        alone = {name for name in names if not any(name.startswith(one + ".") for one in known)}
        return {(key_text(name),) for name in known | alone}

    def content(self, key: Key) -> object:
        return [(file.read_bytes(), file.stat().st_mtime_ns) if file.exists() else None for file in self._places(key)]

    def state(self, key: Key) -> Presence:
        here, moved = (any(file.exists() for file in self._files(place, key)) for place in (self.root, self.moved))
        assert not (here and moved), "a record lies in both places"
        return Presence.PRESENT if here else Presence.BLOCKED if moved else Presence.ABSENT

    def empty(self) -> None:
        for key in self.all_keys():
            self.remove(key)

    def unreachable(self) -> None:
        self.root.rename(self.root.with_name("taken-away"))

    def typed(self, key: Key) -> str:
        return key[0]

    def _put(self, name: str, moment: datetime | date | None, state: Presence, *, parts: bool) -> Key:
        place = self.moved if state is Presence.BLOCKED else self.root
        key = (key_text(name),)
        document, text, picture, sidecar = self._files(place, key)
        write(document, f"voucher {name}".encode())
        told = {} if moment is None else {"closed" if isinstance(moment, datetime) else "issued_on": moment.isoformat()}
        write(sidecar, json.dumps({**told, "settled": False}).encode())
        if parts:
            write(text, b"what was said")
            write(picture, b"what was shown")
        return key

    def _tell(self, key: Key, **told: Any) -> None:
        (sidecar,) = [file for file in self._places(key) if file.name.endswith(".json") and file.exists()]
        write(sidecar, json.dumps({**json.loads(sidecar.read_bytes()), **told}).encode())

    def _document(self, key: Key) -> Path:
        return self.root / key[0].replace("\\\\", "\\")

    def _places(self, key: Key) -> list[Path]:
        return [file for place in (self.root, self.moved) for file in self._files(place, key)]

    @staticmethod
    def _files(place: Path, key: Key) -> list[Path]:
        name = key[0].replace("\\\\", "\\")
        return [place / name, place / f"{name}.txt", place / "thumbs" / f"{name}.png", place / f"{name}.json"]


def key_text(name: str) -> str:
    return name.replace("\\", "\\\\")


def write(path: Path, content: bytes, written: datetime = LONG_AGO) -> None:
    """A file that was last written long ago, whatever it held before."""
    path.parent.mkdir(exist_ok=True, mode=0o700)
    path.write_bytes(content)
    os.utime(path, (written.timestamp(), written.timestamp()))
