r"""A record's key: its path as text that survives any encoding and, for lines, the hour.

File names are bytes. What is no UTF-8 becomes `\xff`, and a backslash becomes two, so that every name
has exactly one text, and every text at most one name.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from retentiond_files.patterns import Path

UNDATED = "undated"
"""Stands for the hour of lines whose hour is not known."""

UNREADABLE = "unreadable"
"""Stands for the hour of a whole file whose lines cannot be read."""

_HOUR = re.compile(rf"(.+)@(\d{{4}}-\d\d-\d\dT\d\dZ|{UNDATED}|{UNREADABLE})", re.DOTALL)
_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2})")


def hour_of(instant: datetime) -> str:
    """The hour (UTC) an instant lies in, such as `2026-11-24T13Z`."""
    utc = instant.astimezone(UTC)
    return f"{utc.year:04}-{utc.month:02}-{utc.day:02}T{utc.hour:02}Z"


def text_of(path: Path) -> str:
    """The one text of a path."""
    return os.fsencode("/".join(path)).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def path_of(text: str) -> Path | None:
    """The path of a text; None where it is no text of a path below the root."""
    try:
        name = b"".join(_bytes(text))
    except UnicodeEncodeError:
        return None
    path = tuple(os.fsdecode(name).split("/"))
    if {"", ".", ".."} & set(path) or b"\0" in name or text_of(path) != text:
        return None
    return path


def _bytes(text: str) -> list[bytes]:
    pieces: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        pieces.append(text[at : match.start()].encode())
        pieces.append(b"\\" if match[1] == "\\" else bytes([int(match[1][1:], 16)]))
        at = match.end()
    pieces.append(text[at:].encode())
    return pieces


def typed_key(text: str) -> tuple[str, ...]:
    """What a person types: `path`, or `path@2026-11-24T13Z` for the lines of one hour (UTC)."""
    match = _HOUR.fullmatch(text)
    return (match[1], match[2]) if match else (text,)
