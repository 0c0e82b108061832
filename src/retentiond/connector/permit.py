"""A permit: the single-use right to do one thing to exactly these records."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from retentiond.errors import PermitError
from retentiond.model.record import Action, RecordRef, Target


class Permit:
    """Minted by the engine for one batch; spent once, by the one act it names.

    The right is to act on at most the named records: an engine that finds some of them
    held in the meantime mints a new permit for the others.
    """

    __slots__ = ("_action", "_lock", "_records", "_spent", "_target", "batch", "count", "items", "log", "note", "numbers")

    def __init__(
        self,
        batch: str,
        action: Action,
        target: Target,
        refs: Sequence[RecordRef],
        *,
        numbers: Sequence[int] | None = None,
        count: int | None = None,
        items: str = "",
        log: str = "",
        note: Callable[[bytes], None] = lambda _body: None,
    ) -> None:
        """`refs` are all records of the batch, unless `numbers` and `count` say otherwise."""
        self.batch = batch
        """The batch's id in the deletion log; a store may keep it as a receipt."""
        self.numbers: Mapping[tuple[str, ...], int] = dict(
            zip((ref.key for ref in refs), range(len(refs)) if numbers is None else numbers, strict=True)
        )
        """The number of each record within its batch, by its key: what a receipt calls it."""
        self.count = len(refs) if count is None else count
        """How many records the batch has."""
        self.items = items
        """The digest (hex) over the batch in the deletion log; a receipt repeats it."""
        self.log = log
        """The name of the deletion log that the batch is written in."""
        self.note = note
        """Keeps some bytes with the open batch, durably when it returns; called before a commit, for `receipts` to be given."""
        self._action = action
        self._target = target
        self._records = tuple((ref.key, ref.fingerprint) for ref in refs)
        self._spent = False
        self._lock = threading.Lock()

    def spend(self, action: Action, target: Target, refs: Sequence[RecordRef]) -> None:
        """Use up the permit for `action` on `refs`; raise `PermitError` unless it is unspent and names just that."""
        with self._lock:
            if self._spent:
                raise PermitError("The permit of this batch was already spent; nothing was done with it again.")
            if action is not self._action or target != self._target:
                raise PermitError("The permit is for another action or another data set; nothing was done.")
            if tuple((ref.key, ref.fingerprint) for ref in refs) != self._records:
                raise PermitError("The permit names other records than those it was shown for; nothing was done.")
            self._spent = True
