"""A mailbox behind the fake of Proton Bridge for the conformance kit; the truth is looked up in its store."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any

from support.bridge import Bridge
from support.imap_world import OTHERS, WAYS, message
from support.wire import Wire

from retentiond.connector import Presence, Reader
from retentiond.testing import Gap, World
from retentiond.testing.world import Key
from retentiond_imap import connector
from retentiond_imap.acting import Patience
from retentiond_imap.blocking import ImapBlocker
from retentiond_imap.deleting import ImapDeleter

PASSWORD = "of bridge itself"  # noqa: S105 - of a fake

ASIDE = "Folders/Restricted/INBOX"


def patience() -> Patience:
    """A clock that goes by half a second with each look, and never waits."""
    at = 0.0

    def sleep(seconds: float) -> None:
        nonlocal at
        at += seconds

    return Patience(lambda: at, sleep)


class BridgeWorld(World):
    """Messages in INBOX, each shown by All Mail as well, and dated by Proton's own time."""

    instant = "received"
    subject = "email"
    ways = WAYS
    others = OTHERS

    def __init__(self, *, late: int = 0) -> None:
        self.bridge = Bridge(PASSWORD)
        self.bridge.folders += ["Folders/Restricted", ASIDE, "Labels/archived", "Labels/contested"]
        self.bridge.late = late
        self.wire = Wire("127.0.0.1", self.bridge.port)
        patient = patience()
        self.connector = replace(
            connector, deleter=partial(ImapDeleter, patience=patient), blocker=partial(ImapBlocker, patience=patient)
        )
        self.connection = {
            "host": "127.0.0.1",
            "port": self.wire.port,
            "security": "plain",
            "user": "office@example.com",
            "password": {"environment": "KIT_IMAP_PASSWORD"},
            "flavour": "proton",
            "timeout_seconds": 20,
        }
        self.options: dict[str, Any] = {
            "folders": ["INBOX"],
            "dates": {"received": {"from": "received"}},
            "facts": {"archived": {"true_if": "archived"}},
            "block": {"folder": "Folders/Restricted"},
        }
        self.beside = [{"folders": ["INBOX"], "marked": ["contested"], "dates": {"received": {"from": "received"}}}]
        self.gaps = {
            Gap.ANONYMIZE: "a message cannot be changed",
            Gap.DAY: "Proton tells instants",
            Gap.UNDATED: "every message was received at some time",
            Gap.ODD_KEYS: "Proton makes the keys",
            Gap.RECEIPTS: "a mailbox keeps no note of who expunged what",
        }

    def close(self) -> None:
        """End both servers."""
        self.wire.close()
        self.bridge.close()

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        return self.add(number, moment, state)

    def add(
        self,
        number: int,
        moment: datetime | date | None,
        state: Presence = Presence.PRESENT,
        *,
        person: str = "kit@example.com",
        body: str = "Lovely day.",
    ) -> Key:
        """Put a message there."""
        if not isinstance(moment, datetime):
            raise NotImplementedError
        text = message(number, "Date: some day", f"From: {person}", body=body)
        with self.bridge.lock:
            return (self.bridge.add(text, moment, ASIDE if state is Presence.BLOCKED else "INBOX").name,)

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        return self.add(number, moment, state, person=person)

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        return self.add(number, moment, body="All work and no play.\r\n" * 150_000)

    def change(self, key: Key) -> None:
        self._mail(key).labels.add("Labels/archived")

    change_fact = change

    def contest(self, key: Key) -> None:
        self._mail(key).labels.add("Labels/contested")

    def change_person(self, key: Key, person: str) -> None:
        mail = self._mail(key)
        mail.text = re.sub(rb"From: [^\r]*", b"From: " + person.encode(), mail.text)

    def remove(self, key: Key) -> None:
        with self.bridge.lock:
            self.bridge.mails.pop(key[0], None)

    def all_keys(self) -> set[Key]:
        return {(name,) for name in self.bridge.mails}

    def content(self, key: Key) -> object:
        mail = self.bridge.mails.get(key[0])
        return None if mail is None else (sorted(mail.labels), sorted(mail.flags), mail.time, mail.text)

    def state(self, key: Key) -> Presence:
        mail = self.bridge.mails.get(key[0])
        if mail is None:
            return Presence.ABSENT
        return Presence.BLOCKED if mail.labels == {ASIDE} and not mail.flags else Presence.PRESENT

    def empty(self) -> None:
        with self.bridge.lock:
            self.bridge.mails.clear()

    def unreachable(self) -> None:
        self.wire.cut = True

    def typed(self, key: Key) -> str:
        return key[0]

    def refuse(self, key: Key) -> None:
        self.bridge.refuses.add(key[0])

    def write_through(self, reader: Reader) -> bool:
        client = reader._session.client  # type: ignore[attr-defined]
        client.select_folder("INBOX", readonly=True)
        through = False
        tries: list[Callable[[], object]] = [
            lambda: client.add_flags([1], ["\\Flagged"]),
            lambda: client.move([1], "Trash"),
            lambda: client.append("INBOX", message(77)),
            lambda: client.select_folder("INBOX"),
        ]
        for attempt in tries:
            try:
                attempt()
            except Exception:  # noqa: BLE001, S112 - whatever it is called, it was refused
                continue
            through = True
        return through

    def stumble(self) -> None:
        self.wire.stumble()

    def lose_answer(self) -> None:
        self.wire.lose_answer()

    def lose_rights(self) -> None:
        self.bridge.locked = True

    def forbidden(self) -> Sequence[str]:
        return self.wire.forbidden()

    def _mail(self, key: Key) -> Any:
        return self.bridge.mails[key[0]]
