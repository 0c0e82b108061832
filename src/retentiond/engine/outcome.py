"""What an outcome may claim: the store's answer and the read-back together, never one of them alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from retentiond.connector.api import Answer, Answered, Copy
from retentiond.model.record import Action, How, Outcome, OutcomeKind, Presence

WISHED = {
    Action.DELETE: frozenset({Presence.ABSENT}),
    Action.BLOCK: frozenset({Presence.BLOCKED}),
    Action.ANONYMIZE: frozenset({Presence.ANONYMIZED}),
    Action.UNBLOCK: frozenset({Presence.PRESENT}),
}
"""What a read-back has to see before an act of ours counts as confirmed."""

MOOT = {action: wished | {Presence.ABSENT} for action, wished in WISHED.items()}
"""What a read-back may see where nothing is left to be done, by whose hand ever."""


def judge_all(
    action: Action, answers: Sequence[Answer], seen: Sequence[Presence | None], copies: tuple[Copy, ...], now: datetime
) -> list[Outcome]:
    """The outcome of each record as `judge` tells it, in order; neighbours of which the same is known share one."""
    outcomes: list[Outcome] = []
    before: tuple[Answer, Presence | None] | None = None
    for answer, presence in zip(answers, seen, strict=True):
        if before is None or presence is not before[1] or not (answer is before[0] or answer == before[0]):
            before, outcome = (answer, presence), judge(action, answer, presence, copies, now)
        outcomes.append(outcome)
    return outcomes


def judge(action: Action, answer: Answer, seen: Presence | None, copies: tuple[Copy, ...], now: datetime) -> Outcome:
    """The outcome of one record that was asked of the store; `seen` is None where it could not be read back.

    `now` (aware UTC) is the moment of the act, from which the lives of surviving copies are counted.
    """
    match answer.said:
        case Answered.DONE if answer.how is How.OPERATOR and seen in MOOT[action]:
            # A person's word about a place where we cannot look: what they did is no act of ours, and nothing confirms it.
            return Outcome(OutcomeKind.ALREADY_ABSENT, How.OPERATOR)
        case Answered.DONE if answer.how is How.OPERATOR:
            return Outcome(OutcomeKind.FAILED, code="not-done" if seen is not None else "unreadable")
        case Answered.DONE if seen in WISHED[action]:
            if not copies:
                return Outcome(OutcomeKind.CONFIRMED, answer.how, rows=answer.rows)
            return Outcome(OutcomeKind.PENDING_COPIES, answer.how, until=_last(copies, now), rows=answer.rows)
        case Answered.DONE:
            return Outcome(OutcomeKind.UNVERIFIED, answer.how, rows=answer.rows)
        case Answered.NOT_FOUND if seen in MOOT[action]:
            return Outcome(OutcomeKind.ALREADY_ABSENT, How.NOT_FOUND)
        case Answered.NOT_FOUND if seen is None:
            # A 404 has more causes than absence. Nothing of ours happened, so it is looked for again in the next run.
            return Outcome(OutcomeKind.FAILED, code="unreadable")
        case Answered.NOT_FOUND:
            return Outcome(OutcomeKind.FAILED, code="malformed")
        case Answered.CHANGED:
            return Outcome(OutcomeKind.CHANGED)
        case Answered.FAILED if seen in WISHED[action]:
            return probed(action, seen)
        case Answered.FAILED:
            return Outcome(OutcomeKind.FAILED, code=answer.code)


def probed(action: Action, seen: Presence) -> Outcome:
    """The outcome of one record of which only a read-back tells: nobody knows by whose hand it is as it is."""
    if seen in MOOT[action]:
        return Outcome(OutcomeKind.ALREADY_ABSENT, How.PROBE)
    return Outcome(OutcomeKind.FAILED, code="not-done")


def _last(copies: tuple[Copy, ...], now: datetime) -> datetime | None:
    lives = [copy.lives for copy in copies]
    known = [life for life in lives if life is not None]
    return now + max(known) if len(known) == len(lives) else None
