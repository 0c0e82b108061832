"""Anchors: signed checkpoints of the deletion log are handed to somebody outside, so that rewriting it later is found."""

from retentiond.anchor.check import check_receipts, check_shown
from retentiond.anchor.coverage import Anchored, Coverage, coverage
from retentiond.anchor.handover import Handover
from retentiond.anchor.kinds import hand_over
from retentiond.anchor.receipts import receipts

__all__ = [
    "Anchored",
    "Coverage",
    "Handover",
    "check_receipts",
    "check_shown",
    "coverage",
    "hand_over",
    "receipts",
]
