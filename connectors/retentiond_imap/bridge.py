"""Deletes messages behind Proton Bridge: into Trash, out of labels, expunged there, and seen to be gone from everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from retentiond.connector import Answer, How, OutcomeUnknownError
from retentiond_imap.acting import Batch, Patience, barred, begun, by_folder
from retentiond_imap.proton import LABELS, resolve
from retentiond_imap.records import Dataset, Found, Key
from retentiond_imap.session import Session

Going = dict[Key, Found]


@dataclass(frozen=True, slots=True)
class Bridge:
    """What each step needs to know."""

    session: Session
    dataset: Dataset
    batch: Batch
    patience: Patience
    whole: str
    """All Mail."""
    trash: str
    ends: frozenset[str]
    """Trash and Drafts, where alone a message can be expunged."""
    views: frozenset[str]
    """All Mail and Starred, which follow from the rest."""

    def now(self, keys: Going) -> Going:
        """The messages as they are seen now, those that are gone left out."""
        return resolve(self.session, self.dataset, self.batch.layout, keys)

    def until(self, keys: Going, seen: Callable[[Found], bool]) -> Going:
        """Wait until each message that is there is `seen` so, for a time; all that are there then."""
        there: Going = {}

        def looked() -> bool:
            there.clear()
            there.update(self.now(keys))
            return all(map(seen, there.values()))

        self.patience.until(self.dataset.connection.settle_seconds, looked)
        return there

    def folders(self, found: Found) -> set[str]:
        """The folders that hold the message, labels and views apart: it is one, or none."""
        return {place.folder for place in found.places if place.folder not in self.views and not _is_label(place.folder)}

    def ended(self, found: Found) -> bool:
        """True where it lies in Trash or Drafts, and in no other folder."""
        return bool(self.folders(found)) and self.folders(found) <= self.ends

    def bare(self, found: Found) -> bool:
        """True where, on top of that, neither label nor star holds it: only then an expunge deletes it."""
        labelled = any(_is_label(place.folder) for place in found.places)
        return self.ended(found) and not labelled and not _starred(found)


def delete_behind_bridge(session: Session, dataset: Dataset, batch: Batch, patience: Patience) -> None:
    """Delete what is to go, and put the answers into the batch.

    Labels go last, because they may be what a date or a class is told by: until then another try finds the message as it was.
    Raises `OutcomeUnknownError` where something is still seen that the server has acknowledged as deleted.
    """
    if not batch.going:
        return
    layout = batch.layout
    whole, trash, starred, drafts = (layout.special(mark) or "" for mark in ("\\all", "\\trash", "\\flagged", "\\drafts"))
    bridge = Bridge(session, dataset, batch, patience, whole, trash, frozenset({trash, drafts}), frozenset({whole, starred}))
    with begun(session.where):
        refused = _into_trash(bridge)
        there = bridge.until(_without(batch.going, refused), bridge.ended)
        refused |= {key for key, found in there.items() if not bridge.ended(found)}
        refused |= _labels_off(bridge, _without(there, refused)) | _stars_off(bridge, _without(there, refused))
        bare = bridge.until(_without(there, refused), bridge.bare)
        refused |= {key for key, found in bare.items() if not bridge.bare(found)}
        refused |= _expunged(bridge, _without(bare, refused))
        _verify(bridge, _without(batch.going, refused))
    for key in batch.going:
        batch.answers[key] = Answer.failed("refused") if key in refused else Answer.done(How.RESPONSE)


def _is_label(folder: str) -> bool:
    return folder.startswith(LABELS)


def _starred(found: Found) -> bool:
    return any("\\flagged" in one.marks for one in found.copies)


def _without(going: Going, refused: set[Key]) -> Going:
    return {key: found for key, found in going.items() if key not in refused}


def _into_trash(bridge: Bridge) -> set[Key]:
    """Move each message to Trash; the keys that were refused. What no folder shows cannot be moved, and is copied there."""
    session, going = bridge.session, bridge.batch.going
    refused: set[Key] = set()
    moving = by_folder(going, lambda place: place.folder not in bridge.ends | bridge.views and not _is_label(place.folder))
    for folder, mine in moving.items():
        if barred(session, folder, going):
            refused |= set(mine.values())
        elif not session.move(mine, bridge.trash):
            # One of them may be what the server refuses: the others are not to wait for it.
            refused |= {mine[uid] for uid in session.left(sorted(mine)) if not session.move([uid], bridge.trash)}
    astray = {key: found for key, found in going.items() if not bridge.folders(found)}
    mine = by_folder(astray, lambda place: place.folder == bridge.whole).get(bridge.whole, {})
    if mine and barred(session, bridge.whole, astray):
        return refused | set(astray)
    if mine and not session.copy(mine, bridge.trash):
        refused |= {mine[uid] for uid in mine if not session.copy([uid], bridge.trash)}
    return refused


def _labels_off(bridge: Bridge, going: Going) -> set[Key]:
    """Expunge from each label, which takes away the label and no more; the keys that were refused."""
    refused: set[Key] = set()
    for folder, mine in by_folder(going, lambda place: _is_label(place.folder)).items():
        if not (
            barred(bridge.session, folder, going) is None and bridge.session.mark(mine, on=True) and bridge.session.expunge(mine)
        ):
            refused |= set(mine.values())
    return refused


def _stars_off(bridge: Bridge, going: Going) -> set[Key]:
    """Take the star away, in the folder that the message lies in; the keys that were refused."""
    refused: set[Key] = set()
    starred = {key: found for key, found in going.items() if _starred(found)}
    for folder, mine in by_folder(starred, lambda place: place.folder in bridge.ends).items():
        if not (barred(bridge.session, folder, starred) is None and bridge.session.mark(mine, "\\Flagged", on=False)):
            refused |= set(mine.values())
    return refused


def _expunged(bridge: Bridge, going: Going) -> set[Key]:
    """Expunge from Trash and Drafts by the very UIDs; the keys that were refused, and are there still."""
    refused: set[Key] = set()
    unsure: set[Key] = set()
    for folder, mine in by_folder(going, lambda place: place.folder in bridge.ends).items():
        if barred(bridge.session, folder, going):
            refused |= set(mine.values())
            continue
        marked = bridge.session.mark(mine, on=True)
        if not (bridge.session.expunge(mine) and marked):
            unsure |= set(mine.values())
    there = bridge.until({key: going[key] for key in unsure}, lambda _found: False) if unsure else {}
    for folder, mine in by_folder(there, lambda place: place.folder in bridge.ends).items():
        # Who did not mark it would find it marked, and somebody else's EXPUNGE would take it.
        if barred(bridge.session, folder, there) is None:
            bridge.session.mark(mine, on=False)
    return refused | there.keys()


def _verify(bridge: Bridge, acknowledged: Going) -> None:
    """See that each is gone from every folder and from All Mail."""
    if bridge.until(acknowledged, lambda _found: False):
        raise OutcomeUnknownError(
            f"{bridge.session.where} has acknowledged deletes in {bridge.dataset.target} and still shows messages of them in "
            f"All Mail. Look whether a rule of the organisation keeps them.",
            "timeout",
        )
