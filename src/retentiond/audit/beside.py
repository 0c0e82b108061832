"""What the log keeps beside its entries to find and open them, compared with the entries."""

from __future__ import annotations

import sqlalchemy as sa

from retentiond.audit.arithmetic import Batch, Problems, Pruned
from retentiond.audit.handle import SIZE, commitments, unpacked_pairs
from retentiond.audit.stored import as_bytes
from retentiond.audit.tables import batches


class Unlooked:
    """Looks at nothing: the log proves what it proves without what lies beside it."""

    def intended(self, batch: Batch) -> None:
        """A batch was intended."""

    def concluded(self, batch: Batch) -> None:
        """A batch was concluded, and its arithmetic is right."""

    def end(self, pruned: Pruned) -> None:
        """All entries were read."""


class Beside:
    """Handles and salts have to open the commitments in the entries: otherwise nothing could be found, or the wrong record."""

    def __init__(self, connection: sa.Connection, problems: Problems) -> None:
        self._connection = connection
        self._problems = problems
        self._found = 0
        self._missing: dict[str, int] = {}
        """By epoch, the last batch that nothing is kept of."""
        self._open: set[int] = set()

    def intended(self, batch: Batch) -> None:
        """A batch was intended: what it is going to be opened with has to be there."""
        self._open.add(batch.index)

    def concluded(self, batch: Batch) -> None:
        """Compare what is kept of a batch with its entries."""
        self._open.discard(batch.index)
        row = self._connection.execute(sa.select(batches).where(batches.c.idx == batch.index)).one_or_none()
        if row is None:
            self._missing[batch.kid] = batch.index
            return
        self._found += 1
        try:
            pairs = unpacked_pairs(as_bytes(row.refs or b""), as_bytes(row.identities or b""))
        except ValueError:
            pairs = []
        salt = as_bytes(row.salt)
        whole = len(salt) == SIZE and (row.place, row.kid, row.first) == (batch.place, batch.kid, batch.first)
        if not whole or b"".join(commitments(salt, pairs)) != batch.hidden:
            self._problems.add(f"What is kept of the batch of entry {batch.index} does not open it; its records cannot be found.")

    def end(self, pruned: Pruned) -> None:
        """Compare what is kept of open batches, and look for what belongs to none."""
        for index in self._open:
            row = self._connection.execute(sa.select(batches).where(batches.c.idx == index)).one_or_none()
            if row is None or row.first is not None or len(as_bytes(row.salt)) != SIZE:
                self._problems.add(f"What the log keeps of the open batch of entry {index} is gone, or is another's.")
            self._found += row is not None
        for kid, index in self._missing.items():
            if kid not in pruned.shredded and index >= pruned.openings:
                self._problems.add(f"What opens the batch of entry {index} is gone; its records cannot be found.")
        kept = self._connection.execute(sa.select(sa.func.count()).select_from(batches)).scalar_one()
        if kept != self._found:
            self._problems.add(f"The log keeps what opens {kept} batches, but tells of {self._found}.")
