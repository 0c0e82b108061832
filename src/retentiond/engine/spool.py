"""The records of a plan, kept between planning and acting in a file without a name.

Memory stays constant however many records are due, and a killed process leaves no list of keys behind.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from retentiond.engine.ahead import ahead
from retentiond.engine.values import DueRecord
from retentiond.errors import StateError
from retentiond.model.record import Moment, RecordRef
from retentiond.model.subject import Subject

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Spool:
    """Written once, in order; read as often as wished."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def add(self, records: Sequence[DueRecord]) -> None:
        """Append some records; raise `StateError` where the disk is full."""
        try:
            self._file.write(json.dumps(_columns(records), separators=(",", ":")) + "\n")
        except OSError as error:
            raise _unwritable(error) from None

    def batches(self, size: int) -> Iterator[Sequence[DueRecord]]:
        """Yield what was added, in order, at most `size` at a time; nothing can be added meanwhile."""
        try:
            self._file.flush()
        except OSError as error:
            raise _unwritable(error) from None
        self._file.seek(0)
        # While a system is busy with one batch, the next is read.
        yield from ahead(self._read(size))

    def _read(self, size: int) -> Iterator[Sequence[DueRecord]]:
        batch: list[DueRecord] = []
        for line in self._file:
            batch += _records(**json.loads(line))
            while len(batch) >= size:
                yield batch[:size]
                batch = batch[size:]
        if batch:
            yield batch


@contextmanager
def open_spool(directory: Path) -> Iterator[Spool]:
    """A new, empty spool on the disk of `directory`; gone when closed or when the process dies."""
    try:
        file = tempfile.TemporaryFile("w+", dir=directory, encoding="utf-8", errors="surrogatepass")  # noqa: SIM115 - closed below
    except OSError as error:
        raise _unwritable(error) from None
    try:
        yield Spool(file)
    finally:
        with suppress(OSError):  # what could not be written then cannot be written now, and whoever added it was told
            file.close()


def _unwritable(error: OSError) -> StateError:
    return StateError(
        f"The plan cannot be kept in the state directory ({error.strerror}). Free space there, or give write access."
    )


def _columns(records: Sequence[DueRecord]) -> dict[str, Any]:
    """By columns, because most records of a page are of one form: then it is told once."""
    refs = [record.ref for record in records]
    written = {moment: _out(moment) for moment in {record.due_at for record in records}}
    return {
        "keys": [ref.key for ref in refs],
        "fingerprints": [ref.fingerprint for ref in refs],
        "dates": _dates(refs),
        "more": {number: _more(ref) for number, ref in enumerate(refs) if not _is_plain(ref)},
        "due": [written[record.due_at] for record in records],
    }


def _dates(refs: Sequence[RecordRef]) -> dict[str, list[Any]] | list[dict[str, Any]]:
    """A column for each date, where all records have the same ones; else those of each record."""
    names = refs[0].dates.keys() if refs else ()
    if all(ref.dates.keys() == names for ref in refs):
        return {name: [_out(ref.dates[name]) for ref in refs] for name in names}
    return [{name: _out(moment) for name, moment in ref.dates.items()} for ref in refs]


def _is_plain(ref: RecordRef) -> bool:
    return not (ref.identity or ref.blocked or ref.rows != 1 or ref.facts or ref.subjects or ref.contested)


def _more(ref: RecordRef) -> list[Any]:
    subjects = [(one.kind, one.value) for one in ref.subjects]
    return [ref.identity, ref.blocked, ref.rows, dict(ref.facts), subjects, ref.contested]


def _records(
    keys: list[list[str]],
    fingerprints: list[str],
    dates: dict[str, list[Any]] | list[dict[str, Any]],
    more: dict[str, list[Any]],
    due: list[int],
) -> list[DueRecord]:
    """What `_columns` was made of."""
    moments: list[dict[str, Moment | None]] = [{} for _ in keys]
    if isinstance(dates, list):
        moments = [{name: _in(one) for name, one in row.items()} for row in dates]
    else:
        for name, column in dates.items():
            for row, moment in zip(moments, column, strict=True):
                row[name] = _EPOCH + timedelta(0, 0, moment) if type(moment) is int else _in(moment)
    refs = [RecordRef(tuple(key), row, seen) for key, row, seen in zip(keys, moments, fingerprints, strict=True)]
    for number, (identity, blocked, rows, facts, subjects, contested) in more.items():
        refs[int(number)] = replace(
            refs[int(number)],
            identity=tuple(identity),
            blocked=blocked,
            rows=rows,
            facts=facts,
            subjects=frozenset(Subject(kind, value) for kind, value in subjects),
            contested=contested,
        )
    at = {moment: _EPOCH + timedelta(0, 0, moment) for moment in set(due)}
    return [DueRecord(ref, at[moment]) for ref, moment in zip(refs, due, strict=True)]


def _out(moment: Moment | None) -> Any:
    """Microseconds since 1970 for an instant, text for a plain date."""
    if isinstance(moment, datetime):
        return (moment - _EPOCH) // _MICROSECOND
    return None if moment is None else moment.isoformat()


def _in(stored: Any) -> Moment | None:
    if stored is None:
        return None
    return date.fromisoformat(stored) if isinstance(stored, str) else _EPOCH + timedelta(0, 0, stored)
