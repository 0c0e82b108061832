"""Finds the checkpoints in what anchors leave behind: files, mails, cosigned notes, records of objects, time stamps."""

from __future__ import annotations

import email
import email.policy
import json
from dataclasses import dataclass

MARK = "\u2014 "
LINES = 3
"""Of a checkpoint, before its signatures."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a receipt holds."""

    notes: tuple[str, ...] = ()
    """Signed checkpoints."""
    stamp: bytes | None = None
    """Instead: a time stamp (DER), which holds a digest only."""


def found_in(content: bytes) -> Found | None:
    """The checkpoints in a receipt of any kind; None where it is none."""
    if content[:1] == b"\x30":  # a SEQUENCE: no text begins so that we write
        return Found(stamp=content)
    if content[:1] == b"{":
        return _noted(_object(content))
    if content.startswith(b"old "):
        _, parting, note = content.partition(b"\n\n")
        return _noted(note if parting else b"")
    return _noted(content) or _noted(_attached(content))


def notes_of(content: bytes) -> tuple[str, ...] | None:
    """The notes that stand one after another, an empty line between two; None where something else stands there."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not text:
        return ()
    parts = text.removesuffix("\n").removesuffix("\n").split("\n\n")
    pairs = list(zip(parts[::2], parts[1::2], strict=False))
    whole = text.endswith("\n") and len(parts) % 2 == 0
    if not whole or any(body.count("\n") != LINES - 1 or not signed.startswith(MARK) for body, signed in pairs):
        return None
    return tuple(f"{body}\n\n{signed}\n" for body, signed in pairs)


def _noted(content: bytes) -> Found | None:
    notes = notes_of(content)
    return Found(notes) if notes else None


def _object(content: bytes) -> bytes:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return b""
    note = told.get("checkpoint") if isinstance(told, dict) else None
    return note.encode("utf-8", "replace") if isinstance(note, str) else b""


def _attached(content: bytes) -> bytes:
    """The checkpoint that is attached to a mail."""
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    for part in message.walk():
        if (part.get_filename() or "").endswith(".checkpoint"):
            payload = part.get_payload(decode=True)
            return payload if isinstance(payload, bytes) else b""
    return b""
