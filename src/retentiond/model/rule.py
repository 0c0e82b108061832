"""A rule as a person writes it. Unknown keys are refused.

Which keys must be written follows from one promise: a key that is left out, or misspelt, never makes a rule select
more, or earlier. Where leaving one out would loosen the rule, there is no default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from retentiond.model.bound import Bound, Cap, Derived, Duty, Requirement, Review, Stage, Starts, StartSpec, none
from retentiond.model.case import Case
from retentiond.model.hold import HoldKind
from retentiond.model.period import Counted
from retentiond.model.record import Action, Moment
from retentiond.model.request import RequestKind, lawful_letters
from retentiond.model.written import Identifier, Line, Name, Names, Text, Written


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
        Duty | Derived | None, BeforeValidator(none, json_schema_input_type=Duty | Derived | Literal["none"])
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
        required = {one.fact for one in self.requires or ()}
        for number, case in enumerate(self.cases):
            if unasked := sorted(case.facts.keys() - required):
                yield f"cases[{number}].facts names {_joined(unasked)}, which the rule does not require"
            if not isinstance(case.starts, dict):
                if len(names) > 1:
                    yield f"cases[{number}].starts must say which date is meant: {_joined(sorted(names))}"
            elif strangers := sorted(case.starts.keys() - names):
                yield f"cases[{number}].starts names {_joined(strangers)}; the rule knows {_joined(sorted(names))}"


def _joined(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
