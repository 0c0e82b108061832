"""The tasks of a data set as records: those that were added, and the one that recurs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from retentiond.connector import RecordRef, RetentionPeriod, later_by
from retentiond_manual.options import DONE, ManualOptions, Recurrence
from retentiond_manual.register import Kept, Register, Word

RECURRING = "recurs@"
"""What the key of a recurring task begins with; its date follows."""

_ANY_ZONE = "UTC"
"""Plain dates are counted alike in every zone."""


def tasks_of(register: Register, options: ManualOptions) -> dict[str, Kept]:
    """Every task that is not over, by key; of a recurring one just the next."""
    tasks = dict(register.tasks)
    if options.recurs is not None:
        day = next_of(options.recurs, register.settled)
        if day is not None:
            tasks[f"{RECURRING}{day.isoformat()}"] = Kept({options.dates[0]: day}, register.word)
    return tasks


def next_of(recurs: Recurrence, settled: date | None) -> date | None:
    """The date of the first recurring task after `settled`; None where the calendar has none."""
    for day in _days(recurs):
        if settled is None or day > settled:
            return day
    return None


def _days(recurs: Recurrence) -> Iterator[date]:
    """Each is counted from the first, so that a 31st is none for ever because of one short month."""
    number = 0
    while True:
        day = later_by(recurs.first, _times(recurs.every, number), _ANY_ZONE)
        if day >= date.max:
            return
        yield day
        number += 1


def _times(period: RetentionPeriod, number: int) -> RetentionPeriod:
    return RetentionPeriod(period.years * number, period.months * number, period.weeks * number, period.days * number)


def settled(register: Register, key: str) -> Register:
    """The register once this task is over."""
    if key in register.tasks:
        return replace(register, tasks={name: kept for name, kept in register.tasks.items() if name != key})
    return replace(register, settled=date.fromisoformat(key.removeprefix(RECURRING)), word=None)


def said(register: Register, key: str, word: Word) -> Register:
    """The register once a person said that this task is done."""
    if key in register.tasks:
        return replace(register, tasks={**register.tasks, key: replace(register.tasks[key], word=word)})
    return replace(register, word=word)


def ref_of(key: str, kept: Kept, options: ManualOptions) -> RecordRef:
    """The task as a record; its word, too, decides about it."""
    dates = {name: kept.dates.get(name) for name in options.dates}
    word = kept.word
    decides = [
        key,
        {name: None if day is None else day.isoformat() for name, day in dates.items()},
        None if word is None else [word.at, word.by, word.evidence, word.document],
    ]
    fingerprint = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return RecordRef((key,), dates, fingerprint, facts={DONE: word is not None})
