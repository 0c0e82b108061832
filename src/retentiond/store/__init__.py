"""What survives a restart: runs, approvals, plans, the clock's last reading and the daemon's sign of life."""

from retentiond.store.open import Store, open_store
from retentiond.store.values import Approval, ClockReading, Heartbeat, PlanHeader, RuleVersion, RunRow, StepRow

__all__ = [
    "Approval",
    "ClockReading",
    "Heartbeat",
    "PlanHeader",
    "RuleVersion",
    "RunRow",
    "StepRow",
    "Store",
    "open_store",
]
