"""What a rule's bounds are made of: what a period starts from, how long it is, and what its end is for."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from retentiond.model.law import CLASSES, NO_CLASS, RetentionClass
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Fact
from retentiond.model.written import Identifier, Line, Name, Names, Written, tupled


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


def none(value: object) -> object:
    """Read the word `none` as None."""
    return None if value == "none" else value


class Review(Bound):
    """From its end on a person has to decide whether the record is still needed."""

    owner: Name
    """The staff id or role of whoever decides."""
    four_eyes: bool = True
    """True where `keep` needs the word of a second person."""
    no_decision: Annotated[Undecided | None, BeforeValidator(none, json_schema_input_type=Undecided | Literal["none"])] = Field(
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
