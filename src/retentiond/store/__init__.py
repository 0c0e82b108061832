"""What survives a restart: runs, approvals, plans, the clock's last reading and the daemon's sign of life."""

from retentiond.store.open import Store, open_store
from retentiond.store.outbox import Entry
from retentiond.store.values import (
    Approval,
    Attestation,
    AttestationResult,
    ClockReading,
    FindingAge,
    Heartbeat,
    PlanHeader,
    ReviewItem,
    RuleVersion,
    RunRow,
    StepRow,
)

__all__ = [
    "Approval",
    "Attestation",
    "AttestationResult",
    "ClockReading",
    "Entry",
    "FindingAge",
    "Heartbeat",
    "PlanHeader",
    "ReviewItem",
    "RuleVersion",
    "RunRow",
    "StepRow",
    "Store",
    "open_store",
]
