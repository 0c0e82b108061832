"""What deleting and blocking share: which records may be touched, and that a batch once begun never counts as untouched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from retentiond.connector import Answer, ConnectorError, OutcomeUnknownError, RecordRef, TransientConnectorError
from retentiond_imap import plain
from retentiond_imap.layout import Layout, layout_of
from retentiond_imap.records import Dataset, Found, Key, Place
from retentiond_imap.session import Session
from retentiond_imap.store import resolve


@dataclass(frozen=True, slots=True)
class Patience:
    """A clock and a way to wait: for servers that show late what they have acknowledged."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    step: float = 0.5
    """Seconds between two looks."""

    def until(self, seconds: float, seen: Callable[[], bool]) -> bool:
        """Look until `seen`, for so long at the most; whether it was."""
        end = self.now() + seconds
        while not seen():
            if self.now() >= end:
                return False
            self.sleep(self.step)
        return True


@dataclass(slots=True)
class Batch:
    """The records of one call, sorted by what may be done to them."""

    layout: Layout
    answers: dict[Key, Answer]
    """Those that are left alone, and why."""
    going: dict[Key, Found]
    """Those to be acted on."""

    def in_order(self, refs: Sequence[RecordRef]) -> list[Answer]:
        """One answer for each, as they were asked."""
        return [self.answers.get(ref.key, Answer.failed("interrupted")) for ref in refs]


def look(session: Session, dataset: Dataset, refs: Sequence[RecordRef], wanted: Callable[[Found], bool]) -> Batch:
    """Look what is there of each record now. `wanted` is False for one that is already in the wished state."""
    layout = layout_of(session, dataset)
    there = resolve(session, dataset, [ref.key for ref in refs], layout)
    missing = [ref.key for ref in refs if ref.key not in there]
    moved = set() if dataset.connection.proton else plain.elsewhere(session, dataset, layout, missing)
    batch = Batch(layout, {}, {})
    for ref in refs:
        found = there.get(ref.key)
        if found is None:
            batch.answers[ref.key] = Answer.changed() if ref.key in moved else Answer.not_found()
        elif found.ref.fingerprint != ref.fingerprint or not (found.claimed or _on_its_way(dataset, layout, found)):
            batch.answers[ref.key] = Answer.changed()
        elif not wanted(found):
            batch.answers[ref.key] = Answer.not_found()
        else:
            batch.going[ref.key] = found
    return batch


def _on_its_way(dataset: Dataset, layout: Layout, found: Found) -> bool:
    """True where Proton's message lies in Trash, as after a delete that was cut short: it goes on, all else being as it was."""
    return dataset.connection.proton and any(place.folder == layout.special("\\trash") for place in found.places)


@contextmanager
def begun(where: str) -> Iterator[None]:
    """From here on whatever goes wrong leaves a doubt: something may have been done."""
    try:
        yield
    except OutcomeUnknownError:
        raise
    except ConnectorError as error:
        raise OutcomeUnknownError(
            f"{where} was lost, or made no sense, in the middle of a batch; nobody knows yet how far it came.", error.code
        ) from None


def by_folder(going: dict[Key, Found], wanted: Callable[[Place], bool] = lambda _place: True) -> dict[str, dict[int, Key]]:
    """For each folder the UIDs in it, and whose they are."""
    folders: dict[str, dict[int, Key]] = {}
    for key, found in going.items():
        for place in found.places:
            if wanted(place):
                folders.setdefault(place.folder, {})[place.uid] = key
    return folders


def barred(session: Session, folder: str, going: dict[Key, Found]) -> str | None:
    """Open the folder for changes; None where that went well, and otherwise the word for what is in the way.

    `forbidden` or the like where the server does not open it, `refused` where its UIDs do not mean any more what they meant.
    Raises `TransientConnectorError` where nobody can tell.
    """
    try:
        validity = session.select(folder)
    except TransientConnectorError:
        raise
    except ConnectorError as error:
        return error.code
    same = all(place.validity == validity for found in going.values() for place in found.places if place.folder == folder)
    return None if same else "refused"
