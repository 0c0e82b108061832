"""What receipts prove of a batch whose answer was lost: which records this very batch dealt with, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from retentiond.audit import DeletionLog, OpenBatch
from retentiond.connector.api import Answer, Answered, Copy, Receipt, makes_sense
from retentiond.connector.receipt import PROVEN
from retentiond.engine.acting import Role
from retentiond.engine.outcome import MOOT, judge, probed
from retentiond.errors import ConnectorError
from retentiond.model.record import Action, Outcome, Presence


def attributed(batch: OpenBatch, receipts: Sequence[Receipt] | None) -> dict[int, Answer]:
    """The answers that the receipts prove, by the number of the record in the batch.

    A receipt with another count or digest is of something else, and proves nothing. What was done stays done, whatever a later
    part answered about the same record.
    """
    proven: dict[int, Answer] = {}
    for receipt in receipts or ():
        if not batch.items or (receipt.count, receipt.items) != (len(batch.records), batch.items):
            continue
        for number, answer in receipt.answers.items():
            known = proven.get(number)
            if number in range(receipt.count) and _credible(answer) and (known is None or known.said is not Answered.DONE):
                proven[number] = answer
    return proven


def _credible(answer: Answer) -> bool:
    return makes_sense(answer) and (answer.said is not Answered.DONE or answer.how in PROVEN)


def resolved(action: Action, proven: Answer | None, seen: Presence, copies: tuple[Copy, ...], now: datetime) -> Outcome:
    """The outcome of one record of a batch in doubt: what is proven of it, together with the read-back.

    `now` (aware UTC) is when it was read back: not before the act, so that no copy is said to end too early.
    """
    if proven is None or (proven.said is Answered.NOT_FOUND and seen not in MOOT[action]):
        return probed(action, seen)
    return judge(action, proven, seen, copies, now)


def forget_left_over(role: Role, log: DeletionLog) -> None:
    """Have the store forget receipts of batches that the log has concluded, such as a crash left behind."""
    try:
        left = role.left_over(log.origin)
    except ConnectorError:
        return  # nothing hangs on it, and the next session tries again
    still_open = {batch.batch for batch in log.open_batches()} if left else set()
    forget(role, [batch for batch in left if batch not in still_open])


def forget(role: Role, concluded: Sequence[str]) -> None:
    """Have the store forget the receipts of concluded batches; where it fails, they are left over for the next session."""
    if not concluded:
        return
    try:
        role.forget(concluded)
    except ConnectorError:
        return
