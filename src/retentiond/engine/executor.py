"""The choke point: every change goes through here, in four steps – intend, act, read back, conclude.

Whatever happens between two of them, the deletion log tells afterwards: an intent without conclusion is a batch
in doubt, which is looked up before anything else is done on its target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from retentiond.audit import DeletionLog, Intent, OpenBatch
from retentiond.connector.api import Answer, Answered, Copy, Reader
from retentiond.connector.permit import Permit
from retentiond.connector.registry import BoundTarget
from retentiond.engine.acting import Role, act, open_role
from retentiond.engine.attribution import forget, forget_left_over
from retentiond.engine.outcome import judge_all
from retentiond.engine.reconcile import look
from retentiond.engine.retry import patiently
from retentiond.engine.values import DueRecord, Status
from retentiond.errors import ConfigurationError, ConnectorError, OutcomeUnknownError
from retentiond.failpoint import failpoint
from retentiond.model.record import FAILURE_CODES, Action, Outcome, OutcomeKind, Presence, RecordRef
from retentiond.settings import Retry


class Stand(StrEnum):
    """What a last look, just before the act, says about a record that the plan names."""

    FREE = "free"
    HELD = "held"
    """A hold, an open tax year or a request came in between."""
    MOVED = "moved"
    """What had made it due is so no more."""


LOOKED_AT = 10
"""How many records of a batch that are called changed are looked at: enough to notice where all are, however dear one look is."""


@dataclass(frozen=True, slots=True)
class Means:
    """What one step of a run acts with."""

    log: DeletionLog
    target: BoundTarget
    action: Action
    reader: Reader
    """Asked again after each batch."""
    copies: tuple[Copy, ...]
    retry: Retry
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    stop: Callable[[], bool]
    """True once the run is to end; asked between batches, so that the batch in hand is finished."""
    errors: int
    """How many records may fail before the rest of the step is left alone."""
    acting: Callable[[], AbstractContextManager[None]]
    """Held from the last look until the act is over: meanwhile no register changes."""
    look_again: Callable[[Sequence[RecordRef]], Sequence[Stand]]
    """The last look: reads the registers anew and says how each record stands now."""
    before_act: Callable[[Sequence[RecordRef]], None]
    """Called with the records that are free, just before the act: for what must be written down first."""
    again: Callable[[Sequence[RecordRef]], Sequence[int | None]] = lambda _records: ()
    """In a replay: for each record of a batch the index of the entry by which it was dealt with before."""


@dataclass(slots=True)
class Done:
    """What came of a step so far."""

    outcomes: Counter[OutcomeKind] = field(default_factory=Counter)
    rows: int = 0
    status: Status = Status.DONE
    reasons: list[str] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count a concluded batch."""
        self.outcomes.update(outcome.kind for outcome in outcomes)
        self.rows += sum(
            outcome.rows or 1 for outcome in outcomes if outcome.kind in {OutcomeKind.CONFIRMED, OutcomeKind.PENDING_COPIES}
        )
        if self.troubled:
            self.status = Status.INCOMPLETE

    def fail(self, error: Exception) -> None:
        """End with an error; what was concluded before it still counts."""
        self.status = Status.FAILED
        self.reasons.append(str(error))

    @property
    def troubled(self) -> int:
        """How many records are not in the wished state though they should be, or cannot be proven to be."""
        return self.outcomes[OutcomeKind.FAILED] + self.outcomes[OutcomeKind.UNVERIFIED]


def execute(
    means: Means,
    intent: Callable[[datetime], Intent],
    batches: Iterable[Sequence[DueRecord]],
    tell: Callable[[int], None],
) -> Done:
    """Deal with each batch in turn; `intent` makes the intent from the batch's latest due moment, `tell` hears of progress.

    Raises `AuditError` or `StateError` where the log cannot be written: then nothing more is done.
    A system that cannot be reached fails the step, not the run.
    """
    done = Done()
    role: Role | None = None
    attempted = 0
    concluded: list[str] = []
    try:
        for batch in batches:
            if means.stop():
                done.status = Status.INTERRUPTED
                break
            if role is None:
                role = patiently(lambda: open_role(means.target, means.action), means.retry, means.sleep)
                forget_left_over(role, means.log)
            # A record whose date moved while it was searched for can be found twice; it is dealt with once, as it was found last.
            once = list({record.ref.key: record for record in batch}.values())
            refs = [record.ref for record in once]
            opened = means.log.intend(intent(max(record.due_at for record in once)), refs, means.clock(), means.again(refs))
            failpoint("intended")
            free: list[int] = []
            notes: list[bytes] = []
            try:
                with means.acting():
                    stands = means.look_again(opened.records)
                    free = [number for number, stand in enumerate(stands) if stand is Stand.FREE]
                    failpoint("looked-again")
                    acted = _act(means, opened, free, role, notes) if free else []
            except OutcomeUnknownError:
                # The role's session is given up: closing it, and opening another, fences off what may still be at work.
                role.close()
                role = None
                failpoint("unknown")
                acted = _look(means, opened, free, notes)
            outcomes = _together(stands, acted)
            failpoint("read-back")
            means.log.conclude(opened, outcomes, means.clock())
            failpoint("concluded")
            concluded.append(opened.batch)
            done.add(outcomes)
            attempted += len(batch)
            tell(attempted)
            if done.troubled >= means.errors:
                done.reasons.append(
                    f"{done.troubled:,} records of {means.target.target} could not be dealt with; the rest was left alone. "
                    f"Look at `retentiond audit list`, mend the cause and run again."
                )
                break
    except (ConnectorError, ConfigurationError) as error:
        done.fail(error)
    finally:
        if role is None and concluded:  # given up after the last batch, whose receipt is still there
            with suppress(ConnectorError, ConfigurationError):  # else the next session forgets it
                role = open_role(means.target, means.action)
        if role is not None:
            try:
                forget(role, concluded)
                role.close()
            except ConnectorError as error:  # what was done before stays done, and stays told
                done.fail(error)
    return done


LEFT_ALONE = {Stand.HELD: Outcome(OutcomeKind.HELD), Stand.MOVED: Outcome(OutcomeKind.CHANGED)}
"""The outcome of what the last look kept from the act."""


def _together(stands: Sequence[Stand], acted: Sequence[Outcome]) -> list[Outcome]:
    """One outcome for each record of the batch, in order: of those that were free what came of the act."""
    done = iter(acted)
    return [next(done) if stand is Stand.FREE else LEFT_ALONE[stand] for stand in stands]


def _act(means: Means, batch: OpenBatch, free: Sequence[int], role: Role, notes: list[bytes]) -> list[Outcome]:
    """Act on the free ones of a batch and read them back; raises `OutcomeUnknownError` where nobody knows what happened.

    What the connector notes before it commits is kept with the batch, and in `notes`.
    """
    action, target = means.action, means.target.target
    refs = [batch.records[number] for number in free]
    means.before_act(refs)

    def note(body: bytes) -> None:
        means.log.note(batch, body)
        notes.append(body)
        failpoint("noted")

    def attempt() -> list[Answer]:
        permit = Permit(
            batch.batch,
            action,
            target,
            refs,
            numbers=free,
            count=len(batch.records),
            items=batch.items,
            log=means.log.origin,
            note=note,
        )
        return act(role, action, refs, permit)

    try:
        answers = patiently(attempt, means.retry, means.sleep)
    except OutcomeUnknownError:
        raise
    except ConnectorError as error:
        answers = [Answer.failed(error.code if error.code in FAILURE_CODES else "refused")] * len(refs)
    failpoint("acted")
    acted_at = means.clock()
    seen = _read_back(means, refs)
    for place in [place for place, answer in enumerate(answers) if answer.said is Answered.CHANGED][:LOOKED_AT]:
        answers[place] = _looked_at(means, refs[place], answers[place])
    return judge_all(action, answers, seen, means.copies, acted_at)


def _look(means: Means, batch: OpenBatch, free: Sequence[int], notes: Sequence[bytes]) -> list[Outcome]:
    return patiently(lambda: look(means.target, batch, free, notes, means.clock()), means.retry, means.sleep)


def _looked_at(means: Means, ref: RecordRef, changed: Answer) -> Answer:
    """`changed`, unless the reader finds it unchanged: left alone each time, it would never go and nobody would hear of it."""
    try:
        now_there = patiently(lambda: means.reader.explain(ref.key), means.retry, means.sleep)
    except ConnectorError:
        return Answer.failed("unreadable")
    return Answer.failed("not-done") if now_there is not None and now_there.fingerprint == ref.fingerprint else changed


def _read_back(means: Means, refs: Sequence[RecordRef]) -> Sequence[Presence | None]:
    """What is there of each record now; None for all where that cannot be read."""
    try:
        seen = patiently(lambda: means.reader.present(refs), means.retry, means.sleep)
    except ConnectorError:
        return [None] * len(refs)
    return seen if len(seen) == len(refs) else [None] * len(refs)
