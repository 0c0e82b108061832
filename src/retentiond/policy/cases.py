"""Tries each rule on worked cases: those it declares, and generated ones around every moment that decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from retentiond.document import Loc, dotted
from retentiond.errors import Problem
from retentiond.model.case import KEPT, Case
from retentiond.model.decision import Decision, decide, searches, steps
from retentiond.model.due import LAST_MOMENT
from retentiond.model.policy import Policy
from retentiond.model.record import Action, Dates, Moment
from retentiond.model.rule import Rule

_INSTANT = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_EARLY = datetime(1971, 1, 1, tzinfo=UTC)
_STARTS: tuple[Moment, ...] = (
    date(2024, 2, 29),
    date(2025, 12, 31),
    datetime(2025, 1, 31, 22, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 15, 1, 30, tzinfo=UTC),  # two weeks before an hour that does not exist in Berlin
    datetime(2025, 10, 12, 0, 30, tzinfo=UTC),  # two weeks before an hour that comes twice
    datetime(2025, 12, 31, 23, 30, tzinfo=UTC),  # another year in Berlin
)


def check_cases(policy: Policy, placed: Callable[[Loc], str]) -> list[Problem]:
    """Try every rule of a policy; return what does not come out as declared, or as it must. `placed` tells where it is written.

    A declared case must be due exactly at its moment: kept one day and one microsecond before, found and due at it.
    The same is tried with generated dates; a problem there is a defect of retentiond, not of the policy.
    """
    problems: list[Problem] = []
    for number, rule in enumerate(policy.rules):
        place: Loc = ("rules", number)
        for index, case in enumerate(rule.cases):
            loc = (*place, "cases", index)
            found = [*_declared(rule, policy.zone, case), *_sharp(rule, policy.zone, rule.case_dates(case))]
            problems += [Problem(placed(loc), dotted(loc), what) for what in found]
        problems += [
            Problem(placed(place), dotted(place), f"{what} (a generated case; this is a defect of retentiond)")
            for start in _STARTS
            for what in _sharp(rule, policy.zone, dict.fromkeys(rule.date_names, start))
        ]
    return problems


def _declared(rule: Rule, zone: str, case: Case) -> Iterator[str]:
    decision = decide(rule, zone, rule.case_dates(case), False, _EARLY, facts=case.facts)
    moment = decision.block_at if rule.action is Action.BLOCK else decision.due_at
    if decision.unmet:
        moment = None
    if moment != case.due:
        yield f"the case says due {_told(case.due, decision, zone)}, the rule says {_told(moment, decision, zone)}"
    if case.blocked is not None and decision.block_at != case.blocked:
        told = _told(decision.block_at, decision, zone)
        yield f"the case says blocked {_told(case.blocked, decision, zone)}, the rule says {told}"


def _sharp(rule: Rule, zone: str, dates: Dates) -> Iterator[str]:
    """What is not as it must be around the moments at which the record with these dates is due for a step."""
    facts = {one.fact: one.is_ for one in rule.requires or ()}

    def decided(now: datetime) -> Decision:
        return decide(rule, zone, dates, False, now, facts=facts)

    whole = decided(_EARLY)
    moments = {Action.BLOCK: whole.block_at, rule.action: whole.block_at if rule.action is Action.BLOCK else whole.act_from}
    for action, moment in moments.items():
        if moment is None or moment == LAST_MOMENT:
            continue
        for before in (_INSTANT, _DAY):
            if decided(moment - before).step is action:
                yield f"{action} is due before {moment.isoformat()}"
        if decided(moment).step is not action:
            yield f"{action} is not due at {moment.isoformat()}"
        elif action not in steps(rule) or not any(cutoff.admits(dates) for cutoff in searches(rule, zone, action, moment)):
            yield f"no search finds what is due for {action} at {moment.isoformat()}"


def _told(moment: datetime | None, decision: Decision, zone: str) -> str:
    if decision.unmet and moment is None:
        return f"{KEPT}, because {', '.join(decision.unmet)} is not as the rule requires"
    if moment is not None:
        return "beyond the calendar" if moment == LAST_MOMENT else f"at {moment.astimezone(ZoneInfo(zone)).isoformat()}"
    return f"{KEPT}, {decision.reason}" if decision.due_at is None and decision.block_at is None else KEPT
