"""Hands on to the deletion log what the registers learnt while somebody else had the log in hand."""

from __future__ import annotations

from datetime import datetime

from retentiond.engine.evidence import Evidence, open_evidence
from retentiond.errors import StateError
from retentiond.settings import Settings


def flush_outbox(evidence: Evidence, now: datetime) -> int:
    """Write the entries that wait into the log, oldest first; return how many. Each says itself when it happened.

    A crash in between leaves an entry in both places: then the log tells it twice, which is no harm.
    """
    waiting = evidence.store.pending()
    for number, entry in waiting:
        evidence.log.event(entry.kind, entry.at, **entry.fields)
        evidence.store.dequeue(number)
    if waiting:
        evidence.log.checkpoint(now)
    return len(waiting)


def try_to_flush(settings: Settings, now: datetime) -> bool:
    """Write the entries that wait into the log where nobody has it in hand; True where that was so.

    Otherwise the run in hand, or the next one, writes them. Raises `AuditError` where the log is not trustworthy.
    """
    try:
        with open_evidence(settings, now) as evidence:
            flush_outbox(evidence, now)
    except StateError:
        return False
    return True
