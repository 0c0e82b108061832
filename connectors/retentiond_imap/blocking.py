"""Blocks messages: moves them below a folder that is out of the way of normal work, and back into the one they came from."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Answer, Blocker, ConnectorError, How, OutcomeUnknownError, RecordRef, Target
from retentiond_imap.acting import Batch, Patience, barred, begun, look
from retentiond_imap.layout import Layout
from retentiond_imap.options import ImapConnection, ImapOptions
from retentiond_imap.proton import LABELS
from retentiond_imap.records import Dataset, Found, Key, Place, dataset_of
from retentiond_imap.session import Session
from retentiond_imap.store import refuse_unfit, resolve


class ImapBlocker(Blocker):
    """Moves messages aside, and back."""

    def __init__(
        self, connection: ImapConnection, options: ImapOptions, target: Target, patience: Patience | None = None
    ) -> None:
        super().__init__(target)
        self._dataset = dataset_of(connection, options, target)
        self._patience = patience or Patience()
        refuse_unfit(self._dataset)
        self._session = Session.open(connection, writes=True)

    def close(self) -> None:
        """Log out; never by CLOSE, which would expunge what others have marked."""
        self._session.close()

    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._moved(refs, aside=True)

    def _unblock(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._moved(refs, aside=False)

    def _moved(self, refs: Sequence[RecordRef], *, aside: bool) -> list[Answer]:
        session, dataset = self._session, self._dataset
        if dataset.aside is None:
            raise ConnectorError(
                f"The options of {self.target} name no folder for blocked messages; add block.folder.", "unsupported"
            )
        if not session.has("MOVE"):
            raise ConnectorError(f"{session.where} lacks MOVE, which blocking in {self.target} needs.", "unsupported")
        if not refs:
            return []
        session.awake()
        batch = look(session, dataset, refs, lambda found: found.ref.blocked is not aside)
        if dataset.connection.proton:
            _refuse_labelled(batch)
        with begun(session.where):
            refused = _move(session, dataset, batch, aside=aside)
            self._settle(batch, refused, aside=aside)
        return batch.in_order(refs)

    def _settle(self, batch: Batch, refused: set[Key], *, aside: bool) -> None:
        """See where the messages are now; raise `OutcomeUnknownError` where one is in neither place."""
        waiting = [key for key in batch.going if key not in batch.answers]
        there: dict[Key, Found] = {}

        def seen() -> bool:
            there.update(resolve(self._session, self._dataset, waiting, dated=False))
            return all(key in refused or (key in there and there[key].ref.blocked is aside) for key in waiting)

        settled = not waiting or self._patience.until(self._dataset.connection.settle_seconds, seen)
        if not settled and any(key not in there for key in waiting):
            raise OutcomeUnknownError(
                f"{self._session.where} shows a message of {self.target} in neither place after it was moved; look for it there.",
                "malformed",
            )
        for key in waiting:
            moved = there[key].ref.blocked is aside
            batch.answers[key] = Answer.done(How.RESPONSE) if moved else Answer.failed("refused")


def _refuse_labelled(batch: Batch) -> None:
    """On Proton a label, or the star, shows a message wherever it lies: moving it would block nothing."""
    for key, found in batch.going.items():
        shown = {place.folder for place in found.places if place.folder.startswith(LABELS)}
        if shown or any("\\flagged" in one.marks for one in found.copies):
            batch.answers[key] = Answer.failed("constraint")


def _there(session: Session, layout: Layout, folder: str, made: set[str]) -> bool:
    """Make the folder, and those above it, where they are missing; False where the server refused."""
    names = folder.split(layout.delimiter)
    for depth in range(1, len(names) + 1):
        name = layout.delimiter.join(names[:depth])
        if name not in made and all(one.name != name for one in layout.mailboxes):
            if not session.create(name):
                return False
            made.add(name)
    return layout.has(folder) or folder in made


def _move(session: Session, dataset: Dataset, batch: Batch, *, aside: bool) -> set[Key]:
    """Move what is to go; the keys that the server refused, or whose folder was made anew in the meantime."""
    assert dataset.aside is not None  # noqa: S101 - asked for before
    passing = {batch.layout.special("\\all"), batch.layout.special("\\flagged")}
    going = {key: found for key, found in batch.going.items() if key not in batch.answers}
    folders: dict[str, dict[int, tuple[Key, Place]]] = {}
    for key, found in going.items():
        for place in found.places:
            if place.blocked is not aside and place.folder not in passing:
                folders.setdefault(place.folder, {})[place.uid] = (key, place)
    refused: set[Key] = set()
    made: set[str] = set()
    for folder, mine in folders.items():
        origin = next(place.origin for _, place in mine.values())
        to = batch.layout.aside(dataset.aside, origin) if aside else origin
        if not _there(session, batch.layout, to, made) or barred(session, folder, going):
            refused |= {key for key, _ in mine.values()}
        elif not session.move(mine, to):
            # One of them may be what the server refuses: the others are not to wait for it.
            refused |= {mine[uid][0] for uid in session.left(sorted(mine)) if not session.move([uid], to)}
    return refused
