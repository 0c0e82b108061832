"""What survives a restart: runs, approvals, plans, the clock's last reading and the daemon's sign of life."""

from retentiond.store.open import Store, open_store
from retentiond.store.outbox import Entry
from retentiond.store.values import Approval, ClockReading, Heartbeat, PlanHeader, RunRow, StepRow

__all__ = [
    "Approval",
    "ClockReading",
    "Entry",
    "Heartbeat",
    "PlanHeader",
    "RunRow",
    "StepRow",
    "Store",
    "open_store",
]
