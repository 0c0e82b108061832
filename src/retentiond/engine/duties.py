"""What persons still have to do: requests, reviews, attestations, records without a date, holds to look at. Counts only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from retentiond.engine.attesting import attestors, is_whole
from retentiond.engine.registers import read_registers
from retentiond.engine.requesting import answer_due, gone_by, zones
from retentiond.engine.reviewing import attested
from retentiond.engine.tasking import Stage, tasked
from retentiond.engine.workplace import Workplace
from retentiond.model.decision import Reason
from retentiond.store import AttestationResult, Store

UNDATABLE_FOR = timedelta(days=30)
"""So long a record may be without a provable date before somebody has to look at it."""

UNASKED_FOR = timedelta(days=3)
"""So long a vendor whose settings can be read may not have been asked for them before somebody has to look at it."""

REMIND_AFTER = timedelta(days=30)
"""So long a record may wait for a decision before its owner is reminded."""


@dataclass(frozen=True, slots=True)
class Duties:
    """How much of it there is at one moment."""

    requests: int = 0
    """Requests that nobody answered yet."""
    next_answer: datetime | None = None
    """From when the first of their answers is overdue (UTC)."""
    overdue: int = 0
    """Of them, those whose answer is overdue."""
    to_be_gone: int = 0
    """Granted requests that wait for their answer although all they bring about should be done."""
    reviews: int = 0
    oldest_review: datetime | None = None
    """Since when the oldest of them waits."""
    attestations: int = 0
    """Rules of which no attestation is good, or the newest says that they are not met."""
    undatable: int = 0
    """Records without a provable date, under rules where the oldest has been so for more than 30 days."""
    holds: int = 0
    """Holds whose review is over."""
    not_met: tuple[str, ...] = ()
    """Attestations of which the newest says that it is not as the policy expects."""
    drifted: tuple[str, ...] = ()
    """Of them, those that once were met."""
    expired: tuple[str, ...] = ()
    """Attestations that were met, and are too old to be good any more."""
    unasked: tuple[str, ...] = ()
    """Attestations that a connector could renew each day, and has not for three days."""
    tasks: int = 0
    """Tasks that are due and wait for their person."""
    late_tasks: int = 0
    """Of them, those that wait for longer than they may."""
    unread: tuple[str, ...] = ()
    """Which data sets of tasks could not be read, as finished sentences."""


NO_DUTIES = Duties()
"""As before the first entry."""


def duties_of(workplace: Workplace, store: Store, now: datetime) -> Duties:
    """Count it, as of `now` (aware UTC); raises `StateError` where a register cannot be read."""
    among = zones(workplace)
    requests = store.requests()
    answers = [due for request in requests if (due := answer_due(request, among)) is not None]
    ends = [end for request in requests if request.answered_at is None if (end := gone_by(request, among)) is not None]
    waiting = [item.due_at for item in store.reviews() if item.waiting]
    asked = attested(workplace, now)
    newest = {one.rule: one for one in store.attestations() if one.rule in asked}
    met = {rule: one for rule, one in newest.items() if one.result is AttestationResult.MET}
    good = {rule for rule, one in met.items() if one.expires > now}
    tasks = tasked(workplace, read_registers(store, [one.rule.id for one in workplace.assignments]), now)
    not_met, once_met = newest.keys() - met.keys(), store.last_met()
    today = now.astimezone(UTC).date()
    return Duties(
        requests=len(answers),
        next_answer=min(answers, default=None),
        overdue=sum(due <= now for due in answers),
        to_be_gone=sum(end <= now for end in ends),
        reviews=len(waiting),
        oldest_review=min(waiting, default=None),
        attestations=len(asked.keys() - good),
        undatable=sum(one.count for one in store.findings() if one.kind == Reason.UNDATABLE and now - one.oldest > UNDATABLE_FOR),
        holds=sum(hold.review_on < today and (hold.end is None or hold.end > now) for hold in store.holds()),
        not_met=tuple(sorted(not_met)),
        drifted=tuple(sorted(not_met & once_met.keys())),
        expired=tuple(sorted(met.keys() - good)),
        unasked=tuple(
            rule
            for rule, one in sorted(newest.items())
            if now - one.at > UNASKED_FOR and is_whole(attestors(workplace, asked[rule][0]), asked[rule][0])
        ),
        tasks=len(tasks.at(Stage.WAITING, Stage.OVERDUE)),
        late_tasks=len(tasks.at(Stage.OVERDUE)),
        unread=tasks.troubles,
    )
