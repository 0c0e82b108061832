"""Reads what a server tells of messages: fast where it keeps to the usual form, and by IMAPClient's reader where it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from retentiond_imap.dates import mail_instant
from retentiond_imap.headers import Headers, parse

_USUAL = re.compile(
    rb'\d+ \(UID (\d+) FLAGS \(([^()"]*)\) INTERNALDATE "([^"]*)" RFC822\.SIZE (\d+)(?: SAVEDATE (?:"([^"]*)"|NIL))?'
    rb" BODY\[HEADER\.FIELDS \([^()]*\)\] \{\d+\}"
)


@dataclass(frozen=True, slots=True)
class Message:
    """What the server tells of one message."""

    uid: int
    received: datetime | None
    saved: datetime | None
    size: int
    marks: frozenset[str]
    """Flags and keywords, in small letters."""
    block: bytes
    headers: Headers


def read_messages(answer: Sequence[Any]) -> list[Message]:
    """The messages in an answer to FETCH as imaplib gives it; what is told of a message in part only is left out.

    Raises what IMAPClient raises where it makes no sense.
    """
    if answer in ([None], []):
        return []
    told = _usual(answer)
    return list(_others(answer)) if told is None else told


def small(flags: Any) -> frozenset[str]:
    """Flags as IMAPClient gives them, in small letters."""
    return frozenset(str(flag).lower() if isinstance(flag, int) else flag.decode("utf-8", "replace").lower() for flag in flags)


def _usual(answer: Sequence[Any]) -> list[Message] | None:
    """The messages, each a head, its headers and a closing bracket; None where anything else is among them."""
    told = []
    for part, end in zip(answer[::2], answer[1::2], strict=False):
        if not isinstance(part, tuple) or end != b")":
            return None
        match = _USUAL.fullmatch(part[0])
        if match is None:
            return None
        uid, flags, received, size, saved = match.groups()
        told.append(
            Message(
                int(uid),
                mail_instant(received.decode("ascii", "replace")),
                None if saved is None else mail_instant(saved.decode("ascii", "replace")),
                int(size),
                small(flags.split()),
                part[1],
                parse(part[1]),
            )
        )
    return told if len(answer) % 2 == 0 else None


def _others(answer: Sequence[Any]) -> Iterator[Message]:
    from imapclient.response_parser import parse_fetch_response  # noqa: PLC0415 - it comes with the driver

    for uid, found in parse_fetch_response(list(answer), normalise_times=False, uid_is_key=True).items():
        header = [name for name in found if name.startswith(b"BODY[HEADER")]
        if not header or not {b"INTERNALDATE", b"RFC822.SIZE", b"FLAGS"} <= found.keys():
            continue
        received, saved, block = found[b"INTERNALDATE"], found.get(b"SAVEDATE"), found[header[0]] or b""
        known = isinstance(received, datetime) and received.tzinfo is not None
        yield Message(
            uid,
            received.astimezone(UTC).replace(tzinfo=UTC) if known else None,
            mail_instant(saved.decode("ascii", "replace")) if isinstance(saved, bytes) else None,
            int(found[b"RFC822.SIZE"]),
            small(found[b"FLAGS"]),
            block,
            parse(block),
        )
