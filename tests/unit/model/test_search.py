from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from support.dates import day_terms, moments, terms, zones
from support.rules import rule

from retentiond.model.due import Start, end_of
from retentiond.model.period import Term
from retentiond.model.record import Action, Cutoff, Moment
from retentiond.model.search import date_names, searches, steps, undatable_dates

NOW = datetime(2030, 6, 1, tzinfo=UTC)
YEAR = {"period": "P1Y", "counted": "day-end"}


def _written(term: Term) -> dict[str, str]:
    return {"period": str(term.period), "counted": term.counted.value}


@settings(max_examples=500)
@given(terms, terms, moments, zones)
def test_where_blocking_is_no_step_the_cap_never_ends_before_the_duty(duty: Term, cap: Term, moment: Moment, zone: str) -> None:
    one = rule(starts="at", keep_at_least=_written(duty), delete_after="keep_at_least", delete_by=_written(cap))
    if Action.BLOCK not in steps(one):
        assert end_of(Start(moment), cap, zone) >= end_of(Start(moment), duty, zone)


@given(day_terms, day_terms, moments, zones)
def test_where_blocking_is_no_step_a_cap_after_a_last_day_never_ends_before_the_duty(
    duty: Term, cap: Term, moment: Moment, zone: str
) -> None:
    one = rule(
        starts={"after_last_day": "at"}, keep_at_least=_written(duty), delete_after="keep_at_least", delete_by=_written(cap)
    )
    if Action.BLOCK not in steps(one):
        start = Start(moment, inclusive_end=True)
        assert end_of(start, cap, zone) >= end_of(start, duty, zone)


@pytest.mark.parametrize(
    ("duty", "cap", "blocks"),
    [
        ("P8Y calendar-year-end", "P10Y calendar-year-end", False),
        ("P8Y calendar-year-end", "P8Y calendar-year-end", False),
        ("P8Y day-end", "P8Y calendar-year-end", False),
        ("P8Y calendar-year-end", "P10Y day-end", False),
        ("P8Y calendar-year-end", "P8Y day-end", True),
        ("P8Y calendar-year-end", "P102M day-end", True),
        ("P6Y calendar-year-end", "P3Y calendar-year-end", True),
        ("P1M day-end", "P30D day-end", True),
        ("P1M day-end", "P60D day-end", False),
        ("P1D exact", "PT20H exact", True),
        ("P1D day-end-next-workday", "P1D day-end", True),
        ("P1D day-end-next-workday", "P30D day-end", False),
    ],
)
def test_blocking_is_a_step_only_where_a_cap_can_end_before_the_duty(duty: str, cap: str, *, blocks: bool) -> None:
    short, long = (dict(zip(("period", "counted"), text.split(), strict=True)) for text in (duty, cap))
    one = rule(starts="at", keep_at_least=short, delete_after="keep_at_least", delete_by=long)
    assert (Action.BLOCK in steps(one)) == blocks


def test_bounds_that_start_from_different_dates_can_end_in_any_order() -> None:
    one = rule(keep_at_least=YEAR | {"from": "a"}, delete_after=YEAR | {"from": "b", "period": "P9Y"})
    assert steps(one) == (Action.BLOCK, Action.DELETE)
    assert [cutoff.by for cutoff in searches(one, "UTC", Action.BLOCK, NOW)] == ["b"]
    assert [cutoff.by for cutoff in searches(one, "UTC", Action.DELETE, NOW)] == ["a"]
    assert undatable_dates(one, Action.DELETE) == ("a",)
    assert undatable_dates(one) == ("b", "a")


def test_two_bounds_on_one_date_are_one_search_with_the_wider_bound() -> None:
    one = rule(starts="at", delete_after=YEAR, delete_by=YEAR | {"period": "P3Y"})
    assert searches(one, "UTC", Action.DELETE, NOW) == (Cutoff("at", datetime(2029, 6, 1, tzinfo=UTC), date(2029, 6, 1)),)


def test_each_purpose_and_cap_and_each_fallback_has_a_search() -> None:
    start = {"at": "resolved", "else": {"at": "written", "plus": "P90D"}}
    one = rule(delete_after=YEAR | {"from": start}, delete_by=YEAR | {"from": "opened"})
    assert [cutoff.by for cutoff in searches(one, "UTC", Action.DELETE, NOW)] == ["resolved", "written", "opened"]
    assert date_names(one) == {"resolved", "written", "opened"}


def test_of_several_dates_one_that_must_be_known_leads_the_search() -> None:
    start = {"at": ["a", "b", "c"], "take": "latest", "optional": ["a"]}
    one = rule(starts=start, delete_after=YEAR)
    assert undatable_dates(one) == ("b",)
    one = rule(starts=start | {"optional": ["a", "b", "c"]}, delete_after=YEAR)
    assert undatable_dates(one) == ("a", "b", "c")


def test_for_a_step_that_the_rule_never_takes_there_is_no_search() -> None:
    one = rule(starts="at", delete_after=YEAR)
    assert searches(one, "UTC", Action.ANONYMIZE, NOW) == ()
    assert searches(one, "UTC", Action.BLOCK, NOW) == ()
    assert undatable_dates(one, Action.BLOCK) == ()
