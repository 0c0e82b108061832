"""What a rule says about one record at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from retentiond.model.due import LAST_MOMENT, DueMoment, Start, as_instant, due_moment, end_of, later_by
from retentiond.model.record import Action, Dates, Moment
from retentiond.model.rule import Bound, Rule, Stage, StartSpec
from retentiond.model.search import date_names, searches, steps, undatable_dates

__all__ = [
    "BoundEnd",
    "Decision",
    "Reason",
    "Verdict",
    "date_names",
    "decide",
    "searches",
    "steps",
    "undatable_dates",
]

_FIRST_PLAUSIBLE_YEAR = 1971
_FIRST_IMPLAUSIBLE_YEAR = 9000
_UNSET_CLOCK = date(1980, 1, 1)


class Verdict(StrEnum):
    """What is to become of a record."""

    MUST_KEEP = "must-keep"
    MAY_DELETE = "may-delete"
    """Nothing asks for it any more."""
    MUST_BE_GONE = "must-be-gone"
    """A cap or promise is over, too."""
    HELD = "held"
    UNDATABLE = "undatable"
    """A date that decides is unknown; the record is left alone and listed."""


class Reason(StrEnum):
    """Why a record is dealt with or left alone; the closed list."""

    DUE = "due"
    PAST_CAP = "past-cap"
    """Due, and the promised maximum is over."""
    NOT_DUE = "not-due"
    DUTY_RUNNING = "duty-running"
    """The purpose or cap is over, but a duty to keep it runs on."""
    ALREADY_BLOCKED = "already-blocked"
    """To be blocked, and it is; it is not yet to go."""
    UNDATABLE = "undatable"
    IMPLAUSIBLE_DATE = "implausible-date"
    """A date that decides is one that broken clocks and empty fields leave behind, so it is taken for unknown."""


@dataclass(frozen=True, slots=True)
class BoundEnd:
    """What one bound of the rule came to for the record."""

    stage: Stage
    date_names: tuple[str, ...]
    """The dates it can start from, in the data set's words."""
    start: Moment | None = field(repr=False)
    """What it started from; None where that is unknown."""
    end: datetime | None
    """When it ends (UTC); None where that is unknown."""
    basis: str | None = None
    """The law or promise behind it; None where the rule gives none for this bound."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rule says about one record at one moment."""

    verdict: Verdict
    due_at: datetime | None
    """From when it is to go (UTC); None where it is undatable, or the rule only blocks."""
    block_at: datetime | None
    """From when it is to be blocked (UTC); None where it never is, or goes no later than that."""
    step: Action | None
    """What is to be done now; None for nothing."""
    ends: tuple[BoundEnd, ...]
    reason: Reason


def decide(rule: Rule, zone: str, dates: Dates, blocked: bool, now: datetime) -> Decision:
    """Say what the rule, counted in the IANA `zone`, asks for a record with these `dates` at `now` (aware UTC).

    Where a date that must be known is not, nothing is asked for, not even blocking.
    """
    starts = {stage: start_of(rule.start_of(bound), dates, zone) for stage, bound in rule.bounds}
    ends = tuple(_ended(rule, stage, bound, starts[stage], zone) for stage, bound in rule.bounds)
    unknown = _unknown(rule, starts)
    if unknown is not None:
        return Decision(Verdict.UNDATABLE, None, None, None, ends, unknown)
    known = {one.stage: one.end for one in ends if one.end is not None}
    moment = _weighed(rule, known)
    step, reason = _step(rule, moment, known, blocked=blocked, now=now)
    verdict = Verdict.MUST_KEEP
    if step is not None and step is not Action.BLOCK:
        verdict = Verdict.MUST_BE_GONE if reason is Reason.PAST_CAP else Verdict.MAY_DELETE
    return Decision(verdict, moment.due_at, moment.block_at, step, ends, reason)


def start_of(spec: StartSpec, dates: Dates, zone: str) -> Start | Reason:
    """Return what a period starts from, or why that is unknown.

    An implausible date is never skipped for another: it may stand for something that has not ended. And of several dates
    a known one is never skipped for a fallback that is earlier.
    """
    values = [dates.get(name) for name in spec.names]
    if any(value is not None and is_implausible(value, zone) for value in values):
        return Reason.IMPLAUSIBLE_DATE
    known: list[Moment] = [value for value in values if value is not None]
    if not known or any(dates.get(name) is None for name in spec.required):
        fallback = dates.get(spec.else_.at) if spec.else_ else None
        if spec.else_ is None or fallback is None:
            return Reason.UNDATABLE
        if is_implausible(fallback, zone):
            return Reason.IMPLAUSIBLE_DATE
        known.append(later_by(fallback, spec.else_.plus, zone))
    start = known[0] if len(known) == 1 else max(known, key=lambda value: as_instant(value, zone))
    return Start(start, inclusive_end=spec.inclusive_end, count_start_day=spec.count_start_day)


def is_implausible(moment: Moment, zone: str) -> bool:
    """True for what broken clocks and empty fields leave behind: before 1971, midnight of 1 January 1980, from year 9000."""
    if not _FIRST_PLAUSIBLE_YEAR <= moment.year < _FIRST_IMPLAUSIBLE_YEAR:
        return True
    if not isinstance(moment, datetime):
        return moment == _UNSET_CLOCK
    # Only near that day is it worth reckoning, for every record comes through here.
    return moment.year in (1979, 1980) and moment in (
        datetime.combine(_UNSET_CLOCK, datetime.min.time(), UTC),
        as_instant(_UNSET_CLOCK, zone),
    )


def _ended(rule: Rule, stage: Stage, bound: Bound, start: Start | Reason, zone: str) -> BoundEnd:
    names = rule.start_of(bound).date_names
    if isinstance(start, Reason):
        return BoundEnd(stage, names, None, None, bound.basis)
    return BoundEnd(stage, names, start.value, end_of(start, bound.term, zone), bound.basis)


def _unknown(rule: Rule, starts: Mapping[Stage, Start | Reason]) -> Reason | None:
    """Why the record is undatable; None where it is not."""
    needed = [starts[stage] for stage in (Stage.KEEP_AT_LEAST,) if stage in starts]
    any_will_do = [starts[stage] for stage in (Stage.DELETE_AFTER, Stage.DELETE_BY) if stage in starts]
    if rule.action is Action.BLOCK:
        needed = [starts[Stage.BLOCK_AFTER]]
    elif rule.keep_at_least is not None and rule.delete_after is None:
        any_will_do = []  # the purpose ends with the duty, and a cap changes nothing about that
    missing = [start for start in needed if isinstance(start, Reason)]
    absent = [start for start in any_will_do if isinstance(start, Reason)]
    if len(absent) == len(any_will_do):
        missing += absent
    if not missing:
        return None
    return Reason.IMPLAUSIBLE_DATE if Reason.IMPLAUSIBLE_DATE in missing else Reason.UNDATABLE


def _weighed(rule: Rule, ends: Mapping[Stage, datetime]) -> DueMoment:
    def of(stage: Stage) -> list[datetime]:
        return [ends[stage]] if stage in ends else []

    if rule.action is Action.BLOCK:
        return DueMoment(None, ends[Stage.BLOCK_AFTER])
    purposes = of(Stage.DELETE_AFTER)
    if rule.delete_after is not None and not purposes:
        purposes = [LAST_MOMENT]  # what ends the purpose has not been reported: it is open, and the cap decides
    return due_moment(
        minima=of(Stage.KEEP_AT_LEAST),
        purposes=purposes,
        caps=of(Stage.DELETE_BY),
        blocks=of(Stage.BLOCK_AFTER),
    )


def _step(
    rule: Rule, moment: DueMoment, ends: Mapping[Stage, datetime], *, blocked: bool, now: datetime
) -> tuple[Action | None, Reason]:
    def over(end: datetime | None) -> bool:
        return end is not None and end <= now

    if over(moment.due_at):
        return rule.action, Reason.PAST_CAP if over(ends.get(Stage.DELETE_BY)) else Reason.DUE
    if over(moment.block_at) and not blocked:
        return Action.BLOCK, Reason.DUE
    purpose_over = over(ends.get(Stage.DELETE_AFTER)) or over(ends.get(Stage.DELETE_BY))
    if purpose_over:
        return None, Reason.DUTY_RUNNING
    return None, Reason.ALREADY_BLOCKED if over(moment.block_at) else Reason.NOT_DUE
