"""What persons and registers say about one record, beside its own dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from retentiond.model.hold import HoldKind
from retentiond.model.tax import TaxYear


@dataclass(frozen=True, slots=True)
class Suspension:
    """Something for the sake of which a record must not go."""

    kind: HoldKind
    end: datetime | None
    """When it is, or was, over (UTC); None while nobody knows."""
    reference: str
    """The id of the hold or request, or the tax year."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Something that ended a record's purpose, or has it blocked, at one moment."""

    kind: str
    """A `RequestKind`, or `review`."""
    at: datetime
    reference: str


class ReviewWord(StrEnum):
    """What a person decided about a record that was up for review."""

    KEEP = "keep"
    BLOCK = "block"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """The newest decision about the record."""

    word: ReviewWord
    at: datetime
    until: datetime | None = None
    """For `keep`: when it is up for review again (UTC)."""
    reference: str = "review"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All of it, for one record under one rule."""

    suspensions: tuple[Suspension, ...] = ()
    endings: tuple[Trigger, ...] = ()
    """What ended the purpose."""
    restrictions: tuple[Trigger, ...] = ()
    """What has it blocked."""
    review: ReviewDecision | None = None
    tax_years: Mapping[int, TaxYear] | None = None
    """The register of tax years: a year that is missing was never filed. None where it is not asked, so that nothing is open."""
    can_block: bool = True
    """False where the data set has no way to block."""


PLAIN = Circumstances()
"""Nothing but the rule and the dates speaks."""
