"""What the store keeps, as values. Where a record's key is among them, it is never shown or logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from retentiond.model.circumstances import ReviewDecision
from retentiond.model.record import Target


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the machine's clocks showed at one moment."""

    at: datetime
    """Wall clock, aware UTC."""
    boot_id: str
    """Changes with each start of the machine; monotonic readings compare only within one."""
    monotonic: float
    """Seconds that really passed since some moment of this boot."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The daemon's last sign of life."""

    at: datetime
    pid: int
    state: str
    """What the daemon was about."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the store remembers it."""

    run: str
    trigger: str
    policy_digest: str
    started_at: datetime
    ended_at: datetime | None
    """None while it runs."""
    status: str | None
    """How it ended, a word of the engine's `Status`; None while it runs."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What became of the records; empty while it runs."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """What one step of one rule did in one run."""

    rule: str
    rule_digest: str
    system: str
    dataset: str
    action: str
    status: str
    """A word of the engine's `Status`."""
    population: int = 0
    due: int = 0
    done: int = 0
    failed: int = 0
    kept: int = 0
    undatable: int = 0
    reason: str = ""
    """Why it was refused or failed, in finished sentences without personal data."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What a named person allowed."""

    subject: str
    """`rule`, `removal` (of a rule), `plan` or `clock`."""
    name: str
    """Which rule, which rule's step, or `clock`."""
    digest: str
    """Of exactly what was allowed (hex); empty for the clock."""
    by: str
    """The person's staff id."""
    at: datetime
    expires: datetime | None
    """From when on it counts no more; None where it stands until something changes."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A version of a rule about which somebody gave a word."""

    rule: str
    digest: str
    """What an approval of it binds (hex)."""
    mapping: str
    """Digest (hex) of how its data set is reached."""
    deciding: Mapping[str, Any]
    """All else that decides, as JSON; whoever reads it reckons the digest again."""
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """One approved plan of one step; the records it names are kept beside it as keyed digests."""

    digest: str
    rule: str
    rule_digest: str
    action: str
    as_of: datetime
    made_at: datetime
    expires_at: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One record about which a person has to decide, or has decided."""

    id: str
    """A keyed digest of rule, data set and record."""
    rule: str
    target: Target
    key: tuple[str, ...] = field(repr=False)
    """Personal data: never shown or logged."""
    owner: str
    due_at: datetime
    """Since when it waits (UTC)."""
    noted_at: datetime
    """When a run first found it waiting."""
    decision: ReviewDecision | None = None
    """The newest decision; None before the first."""
    by: str | None = None
    second_by: str | None = None
    proposal: ReviewDecision | None = None
    """What a first person proposed and a second has to confirm; None where nothing is proposed."""
    proposed_by: str | None = None

    @property
    def waiting(self) -> bool:
        """True while a decision is missing: none was made, or the record came up for review again since."""
        return self.decision is None or self.decision.at < self.due_at


@dataclass(frozen=True, slots=True)
class FindingAge:
    """How many records of a rule have one kind of trouble, and how long the oldest has it."""

    rule: str
    kind: str
    count: int
    oldest: datetime
    """When the one that is there longest was first seen (UTC)."""


class AttestationResult(StrEnum):
    """What an attestation says."""

    MET = "met"
    NOT_MET = "not-met"


@dataclass(frozen=True, slots=True)
class Attestation:
    """Somebody's evidence that data which no connector reaches goes in time, or does not."""

    rule: str
    result: AttestationResult
    reference: str
    by: str
    """A staff id, or `connector:` and a name where the vendor's own settings were read."""
    at: datetime
    """When it was so (aware UTC); of a dated confirmation that day, and not when it was entered."""
    expires: datetime
    """From when on it is good for nothing."""
    document: str | None = None
    """SHA-256 (hex) of the document it rests on; the document itself is not kept here."""
