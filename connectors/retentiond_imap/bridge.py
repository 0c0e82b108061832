"""Deletes messages behind Proton Bridge: out of labels and folders into Trash, expunged there, and seen to be gone everywhere."""

from __future__ import annotations

from retentiond.connector import Answer, ConnectorError, How, OutcomeUnknownError
from retentiond_imap.acting import Batch, Patience, begun, by_folder, same_folder
from retentiond_imap.proton import LABELS, resolve
from retentiond_imap.records import Dataset, Found, Key
from retentiond_imap.session import Session


def delete_behind_bridge(session: Session, dataset: Dataset, batch: Batch, patience: Patience) -> None:
    """Delete what is to go, and put the answers into the batch.

    Raises `OutcomeUnknownError` where something is still seen that the server has acknowledged as deleted.
    """
    layout = batch.layout
    whole, trash, starred = (layout.special(mark) for mark in ("\\all", "\\trash", "\\flagged"))
    drafts = layout.special("\\drafts")
    if whole is None or trash is None:
        raise ConnectorError(f"{session.where} lacks All Mail or Trash; nothing was deleted.", "unsupported")
    if not batch.going:
        return
    passing = {whole, trash, starred, drafts}
    refused: set[Key] = set()
    with begun(session.where):
        refused |= _stars_off(session, batch.going, whole)
        refused |= _labels_off(session, _without(batch.going, refused))
        going = _without(batch.going, refused)
        for folder, mine in by_folder(going, lambda place: place.folder not in passing and not _label(place.folder)).items():
            if not same_folder(session, folder, going):
                refused |= set(mine.values())
            elif not session.move(mine, trash):
                refused |= {mine[uid] for uid in session.left(sorted(mine)) if not session.move([uid], trash)}
        going = _without(going, refused)
        refused |= _only_in_all_mail(session, going, whole, trash)
        going = _without(going, refused)
        acknowledged = _out_of_trash(session, dataset, batch, going, {trash, drafts or trash}, patience)
        _verify(session, dataset, batch, acknowledged, patience)
    for key in batch.going:
        batch.answers.setdefault(key, Answer.failed("refused"))


def _label(folder: str) -> bool:
    return folder.startswith(LABELS)


def _without(going: dict[Key, Found], refused: set[Key]) -> dict[Key, Found]:
    return {key: found for key, found in going.items() if key not in refused}


def _stars_off(session: Session, going: dict[Key, Found], whole: str) -> set[Key]:
    """Take the star away: with it a message outlives its delete. All Mail shows and takes it for each."""
    starred = {key: found for key, found in going.items() if any("\\flagged" in one.marks for one in found.copies)}
    mine = by_folder(starred, lambda place: place.folder == whole).get(whole, {})
    if not mine:
        return set(starred)
    if not same_folder(session, whole, starred) or not session.mark(mine, "\\Flagged", on=False):
        return set(starred)
    return set()


def _labels_off(session: Session, going: dict[Key, Found]) -> set[Key]:
    """Expunge from each label, which takes away the label and no more."""
    refused: set[Key] = set()
    for folder, mine in by_folder(going, lambda place: _label(place.folder)).items():
        if not same_folder(session, folder, going) or not (session.mark(mine, on=True) and session.expunge(mine)):
            refused |= set(mine.values())
    return refused


def _only_in_all_mail(session: Session, going: dict[Key, Found], whole: str, trash: str) -> set[Key]:
    """What no folder shows cannot be moved: it is copied to Trash, where alone it can be expunged."""
    bare = {key: found for key, found in going.items() if all(p.folder == whole or _label(p.folder) for p in found.places)}
    mine = by_folder(bare, lambda place: place.folder == whole).get(whole, {})
    if not mine:
        return set()
    if not same_folder(session, whole, bare):
        return set(bare)
    return set() if session.copy(mine, trash) else {mine[uid] for uid in mine if not session.copy([uid], trash)}


def _out_of_trash(
    session: Session, dataset: Dataset, batch: Batch, going: dict[Key, Found], ends: set[str], patience: Patience
) -> set[Key]:
    """Wait until each is seen in Trash, or Drafts, and nowhere else, and expunge it there; those that were acknowledged."""
    there: dict[Key, Found] = {}
    whole, starred = batch.layout.special("\\all"), batch.layout.special("\\flagged")

    def arrived() -> bool:
        there.clear()
        there.update(resolve(session, dataset, batch.layout, going))
        return all(_ready(there[key], ends, {whole, starred}) for key in going if key in there)

    patience.until(dataset.connection.settle_seconds, arrived)
    ready = {key: found for key, found in there.items() if _ready(found, ends, {whole, starred})}
    acknowledged = {key for key in going if key not in there}
    for folder, mine in by_folder(ready, lambda place: place.folder in ends).items():
        if same_folder(session, folder, ready) and session.mark(mine, on=True) and session.expunge(mine):
            acknowledged |= set(mine.values())
    return acknowledged


def _ready(found: Found, ends: set[str], passing: set[str | None]) -> bool:
    folders = {place.folder for place in found.places} - passing
    return bool(folders) and folders <= ends and not any("\\flagged" in one.marks for one in found.copies)


def _verify(session: Session, dataset: Dataset, batch: Batch, acknowledged: set[Key], patience: Patience) -> None:
    """See that each is gone from every folder and from All Mail."""
    gone = patience.until(dataset.connection.settle_seconds, lambda: not resolve(session, dataset, batch.layout, acknowledged))
    if not gone:
        raise OutcomeUnknownError(
            f"{session.where} has acknowledged deletes in {dataset.target} and still shows messages of them in All Mail. "
            f"Look whether a rule of the organisation keeps them.",
            "timeout",
        )
    for key in acknowledged:
        batch.answers[key] = Answer.done(How.RESPONSE)
