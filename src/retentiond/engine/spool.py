"""The records of a plan, kept between planning and acting in a file without a name.

Memory stays constant however many records are due, and a killed process leaves no list of keys behind.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any

from retentiond.engine.values import DueRecord
from retentiond.errors import StateError
from retentiond.model.record import Moment, RecordRef
from retentiond.model.subject import Subject


class Spool:
    """Written once, in order; read as often as wished."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def add(self, record: DueRecord) -> None:
        """Append one record; raise `StateError` where the disk is full."""
        ref = record.ref
        row = (
            ref.key,
            {name: _out(moment) for name, moment in ref.dates.items()},
            ref.fingerprint,
            ref.identity,
            ref.blocked,
            ref.rows,
            dict(ref.facts),
            [(one.kind, one.value) for one in ref.subjects],
            ref.contested,
            record.due_at.isoformat(),
        )
        try:
            self._file.write(json.dumps(row, separators=(",", ":")) + "\n")
        except OSError as error:
            raise _unwritable(error) from None

    def batches(self, size: int) -> Iterator[Sequence[DueRecord]]:
        """Yield what was added, in order, at most `size` at a time."""
        try:
            self._file.flush()
        except OSError as error:
            raise _unwritable(error) from None
        self._file.seek(0)
        batch: list[DueRecord] = []
        for line in self._file:
            batch.append(_read(*json.loads(line)))
            if len(batch) == size:
                yield batch
                batch = []
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


def _read(*row: Any) -> DueRecord:
    key, dates, fingerprint, identity, blocked, rows, facts, subjects, contested, due = row
    ref = RecordRef(
        key=tuple(key),
        dates={name: _in(moment) for name, moment in dates.items()},
        fingerprint=fingerprint,
        identity=tuple(identity),
        blocked=blocked,
        rows=rows,
        facts=facts,
        subjects=frozenset(Subject(kind, value) for kind, value in subjects),
        contested=contested,
    )
    return DueRecord(ref, datetime.fromisoformat(due))


def _out(moment: Moment | None) -> Any:
    if moment is None:
        return None
    return moment.isoformat() if isinstance(moment, datetime) else [moment.isoformat()]


def _in(stored: Any) -> Moment | None:
    if stored is None:
        return None
    if isinstance(stored, list):
        return date.fromisoformat(stored[0])
    return datetime.fromisoformat(stored).astimezone(UTC)
