"""Makes records of messages: their dates, facts, persons, and a fingerprint over everything that decides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from retentiond.connector import Dates, Fact, Moment, RecordRef, Subject, Target
from retentiond_imap.claims import Claim, Decisive, claim_of, decisive, rivals_of
from retentiond_imap.dates import in_zone, moment_in, order, plain_day
from retentiond_imap.fetched import Message
from retentiond_imap.headers import people
from retentiond_imap.options import (
    FactOption,
    ImapConnection,
    ImapOptions,
    InHeader,
    InKeyword,
    Received,
    Saved,
    Source,
)

Key = tuple[str, ...]

INTERNAL_ID = "X-Pm-Internal-Id"
"""Proton's own name of a message, the same in every folder and label."""

_ALWAYS = ("Message-ID", "Date", "From", "Subject")
"""Headers that name a message which has no Message-ID."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set's options made ready."""

    target: Target
    connection: ImapConnection
    options: ImapOptions
    claim: Claim
    rivals: tuple[Claim, ...]
    decisive: Decisive
    headers: tuple[str, ...]
    """The headers that are asked for."""

    @property
    def aside(self) -> str | None:
        """The folder below which blocked messages lie; None where nothing is blocked here."""
        return self.claim.aside


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies."""

    folder: str
    origin: str
    """The folder it was in before it was blocked; the same where it is not blocked."""
    blocked: bool
    validity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Copied:
    """One message, wherever it lies."""

    message: Message
    places: tuple[Place, ...]
    marks: frozenset[str]
    """Its flags, keywords and labels, in small letters."""
    blocked: bool
    youngest: datetime | None = None
    """When the youngest message of its conversation was received; told only where a date of the data set asks for it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record, and the messages that it is made of: more than one where the same message lies twice in its folder."""

    ref: RecordRef
    copies: tuple[Copied, ...]
    claimed: bool
    """True where the data set claims it."""

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it lies."""
        return tuple(place for one in self.copies for place in one.places)


def dataset_of(connection: ImapConnection, options: ImapOptions, target: Target) -> Dataset:
    """Make the options ready."""
    names = {name.lower(): name for name in _ALWAYS}
    more = [source.header for source in options.dates.values() if isinstance(source, InHeader)]
    if options.converses:
        more += ["In-Reply-To", "References"]
    for name in (*options.persons, *more, *([INTERNAL_ID] if connection.proton else [])):
        names.setdefault(name.lower(), name)
    return Dataset(target, connection, options, claim_of(options), rivals_of(options), decisive(options), tuple(names.values()))


def record(dataset: Dataset, key: Key, copies: Sequence[Copied]) -> Found:
    """The record that these messages are. Where they differ it is as young as the youngest, and as unknown as the least known."""
    options = dataset.options
    folders = [frozenset(place.origin for place in one.places) for one in copies]
    told = list(zip(copies, folders, strict=True))
    claimed = all(dataset.claim.claims(places, one.marks) for one, places in told)
    contested = any(rival.claims(places, one.marks) for rival in dataset.rivals for one, places in told)
    dates = {name: _together([_date(source, one) for one in copies]) for name, source in options.dates.items()}
    facts = {name: _agreed([_fact(fact, one) for one in copies]) for name, fact in options.facts.items()}
    persons = frozenset[Subject]().union(*(people(one.message.headers, options.persons) for one in copies))
    ref = RecordRef(
        key,
        dates,
        _fingerprint(dataset, copies, dates, facts, persons, contested=contested),
        identity=key[-2:] if not dataset.connection.proton else key,
        blocked=all(one.blocked for one in copies),
        rows=len(copies),
        facts=facts,
        subjects=persons,
        contested=contested,
    )
    return Found(ref, tuple(copies), claimed)


def named(message: Message) -> str:
    """What tells a message apart within its folder: its Message-ID, or else a digest of what its headers say."""
    told = " ".join(next(iter(message.headers.get("message-id", ())), "").split())
    return told or f"-{hashlib.sha256(message.block).hexdigest()}"


def stamp(moment: datetime | None) -> str:
    """An instant within a key."""
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _date(source: Source, one: Copied) -> Moment | None:
    match source:
        case Received():
            return in_zone(one.youngest if source.conversation else one.message.received, source.day)
        case Saved():
            return in_zone(one.message.saved, source.day)
        case InHeader():
            values = one.message.headers.get(source.header.lower(), ())
            return in_zone(moment_in(values[0]), source.day) if len(values) == 1 else None
        case InKeyword():
            start = source.prefix.lower()
            rests = [mark[len(start) :] for mark in one.marks if mark.startswith(start)]
            return _together([plain_day(rest) for rest in rests])


def _together(moments: Sequence[Moment | None]) -> Moment | None:
    """The latest; None where there is none, or one of them is unknown."""
    known = [moment for moment in moments if moment is not None]
    return max(known, key=order) if known and len(known) == len(moments) else None


def _fact(fact: FactOption, one: Copied) -> bool | None:
    yes = fact.true_if.lower() in one.marks
    no = fact.false_if is not None and fact.false_if.lower() in one.marks
    return None if yes == no else yes


def _agreed(facts: Sequence[bool | None]) -> bool | None:
    return facts[0] if len(set(facts)) == 1 else None


def _fingerprint(
    dataset: Dataset,
    copies: Sequence[Copied],
    dates: Dates,
    facts: dict[str, Fact] | dict[str, bool | None],
    persons: frozenset[Subject],
    *,
    contested: bool,
) -> str:
    decides = [
        sorted(
            [
                hashlib.sha256(one.message.block).hexdigest(),
                str(one.message.size),
                stamp(one.message.received),
                sorted(dataset.decisive.among(one.marks)),
            ]
            for one in copies
        ),
        sorted((name, None if moment is None else moment.isoformat()) for name, moment in dates.items()),
        sorted(facts.items()),
        sorted((person.kind, person.value) for person in persons),
        contested,
    ]
    return hashlib.sha256(json.dumps(decides, ensure_ascii=True).encode()).hexdigest()
