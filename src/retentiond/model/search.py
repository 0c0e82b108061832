"""What to ask a system for so that nothing due is missed: the steps of a rule, and the cutoffs that find its records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from retentiond.model.bound import Bound, Cap, StartSpec
from retentiond.model.cutoff import cutoff_for
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Action, Cutoff
from retentiond.model.rule import Rule

COUNTED_LATER = (
    Counted.EXACT,
    Counted.DAY_END,
    Counted.DAY_END_WORKDAY,
    Counted.CALENDAR_YEAR_END,
    Counted.CALENDAR_YEAR_END_WORKDAY,
)
"""Ways of counting, each of which ends no sooner than those before it, but for days that move to a working day."""

_YEAR_AT_MOST = 367
_WORKDAY_AT_MOST = 10
_SLACK = 5  # month ends, midnights and zones


def steps(rule: Rule) -> tuple[Action, ...]:
    """Return what the rule can ever do to a record, in the order of its life.

    Blocking is among it where the rule says so, and where a purpose or cap can be over while a duty still runs.
    """
    if rule.action is Action.BLOCK:
        return (Action.BLOCK,)
    return (Action.BLOCK, rule.action) if _leading(rule, Action.BLOCK) else (rule.action,)


def searches(rule: Rule, zone: str, step: Action, now: datetime, *, suspended: bool = False) -> tuple[Cutoff, ...]:
    """Return the cutoffs that together admit every record for which `step` is due at `now` (aware UTC) by its dates.

    Each is on a date of its own. They also admit others: whoever searches decides about each record by itself. With
    `suspended`, suspensions may keep records past their time, which are then to be blocked. What a request, or a person's
    decision, makes due is not among it: it is looked up by the person, or by the record.
    """
    passes: dict[str, Cutoff] = {}
    for bound in _leading(rule, step, suspended=suspended):
        lead = bound.lead if isinstance(bound, Cap) and step is rule.action else None
        for cutoff in _passes(rule.start_of(bound), bound.term, zone, _later(now, lead)):
            other = passes.get(cutoff.by, cutoff)
            before, before_date = max(cutoff.before, other.before), max(cutoff.before_date, other.before_date)
            passes[cutoff.by] = Cutoff(cutoff.by, before, before_date)
    return tuple(passes.values())


def undatable_dates(rule: Rule, step: Action | None = None) -> tuple[str, ...]:
    """Return the dates by which the rule's records are found: with none of them known, no search finds a record.

    With `step` they are those of that step's searches, else those of all.
    """
    leading = [bound for one in ([step] if step else steps(rule)) for bound in _leading(rule, one)]
    return tuple(dict.fromkeys(name for bound in leading for name in _leads(rule.start_of(bound))))


def date_names(rule: Rule) -> frozenset[str]:
    """Return all dates that can decide about a record."""
    return rule.date_names


def _leading(rule: Rule, step: Action, *, suspended: bool = False) -> list[Bound]:
    """The bounds of which at least one must be over for the step to be due."""
    uppers: list[Bound] = [bound for bound in (rule.delete_after, rule.delete_by, rule.review_after) if bound is not None]
    duty = rule.duty
    if step is not Action.BLOCK:
        return ([duty] if duty else uppers) if step is rule.action else []
    blocks = [bound for bound in (rule.block_after, rule.review_after) if bound is not None]
    if suspended:
        return blocks + [bound for bound in (*uppers, duty) if bound is not None and bound not in blocks]
    return blocks + ([upper for upper in uppers if upper not in blocks and _can_end_before(rule, upper, duty)] if duty else [])


def _later(now: datetime, lead: RetentionPeriod | None) -> datetime:
    return now if lead is None else now + timedelta(days=lead.whole_days, seconds=lead.elapsed_seconds)


def _leads(start: StartSpec) -> tuple[str, ...]:
    """The dates of which one is known, and no later than the start, wherever the start is known."""
    latest = start.required[:1] or start.names
    return latest + ((start.else_.at,) if start.else_ else ())


def _passes(start: StartSpec, term: Term, zone: str, now: datetime) -> Iterator[Cutoff]:
    for name in _leads(start):
        plus = start.else_.plus if start.else_ and name == start.else_.at else None
        yield cutoff_for(
            name, term, zone, now, inclusive_end=start.inclusive_end, count_start_day=start.count_start_day, plus=plus
        )


def _can_end_before(rule: Rule, upper: Bound, duty: Bound) -> bool:
    """True unless it is certain that `upper` never ends before `duty`."""
    if rule.start_of(upper) != rule.start_of(duty):
        return True
    if no_earlier(duty.term, upper.term):
        return False
    return upper.period.shortest_days - _SLACK < _longest(duty.term)


def no_earlier(first: Term, second: Term) -> bool:
    """Return True where `second` never ends before `first`, from whatever start both are counted.

    One exception: counted exact, what ends on a day that a zone left out ends at that hour of the next one, after midnight.
    """
    short, long = first.period, second.period
    no_shorter = (
        long.whole_months >= short.whole_months
        and long.whole_days >= short.whole_days
        and long.elapsed_seconds >= short.elapsed_seconds
    )
    counted_later = COUNTED_LATER.index(second.counted) >= COUNTED_LATER.index(first.counted)
    return no_shorter and counted_later and (second.counted.to_workday or not first.counted.to_workday)


def _longest(term: Term) -> int:
    extra = _YEAR_AT_MOST * term.counted.by_year + _WORKDAY_AT_MOST * term.counted.to_workday
    return term.period.longest_days + extra + _SLACK
