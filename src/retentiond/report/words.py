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
    OutcomeKind.PENDING_COPIES: "confirmed; copies outlive it",
    OutcomeKind.ALREADY_ABSENT: "already gone when asked",
    OutcomeKind.UNVERIFIED: "acknowledged, but not seen when read back",
    OutcomeKind.CHANGED: "changed in between, left alone",
    OutcomeKind.HELD: "held in between, left alone",
    OutcomeKind.FAILED: "not done",
}

DONE: Mapping[Action, str] = {Action.DELETE: "deleted", Action.BLOCK: "blocked", Action.ANONYMIZE: "anonymized"}
"""What a record is after the action."""


def why_kept(code: str) -> str:
    """Why a record is left alone, as it stands in a plan; an unknown code speaks for itself."""
    if code == OTHER_STEP:
        return "due for the rule's other step, which has a line of its own"
    return REASONS[Reason(code)] if code in set(Reason) else code
