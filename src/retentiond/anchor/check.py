"""Checks a log against its anchors: against the receipts that are kept, and those that somebody outside shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path

from retentiond.anchor.coverage import Anchored, anchored
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
    for size, here in groupby(sorted(receipts), key=attrgetter("size")):
        told = anchored(log, size)
        for one in here:
            yield from _check(state, log, key, one, told.get(one.type))


def check_shown(file: Path, state: Path, log: LogReader, key: VerifierKey) -> Iterator[str]:
    """What speaks against the log by a receipt that somebody shows: a file, a mail, a cosigned checkpoint, a time stamp.

    A time stamp is compared with the checkpoints that were handed over or signed. Raises `ConfigurationError` for anything else.
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
        yield from _check_stamp(file, found.stamp, state, log, key)


def _check_stamp(file: Path, stamp: bytes, state: Path, log: LogReader, key: VerifierKey) -> Iterator[str]:
    handed_over = (read(state, one.name) for one in kept(state, checkpoints=True) if one.type == CHECKPOINT)
    signed = (note.encode() for note in log.notes().values())
    stamped = stamped_digest(stamp)
    note = next((one for one in chain(handed_over, signed) if stamped.of(one)), None)
    if note is None:
        yield f"{file} is the time stamp of no checkpoint that was signed here: the log was exchanged, or it is of another one."
    elif told := objection(note.decode("utf-8", "replace"), key, log.root_at):
        yield f"{file} stamps what {told}."


def _check(state: Path, log: LogReader, key: VerifierKey, one: Kept, told: Anchored | None) -> Iterator[str]:
    what = f"The receipt {one.name} of an anchor"
    content = read(state, one.name)
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
