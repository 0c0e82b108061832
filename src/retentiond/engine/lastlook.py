"""The last look before an act: how each record stands by the registers as they are at that very moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from retentiond.engine.assignment import Assignment
from retentiond.engine.executor import Stand
from retentiond.engine.registers import Standing, read_registers
from retentiond.engine.values import DueRecord
from retentiond.model.decision import Decision, Verdict
from retentiond.model.record import Action, RecordRef
from retentiond.store import Store


def look_again(store: Store, assignment: Assignment, action: Action, refs: Sequence[RecordRef], now: datetime) -> list[Stand]:
    """Say how each record of a batch stands as of `now` (aware UTC); raises `StateError` where the registers cannot be read."""
    standing = read_registers(store, [assignment.rule.id]).for_rule(assignment)
    return [_stand(decision, action) for decision in standing.deciding(now)(refs)]


def _stand(decision: Decision, action: Action) -> Stand:
    if decision.step is action:
        return Stand.FREE
    return Stand.HELD if decision.verdict is Verdict.HELD else Stand.MOVED


def suppress_first(store: Store, standing: Standing, refs: Sequence[RecordRef], now: datetime) -> None:
    """Put the persons of whom a request takes records on the suppression list, before the records go."""
    for kind in standing.assignment.rule.suppress or ():
        for ref in refs:
            for trigger in standing.circumstances(ref).endings:
                for person in sorted(ref.subjects):
                    if person.kind == kind:
                        store.suppress(person, trigger.reference, now)


def only_requested(standing: Standing, batches: Iterator[Sequence[DueRecord]]) -> Iterator[Sequence[DueRecord]]:
    """Of each batch, the records that a request has blocked."""
    for batch in batches:
        chosen = [record for record in batch if standing.circumstances(record.ref).restrictions]
        if chosen:
            yield chosen
