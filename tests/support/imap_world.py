"""A mailbox on a real Dovecot for the conformance kit; the truth about it comes by a session of imaplib's own."""

from __future__ import annotations

import imaplib
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any

from support.dovecot import PASSWORD, Dovecot
from support.wire import Wire

from retentiond.connector import Presence, Reader
from retentiond.testing import Gap, World
from retentiond.testing.world import Key
from retentiond_imap import connector

LONG_AGO = datetime(2019, 1, 1, 6, 30, tzinfo=UTC)

WAYS = ("anna@person.example", "Anna@Person.Example", "  ANNA@PERSON.EXAMPLE", "ａnna＠person.example")
OTHERS = (
    *("hanna@person.example", "anna@person.example.org", "ann@person.example", "anna", "ann_@person.example"),
    *("anna@person%", "%@person.example", "*@person.example", "anna+alias@person.example", "anná@person.example"),
    *('"anna"@person.example', "o'anna@person.example"),
)
"""Addresses as they stand in a header, each of another person."""


def message(number: int, *headers: str, message_id: str | None = None, body: str = "Lovely day.") -> bytes:
    """A message as it is sent."""
    lines = [f"Message-ID: {message_id or f'<{number}@kit.example>'}", *headers, f"Subject: Number {number}", "", body]
    return "\r\n".join(lines).encode()


class ImapWorld(World):
    """Messages in INBOX, dated by their Date header, a keyword for the day; blocked ones lie in Restricted/INBOX."""

    instant: str | None = "sent"
    day: str | None = "resolved_on"
    subject = "email"
    ways = WAYS
    others = OTHERS
    many = 8
    host = "127.0.0.1"
    folder = "INBOX"
    aside = "Restricted/INBOX"
    dates: Mapping[str, Any] = {
        "sent": {"from": "header", "header": "Date"},
        "resolved_on": {"from": "keyword", "prefix": "resolved-"},
    }
    facts: Mapping[str, Any] = {"archived": {"true_if": "archived", "false_if": "not-archived"}}

    def __init__(self, server: Dovecot) -> None:
        self.server = server
        self.user = server.user()
        self.wire = Wire(self.host, server.port)
        self.truth = imaplib.IMAP4("127.0.0.1", server.port)
        self.truth.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.truth.login(f"{self.user}@truth", PASSWORD)
        for name in ("Restricted", self.aside):
            self.truth.create(name)
        self.connector = connector
        self.connection = {
            "host": "127.0.0.1",
            "port": self.wire.port,
            "security": "plain",
            "user": self.user,
            "password": {"environment": "KIT_IMAP_PASSWORD"},
            "timeout_seconds": 20,
        }
        self.options: dict[str, Any] = {
            "folders": [self.folder],
            "dates": dict(self.dates),
            "facts": dict(self.facts),
            "block": {"folder": "Restricted"},
        }
        self.beside = [{"folders": [self.folder], "marked": ["contested"], "dates": dict(self.dates)}]
        self.gaps = {
            Gap.ANONYMIZE: "a message cannot be changed",
            Gap.REFUSE: "a server gives rights by folder, never by message",
            Gap.RECEIPTS: "a mailbox keeps no note of who expunged what",
        }

    def close(self) -> None:
        """End the truth's own session."""
        with suppress(imaplib.IMAP4.error, OSError):
            self.truth.logout()
        self.wire.close()

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        return self.add(number, moment, state)

    def add(
        self,
        number: int,
        moment: datetime | date | None,
        state: Presence = Presence.PRESENT,
        *,
        person: str = "kit@example.com",
        message_id: str | None = None,
        body: str = "Lovely day.",
    ) -> Key:
        """Put a message there."""
        headers, flags, received = self.told(moment)
        text = message(number, *headers, f"From: {person}", message_id=message_id, body=body)
        folder = self.aside if state is Presence.BLOCKED else self.folder
        done, _ = self.truth.append(f'"{folder}"', f"({' '.join(flags)})", imaplib.Time2Internaldate(received), text)
        assert done == "OK"
        name = message_id or f"<{number}@kit.example>"
        if received > datetime.now(UTC):  # Dovecot takes no receipt from the future, and puts its own clock
            (key,) = [one for one in self.all_keys() if one[1] == name]
            return key
        return self.key(name, received)

    def key(self, message_id: str, received: datetime) -> Key:
        return (self.folder, message_id, received.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def told(self, moment: datetime | date | None) -> tuple[list[str], list[str], datetime]:
        """Headers, keywords and the time of receipt by which a message tells the moment."""
        if isinstance(moment, datetime):
            return [f"Date: {format_datetime(moment)}"], [], LONG_AGO
        return ["Date: some day"], [] if moment is None else [f"resolved-{moment.isoformat()}"], LONG_AGO

    def put_many(self, moments: Sequence[datetime | date]) -> list[Key]:
        keys = []
        batch: list[bytes] = []
        for number, moment in enumerate(moments):
            headers, flags, received = self.told(moment)
            text = message(number, *headers, "From: kit@example.com")
            keys.append(self.key(f"<{number}@kit.example>", received))
            batch.append(f" ({' '.join(flags)}) {imaplib.Time2Internaldate(received)} {{{len(text)}+}}\r\n".encode() + text)
        inner: Any = self.truth  # imaplib has no word for several messages at once
        tag = inner._new_tag()
        inner.send(tag + b" APPEND " + self.folder.encode() + b"".join(batch) + b"\r\n")
        done, _ = inner._command_complete("APPEND", tag)
        assert done == "OK"
        return keys

    def put_odd(self, moment: datetime | date) -> list[Key]:
        odd = (
            "<it's@odd>",
            '<"quoted id"@odd>',
            "<%*@odd>",
            "<Zoë@odd>",
            "no brackets at all",
            "<(a){b}[c]@odd>",
            f"<{'e' * 900}@odd>",
        )
        return sorted(self.add(number, moment, message_id=one) for number, one in enumerate(odd, 1))

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        return self.add(number, moment, state, person=person)

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        """A message of some megabytes."""
        return self.add(number, moment, body="\r\n".join(["All work and no play. " * 3] * 60_000))

    def change(self, key: Key) -> None:
        self._flag(key, "resolved-2021-05-05")

    def change_fact(self, key: Key) -> None:
        self._flag(key, "archived")

    def contest(self, key: Key) -> None:
        self._flag(key, "contested")

    def change_person(self, key: Key, person: str) -> None:
        ((folder, _, flags, received, text),) = list(self._all(key))
        self.remove(key)
        text = re.sub(rb"From: [^\r]*", b"From: " + person.encode(), text)
        self.truth.append(f'"{folder}"', f"({' '.join(flags)})", f'"{received}"', text)

    def remove(self, key: Key) -> None:
        for folder, uid, _, _, _ in list(self._all(key)):
            self.truth.select(f'"{folder}"')
            self.truth.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
            self.truth.uid("EXPUNGE", uid)

    def all_keys(self) -> set[Key]:
        return {self._key_of(text, received) for _, _, _, received, text in self._all()}

    def content(self, key: Key) -> object:
        return [(folder, sorted(flags), received, text) for folder, _, flags, received, text in self._all(key)]

    def state(self, key: Key) -> Presence:
        folders = {folder for folder, _, _, _, _ in self._all(key)}
        if not folders:
            return Presence.ABSENT
        return Presence.BLOCKED if folders == {self.aside} else Presence.PRESENT

    def empty(self) -> None:
        for folder in (self.folder, self.aside):
            self.truth.select(f'"{folder}"')
            self.truth.uid("STORE", "1:*", "+FLAGS.SILENT", "(\\Deleted)")
            self.truth.expunge()

    def unreachable(self) -> None:
        self.wire.cut = True

    def typed(self, key: Key) -> str:
        folder, message_id, received = key
        return f"{received} {message_id} {folder}"

    def write_through(self, reader: Reader) -> bool:
        """Try every way to write that IMAPClient has, in the folder and beside it."""
        client = reader._session.client  # type: ignore[attr-defined]
        tries: list[Callable[[], object]] = [
            lambda: client.select_folder(self.folder),
            lambda: client.add_flags([1], ["\\Deleted"]),
            lambda: client.expunge([1]),
            client.expunge,
            lambda: client.move([1], self.aside),
            lambda: client.copy([1], self.aside),
            lambda: client.append(self.folder, message(77)),
            lambda: client.multiappend(self.folder, [message(78, body="ä")]),
            lambda: client.create_folder("New"),
            lambda: client.rename_folder("Restricted", "Other"),
            lambda: client.delete_folder(self.aside),
            client.close_folder,
        ]
        client.select_folder(self.folder, readonly=True)
        through = False
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
        self.server.lock_out(self.user)

    def forbidden(self) -> Sequence[str]:
        return self.wire.forbidden()

    def _flag(self, key: Key, flag: str) -> None:
        for folder, uid, _, _, _ in list(self._all(key)):
            self.truth.select(f'"{folder}"')
            self.truth.uid("STORE", uid, "+FLAGS", f"({flag})")

    def _key_of(self, text: bytes, received: str) -> Key:
        match = re.search(rb"Message-ID: ([^\r]*)", text)
        assert match is not None
        at = datetime.strptime(received, "%d-%b-%Y %H:%M:%S %z")
        return self.key(match[1].decode(), at)

    def _all(self, key: Key | None = None) -> Iterator[tuple[str, str, list[str], str, bytes]]:
        """Folder, UID, flags, time of receipt and text of every message, or of those under the key."""
        for folder in (self.folder, self.aside):
            self.truth.select(f'"{folder}"', readonly=True)
            status, told = self.truth.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            assert status == "OK"
            for part in told:
                if not isinstance(part, tuple):
                    continue
                words = part[0].decode()
                uid = re.search(r"UID (\d+)", words)
                flags = re.search(r"FLAGS \(([^)]*)\)", words)
                received = re.search(r'INTERNALDATE "([^"]*)"', words)
                assert uid is not None
                assert flags is not None
                assert received is not None
                if key is None or self._key_of(part[1], received[1].strip()) == key:
                    kept = [flag for flag in flags[1].split() if flag != "\\Recent"]
                    yield folder, uid[1], kept, received[1].strip(), part[1]


class ReceivedWorld(ImapWorld):
    """Messages in a folder below Archive, dated by their receipt, on a server with Proton Bridge's few capabilities."""

    instant = "received"
    day = None
    host = "127.0.0.2"
    folder = "Archive/2020"
    aside = "Restricted/Archive/2020"
    dates: Mapping[str, Any] = {"received": {"from": "received"}}

    def __init__(self, server: Dovecot) -> None:
        super().__init__(server)
        self.truth.create(self.folder)
        self.options["folders"] = ["Archive/*"]
        self.options["unmarked"] = ["needed"]
        self.options["marked"] = []
        self.gaps = {
            **self.gaps,
            Gap.DAY: "the server tells the instant of receipt",
            Gap.UNDATED: "every message was received at some time",
        }

    def told(self, moment: datetime | date | None) -> tuple[list[str], list[str], datetime]:
        if not isinstance(moment, datetime):
            raise NotImplementedError
        return ["Date: Thu, 1 Jan 1970 00:00:00 +0000"], [], moment

    def change(self, key: Key) -> None:
        self._flag(key, "not-archived")
