"""Looks up the duties that are derived from other rules, so that what is derived changes with what it derives from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retentiond.errors import Problem
from retentiond.model.bound import Derived, Duty
from retentiond.model.period import Counted
from retentiond.policy.loaded import LoadedPolicy


def derived(policies: Sequence[LoadedPolicy], problems: list[Problem]) -> list[LoadedPolicy]:
    """Return the policies with every derived duty written out, without those where that cannot be done, which `problems` tells.

    Of several versions of the other rule the longest period, the latest way of counting and the farthest-reaching class count,
    whichever version they are from, so that no derived duty ends before what it protects.
    """
    duties: dict[str, list[Duty]] = {}
    for loaded in policies:
        for rule in loaded.policy.rules:
            if isinstance(rule.keep_at_least, Duty):
                duties.setdefault(rule.id, []).append(rule.keep_at_least)
    found = []
    for loaded in policies:
        rules = []
        for number, rule in enumerate(loaded.policy.rules):
            if not isinstance(rule.keep_at_least, Derived):
                rules.append(rule)
                continue
            duty = _looked_up(rule.keep_at_least, duties)
            if duty is None:
                where = loaded.place(("rules", number, "keep_at_least", "derived_from"))
                what = f"there is no rule {rule.keep_at_least.derived_from} with a duty of its own to derive one from"
                problems.append(Problem(where, f"rules[{number}].keep_at_least.derived_from", what))
                continue
            rules.append(rule.model_copy(update={"keep_at_least": duty}))
        if len(rules) == len(loaded.policy.rules):
            found.append(replace(loaded, policy=loaded.policy.model_copy(update={"rules": tuple(rules)})))
    return found


def _looked_up(wanted: Derived, duties: dict[str, list[Duty]]) -> Duty | None:
    known = duties.get(wanted.derived_from, [])
    if not known:
        return None
    longest = max(known, key=lambda duty: duty.period.longest_days)
    counted, period = _latest_counted({duty.counted for duty in known}), longest.period
    if counted is not Counted.EXACT:  # hours cannot be counted in days
        days = period.days + -(-period.elapsed_seconds // 86_400)
        period = replace(period, days=days, hours=0, minutes=0, seconds=0)
    law = max(known, key=_reach).class_
    basis = wanted.basis or longest.basis
    return longest.model_copy(update={"period": period, "counted": counted, "class_": law, "from_": wanted.from_, "basis": basis})


def _latest_counted(ways: set[Counted]) -> Counted:
    """The way of counting by which no period ends before it does by one of `ways`."""
    if any(way.by_year for way in ways):
        workday = any(way.to_workday for way in ways)
        return Counted.CALENDAR_YEAR_END_WORKDAY if workday else Counted.CALENDAR_YEAR_END
    return next(way for way in (Counted.DAY_END_WORKDAY, Counted.DAY_END, Counted.EXACT) if way in ways)


def _reach(duty: Duty) -> tuple[bool, int]:
    """How far the law behind a duty reaches: an open tax year may suspend it for as long as it takes."""
    return (False, -1) if duty.statute is None else (duty.statute.tax, duty.statute.period.longest_days)
