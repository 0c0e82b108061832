"""Makes records of rows: their dates, facts, persons, and a fingerprint over everything that decides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from retentiond.connector import Dates, Fact, Moment, Presence, RecordRef, Subject, Target, subject
from retentiond_frappe.options import TABLES, FactOption, FrappeConnection, FrappeOptions, OwnDate, ReferencedDate, rivals
from retentiond_frappe.site import Row, utc

FIRST_YEAR = 1971
"""A date before this year is no date of a record but a default that nobody meant."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a data set is, and how it is called in messages."""

    connection: FrappeConnection
    options: FrappeOptions
    target: Target

    @property
    def who(self) -> str:
        """The system's name in messages."""
        return f"The site of {self.target}"

    def fields(self) -> list[str]:
        """The fields of a record's own row that are asked for."""
        options = self.options
        own = [date.field for date in options.dates.values() if isinstance(date, OwnDate)]
        own += [
            told.otherwise for told in options.dates.values() if not isinstance(told, OwnDate | ReferencedDate) and told.otherwise
        ]
        if any(isinstance(told, ReferencedDate) for told in options.dates.values()):
            own += ["reference_doctype", "reference_name"]
        own += [fact.field for fact in options.facts.values()]
        own += [
            *options.only,
            *(field for rival in rivals(options) for field in rival.only),
            *options.unchanged,
            *(["user"] if options.doctype == "Contact" else []),
        ]
        own += [field for fields in options.subjects.values() for field in fields if field not in TABLES]
        own += [*(options.anonymize.fields if options.anonymize else ())]
        own += [options.block.field] if options.block else []
        return list(dict.fromkeys(["modified", *own]))

    def tables(self) -> list[str]:
        """The tables of a record that identifiers are read from."""
        return [field for fields in self.options.subjects.values() for field in fields if field in TABLES]

    def holds(self, row: Row) -> bool:
        """Whether the row is one of the data set, as far as it tells itself. A Contact of a member of staff never is."""
        if self.options.doctype == "Contact" and row.get("user"):
            return False
        return fits(row, self.options.only)

    def contested(self, row: Row, *, answered: bool) -> bool:
        """Whether another data set holds the row, too."""
        near = rivals(self.options)
        return any(fits(row, rival.only) and rival.answered in {None, answered} for rival in near)


@dataclass(frozen=True, slots=True)
class Found:
    """A record, and what an act on it needs."""

    ref: RecordRef
    row: Row
    state: Presence
    own: str
    """Digest over what its own row tells: what is compared once more when its parts are gone already."""
    trash: tuple[str, ...] = ()
    """The Deleted Documents that hold it, where it is no record any more but a copy that one call brings back."""
    restored: bool = False
    """True where somebody has brought it back, under another name."""


@dataclass(frozen=True, slots=True)
class Told:
    """What other records tell of one."""

    dates: Mapping[str, Moment | None]
    answered: bool


def key_of(row: Row) -> tuple[str, ...]:
    """The record's key: its name, which is a number for some DocTypes."""
    return (str(row["name"]),)


def make(dataset: Dataset, row: Row, zone: ZoneInfo, told: Told, identifiers: Sequence[tuple[str, object]]) -> Found:
    """The record of a row; `identifiers` are those of its tables, each with the table's field."""
    options = dataset.options
    dates: dict[str, Moment | None] = dict(own_dates(dataset, row, zone)) | dict(told.dates)
    facts = {name: _fact(fact, row.get(fact.field)) for name, fact in options.facts.items()}
    persons = frozenset(_persons(options, row, identifiers))
    creation = str(row.get("creation") or "")
    own_facts = [options.doctype, creation, *(f"{name}={own!r}" for name, own in facts.items())]
    own_facts += [f"{field}={row.get(field)!r}" for field in options.unchanged]
    own_facts += [f"{name}={own}" for name, own in own_dates(dataset, row, zone).items()]
    own_facts += [f"{field}={row.get(field)!r}" for field in options.only]
    own = _digest([*own_facts, *sorted(f"{one.kind}:{one.value}" for one in persons)])
    contested = dataset.contested(row, answered=told.answered)
    fingerprint = _digest(
        [own, str(contested), *(f"{name}={moment}" for name, moment in sorted(told.dates.items())), str(told.answered)]
    )
    state = state_of(options, row)
    ref = RecordRef(
        key_of(row),
        {name: dates.get(name) for name in options.dates},
        fingerprint,
        identity=(creation,),
        blocked=state is Presence.BLOCKED,
        facts=facts,
        subjects=persons,
        contested=contested,
    )
    return Found(ref, row, state, own)


def state_of(options: FrappeOptions, row: Row) -> Presence:
    """Anonymized where all fields that are to be set are set; else blocked or neither."""
    if options.anonymize and all(_is(row.get(field), value) for field, value in options.anonymize.fields.items()):
        return Presence.ANONYMIZED
    return Presence.BLOCKED if options.block and _is(row.get(options.block.field), True) else Presence.PRESENT


def own_dates(dataset: Dataset, row: Row, zone: ZoneInfo) -> Dates:
    """The dates that stand in the record's own row."""
    options = dataset.options
    own = {name: told for name, told in options.dates.items() if isinstance(told, OwnDate)}
    return {name: moment(row.get(told.field), zone, day=told.day) for name, told in own.items()}


def moment(value: object, zone: ZoneInfo, *, day: bool = False) -> Moment | None:
    """The instant or the plain date that a field tells; None where it is empty, unreadable, or nobody can have meant it."""
    if not isinstance(value, str):
        return None
    try:
        if day:
            read = date.fromisoformat(value) if len(value) == len("2020-01-31") else None
            return read if read is not None and read.year >= FIRST_YEAR else None
        at = datetime.fromisoformat(value) if len(value) > len("2020-01-31") else None
        return utc(at, zone) if at is not None and at.tzinfo is None and at.year >= FIRST_YEAR else None
    except (ValueError, OverflowError):
        return None


def _persons(options: FrappeOptions, row: Row, identifiers: Sequence[tuple[str, object]]) -> list[Subject]:
    found = []
    for kind, fields in options.subjects.items():
        texts = [row.get(field) for field in fields if field not in TABLES]
        texts += [text for table, text in identifiers if table in fields]
        found += [one for text in texts if text and (one := subject(kind, str(text))) is not None]
    return found


def _fact(option: FactOption, value: object) -> Fact:
    match option.kind:
        case "boolean":
            return bool(value) if value in {0, 1} else None
        case "number":
            return value if isinstance(value, int) else None
        case "text":
            return str(value) if value not in {None, ""} else None


def fits(row: Row, wanted: Mapping[str, object]) -> bool:
    """Whether every one of these fields has one of the values that are wanted."""
    return all(_is(row.get(field), one) for field, one in wanted.items())


def _is(value: object, wanted: object) -> bool:
    """Whether a field has a value, or one of some; an empty text, nothing and an unset check are different only where told."""
    if isinstance(wanted, tuple):
        return any(_is(value, one) for one in wanted)
    if wanted is None or wanted == "":
        return value is None or value == ""
    return value == wanted


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
