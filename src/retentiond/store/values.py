"""What the store keeps, as values. No keys, names or addresses of records: at most keyed digests of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


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
