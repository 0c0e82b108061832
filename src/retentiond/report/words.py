"""The closed lists of the model in a person's words."""

from __future__ import annotations

from collections.abc import Mapping

from retentiond.engine.values import OTHER_STEP, Status
from retentiond.model.decision import Reason, Verdict
from retentiond.model.record import Action, OutcomeKind

STATUSES: Mapping[Status, str] = {
    Status.PLANNED: "planned",
    Status.DONE: "done",
    Status.REPORT: "report only",
    Status.AWAITING: "awaits approval",
    Status.REFUSED: "refused",
    Status.INCOMPLETE: "incomplete",
    Status.FAILED: "failed",
    Status.INTERRUPTED: "interrupted",
}

OUTCOMES: Mapping[OutcomeKind, str] = {
    OutcomeKind.CONFIRMED: "confirmed by reading back",
    OutcomeKind.PENDING_COPIES: "confirmed by reading back; copies outlive it",
    OutcomeKind.ALREADY_ABSENT: "already so when asked, not by our act",
    OutcomeKind.UNVERIFIED: "acknowledged, but not seen when read back",
    OutcomeKind.CHANGED: "changed in between, left alone",
    OutcomeKind.HELD: "held in between, left alone",
    OutcomeKind.FAILED: "not done",
}

DONE: Mapping[Action, str] = {
    Action.DELETE: "deleted",
    Action.BLOCK: "blocked",
    Action.ANONYMIZE: "anonymized",
    Action.UNBLOCK: "unblocked",
}
"""What a record is after the action."""

REASONS: Mapping[Reason, str] = {
    Reason.DUE: "its time is over",
    Reason.PAST_CAP: "its time is over, and so is the promised maximum",
    Reason.NOT_DUE: "its time is not over yet",
    Reason.DUTY_RUNNING: "its purpose is over, but a duty to keep it still runs",
    Reason.AHEAD_OF_CAP: "the promised maximum ends soon",
    Reason.TRIGGERED: "a request or a review ended its purpose",
    Reason.NOT_YET: "what its period counts from has not come yet",
    Reason.GUARDED: "its duty is over, and the days of grace after the turn of the year are not",
    Reason.HELD: "its time is over, but a hold, an open tax year or a request is in the way",
    Reason.REVIEW_DUE: "a person has to decide about it",
    Reason.REQUIREMENT: "its time is over, but a fact that the rule requires is not so",
    Reason.CONTESTED: "another data set holds it, too, so nobody can tell which rule governs it",
    Reason.ALREADY_BLOCKED: "it is blocked already, and not to go yet",
    Reason.UNDATABLE: "a date that decides is unknown",
    Reason.IMPLAUSIBLE_DATE: "a date that decides cannot be true, so it counts as unknown",
}

VERDICTS: Mapping[Verdict, str] = {
    Verdict.MUST_KEEP: "It stays",
    Verdict.MAY_DELETE: "It is to go",
    Verdict.MUST_BE_GONE: "It should be gone already",
    Verdict.HELD: "It is held and stays",
    Verdict.UNDATABLE: "It stays, because nobody can tell when it is due",
}


def why_kept(code: str, action: Action) -> str:
    """Why a record is left alone by a step that does `action`, as it stands in a plan; an unknown code speaks for itself."""
    if code == OTHER_STEP:
        return "it is due for the rule's other step, which has a line of its own"
    if code == Reason.NOT_DUE and action is not Action.DELETE:
        # Such a step does not even ask for records that are so already, so nobody counts them apart.
        return f"its time is not over yet, or it is {DONE[action]} already"
    return REASONS[Reason(code)] if code in set(Reason) else code
