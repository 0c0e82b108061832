"""Cuts the lines of a file into slices: all lines of one hour (UTC), wherever in the file they stand.

A line without a date belongs with the nearest dated line above it, as a traceback does, and may be as young as the
one below it. Where that is not credible – nothing dated above, or too long a run – it is undated, and stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from retentiond_files.formats import Parse
from retentiond_files.keys import UNDATED, hour_of

RUN_LINES = 1000
"""A longer run of lines without a date is no traceback but a format nobody reads here: it is undated."""

RUN_BYTES = 1 << 20

YEARLESS_GAP = timedelta(days=31)
"""Where the last dated line and the file's last change lie further apart, years cannot be told from the change."""


class Piece(NamedTuple):
    """One line and where it belongs."""

    hour: str
    instant: datetime | None
    """Not later than this was it written, aware UTC; None where nobody can tell."""
    dated: bool
    """True where the line itself tells its date."""
    line: bytes


def pieces_of(lines: Iterable[bytes], parse: Parse, written: datetime) -> Iterator[Piece]:
    """Each line in order; `written` is the file's last change, which bounds lines after the last dated one."""
    hour: str | None = None
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        instant = parse(line)
        if instant is not None:
            for earlier in waiting:
                yield Piece(hour or UNDATED, instant, dated=False, line=earlier)
            waiting, size = [], 0
            hour = hour_of(instant)
            yield Piece(hour, instant, dated=True, line=line)
            continue
        if hour is None:
            yield Piece(UNDATED, None, dated=False, line=line)
            continue
        waiting.append(line)
        size += len(line)
        if len(waiting) > RUN_LINES or size > RUN_BYTES:
            for earlier in waiting:
                yield Piece(UNDATED, None, dated=False, line=earlier)
            waiting, size = [], 0
            hour = None
    for earlier in waiting:
        yield Piece(hour or UNDATED, written, dated=False, line=earlier)


@dataclass(frozen=True, slots=True)
class Slice:
    """The lines of one hour in one file, without the lines."""

    hour: str
    newest: datetime | None
    """The newest entry, aware UTC; None where the slice is undated."""
    rows: int
    fingerprint: str
    whole_addresses: bool
    """True where some address is not truncated; False where that was not asked."""


@dataclass(slots=True)
class _Tally:
    newest: datetime | None = None
    rows: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    whole_addresses: bool = False


class Survey:
    """Adds up the slices of one file while its lines pass by."""

    def __init__(self, *, yearless: bool, written: datetime, truncate: Callable[[bytes], bytes] | None) -> None:
        self._yearless = yearless
        self._written = written
        self._truncate = truncate
        self._tallies: dict[str, _Tally] = {}
        self._last: datetime | None = None

    def add(self, piece: Piece) -> None:
        """Count one line."""
        tally = self._tallies.get(piece.hour)
        if tally is None:
            tally = self._tallies[piece.hour] = _Tally()
        tally.rows += 1
        tally.digest.update(piece.line)
        if piece.instant is not None and (tally.newest is None or piece.instant > tally.newest):
            tally.newest = piece.instant
        if piece.dated:
            self._last = piece.instant
        if self._truncate is not None and not tally.whole_addresses:
            tally.whole_addresses = self._truncate(piece.line) != piece.line

    def slices(self) -> dict[str, Slice]:
        """The slices by their hour, once all lines have passed."""
        return {hour: self._slice(hour, tally) for hour, tally in self._tallies.items()}

    def _slice(self, hour: str, tally: _Tally) -> Slice:
        newest = tally.newest if self._credible() and hour != UNDATED else None
        digest = hashlib.sha256(f"{newest} {tally.digest.hexdigest()}".encode()).hexdigest()
        return Slice(hour, newest, tally.rows, digest, tally.whole_addresses)

    def _credible(self) -> bool:
        return not self._yearless or (self._last is not None and abs(self._written - self._last) <= YEARLESS_GAP)


def newest_entry(pieces: Iterable[Piece], *, yearless: bool, written: datetime) -> datetime | None:
    """The newest entry of a file; None where there is none, or where lines behind a dated one cannot be dated."""
    newest: datetime | None = None
    last: datetime | None = None
    for piece in pieces:
        if piece.hour == UNDATED and last is not None:
            return None
        if piece.dated:
            last = piece.instant
        if piece.instant is not None and (newest is None or piece.instant > newest):
            newest = piece.instant
    if yearless and (last is None or abs(written - last) > YEARLESS_GAP):
        return None
    return newest
