"""Journals as systemd itself writes them, made of an export by systemd-journal-remote and given other times."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from support.services import missing

REMOTE = Path("/lib/systemd/systemd-journal-remote")
DAWN = datetime(1970, 1, 1, tzinfo=UTC)
BLOCK = 4096
ARCHIVED, OFFLINE, ONLINE = 2, 0, 1


def journal(path: Path, moments: Sequence[datetime], *, state: int = ARCHIVED, message: str = "hello from 192.0.2.17") -> Path:
    """Write a journal with one entry at each moment, in this order; archived as journald does it, by a mark in its head."""
    made, blocks, entries = _template(len(moments), message)
    content = bytearray(made)
    times = [(moment - DAWN) // timedelta(microseconds=1) for moment in moments]
    content[16] = state
    for offset, at in zip(entries, times, strict=True):
        struct.pack_into("<Q", content, offset + 24, at)
    if times:
        struct.pack_into("<QQ", content, 184, times[0], times[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in blocks:
            file.seek(start)
            file.write(content[start : start + BLOCK])
        file.truncate(len(content))
    return path


def sound(path: Path) -> bool:
    """What journalctl says of it."""
    done = subprocess.run(["journalctl", "--verify", "--quiet", "--file", path], check=False, capture_output=True, timeout=60)
    return done.returncode == 0


def _entries(content: bytes) -> list[int]:
    """Where the entries are: every object, one after the other."""
    found, at = [], struct.unpack_from("<Q", content, 88)[0]
    tail = struct.unpack_from("<Q", content, 136)[0]
    while at <= tail:
        if content[at] == 3:
            found.append(at)
        at += (struct.unpack_from("<Q", content, at + 8)[0] + 7) & ~7
    return found


@cache
def _template(many: int, message: str) -> tuple[bytes, list[int], list[int]]:
    """A journal of so many entries, written by systemd; where it is not empty, and where its entries are."""
    if not REMOTE.is_file():
        missing("systemd-journal-remote")
    with TemporaryDirectory() as folder:
        export, made = Path(folder, "export"), Path(folder, "made.journal")
        with export.open("w", encoding="utf-8") as file:
            for number in range(many):
                file.write(
                    f"__REALTIME_TIMESTAMP={1_577_880_000_000_000 + number}\n__MONOTONIC_TIMESTAMP={1_000_000 + number}\n"
                    f"_BOOT_ID=0123456789abcdef0123456789abcdef\nMESSAGE={message} {number}\nPRIORITY=6\n\n"
                )
        subprocess.run([REMOTE, f"--output={made}", export], check=True, capture_output=True, timeout=60)
        content = made.read_bytes()
    blocks = [start for start in range(0, len(content), BLOCK) if any(content[start : start + BLOCK])]
    return content, blocks, _entries(content)
