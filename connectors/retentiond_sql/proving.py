"""The part of every acting role of this connector that proves what it did."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Receipt
from retentiond_sql.acting import Actor


class Proving:
    """To be inherited beside a role; the role keeps its actor in `_actor`."""

    _actor: Actor

    def receipts(self, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
        """What the database proves of an earlier batch."""
        return self._actor.proof.receipts(batch, notes)

    def left_over(self, log: str) -> Sequence[str]:
        """The batches of which there are still receipts."""
        return self._actor.proof.left_over(log)

    def forget(self, batches: Sequence[str]) -> None:
        """Remove the receipts of these batches."""
        self._actor.proof.forget(batches)
