"""One record as retentiond sees it: where it is, which dates decide, what became of it. Never its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from retentiond.model.subject import Subject

Moment = datetime | date
"""A known date of a record: an aware UTC `datetime` for an instant, a plain `date` for a legal date."""

Dates = Mapping[str, Moment | None]
"""The dates a data set offers for one record, by the name the data set gives them; None where unknown."""


Fact = bool | int | str | None
"""A named value that decides besides the dates; None where it is unknown."""


class Action(StrEnum):
    """What is done to a record."""

    DELETE = "delete"
    BLOCK = "block"
    ANONYMIZE = "anonymize"
    UNBLOCK = "unblock"
    """Gives a blocked record back to normal work; only ever at a person's word, never by a rule."""


RULED = (Action.DELETE, Action.BLOCK, Action.ANONYMIZE)
"""What a rule can do to a record."""


@dataclass(frozen=True, slots=True)
class Target:
    """One data set in one configured system: the place a rule speaks of."""

    system: str
    dataset: str

    def __str__(self) -> str:
        return f"{self.system}/{self.dataset}"


@dataclass(frozen=True, slots=True)
class RecordRef:
    """Points at one record; holds what decided about it, and no content."""

    key: tuple[str, ...] = field(repr=False)
    """The components of the record's key in the connector's stable text form. Personal data: never shown or logged."""
    dates: Dates = field(default_factory=dict, repr=False)
    """All dates that the data set offers, None where unknown."""
    fingerprint: str = field(default="", repr=False)
    """Digest (hex) of everything that decided: the dates and what else the data set declares. Differs after any such change."""
    identity: tuple[str, ...] = field(default=(), repr=False)
    """Text forms of fields that never change in a record's life, to tell it from a stranger under a re-used key; may be empty."""
    blocked: bool = False
    """True where the record is blocked now."""
    rows: int = 1
    """How many rows, lines or parts go with this record."""
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False)
    """The facts that the data set offers, by name. Part of what the fingerprint covers."""
    subjects: frozenset[Subject] = field(default_factory=frozenset, repr=False)
    """Whom the record is about, each identifier normalized. Personal data. Part of what the fingerprint covers."""
    contested: bool = False
    """True where another data set of the same system holds the record, too: then nothing may be done by either one's rule."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A bound on one date: a record qualifies when that date is known and lies strictly before it."""

    by: str
    """Which of the data set's dates."""
    before: datetime
    """The bound for instants, aware UTC."""
    before_date: date
    """The bound for plain dates: a date qualifies when it is earlier than this one."""

    def admits(self, dates: Dates) -> bool:
        """True where the date is known and strictly before the bound."""
        moment = dates.get(self.by)
        if moment is None:
            return False
        return moment < self.before if isinstance(moment, datetime) else moment < self.before_date


class Presence(StrEnum):
    """What a read-back saw of one record."""

    PRESENT = "present"
    """There and neither blocked nor anonymized."""
    BLOCKED = "blocked"
    ANONYMIZED = "anonymized"
    ABSENT = "absent"


class How(StrEnum):
    """By what an outcome is known; only these words may stand in the deletion log."""

    RETURNING = "returning"
    """The store named the records it changed."""
    ROWCOUNT = "rowcount"
    """The store counted exactly the records it was to change."""
    RECEIPT = "receipt"
    XID = "xid"
    RESPONSE = "response"
    """The store's interface answered for this record."""
    STORED_ANSWER = "stored-answer"
    UNLINK = "unlink"
    """The operating system unlinked, or replaced, the file."""
    NOT_FOUND = "not-found"
    """The store said that there is no such record."""
    PROBE = "probe"
    """A read-back after a crash found it gone; nobody knows by whose hand."""
    OPERATOR = "operator"
    """A person said so; nobody of ours looked."""
    NONE = "none"


CLAIMS = frozenset({How.RETURNING, How.ROWCOUNT, How.RECEIPT, How.XID, How.RESPONSE, How.STORED_ANSWER, How.UNLINK})
"""By what a store can have told that it did what we asked."""


class OutcomeKind(StrEnum):
    """What became of one record."""

    CONFIRMED = "confirmed"
    """Our act was acknowledged and the read-back agrees."""
    PENDING_COPIES = "pending-copies"
    """Confirmed, but copies outlive it until a date that is told."""
    ALREADY_ABSENT = "already-absent"
    """It was gone, or already in the wished state, when we asked; no claim that we did it."""
    UNVERIFIED = "unverified"
    """Acknowledged, but the read-back did not agree, or could not be made."""
    CHANGED = "changed"
    """It changed after it was found, and was left alone."""
    HELD = "held"
    """A hold came in between; left alone."""
    FAILED = "failed"
    """Surely not done; due again."""


FAILURE_CODES = frozenset(
    {
        "refused",  # the store refused, without a reason from this list
        "forbidden",  # no right
        "referenced",  # other records point at it
        "constraint",  # a constraint of the store forbids the new value
        "unavailable",  # the store could not be reached
        "timeout",  # no answer in time
        "lost-connection",  # the connection broke during the act
        "not-done",  # in doubt after a crash, and found still there
        "interrupted",  # the run ended before this record's turn
        "unreadable",  # the record or its read-back could not be read
        "unsupported",  # the record has a form the connector cannot act on
        "no-space",  # the disk is full
        "malformed",  # the store's answer made no sense
    }
)
"""The closed list of words for why an act failed; nothing else may stand in `Outcome.code`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one intended record, as it is written to the deletion log. Only the engine makes one."""

    kind: OutcomeKind
    how: How = How.NONE
    code: str | None = None
    """Why it failed, from `FAILURE_CODES`; None where it did not."""
    until: datetime | None = None
    """When the last surviving copy goes (aware UTC); None where none survives."""
    rows: int | None = None
    """How many rows went with it, where more than one."""
    again: int | None = None
    """In a replay: the index of the log's entry by which it was dealt with before."""
