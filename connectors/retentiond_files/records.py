"""The records in one file as they are now: the file itself, or its slices."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from retentiond.connector import Moment, RecordRef
from retentiond.connector.named import NamePattern
from retentiond_files.dataset import Dataset
from retentiond_files.failures import Astray, Unreadable, system_error
from retentiond_files.formats import parser
from retentiond_files.instant import from_nanoseconds
from retentiond_files.keys import UNREADABLE, text_of
from retentiond_files.lines import lines_of
from retentiond_files.options import Content, Mtime, Name
from retentiond_files.patterns import Path
from retentiond_files.sidecar import Sidecar
from retentiond_files.slices import Piece, Slice, Survey, newest_entry, pieces_of

STAMP = 32
"""How many characters of a file's fingerprint tell its inode, size and mtime; the rest tells its date."""

NANO = 10**9


class Row(NamedTuple):
    """One record, kept small: a search holds one for each record it found."""

    moment: Moment | None
    key: tuple[str, ...]
    fingerprint: str
    rows: int = 1
    blocked: bool = False
    whole_addresses: bool = False
    """True where something is left to be anonymized."""
    identity: tuple[str, ...] = ()

    def ref(self, date_name: str) -> RecordRef:
        """The record as the engine knows it."""
        dates = {date_name: self.moment}
        return RecordRef(self.key, dates, self.fingerprint, self.identity, blocked=self.blocked, rows=self.rows)


def rows_of(dataset: Dataset, path: Path) -> list[Row]:
    """All records in the file at `path`, read anew. Raises FileNotFoundError, `Astray`.

    A file that cannot be read is one undated record.
    """
    try:
        with dataset.opened(path) as (tree, handle):
            return rows_in(dataset, path, handle, blocked=tree is dataset.blocked)
    except (PermissionError, BlockingIOError):  # no right; or a file server has lent it out, and is asked to give it back
        return [unreadable_row(path) if dataset.by_line else Row(None, (text_of(path),), "")]


def rows_at(dataset: Dataset, path: Path) -> list[Row]:
    """The same for a file that was listed: none where it went, or was swapped, since then. Raises `ConnectorError`."""
    try:
        return rows_of(dataset, path)
    except (FileNotFoundError, Astray):
        return []
    except OSError as error:
        raise system_error(error, f"A file of {dataset.target} cannot be opened") from None


def rows_in(dataset: Dataset, path: Path, handle: int, *, blocked: bool) -> list[Row]:
    """The records in an open file."""
    state = os.fstat(handle)
    if not dataset.by_line:
        return [file_row(dataset, path, state, handle, blocked=blocked)]
    try:
        return [slice_row(dataset, path, piece) for piece in slices_in(dataset, path, handle, state).values()]
    except Unreadable:
        return [unreadable_row(path)]


def unreadable_row(path: Path) -> Row:
    """Stands for a file of lines that cannot be read; it has no date, so it is listed and never acted on."""
    return Row(None, (text_of(path), UNREADABLE), "")


def slice_row(dataset: Dataset, path: Path, piece: Slice) -> Row:
    """One slice of the file at `path` as a record."""
    key = (text_of(path), piece.hour)
    identity = key if dataset.options.identity else ()
    return Row(piece.newest, key, piece.fingerprint, piece.rows, whole_addresses=piece.whole_addresses, identity=identity)


def file_row(dataset: Dataset, path: Path, state: os.stat_result, handle: int | None, *, blocked: bool) -> Row:
    """A whole file as a record; `handle` is only needed where the date stands in the content."""
    moment = _moment(dataset, path, state, handle, blocked=blocked)
    key = (text_of(path),)
    match dataset.options.identity:
        case "key":
            identity: tuple[str, ...] = key
        case "mtime":  # in seconds: not every archive keeps what is finer
            identity = (str(state.st_mtime_ns // NANO),)
        case None:
            identity = ()
    return Row(moment, key, stamp_of(state) + _digest(str(moment)), blocked=blocked, identity=identity)


def stamp_of(state: os.stat_result) -> str:
    """The part of a file's fingerprint that stays when the file is renamed, and only then."""
    return _digest(f"{state.st_ino} {state.st_size} {state.st_mtime_ns}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:STAMP]


def _moment(dataset: Dataset, path: Path, state: os.stat_result, handle: int | None, *, blocked: bool) -> Moment | None:
    source = dataset.options.source
    match source:
        case Sidecar():  # records of a document and its sidecar are made in `bundle`
            return None
        case Mtime(drift_days=drift):
            written, changed = from_nanoseconds(state.st_mtime_ns), from_nanoseconds(state.st_ctime_ns)
            # Our own move changed the status of a blocked file, which says nothing about its mtime.
            if drift is None or blocked:
                return written
            drifted = written is None or changed is None or changed - written > timedelta(days=drift)
            return None if drifted else written
        case Name(zone=zone):
            return NamePattern.parse(source.pattern).moment("/".join(path), None if zone is None else ZoneInfo(zone))
        case Content():
            if handle is None:
                return None
            try:
                written = _written(state)
                return newest_entry(file_pieces(dataset, path, handle, state), yearless=dataset.yearless, written=written)
            except Unreadable:
                return None


def slices_in(dataset: Dataset, path: Path, handle: int, state: os.stat_result) -> dict[str, Slice]:
    """The slices of an open file by their hour; raises `Unreadable`."""
    survey = survey_for(dataset, state)
    for piece in file_pieces(dataset, path, handle, state):
        survey.add(piece)
    return survey.slices()


def survey_for(dataset: Dataset, state: os.stat_result) -> Survey:
    """An empty survey of a file in this state."""
    return Survey(yearless=dataset.yearless, written=_written(state), truncate=dataset.truncate)


def file_pieces(dataset: Dataset, path: Path, handle: int, state: os.stat_result) -> Iterator[Piece]:
    """The lines of an open file, each with where it belongs; raises `Unreadable`, possibly midway."""
    source, written = dataset.options.source, _written(state)
    if not isinstance(source, Content):
        raise Unreadable
    return pieces_of(lines_of(handle, path[-1]), parser(source, written), written)


def _written(state: os.stat_result) -> datetime:
    written = from_nanoseconds(state.st_mtime_ns)
    if written is None:
        raise Unreadable
    return written
