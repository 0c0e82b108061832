"""Deletes messages on an ordinary server: marked, looked at once more, and expunged by their very UIDs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from retentiond.connector import Answer, ConnectorError, Deleter, How, RecordRef, Target
from retentiond_imap.acting import Batch, Patience, barred, begun, look
from retentiond_imap.bridge import delete_behind_bridge
from retentiond_imap.options import ImapConnection, ImapOptions
from retentiond_imap.records import Dataset, Key, dataset_of
from retentiond_imap.session import DELETED, Session
from retentiond_imap.store import lacking, refuse_unfit


class ImapDeleter(Deleter):
    """Deletes messages for good. Never expunges what it has not been given."""

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

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        if not refs:
            return []
        self._session.awake()
        batch = look(self._session, self._dataset, refs, lambda _found: True)
        if sentences := lacking(self._session, self._dataset, batch.layout):
            raise ConnectorError(sentences[0], "unsupported")
        if self._dataset.connection.proton:
            delete_behind_bridge(self._session, self._dataset, batch, self._patience)
        else:
            _delete(self._session, self._dataset, batch)
        return batch.in_order(refs)


def _delete(session: Session, dataset: Dataset, batch: Batch) -> None:
    """Delete what is to go, folder by folder; one that the server does not open stops no other."""
    failed: dict[Key, str] = {}
    changed: set[Key] = set()
    acted = False
    for folder in sorted({place.folder for found in batch.going.values() for place in found.places}):
        mine = {
            place.uid: (key, one.message.marks)
            for key, found in batch.going.items()
            for one in found.copies
            for place in one.places
            if place.folder == folder
        }
        with begun(session.where) if acted else nullcontext():
            word = barred(session, folder, batch.going)
        if word is not None:
            failed |= {key: word for key, _ in mine.values()}
            continue
        with begun(session.where):
            stayed, other = _expunge(session, dataset, {uid: marks for uid, (_, marks) in mine.items()})
        acted = True
        failed |= {mine[uid][0]: "refused" for uid in stayed}
        changed |= {mine[uid][0] for uid in other}
    for key in batch.going:
        if key in failed:
            batch.answers[key] = Answer.failed(failed[key])
        elif key in changed:
            batch.answers[key] = Answer.changed()
        else:
            rows = len(batch.going[key].copies)
            batch.answers[key] = Answer.done(How.RESPONSE, rows if rows > 1 else None)


def _expunge(session: Session, dataset: Dataset, mine: dict[int, frozenset[str]]) -> tuple[set[int], set[int]]:
    """Delete these messages of the open folder; those that stayed, and those that changed in the last moment."""
    session.mark(mine, on=True)
    now = session.marks(list(mine))
    same = {uid for uid, marks in now.items() if dataset.decisive.among(marks) == dataset.decisive.among(mine[uid])}
    marked = {uid for uid in same if DELETED.lower() in now[uid]}
    other = now.keys() - same
    if marked:
        session.expunge(marked)
    stayed = session.left(sorted(same)) if same else set()
    # Who did not mark it would find it marked, and somebody else's EXPUNGE would take it.
    ours = {uid for uid in stayed | other if DELETED.lower() not in mine[uid]}
    if ours:
        session.mark(ours, on=False)
    return stayed, set(other)
