"""A policy and its rules as a person writes them. Unknown keys are refused.

Which keys must be written follows from one promise: a key that is left out, or misspelt, never makes a rule select
more, or earlier. Where leaving one out would loosen the rule, there is no default.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    field_validator,
    model_validator,
)
from whenever import available_timezones

from retentiond.model.hold import HoldKind
from retentiond.model.law import CLASSES, NO_CLASS, RetentionClass
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Action, Fact, Moment
from retentiond.model.request import RequestKind, lawful_letters
from retentiond.model.written import Identifier, Line, Name, Names, Text, Written, tupled

KEPT = "kept"
"""In `Case.due`: no moment is known, or none ever comes, at which this record is to go."""


def _share(value: object) -> object:
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%", value) if isinstance(value, str) else None
    if match is None or not 0 < float(match[1]) <= 100:  # noqa: PLR2004 - a percentage
        raise ValueError("a share is a percentage above 0% and up to 100%, such as 20%")
    return float(match[1]) / 100


Share = Annotated[
    float, BeforeValidator(_share, json_schema_input_type=Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})? ?%$")])
]
"""A fraction above 0 and up to 1, written as a percentage."""


class RuleTarget(Written):
    """The data set that a rule speaks of, by its names in the settings."""

    system: Name
    dataset: Name


class Fallback(Written):
    """The start where the one that is meant is unknown."""

    at: Name
    plus: RetentionPeriod = Field(description="how much later than `at` the period then starts; P0D for not at all")
    """How much later the period then starts: whole days."""

    @field_validator("plus")
    @classmethod
    def _whole_days(cls, plus: RetentionPeriod) -> RetentionPeriod:
        if plus.elapsed_seconds:
            raise ValueError("only years, months, weeks and days can be added to a start")
        return plus


class StartSpec(Written):
    """Which of a record's dates a period starts from."""

    at: Names | None = None
    """The date of an event, or several."""
    after_last_day: Names | None = None
    """Instead of `at`: the last day of something that ends with its expiry, such as a contract, or several such days."""
    take: Literal["latest"] | None = None
    """Which of several dates counts; must be written for a list, and only there."""
    optional: Annotated[tuple[Name, ...], BeforeValidator(tupled, json_schema_input_type=list[Name])] = ()
    """Those of a list that a record may lack. Any other unknown one makes the record undatable."""
    count_start_day: bool = False
    """True where the day of the event is the first that counts."""
    else_: Fallback | None = Field(default=None, alias="else")
    """What to start from where the dates above are unknown; without it the record is undatable.

    A start is never earlier than any of the dates above that is known.
    """
    missing: Literal["not-yet"] | None = None
    """Written where an unknown date means that the event has not come yet, such as the end of a contract that still runs.

    Then the period has not begun, and the record is not undatable.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The dates of which the latest counts."""
        return self.at or self.after_last_day or ()

    @property
    def required(self) -> tuple[str, ...]:
        """Those of `names` that must be known."""
        return tuple(name for name in self.names if name not in self.optional)

    @property
    def inclusive_end(self) -> bool:
        """True where the dates are last days, which end with their expiry."""
        return self.after_last_day is not None

    @property
    def date_names(self) -> tuple[str, ...]:
        """All dates that can decide, the fallback's last."""
        return self.names + ((self.else_.at,) if self.else_ else ())

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.at is None) == (self.after_last_day is None):
            raise ValueError("write either `at`, the date of an event, or `after_last_day`, the last day of something that ends")
        if len(set(self.names)) < len(self.names):
            raise ValueError("a date is named twice")
        if len(self.names) > 1 and self.take is None:
            raise ValueError("of several dates one must count; write `take: latest`")
        if len(self.names) == 1 and (self.take or self.optional):
            raise ValueError("`take` and `optional` belong to a list of several dates")
        if strangers := [name for name in self.optional if name not in self.names]:
            raise ValueError(f"`optional` names {', '.join(strangers)}, which is not among the dates")
        if self.count_start_day and self.inclusive_end:
            raise ValueError("`count_start_day` is for events; after a last day the next one counts anyway")
        if self.else_ and self.else_.at in self.names:
            raise ValueError("`else` names a date that was unknown already")
        if self.else_ and self.missing:
            raise ValueError("`missing: not-yet` and `else` contradict each other; write one of them")
        return self


def _start(value: object) -> object:
    return {"at": value} if isinstance(value, str) else value


Starts = Annotated[StartSpec, BeforeValidator(_start, json_schema_input_type=Name | StartSpec)]
"""A start; the name of a date alone stands for `{at: name}`."""


class Bound(Written):
    """A period, the way it is counted, and what it starts from."""

    period: RetentionPeriod
    counted: Counted
    from_: Starts | None = Field(default=None, alias="from")
    """What it starts from; None where the rule says so in `starts`."""
    basis: Line | None = None
    """The law or promise behind it."""

    @property
    def term(self) -> Term:
        """The period with the way it is counted."""
        return Term(self.period, self.counted)

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.period.elapsed_seconds and self.counted is not Counted.EXACT:
            raise ValueError("hours, minutes and seconds can only be counted `exact`")
        return self


class Duty(Bound):
    """A duty to keep: nothing goes before it is over."""

    class_: Name = Field(alias="class", description=f"the class of documents in the law's catalogue, or `{NO_CLASS}`")
    """The class of documents, of which the law says how long they stay; `none` where no statute is behind the duty."""

    @property
    def statute(self) -> RetentionClass | None:
        """What the law says about the class; its own end counts where it is later than that of `period`."""
        return CLASSES.get(self.class_)

    @field_validator("class_")
    @classmethod
    def _known_class(cls, name: str) -> str:
        if name != NO_CLASS and name not in CLASSES:
            raise ValueError(f"the law's catalogue has no such class; it has {', '.join(sorted(CLASSES))}, or write `{NO_CLASS}`")
        return name


class Derived(Written):
    """A duty that lasts as long as that of another rule's records, such as those of one customer."""

    derived_from: Identifier
    """The rule whose `keep_at_least` counts here, too: its period, counting and class."""
    from_: Starts = Field(alias="from")
    """What it starts from: the latest date of those records, as this data set knows it."""
    basis: Line | None = None


class Cap(Bound):
    """A cap or promise: gone by then at the latest."""

    lead: RetentionPeriod | None = None
    """How long before the end work begins, so that it is done in time: days, or hours."""

    @field_validator("lead")
    @classmethod
    def _short(cls, lead: RetentionPeriod | None) -> RetentionPeriod | None:
        if lead is not None and lead.whole_months:
            raise ValueError("a lead is days or hours, such as P7D or PT24H")
        return lead


class Undecided(Written):
    """What becomes of a record that was up for review and about which nobody decided."""

    block: RetentionPeriod = Field(description="how long after the review was due it is blocked")
    delete: RetentionPeriod = Field(description="how long after the review was due it goes")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for period in (self.block, self.delete):
            if period.whole_months or period.elapsed_seconds:
                raise ValueError("the time without a decision is whole days, such as P30D")
        if self.block.whole_days > self.delete.whole_days:
            raise ValueError("a record is blocked before it goes, so `block` is no longer than `delete`")
        return self


def _none(value: object) -> object:
    return None if value == "none" else value


class Review(Bound):
    """From its end on a person has to decide whether the record is still needed."""

    owner: Name
    """The staff id or role of whoever decides."""
    four_eyes: bool = True
    """True where `keep` needs the word of a second person."""
    no_decision: Annotated[Undecided | None, BeforeValidator(_none, json_schema_input_type=Undecided | Literal["none"])] = Field(
        description="what becomes of the record without a decision; `none` where it waits"
    )
    """What becomes of the record without a decision; None where it waits for one."""

    @model_validator(mode="after")
    def _in_days(self) -> Self:
        if self.counted is Counted.EXACT or self.counted.to_workday:
            raise ValueError("a review is counted `day-end` or `calendar-year-end`")
        return self


class Requirement(Written):
    """A fact that must be so before a record may go."""

    fact: Name
    is_: Fact = Field(alias="is")
    """The value it must have; an unknown one is never it."""


class Stage(StrEnum):
    """What a bound of a rule is for."""

    BLOCK_AFTER = "block_after"
    REVIEW_AFTER = "review_after"
    KEEP_AT_LEAST = "keep_at_least"
    DELETE_AFTER = "delete_after"
    DELETE_BY = "delete_by"


def _default(value: object) -> object:
    return None if value == "default" else value


_MaybeCount = Annotated[
    Annotated[int, Field(gt=0)] | None,
    BeforeValidator(_default, json_schema_input_type=Annotated[int, Field(gt=0)] | Literal["default"]),
]
_MaybeShare = Annotated[
    Share | None,
    BeforeValidator(_default, json_schema_input_type=Annotated[str, Field(pattern=r"^([0-9]{1,3}(\.[0-9]{1,6})? ?%|default)$")]),
]
_OR_DEFAULT = "; `default` takes the one of the settings"


class Limits(Written):
    """The most that a run may do under a rule; above it nothing runs. None takes the guards of the settings."""

    records: _MaybeCount = Field(description="the most records a day" + _OR_DEFAULT)
    share: _MaybeShare = Field(description="the largest share of the data set, such as 20%" + _OR_DEFAULT)
    undatable: _MaybeShare = Field(description="the largest share of records without a date, such as 5%" + _OR_DEFAULT)


class Approval(StrEnum):
    """What a person must have approved before a rule acts."""

    RULE = "rule"
    """This version of the rule."""
    PLAN = "plan"
    """This version of the rule, and the plan of each run."""


def _moment(value: object) -> object:
    """Read a date or an instant with its offset; anything else is an error."""
    if isinstance(value, datetime | date):
        return value
    if isinstance(value, str):
        # What looks like a moment may be none: 30 February, or an offset that leads out of the calendar.
        with suppress(ValueError, OverflowError):
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
                return date.fromisoformat(value)
            if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", value, re.ASCII):
                return datetime.fromisoformat(value).astimezone(UTC)
    raise ValueError("write a date such as 2025-10-20, or an instant with its offset such as 2025-10-20T10:15:30+02:00")


def _instant(value: object) -> object:
    with suppress(ValueError):
        if isinstance(moment := _moment(value), datetime):
            return moment
    raise ValueError("write an instant with its offset such as 2025-10-20T10:15:30+02:00")


def _due(value: object) -> object:
    if value == KEPT:
        return None
    try:
        return _instant(value)
    except ValueError as error:
        raise ValueError(f"{error}, or `{KEPT}`") from None


def _case_starts(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _moment(moment) for name, moment in value.items()}
    return _moment(value)


def _as_is(value: Any) -> Any:
    return value  # pydantic takes what a plain validator makes for unchanged, and warns when it is not


class Case(Written):
    """A worked example that tests its rule."""

    starts: Annotated[
        Moment | dict[str, Moment],
        PlainValidator(_case_starts, json_schema_input_type=str | dict[Name, str]),
        PlainSerializer(_as_is),
    ]
    """The record's dates by name, or the one date where the rule knows only one. A date left out is unknown."""
    due: Annotated[datetime | None, PlainValidator(_due, json_schema_input_type=str), PlainSerializer(_as_is)] = Field(
        description=f"an instant with its offset, or `{KEPT}` where the record is never to go"
    )
    """When the record is to go, or for a rule that only blocks, to be blocked (UTC); None where it never is."""
    blocked: Annotated[datetime | None, PlainValidator(_instant, json_schema_input_type=str), PlainSerializer(_as_is)] = None
    """From when it is to be blocked until it goes (UTC); None where that is not tested."""
    facts: dict[Name, Fact] = Field(default_factory=dict)
    """The record's facts; a fact left out is unknown."""


def _with_duty(value: object) -> object:
    return None if value == Stage.KEEP_AT_LEAST else value


class Rule(Written):
    """The one rule for one kind of data in one data set."""

    id: Identifier
    data_kind: Text
    categories: tuple[Name, ...]
    target: RuleTarget
    starts: Starts | None = None
    """What every bound starts from; None where each bound says so itself in `from`."""
    block_after: Bound | None = None
    review_after: Review | None = None
    """A person decides from then on."""
    keep_at_least: Annotated[
        Duty | Derived | None, BeforeValidator(_none, json_schema_input_type=Duty | Derived | Literal["none"])
    ] = Field(default=None, description="a duty: not before; `none` where there is none")
    """A duty: not before. Must be written, if only as `none`, unless the rule only blocks."""
    delete_after: Annotated[
        Bound | None, BeforeValidator(_with_duty, json_schema_input_type=Bound | Literal["keep_at_least"])
    ] = Field(default=None, description="our own period; `keep_at_least` where the duty is the only purpose")
    """Our own period: then the purpose is over. `keep_at_least` (None here) where the duty is the only purpose."""
    delete_by: Cap | None = None
    """A cap or promise: not after; never a reason to keep longer."""
    requires: tuple[Requirement, ...] | None = None
    """Facts that must be so before a record may go. Must be written, if only as `[]`, where the data set offers facts."""
    holds: tuple[HoldKind, ...] | None = None
    """The kinds of holds that stop this rule; None for all. Must be written where the law's tax classes are concerned."""
    ended_by: tuple[RequestKind, ...] = ()
    """What ends the purpose for one person beside erasure, and beside what follows from the basis (Art. 6(1)(a), (f) GDPR)."""
    suppress: Names | None = None
    """The kinds of identifiers that go on the suppression list before a person's record goes because of a request."""
    visible_to: Names | None = None
    """Who may still see the record while it is blocked: roles, as the company names them."""
    action: Literal[Action.DELETE, Action.BLOCK, Action.ANONYMIZE]
    limits: Annotated[Limits | None, BeforeValidator(_default, json_schema_input_type=Limits | Literal["default"])] = Field(
        description="the most that a run may do under this rule, or `default` for the guards of the settings"
    )
    """None takes the guards of the settings."""
    approval: Approval
    basis: tuple[Line, ...] = ()
    """The law behind the rule; none means that of the policy."""
    notice: Line | None = None
    """The published promise; None means that of the policy."""
    note: Line | None = None
    cases: tuple[Case, ...] = ()

    @property
    def bounds(self) -> tuple[tuple[Stage, Bound], ...]:
        """The bounds that are written, each with what it is for."""
        written = ((stage, getattr(self, stage)) for stage in Stage)
        return tuple((stage, bound) for stage, bound in written if isinstance(bound, Bound))

    @property
    def duty(self) -> Duty | None:
        """The duty to keep; raises `ValueError` while it is still derived from a rule that was not looked up."""
        if isinstance(self.keep_at_least, Derived):
            raise ValueError("the duty is derived from another rule, which was not looked up")  # noqa: TRY004 - it is no type
        return self.keep_at_least

    def lawful(self, policy_basis: Iterable[str]) -> frozenset[str]:
        """The letters of Art. 6(1) GDPR that the rule rests on; those of its policy's basis where its own names none."""
        return lawful_letters(self.basis) or lawful_letters(policy_basis)

    def start_of(self, bound: Bound) -> StartSpec:
        """Return what `bound`, one of this rule's, starts from."""
        start = bound.from_ or self.starts
        if start is None:
            raise ValueError("the bound is none of this rule")
        return start

    @property
    def date_names(self) -> frozenset[str]:
        """All dates that can decide."""
        return frozenset(name for _, bound in self.bounds for name in self.start_of(bound).date_names)

    def case_dates(self, case: Case) -> dict[str, Moment]:
        """Return the dates of one of this rule's cases by name."""
        return case.starts if isinstance(case.starts, dict) else dict.fromkeys(self.date_names, case.starts)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if wrong := [*self._wrong_bounds(), *self._wrong_starts()] or list(self._wrong_cases()):
            raise ValueError("; ".join(wrong))
        return self

    def _wrong_bounds(self) -> Iterator[str]:
        duty, purpose, cap = self.keep_at_least, self.delete_after, self.delete_by
        if self.action is Action.BLOCK:
            if self.block_after is None:
                yield "a rule that blocks needs `block_after`"
            if duty or purpose or cap or self.review_after or self.requires:
                yield "a rule that only blocks has no `keep_at_least`, `delete_after`, `delete_by`, `review_after` or `requires`"
            return
        statute = duty.statute if isinstance(duty, Duty) else None
        if (isinstance(duty, Derived) or (statute and statute.tax)) and self.holds is None:
            yield "`holds` is missing; where a duty of tax law is concerned it must say whether `tax-hold` and `tax-audit` apply"
        if self.review_after and "delete_after" in self.model_fields_set:
            yield "`review_after` leaves the end of the purpose to a person, so there is no `delete_after` beside it"
        if "keep_at_least" not in self.model_fields_set:
            yield "`keep_at_least` is missing; write the duty to keep, or `keep_at_least: none` where there is none"
        elif not (duty or purpose or cap or self.review_after):
            yield (
                f"nothing says when to {self.action}; write `delete_after`, `delete_by`, `review_after` "
                f"or a duty in `keep_at_least`"
            )
        elif duty and "delete_after" not in self.model_fields_set and not self.review_after:
            yield (
                "`delete_after` is missing; write our own period, or `delete_after: keep_at_least` "
                "where the duty is the only reason to keep"
            )
        elif not duty and purpose is None and "delete_after" in self.model_fields_set:
            yield "`delete_after: keep_at_least` needs a duty in `keep_at_least`"

    def _wrong_starts(self) -> Iterator[str]:
        bounds = self.bounds
        if not bounds:
            return
        without = [stage for stage, bound in bounds if bound.from_ is None]
        if self.starts is None and without:
            yield f"it is not said what {_joined(without)} counts from; write `starts`, or a `from` in every bound"
            return
        if self.starts is not None and len(without) < len(bounds):
            yield "there is both `starts` and a `from`; write `starts` for all bounds, or a `from` in every bound"
            return
        for stage, bound in bounds:
            start = self.start_of(bound)
            if bound.counted is Counted.EXACT and (start.inclusive_end or start.count_start_day):
                yield f"`{stage}` is counted exact; `after_last_day` and `count_start_day` need `counted: day-end` or by year"

    def _wrong_cases(self) -> Iterator[str]:
        names = self.date_names
        if isinstance(self.keep_at_least, Derived):
            names |= frozenset(self.keep_at_least.from_.date_names)
        for number, case in enumerate(self.cases):
            if not isinstance(case.starts, dict):
                if len(names) > 1:
                    yield f"cases[{number}].starts must say which date is meant: {_joined(sorted(names))}"
            elif strangers := sorted(case.starts.keys() - names):
                yield f"cases[{number}].starts names {_joined(strangers)}; the rule knows {_joined(sorted(names))}"


def _joined(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


@cache
def _zones() -> frozenset[str]:
    # What these mean the host decides, so they are no zones of a policy.
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


class Role(StrEnum):
    """What whoever keeps the data is in law."""

    OWN = "own"
    """The company itself."""
    PROCESSOR = "processor"
    """Bound by its instructions (Art. 28 GDPR)."""
    CONTROLLER = "controller"
    """Responsible on its own; can be told, not instructed (Art. 19 GDPR)."""


class SystemInfo(Written):
    """Whose system it is that a policy speaks of."""

    holder: Line
    """Who keeps the data there."""
    role: Role
    connector: Name
    """The connector that reaches it, also where it is not installed yet."""


class Attested(Written):
    """Data that no connector reaches: a person, or the vendor, has to attest again and again that it goes in time."""

    id: Identifier
    data_kind: Text
    categories: tuple[Name, ...]
    system: Name
    every: RetentionPeriod
    """How long an attestation is good for."""
    expect: dict[Name, Line] = Field(min_length=1)
    """What has to be attested, in words."""
    basis: tuple[Line, ...] = ()
    notice: Line | None = None
    note: Line | None = None


class Policy(Written):
    """One file of rules for one activity."""

    policy: Identifier
    title: Text
    purpose: Line
    basis: tuple[Line, ...] = Field(min_length=1)
    notice: Line
    """The published promise, word for word."""
    valid_from: date
    """The first day, in `zone`, on which this version of the policy counts; of several versions the newest such one does."""
    systems: dict[Name, SystemInfo] = Field(default_factory=dict)
    """Whose systems the rules speak of; with any, every one of them."""
    attestations: tuple[Attested, ...] = ()
    zone: str = Field(description="the IANA time zone in which days and years are counted, such as Europe/Berlin")
    """The IANA time zone in which days and years are counted."""
    rules: tuple[Rule, ...] = Field(min_length=1)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in _zones():
            close = difflib.get_close_matches(zone, _zones(), n=1)
            raise ValueError(f"there is no such time zone; {f'did you mean {close[0]}?' if close else 'one is Europe/Berlin'}")
        return zone

    @model_validator(mode="after")
    def _once(self) -> Self:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id in seen:
                raise ValueError(f"two rules are named {rule.id}; a name is given once")
            seen.add(rule.id)
        for attested in self.attestations:
            if attested.id in seen:
                raise ValueError(f"two rules are named {attested.id}; a name is given once")
            seen.add(attested.id)
        named = {rule.target.system for rule in self.rules} | {attested.system for attested in self.attestations}
        if strangers := sorted(named - self.systems.keys()) if self.systems or self.attestations else []:
            raise ValueError(f"`systems` does not say whose {', '.join(strangers)} is")
        return self
