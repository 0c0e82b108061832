"""By what a data set can prove later that a batch was done: a table of receipts, PostgreSQL's transaction numbers, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from retentiond.connector import Answer, Finding, Permit, Receipt, RecordRef, Target, receipt_of
from retentiond_sql import receipts, transaction
from retentiond_sql.options import SqlConnection
from retentiond_sql.session import Session


@dataclass(frozen=True, slots=True)
class Proof:
    """What an acting session leaves behind, and finds again."""

    options: SqlConnection
    session: Session
    target: Target

    def leave(
        self, connection: sa.Connection, permit: Permit | None, refs: Sequence[RecordRef], answers: Sequence[Answer]
    ) -> None:
        """Leave a proof of what this transaction does, the last thing before it is committed."""
        if permit is None or not refs:
            return
        if self.options.receipts is not None:
            receipts.leave(connection, self.options.receipts, permit, receipt_of(permit, refs, answers))
        elif self.options.transaction_ids:
            transaction.note(connection, permit, receipt_of(permit, refs, answers))

    def receipts(self, batch: str, notes: Sequence[bytes]) -> list[Receipt] | None:
        """What is proven of a batch; None where nothing is kept that could."""
        if self.options.receipts is not None:
            with self.session.reading() as connection:
                return receipts.kept(connection, self.options.receipts, batch, self.target)
        if self.options.transaction_ids:
            with self.session.reading() as connection:
                return transaction.committed(connection, notes)
        return None

    def left_over(self, log: str) -> list[str]:
        """The batches of that log of which receipts are left."""
        if self.options.receipts is None:
            return []
        with self.session.reading() as connection:
            return receipts.left_over(connection, self.options.receipts, log)

    def forget(self, batches: Sequence[str]) -> None:
        """Remove the receipts of these batches."""
        if self.options.receipts is not None:
            with self.session.changing() as connection:
                receipts.remove(connection, self.options.receipts, batches)


def proof_findings(connection: sa.Connection, for_rights: sa.Connection, options: SqlConnection, target: Target) -> list[Finding]:
    """What keeps an act from being proven in the way that the settings say."""
    if options.transaction_ids:
        return transaction.transaction_findings(for_rights, target)
    return receipts.receipt_findings(connection, for_rights, options, target)
