"""Finds out what became of batches that a crash left between intent and conclusion. Asks; never acts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from retentiond.audit import DeletionLog, OpenBatch
from retentiond.connector.api import Reader
from retentiond.connector.registry import BoundTarget
from retentiond.engine.acting import open_role
from retentiond.engine.attribution import attributed, forget_left_over, resolved
from retentiond.engine.isolation import attempted
from retentiond.engine.retry import patiently
from retentiond.engine.values import Reconciled
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.failpoint import failpoint
from retentiond.model.record import Action, Outcome, Presence, RecordRef, Target
from retentiond.settings import Retry


def reconcile(
    log: DeletionLog,
    targets: Mapping[Target, BoundTarget],
    retry: Retry,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    bugs: list[Exception],
) -> tuple[Reconciled, ...]:
    """Resolve every open batch of the log by what its target proves, and by reading back; what cannot be read stays open.

    So does one whose look-up a bug ends, which is added to `bugs`.
    """

    def looked_up(batch: OpenBatch) -> Reconciled:
        found = attempted(lambda: _resolve(log, batch, targets, retry, clock, sleep), bugs)
        return found or _unresolved(batch, f"a bug ended its look-up ({type(bugs[-1]).__name__}).")

    return tuple(looked_up(batch) for batch in log.open_batches())


def _resolve(
    log: DeletionLog,
    batch: OpenBatch,
    targets: Mapping[Target, BoundTarget],
    retry: Retry,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Reconciled:
    target, action = Target(batch.intent.system, batch.intent.dataset), batch.intent.action
    bound = targets.get(target)
    if bound is None:
        return _unresolved(batch, f"the settings no longer know {target}. Add it again.")
    try:
        outcomes = patiently(lambda: look(bound, batch, range(len(batch.records)), batch.notes, clock()), retry, sleep)
    except (ConnectorError, ConfigurationError) as error:
        return _unresolved(batch, str(error))
    failpoint("resolve")
    log.conclude(batch, outcomes, clock(), resolved=True)
    failpoint("resolved")
    return Reconciled(batch.batch, target, action, Counter(outcome.kind for outcome in outcomes))


def _unresolved(batch: OpenBatch, why: str) -> Reconciled:
    target = batch.intent.target
    told = f"An interrupted batch of {target} cannot be looked up: {why}"
    return Reconciled(batch.batch, target, batch.intent.action, {}, told)


def tidy(log: DeletionLog, targets: Mapping[Target, BoundTarget], bugs: list[Exception]) -> None:
    """Remove receipts of concluded batches that a killed run left behind, once for each system.

    What cannot be removed now is removed by the next session that acts there; a bug is added to `bugs`.
    """
    for bound in {target.system: bound for target, bound in targets.items()}.values():
        attempted(partial(_tidy, bound, log), bugs)


def _tidy(bound: BoundTarget, log: DeletionLog) -> None:
    try:
        for action in sorted(bound.offer().actions)[:1]:
            with open_role(bound, action) as role:
                forget_left_over(role, log)
    except (ConnectorError, ConfigurationError):
        return


def look(bound: BoundTarget, batch: OpenBatch, numbers: Sequence[int], notes: Sequence[bytes], now: datetime) -> list[Outcome]:
    """What is proven of these records of the batch, and seen of them at `now`; raises `ConnectorError` where that cannot be told.

    Opening the acting role first waits for any earlier session of ours that may still be at work on the target:
    a look made beside it would be out of date at once.
    """
    action, refs = batch.intent.action, [batch.records[number] for number in numbers]
    copies = () if action in {Action.BLOCK, Action.UNBLOCK} else bound.copies()
    with open_role(bound, action) as role, bound.reader() as reader:
        proven = attributed(batch, role.receipts(batch.batch, notes))
        seen = reader.present(refs)
        if len(seen) != len(refs):
            raise ConnectorError(
                f"The connector of {bound.target} did not answer for every record; this is a defect of it.", "malformed"
            )
        return [
            resolved(action, proven.get(number), _same(reader, ref, presence), copies, now)
            for number, ref, presence in zip(numbers, refs, seen, strict=True)
        ]


def _same(reader: Reader, ref: RecordRef, presence: Presence) -> Presence:
    """`presence`, or ABSENT where a stranger lives under the key by now.

    Where nobody does, what was seen is the record under another name, or something that is in its way.
    """
    if presence is Presence.ABSENT or not ref.identity:
        return presence
    now_there = reader.explain(ref.key)
    return presence if now_there is None or now_there.identity == ref.identity else Presence.ABSENT
