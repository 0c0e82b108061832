"""A session on one mailbox: what is asked of the server, and no more of its answers than is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Self

from retentiond.connector import ConnectorError
from retentiond_imap.connect import hang_up, open_client, where_is
from retentiond_imap.fetched import Message, read_messages, small
from retentiond_imap.options import ImapConnection
from retentiond_imap.trouble import FAILURES, in_doubt, response_code, translated

AT_ONCE = 500
"""Messages that one command asks for, or changes."""

AT_ONCE_BEHIND_BRIDGE = 50
"""Messages that one command changes behind Proton Bridge, which passes each on, and lets large ones run into time-outs."""

DELETED = "\\Deleted"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A folder as the server lists it."""

    name: str
    delimiter: str
    marks: frozenset[str]
    """Its attributes in small letters, such as `\\all`."""

    @property
    def selectable(self) -> bool:
        """True where it can hold messages."""
        return not self.marks & {"\\noselect", "\\nonexistent"}


class Session:
    """One connection. Reading commands are safe to repeat; the changing ones raise `OutcomeUnknownError` where no answer came."""

    def __init__(self, client: Any, connection: ImapConnection, *, writes: bool) -> None:
        self.client = client
        self.where = where = where_is(connection)
        self._connection, self._writes = connection, writes
        self._most = AT_ONCE_BEHIND_BRIDGE if connection.proton else AT_ONCE
        with translated(where):
            self.capabilities = frozenset(word.decode("ascii", "replace").upper() for word in client.capabilities())

    @classmethod
    def open(cls, connection: ImapConnection, *, writes: bool) -> Self:
        """Connect and log in; raises `ConnectorError`."""
        client = open_client(connection, writes=writes)
        try:
            return cls(client, connection, writes=writes)
        except BaseException:
            hang_up(client)
            raise

    def close(self) -> None:
        """Log out; harmless when repeated."""
        hang_up(self.client)

    def awake(self) -> None:
        """See that the connection still stands, and make another where the server ended it, as after half an hour of silence.

        For the beginning of a question or a batch: nothing that was sent before is sent again.
        """
        try:
            self.client.noop()
        except FAILURES:
            hang_up(self.client)
            self.client = open_client(self._connection, writes=self._writes)

    def has(self, capability: str) -> bool:
        """True where the server offers it."""
        return capability in self.capabilities

    def mailboxes(self) -> list[Mailbox]:
        """All folders that our user may see."""
        with translated(self.where):
            return [
                Mailbox(
                    "INBOX" if str(name).upper() == "INBOX" else str(name),
                    delimiter.decode("ascii") if delimiter else "",
                    frozenset(mark.decode("ascii", "replace").lower() for mark in marks),
                )
                for marks, delimiter, name in self.client.list_folders()
            ]

    def examine(self, folder: str) -> int:
        """Open a folder for reading, anew; its UIDVALIDITY."""
        return self._opened(folder, readonly=True)

    def select(self, folder: str) -> int:
        """Open a folder for changes; its UIDVALIDITY. Raises `ConnectorError` (`forbidden`) where it is for reading only."""
        try:
            return self._opened(folder, readonly=False)
        except ConnectorError:
            # imaplib would raise the same again at every command, as long as it believes that the folder was to be changed.
            self.client._imap.is_readonly = True  # noqa: SLF001 - see above
            raise

    def _opened(self, folder: str, *, readonly: bool) -> int:
        with translated(self.where):
            told = self.client.select_folder(folder, readonly=readonly)
            validity = told.get(b"UIDVALIDITY")
        if not isinstance(validity, int):
            raise ConnectorError(f"{self.where} gives no UIDVALIDITY, so its messages cannot be told apart.", "unsupported")
        return validity

    def rights(self, folder: str) -> str | None:
        """The letters of our rights in a folder (RFC 4314); None where the server does not tell."""
        if not self.has("ACL"):
            return None
        with translated(self.where):
            name = self.client._normalise_folder(folder)  # noqa: SLF001 - in the form that the wire wants
            status, told = self.client._imap.myrights(name)  # noqa: SLF001 - IMAPClient has no command for it
        words = told[0].decode("utf-8", "replace").split() if told and told[0] else []
        return words[-1] if status == "OK" and words else ""

    def uids(self, *criteria: Any) -> list[int]:
        """The UIDs of the messages in the open folder that fit, lowest first."""
        with translated(self.where):
            return sorted(map(int, self.client.search(list(criteria) or "ALL")))

    def between(self, first: datetime | None, last: datetime | None) -> list[int]:
        """The UIDs of messages received in this time, and of some around it: servers disagree on what a day is."""
        words: list[object] = []
        if first is not None:
            words += ["SINCE", _day(first.date() - timedelta(days=1))]
        if last is not None:
            words += ["BEFORE", _day(last.date() + timedelta(days=2))]
        return self.uids(*words)

    def left(self, uids: Sequence[int]) -> set[int]:
        """Those of the UIDs that are still in the open folder."""
        return {uid for part in portions(uids) for uid in self.uids("UID", exactly(part)) if uid in set(part)}

    def messages(self, uids: Sequence[int], headers: Sequence[str]) -> Iterator[Message]:
        """What is told of each message; one that is gone by now is left out, one that cannot be read is an error."""
        saved = " SAVEDATE" if self.has("SAVEDATE") else ""
        items = f"(UID FLAGS INTERNALDATE RFC822.SIZE{saved} BODY.PEEK[HEADER.FIELDS ({' '.join(headers)})])"
        for part in portions(uids):
            with translated(self.where):
                _, answer = self.client._imap.uid("FETCH", exactly(part), items)  # noqa: SLF001 - IMAPClient reads it letter by letter
                told = {message.uid: message for message in read_messages(answer) if message.uid in set(part)}
            missing = [uid for uid in part if uid not in told]
            if missing and self.left(missing):
                raise ConnectorError(
                    f"{self.where} has messages that it does not tell about. Have its mailbox repaired.", "unreadable"
                )
            yield from told.values()

    def marks(self, uids: Sequence[int]) -> dict[int, frozenset[str]]:
        """The flags and keywords of each message, in small letters; those that are gone are left out."""
        with translated(self.where):
            return {
                uid: small(found[b"FLAGS"])
                for part in portions(uids)
                for uid, found in self.client.fetch(part, ["FLAGS"]).items()
                if b"FLAGS" in found
            }

    def mark(self, uids: Iterable[int], flag: str = DELETED, *, on: bool) -> bool:
        """Set or take a flag; False where the server refused it for some."""
        return self._change(self.client.add_flags if on else self.client.remove_flags, uids, [flag], silent=True)

    def expunge(self, uids: Iterable[int]) -> bool:
        """Take away just those of these messages that are marked; False where the server refused it for some."""
        return self._change(self.client.uid_expunge, uids)

    def move(self, uids: Iterable[int], folder: str) -> bool:
        """Move messages; False where the server refused it for some."""
        return self._change(self.client.move, uids, folder)

    def copy(self, uids: Iterable[int], folder: str) -> bool:
        """Copy messages; False where the server refused it for some."""
        return self._change(self.client.copy, uids, folder)

    def create(self, folder: str) -> bool:
        """Make a folder; False where the server refused. It may be there by now, which is as good."""
        try:
            with in_doubt(self.where):
                self.client.create_folder(folder)
        except FAILURES as error:
            return response_code(error) == "ALREADYEXISTS"
        return True

    def _change(self, command: Any, uids: Iterable[int], *words: Any, **more: Any) -> bool:
        """Give the command for all of them; what is refused of one portion stops no other."""
        refused = False
        for part in portions(uids, self._most):
            try:
                with in_doubt(self.where):
                    command(exactly(part), *words, **more)
            except FAILURES:
                refused = True
        return not refused


def portions(uids: Iterable[int], most: int = AT_ONCE) -> Iterator[list[int]]:
    """The UIDs, as many at once as one command takes."""
    rest = iter(uids)
    while part := list(islice(rest, most)):
        yield part


def exactly(uids: Sequence[int]) -> str:
    """Exactly these UIDs, as short as IMAP writes them: a range only where each number within it is one of them."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)


def _day(day: date) -> str:
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.day:02}-{months[day.month - 1]}-{day.year:04}"
