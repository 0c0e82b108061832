"""What a rule says about one record at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo

from retentiond.model.bound import Bound, Duty, Stage, StartSpec
from retentiond.model.circumstances import PLAIN, Circumstances, ReviewWord, Suspension, Trigger
from retentiond.model.due import LAST_MOMENT, DueMoment, Start, as_instant, due_moment, end_of, later_by
from retentiond.model.hold import HoldKind
from retentiond.model.period import Counted, Term
from retentiond.model.record import Action, Dates, Fact, Moment
from retentiond.model.rule import Rule
from retentiond.model.search import date_names, searches, steps, undatable_dates
from retentiond.model.tax import TaxYear, ahead, end_of_day, statutory_end, waited, year_suspended_until

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
    AHEAD_OF_CAP = "ahead-of-cap"
    """The promised maximum ends so soon that work begins."""
    TRIGGERED = "triggered"
    """Due, because a request or a review ended the purpose."""
    NOT_DUE = "not-due"
    NOT_YET = "not-yet"
    """What the period counts from has not come yet, such as the end of a contract."""
    DUTY_RUNNING = "duty-running"
    """The purpose or cap is over, but a duty to keep it runs on."""
    GUARDED = "guarded"
    """The duty is over, and the days after the turn of the year are not yet in which nothing is done."""
    HELD = "held"
    """It would be to go, but a hold, an open tax year or a request is in the way."""
    REVIEW_DUE = "review-due"
    """A person has to decide about it."""
    REQUIREMENT = "requirement"
    """It would be to go, but a fact that the rule requires is not so."""
    CONTESTED = "contested"
    """Another data set holds it, too, so that nobody can tell which rule governs it."""
    ALREADY_BLOCKED = "already-blocked"
    """To be blocked, and it is; it is not yet to go."""
    UNDATABLE = "undatable"
    IMPLAUSIBLE_DATE = "implausible-date"
    """A date that decides is one that broken clocks and empty fields leave behind, so it is taken for unknown."""


_UNKNOWN = (Reason.UNDATABLE, Reason.IMPLAUSIBLE_DATE)
_NO_FACTS: Mapping[str, Fact] = {}


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
    """From when it is to go (UTC); None where it is undatable, held, open, or the rule only blocks."""
    block_at: datetime | None
    """From when it is to be blocked (UTC); None where it never is, or goes no later than that."""
    step: Action | None
    """What is to be done now; None for nothing."""
    ends: tuple[BoundEnd, ...]
    reason: Reason
    act_from: datetime | None = None
    """From when it is acted on (UTC): later than `due_at` by the days of grace at the turn of the year, earlier by a lead."""
    suspensions: tuple[Suspension, ...] = ()
    """What is, or was, in the way of its going and counts under this rule."""
    triggers: tuple[Trigger, ...] = ()
    """What ended its purpose, or has it blocked, beside its dates."""
    unmet: tuple[str, ...] = ()
    """The facts that the rule requires and that are not so."""
    review_at: datetime | None = None
    """From when a person has to decide (UTC); None where nobody has to."""


def decide(
    rule: Rule,
    zone: str,
    dates: Dates,
    blocked: bool,
    now: datetime,
    *,
    facts: Mapping[str, Fact] = _NO_FACTS,
    contested: bool = False,
    circumstances: Circumstances = PLAIN,
) -> Decision:
    """Say what the rule, counted in the IANA `zone`, asks for a record with these `dates` at `now` (aware UTC).

    Where a date that must be known is not, or the record is contested, nothing is asked for, not even blocking. A suspension
    or a requirement keeps a record from going, and never from being blocked.
    """
    bounds = rule.bounds
    starts = {stage: start_of(rule.start_of(bound), dates, zone) for stage, bound in bounds}
    ends = tuple(_ended(rule, stage, bound, starts[stage], zone) for stage, bound in bounds)
    unknown = _unknown(rule, starts)
    if contested or unknown is not None:
        verdict = Verdict.MUST_KEEP if unknown is None else Verdict.UNDATABLE
        return Decision(verdict, None, None, None, ends, unknown or Reason.CONTESTED)
    known = {one.stage: one.end for one in ends if one.end is not None}
    suspensions = _suspensions(rule, starts, zone, circumstances)
    weighed = _Weighed(rule, zone, known, circumstances, suspensions)
    moment = weighed.moment()
    act_from = weighed.act_from(moment)
    unmet = tuple(one.fact for one in rule.requires or () if facts.get(one.fact) is None or facts[one.fact] != one.is_)
    step, reason = _step(rule, weighed, moment, act_from, unmet, starts, blocked=blocked, now=now)
    verdict = Verdict.MUST_KEEP
    if step is not None and step is not Action.BLOCK:
        verdict = Verdict.MUST_BE_GONE if reason is Reason.PAST_CAP else Verdict.MAY_DELETE
    elif weighed.stopped(moment, now):
        verdict = Verdict.HELD
    is_open = _is_open(starts) or rule.review_after is not None
    due_at = None if moment.due_at == LAST_MOMENT and is_open else moment.due_at
    return Decision(
        verdict,
        due_at,
        moment.block_at,
        step,
        ends,
        reason,
        act_from if due_at is not None else None,
        suspensions,
        (*circumstances.endings, *circumstances.restrictions),
        unmet,
        weighed.review_end,
    )


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
        if spec.missing:
            return Reason.NOT_YET
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
    basis = bound.basis
    if isinstance(bound, Duty) and basis is None and bound.statute:
        basis = ", ".join(bound.statute.basis)
    if isinstance(start, Reason):
        # What has not begun does not end; a block that waits for it simply does not come.
        open_end = LAST_MOMENT if start is Reason.NOT_YET and stage is not Stage.BLOCK_AFTER else None
        return BoundEnd(stage, names, None, open_end, basis)
    end = end_of(start, bound.term, zone)
    if isinstance(bound, Duty) and bound.statute:
        end = max(end, statutory_end(start, bound.statute, zone))
    return BoundEnd(stage, names, start.value, end, basis)


def _unknown(rule: Rule, starts: Mapping[Stage, Start | Reason]) -> Reason | None:
    """Why the record is undatable; None where it is not."""
    needed = [starts[stage] for stage in (Stage.KEEP_AT_LEAST, Stage.REVIEW_AFTER) if stage in starts]
    any_will_do = [starts[stage] for stage in (Stage.DELETE_AFTER, Stage.DELETE_BY) if stage in starts]
    if rule.action is Action.BLOCK:
        needed = [starts[Stage.BLOCK_AFTER]]
    elif rule.review_after is not None or (rule.duty is not None and rule.delete_after is None):
        any_will_do = []  # a person, or the duty, ends the purpose; a cap changes nothing about what must be known
    missing = [start for start in needed if start in _UNKNOWN]
    absent = [start for start in any_will_do if start in _UNKNOWN]
    if len(absent) == len(any_will_do):
        missing += absent
    if not missing:
        return None
    return Reason.IMPLAUSIBLE_DATE if Reason.IMPLAUSIBLE_DATE in missing else Reason.UNDATABLE


def _is_open(starts: Mapping[Stage, Start | Reason]) -> bool:
    return Reason.NOT_YET in starts.values()


def _suspensions(
    rule: Rule, starts: Mapping[Stage, Start | Reason], zone: str, circumstances: Circumstances
) -> tuple[Suspension, ...]:
    """What suspends under this rule: holds of the kinds it knows, and the tax year that the record matters for."""
    counting = tuple(
        one for one in circumstances.suspensions if rule.holds is None or one.kind in rule.holds or one.kind is HoldKind.REQUEST
    )
    if circumstances.tax_years is None or not rule.holds:
        return counting
    start = starts.get(Stage.KEEP_AT_LEAST) or next(iter(starts.values()))
    if isinstance(start, Reason):
        return counting
    day = as_instant(start.value, zone).astimezone(_zone(zone)) if isinstance(start.value, datetime) else start.value
    year = circumstances.tax_years.get(day.year, TaxYear(day.year))
    if HoldKind.TAX_HOLD in rule.holds:
        counting += (Suspension(HoldKind.TAX_HOLD, year_suspended_until(year, zone), f"tax year {year.year}"),)
    if HoldKind.TAX_AUDIT in rule.holds and year.audit_since is not None:
        end = None if year.audit_until is None else end_of_day(year.audit_until, zone)
        counting += (Suspension(HoldKind.TAX_AUDIT, end, f"tax year {year.year}"),)
    return counting


@cache
def _zone(zone: str) -> ZoneInfo:
    return ZoneInfo(zone)


class _Weighed:
    """The ends of one record's bounds beside all that persons and registers say about it."""

    def __init__(
        self,
        rule: Rule,
        zone: str,
        ends: Mapping[Stage, datetime],
        circumstances: Circumstances,
        suspensions: tuple[Suspension, ...],
    ) -> None:
        self.rule = rule
        self.zone = zone
        self.ends = ends
        self.minima = self._of(Stage.KEEP_AT_LEAST)
        self.caps = self._of(Stage.DELETE_BY)
        self.blocks = [*self._of(Stage.BLOCK_AFTER), *(one.at for one in circumstances.restrictions)]
        self.triggers = [one.at for one in circumstances.endings]
        self.suspensions = [one.end for one in suspensions]
        self.can_block = circumstances.can_block
        self.purposes = self._of(Stage.DELETE_AFTER)
        if rule.delete_after is not None and not self.purposes:
            self.purposes = [LAST_MOMENT]  # what ends the purpose has not been reported: it is open, and the cap decides
        self.review_end = self._reviewed(circumstances)

    def _of(self, stage: Stage) -> list[datetime]:
        return [self.ends[stage]] if stage in self.ends else []

    def _reviewed(self, circumstances: Circumstances) -> datetime | None:
        """When the record is up for review; takes in what was decided about it, and what comes without a decision."""
        review = self.rule.review_after
        if review is None:
            return None
        word, due = circumstances.review, self.ends[Stage.REVIEW_AFTER]
        if word is not None and word.word is ReviewWord.DELETE:
            self.triggers.append(word.at)
        elif word is not None and word.word is ReviewWord.BLOCK:
            self.blocks.append(word.at)
        elif word is not None and word.until is not None:
            due = max(due, word.until)
        fallback = review.no_decision
        if fallback is None or due == LAST_MOMENT:
            self.purposes.append(LAST_MOMENT)
            return due
        for waiting, into in ((fallback.block, self.blocks), (fallback.delete, self.purposes)):
            into.append(end_of(Start(due), Term(waiting, Counted.EXACT), self.zone))
        return due

    def moment(self) -> DueMoment:
        """When it is due, by the promises alone."""
        if self.rule.action is Action.BLOCK:
            return DueMoment(None, min([*self.blocks, *self.triggers], default=None))
        return self._due(self.caps, self.minima)

    def act_from(self, moment: DueMoment) -> datetime | None:
        """When work begins: with the lead of the cap, and not before the days of grace after a statutory duty are over."""
        if self.rule.action is Action.BLOCK:
            return None
        cap, duty = self.rule.delete_by, self.rule.duty
        lead = cap.lead if cap is not None else None
        statute = duty.statute if duty else None
        if not lead and statute is None:
            return moment.due_at
        caps = [ahead(end, lead) for end in self.caps] if lead else self.caps
        minima = [waited(end, statute.guard, self.zone) for end in self.minima] if statute else self.minima
        return self._due(caps, minima).due_at

    def _due(self, caps: list[datetime], minima: list[datetime]) -> DueMoment:
        return due_moment(
            minima=minima,
            purposes=self.purposes,
            caps=caps,
            triggers=self.triggers,
            suspensions=self.suspensions,
            blocks=self.blocks,
        )

    def stopped(self, moment: DueMoment, now: datetime) -> bool:
        """True where it would be to go, were it not for a suspension that is not over."""
        free = moment.unsuspended is not None and moment.unsuspended <= now
        return free and (moment.held or (moment.due_at is not None and moment.due_at > now))


def _step(
    rule: Rule,
    weighed: _Weighed,
    moment: DueMoment,
    act_from: datetime | None,
    unmet: tuple[str, ...],
    starts: Mapping[Stage, Start | Reason],
    *,
    blocked: bool,
    now: datetime,
) -> tuple[Action | None, Reason]:
    def over(end: datetime | None) -> bool:
        return end is not None and end <= now

    if over(act_from) and not unmet:
        if any(map(over, weighed.caps)):
            return rule.action, Reason.PAST_CAP
        if not over(moment.due_at):
            return rule.action, Reason.AHEAD_OF_CAP
        return rule.action, Reason.TRIGGERED if any(map(over, weighed.triggers)) else Reason.DUE
    if over(moment.block_at) and not blocked and weighed.can_block:
        return Action.BLOCK, Reason.DUE
    if over(act_from):
        return None, Reason.REQUIREMENT
    if weighed.stopped(moment, now):
        return None, Reason.HELD
    if over(moment.due_at):
        return None, Reason.GUARDED
    if any(map(over, [*weighed.purposes, *weighed.caps, *weighed.triggers])):
        return None, Reason.DUTY_RUNNING
    if over(weighed.review_end):
        return None, Reason.REVIEW_DUE
    if _is_open(starts):
        return None, Reason.NOT_YET
    return None, Reason.ALREADY_BLOCKED if over(moment.block_at) else Reason.NOT_DUE
