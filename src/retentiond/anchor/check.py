"""Checks a log against its anchors: against the receipts that are kept, and those that somebody outside shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from retentiond.anchor.coverage import anchored
from retentiond.anchor.handover import objection
from retentiond.anchor.reading import found_in
from retentiond.anchor.receipts import CHECKPOINT, Kept, contradictions, kept, read
from retentiond.anchor.timestamp import stamped_digest
from retentiond.audit import LogReader
from retentiond.audit.note import VerifierKey
from retentiond.errors import ConfigurationError, StateError


def check_receipts(state: Path, log: LogReader, key: VerifierKey, *, newest: bool = False) -> Iterator[str]:
    """What speaks against the log, as finished sentences: by every receipt, or only the `newest` one of each type.

    The newest ones bind all entries before them as well. Raises `StateError` where a receipt cannot be read.
    """
    yield from contradictions(state).values()
    receipts = kept(state)
    if newest:
        receipts = list({one.type: one for one in receipts}.values())
    for one in receipts:
        yield from _check(state, log, key, one)


def check_shown(file: Path, state: Path, log: LogReader, key: VerifierKey) -> Iterator[str]:
    """What speaks against the log by a receipt that somebody shows: a file, a mail, a cosigned checkpoint, a time stamp.

    A time stamp is compared with the checkpoints that were handed over. Raises `ConfigurationError` where it is none of these.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The receipt {file} cannot be read ({error.strerror}).") from None
    found = found_in(content)
    if found is None:
        raise ConfigurationError(f"In {file} there is no checkpoint and no time stamp.")
    for note in found.notes:
        if told := objection(note, key, log.root_at):
            yield f"{file} {told}."
    if found.stamp is not None:
        sizes = [one.size for one in kept(state, checkpoints=True) if one.type == CHECKPOINT]
        notes = (read(state, Kept(size, CHECKPOINT).name) for size in sizes)
        stamped = stamped_digest(found.stamp)
        if not any(stamped.of(note) for note in notes):
            yield f"{file} is the time stamp of no checkpoint that was handed over: the log or its receipts were exchanged."


def _check(state: Path, log: LogReader, key: VerifierKey, one: Kept) -> Iterator[str]:
    what = f"The receipt {one.name} of an anchor"
    content = read(state, one.name)
    told = anchored(log, one)
    if told is not None and told.digest != hashlib.sha256(content).hexdigest():
        yield f"{what} is not the one that the log tells of: one of them was changed."
        return
    found = found_in(content)
    if found is None:
        yield f"{what} cannot be read; it was damaged."
        return
    notes = list(found.notes)
    if found.stamp is not None:
        try:
            stamped = read(state, Kept(one.size, CHECKPOINT).name)
        except StateError:
            yield f"{what} is a time stamp, and the checkpoint it belongs to is gone. Restore it from a backup."
            return
        if not stamped_digest(found.stamp).of(stamped):
            yield f"{what} is the time stamp of something else than the checkpoint beside it."
        notes = [stamped.decode("utf-8", "replace")]
    for note in notes:
        if against := objection(note, key, log.root_at):
            yield f"{what} {against}."
