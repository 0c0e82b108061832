"""A fake of Proton Bridge: one store of messages, shown by labels as folders; only Trash and Drafts delete.

It does what is known of Bridge 3: few capabilities, mailboxes as views, All Mail that refuses everything, moves that keep
labels, expunges that only unlabel, messages that are shown late, UIDVALIDITY that changes, a receipt that APPEND ignores.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count

WHOLE, TRASH, DRAFTS, STARRED, SCHEDULED = "All Mail", "Trash", "Drafts", "Starred", "Scheduled"
SYSTEM = {
    "INBOX": "",
    DRAFTS: "\\Drafts",
    "Sent": "\\Sent",
    STARRED: "\\Flagged",
    "Archive": "\\Archive",
    "Spam": "\\Junk",
    TRASH: "\\Trash",
    WHOLE: "\\All",
}
BEFORE, AFTER = "IMAP4rev1 IDLE ID STARTTLS", "IMAP4rev1 IDLE ID UNSELECT UIDPLUS MOVE"
_DATE = "%d-%b-%Y"


@dataclass(eq=False)
class Mail:
    """One message of the store."""

    name: str
    """Its X-Pm-Internal-Id."""
    text: bytes
    time: datetime
    labels: set[str]
    flags: set[str] = field(default_factory=set)

    def whole(self) -> bytes:
        """The text as Bridge gives it."""
        return f"X-Pm-Internal-Id: {self.name}\r\n".encode() + self.text


class Refused(Exception):
    """Answered with NO."""


class Bridge:
    """The server; everything of it may be read and changed by tests while nobody is talking to it."""

    def __init__(self, password: str, context: ssl.SSLContext | None = None) -> None:
        self.password, self.context = password, context
        self.mails: dict[str, Mail] = {}
        self.folders = list(SYSTEM)
        self.hidden: set[str] = set()
        self.refuses: set[str] = set()
        """Names of messages that nothing may be done to."""
        self.sticks: set[str] = set()
        """Names of messages that cannot be expunged; a command ends where it comes to one."""
        self.keeps: set[str] = set()
        """Names of messages that a rule of the organisation keeps, whatever is expunged."""
        self.late = 0
        """How many times a folder has to be opened before a change shows."""
        self.capabilities = AFTER
        self.locked = False
        """True once Bridge is logged out of the account."""
        self.validity = 1000
        self._uids: dict[str, dict[str, int]] = {}
        self._next: dict[str, int] = {}
        self.deleted: dict[str, set[str]] = {}
        self._pending: list[tuple[int, Callable[[], None]]] = []
        self._opened = 0
        self._names = count(1)
        self.lock = threading.RLock()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._talks: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take nobody any more."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for talk in self._talks:
            with suppress(OSError):
                talk.shutdown(socket.SHUT_RDWR)
            talk.close()

    def _accept(self) -> None:
        while True:
            try:
                talk, _ = self._door.accept()
            except OSError:
                return
            talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._talks.append(talk)
            threading.Thread(target=Talk(self, talk).run, daemon=True).start()

    # The store.

    def add(self, text: bytes, time: datetime, *labels: str, flags: Sequence[str] = ()) -> Mail:
        """Put a message there."""
        mail = Mail(f"pm{next(self._names)}==", text, time, set(labels), set(flags))
        for label in labels:
            if label not in self.folders:
                self.folders.append(label)
        self.mails[mail.name] = mail
        return mail

    def shown(self, folder: str) -> list[Mail]:
        """The messages that a folder shows."""
        return [mail for mail in self.mails.values() if self.shows(folder, mail)]

    @staticmethod
    def shows(folder: str, mail: Mail) -> bool:
        """True where the folder shows the message."""
        if folder == WHOLE:
            return True
        return "\\Flagged" in mail.flags if folder == STARRED else folder in mail.labels

    def uids(self, folder: str) -> dict[int, Mail]:
        """The messages of a folder by their UIDs; whoever is new gets one."""
        known = self._uids.setdefault(folder, {})
        shown = self.shown(folder)
        for name in known.keys() - {mail.name for mail in shown}:
            del known[name]
        for mail in shown:
            if mail.name not in known:
                self._next[folder] = self._next.get(folder, 0) + 1
                known[mail.name] = self._next[folder]
        return {known[mail.name]: mail for mail in sorted(shown, key=lambda mail: known[mail.name])}

    def synchronise_anew(self) -> None:
        """Number all messages anew, as after Bridge's cache was thrown away."""
        self.validity += 1
        self._uids.clear()
        for offset, folder in enumerate(self.folders):
            self._next[folder] = offset  # other numbers, and numbers that were somebody else's

    def opened(self) -> None:
        """A folder is opened: what was to be shown by now is shown."""
        self._opened += 1
        due = [change for at, change in self._pending if at <= self._opened]
        self._pending = [(at, change) for at, change in self._pending if at > self._opened]
        for change in due:
            change()

    def soon(self, change: Callable[[], None]) -> None:
        """Do it, or as late as is wished."""
        if self.late:
            self._pending.append((self._opened + self.late, change))
        else:
            change()

    def move(self, mail: Mail, source: str, to: str, *, keep: bool = False) -> None:
        """Label with the target, then take the source's label away."""
        if mail.name in self.refuses or WHOLE in {to, source if not keep else ""} or SCHEDULED in {source, to}:
            raise Refused
        if {source, to} == {"INBOX", "Sent"} or to not in self.folders:
            raise Refused

        def change() -> None:
            if to == STARRED:
                mail.flags.add("\\Flagged")
                return
            if not to.startswith("Labels/"):
                mail.labels -= {label for label in mail.labels if not label.startswith("Labels/")}
            mail.labels.add(to)
            if not keep and to.startswith("Labels/") and not source.startswith("Labels/"):
                return  # from a folder to a label: the source stays
            if not keep and source != to:
                mail.labels.discard(source)

        self.soon(change)

    def expunge(self, folder: str, mail: Mail) -> None:
        """Take away the label; in Trash and Drafts delete what has no other one."""
        if folder in {WHOLE, SCHEDULED} or mail.name in self.refuses | self.sticks:
            raise Refused

        def change() -> None:
            if folder == STARRED:
                mail.flags.discard("\\Flagged")
                return
            if folder in {TRASH, DRAFTS} and mail.labels == {folder} and "\\Flagged" not in mail.flags:
                if mail.name in self.keeps:
                    mail.labels.clear()
                else:
                    self.mails.pop(mail.name, None)
            elif folder in {TRASH, DRAFTS}:
                return
            else:
                mail.labels.discard(folder)

        self.soon(change)


class Talk:
    """One connection."""

    def __init__(self, bridge: Bridge, talk: socket.socket) -> None:
        self.bridge, self.talk = bridge, talk
        self.lines = talk.makefile("rb")
        self.folder: str | None = None
        self.readonly = True
        self.known = False

    def run(self) -> None:
        """Answer until the other side goes."""
        with suppress(OSError, ValueError):
            self.say(f"* OK [CAPABILITY {BEFORE}] Bridge")
            while line := self._line():
                tag, _, rest = line.partition(" ")
                if not self._answer(tag, rest):
                    break
        with suppress(OSError):
            self.lines.close()
            self.talk.shutdown(socket.SHUT_RDWR)
            self.talk.close()

    def say(self, text: str | bytes) -> None:
        """Send a line."""
        self.talk.sendall((text if isinstance(text, bytes) else text.encode()) + b"\r\n")

    def _line(self) -> str:
        line = self.lines.readline()
        while match := re.search(rb"\{(\d+)\}\r\n\Z", line):
            self.say("+ go on")
            line = line[: match.start()] + b'"' + self.lines.read(int(match[1])) + b'"' + self.lines.readline()
        return line.decode("utf-8", "surrogateescape").rstrip("\r\n")

    def _answer(self, tag: str, rest: str) -> bool:
        verb, _, words = rest.partition(" ")
        verb = verb.upper()
        if verb == "UID":
            more, _, words = words.partition(" ")
            verb = f"UID {more.upper()}"
        action: Callable[[str], str | None] | None = getattr(self, f"do_{verb.lower().replace(' ', '_')}", None)
        with self.bridge.lock:
            if self.bridge.locked and verb not in {"LOGIN", "CAPABILITY", "LOGOUT"}:
                self.say("* BYE logged out of the account")
                return False
            if action is None or (verb not in {"CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "LOGIN"} and not self.known):
                self.say(f"{tag} BAD unknown command")
                return False  # many a bad command ends a connection of Bridge
            try:
                told = action(words)
            except Refused:
                self.say(f"{tag} NO operation not allowed")
                return True
        if verb == "LOGOUT":
            self.say("* BYE see you")
        self.say(f"{tag} {told or 'OK done'}")
        if verb == "STARTTLS":
            assert self.bridge.context is not None
            self.talk = self.bridge.context.wrap_socket(self.talk, server_side=True)
            self.lines = self.talk.makefile("rb")
        return verb != "LOGOUT"

    def do_capability(self, _words: str) -> None:
        self.say(f"* CAPABILITY {self.bridge.capabilities if self.known else BEFORE}")

    def do_noop(self, _words: str) -> None:
        return

    do_logout = do_noop

    def do_starttls(self, _words: str) -> str:
        return "OK begin" if self.bridge.context is not None else "NO not here"

    def do_login(self, words: str) -> str:
        _, secret = _words(words)
        if self.bridge.locked or secret != self.bridge.password:
            return "NO no such user"
        self.known = True
        return "OK logged in"

    def do_list(self, _words: str) -> None:
        for folder in self.bridge.folders:
            if folder not in self.bridge.hidden:
                self.say(f'* LIST ({SYSTEM.get(folder, "")}) "/" "{_utf7(folder)}"')
        for parent in ("Folders", "Labels"):
            self.say(f'* LIST (\\Noselect) "/" "{parent}"')

    def do_create(self, words: str) -> str:
        (folder,) = _words(words)
        if not folder.startswith(("Folders/", "Labels/")) or folder.count("/") > 3:
            raise Refused
        if folder in self.bridge.folders:
            return "NO exists"
        if (above := folder.rpartition("/")[0]) not in {"Folders", "Labels", *self.bridge.folders}:
            raise Refused from KeyError(above)
        self.bridge.folders.append(folder)
        return "OK made"

    def do_select(self, words: str, *, readonly: bool = False) -> str:
        (folder,) = _words(words)
        self.folder = None
        if folder not in self.bridge.folders or folder in self.bridge.hidden:
            raise Refused
        self.bridge.opened()
        self.folder, self.readonly = folder, readonly
        shown = self.bridge.uids(folder)
        self.say("* FLAGS (\\Seen \\Flagged \\Deleted)")
        self.say(f"* {len(shown)} EXISTS")
        self.say("* 0 RECENT")
        self.say(f"* OK [UIDVALIDITY {self.bridge.validity}] valid")
        self.say(f"* OK [UIDNEXT {max(shown, default=0) + 1}] next")
        return f"OK [{'READ-ONLY' if readonly else 'READ-WRITE'}] opened"

    def do_examine(self, words: str) -> str:
        return self.do_select(words, readonly=True)

    def do_unselect(self, _words: str) -> None:
        self.folder = None

    def do_close(self, _words: str) -> None:
        self._expunge(set(self._mails()))
        self.folder = None

    def do_append(self, words: str) -> str:
        folder = _words(words)[0]
        text = words[words.index('"', words.index(folder) + len(folder) + 1) :] if '"' in words else ""
        self.bridge.add(text.strip('"').encode("utf-8", "surrogateescape"), datetime.now(UTC).replace(microsecond=0), folder)
        return "OK appended"

    def do_uid_search(self, words: str) -> None:
        told = _words(words)
        found = self._mails()
        while told:
            word = told.pop(0).upper()
            if word == "UID":
                wanted = _numbers(told.pop(0), found)
                found = {uid: mail for uid, mail in found.items() if uid in wanted}
            elif word in {"BEFORE", "SINCE"}:
                day = datetime.strptime(told.pop(0), _DATE).replace(tzinfo=UTC)
                found = {uid: mail for uid, mail in found.items() if (mail.time < day) == (word == "BEFORE")}
            elif word == "SENTBEFORE":
                day = datetime.strptime(told.pop(0), _DATE).replace(tzinfo=UTC)
                found = {uid: mail for uid, mail in found.items() if _sent(mail) < day}
            elif word == "HEADER":
                name, value = told.pop(0), told.pop(0)
                found = {uid: mail for uid, mail in found.items() if value.lower() in _header(mail, name).lower()}
        self.say(" ".join(["* SEARCH", *map(str, found)]))

    def do_uid_fetch(self, words: str) -> None:
        wanted, _, items = words.partition(" ")
        mails = self._mails()
        numbers = _numbers(wanted, mails)
        for place, (uid, mail) in enumerate(mails.items(), 1):
            if uid in numbers:
                told = [f"UID {uid}".encode()]
                if "FLAGS" in items:
                    told.append(f"FLAGS ({' '.join(self._flags(mail))})".encode())
                if "INTERNALDATE" in items:
                    told.append(f'INTERNALDATE "{mail.time.strftime("%d-%b-%Y %H:%M:%S +0000")}"'.encode())
                if "RFC822.SIZE" in items:
                    told.append(f"RFC822.SIZE {len(mail.whole())}".encode())
                if match := re.search(r"BODY\.PEEK\[HEADER\.FIELDS \(([^)]*)\)\]", items):
                    block = b"".join(_lines(mail, match[1].split())) + b"\r\n"
                    told.append(f"BODY[HEADER.FIELDS ({match[1]})] {{{len(block)}}}\r\n".encode() + block)
                elif "BODY.PEEK[]" in items:
                    told.append(f"BODY[] {{{len(mail.whole())}}}\r\n".encode() + mail.whole())
                self.say(f"* {place} FETCH (".encode() + b" ".join(told) + b")")

    def do_uid_store(self, words: str) -> None:
        wanted, how, flags = words.split(" ", 2)
        self._writable()
        assert self.folder is not None
        mails = self._mails()
        for uid in _numbers(wanted, mails):
            mail = mails[uid]
            for flag in flags.strip("()").split():
                if mail.name in self.bridge.refuses or (flag == "\\Deleted" and self.folder == WHOLE):
                    raise Refused
                kept = self.bridge.deleted.setdefault(self.folder, set()) if flag == "\\Deleted" else mail.flags
                word = mail.name if flag == "\\Deleted" else flag
                (kept.add if how.startswith("+") else kept.discard)(word)

    def do_uid_expunge(self, words: str) -> None:
        self._writable()
        self._expunge(_numbers(words, self._mails()))

    def do_expunge(self, _words: str) -> None:
        self._writable()
        self._expunge(set(self._mails()))

    def do_uid_move(self, words: str, *, keep: bool = False) -> None:
        wanted, _, to = words.partition(" ")
        self._writable()
        assert self.folder is not None
        mails = self._mails()
        chosen = [mails[uid] for uid in sorted(_numbers(wanted, mails))]
        if any(mail.name in self.bridge.refuses for mail in chosen):
            raise Refused
        for mail in chosen:
            self.bridge.move(mail, self.folder, _words(to)[0], keep=keep)

    def do_uid_copy(self, words: str) -> None:
        self.do_uid_move(words, keep=True)

    def _expunge(self, numbers: set[int]) -> None:
        assert self.folder is not None
        marked = self.bridge.deleted.setdefault(self.folder, set())
        mails = self._mails()
        for uid in sorted(numbers):
            if mails[uid].name in marked:
                marked.discard(mails[uid].name)
                self.bridge.expunge(self.folder, mails[uid])

    def _writable(self) -> None:
        if self.folder is None or self.readonly:
            raise Refused

    def _mails(self) -> dict[int, Mail]:
        assert self.folder is not None
        return self.bridge.uids(self.folder)

    def _flags(self, mail: Mail) -> list[str]:
        assert self.folder is not None
        gone = ["\\Deleted"] if mail.name in self.bridge.deleted.get(self.folder, set()) else []
        return sorted([*mail.flags, *gone])


def _words(text: str) -> list[str]:
    return [
        quoted.replace('\\"', '"').replace("\\\\", "\\") or bare
        for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', text)
    ]


def _numbers(text: str, mails: dict[int, Mail]) -> set[int]:
    found: set[int] = set()
    for part in text.strip("()").split(","):
        first, _, last = part.partition(":")
        end = max(mails, default=0) if last == "*" else int(last or first)
        found |= set(range(int(first), end + 1))
    return found & mails.keys()


def _lines(mail: Mail, names: Sequence[str]) -> list[bytes]:
    wanted = {name.lower() for name in names}
    head = mail.whole().partition(b"\r\n\r\n")[0]
    lines = re.findall(rb"[^\r\n]+(?:\r\n[ \t][^\r\n]*)*", head)
    return [line + b"\r\n" for line in lines if line.partition(b":")[0].decode("latin-1").lower() in wanted]


def _header(mail: Mail, name: str) -> str:
    return b"".join(line.partition(b":")[2] for line in _lines(mail, [name])).decode("latin-1").strip()


def _sent(mail: Mail) -> datetime:
    try:
        return parsedate_to_datetime(_header(mail, "Date")) + timedelta()
    except ValueError:
        raise Refused from None  # one date that cannot be read ends the whole search


def _utf7(name: str) -> str:
    return name
