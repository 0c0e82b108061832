from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dates import instants, zones
from support.reference import end_by_walking
from support.rules import NAMES, dates, rule, rules

from retentiond.model.bound import Stage
from retentiond.model.decision import (
    Decision,
    Reason,
    Verdict,
    decide,
    is_implausible,
    searches,
    start_of,
    steps,
    undatable_dates,
)
from retentiond.model.due import Start, as_instant
from retentiond.model.record import RULED, Action, Dates, Moment
from retentiond.model.rule import Rule

BERLIN = "Europe/Berlin"
INSTANT = timedelta(microseconds=1)
EARLY = datetime(1971, 1, 1, tzinfo=UTC)
LATE = datetime(2500, 1, 1, tzinfo=UTC)
nearby = st.one_of(
    st.just(timedelta()),
    st.timedeltas(timedelta(seconds=-1), timedelta(seconds=1)),
    st.timedeltas(timedelta(days=-400), timedelta(days=4000)),
)


def year(number: int, month: int = 1, day: int = 1) -> datetime:
    return datetime(number, month, day, tzinfo=UTC)


def bound(period: str, counted: str = "day-end", **more: object) -> dict[str, object]:
    return {"period": period, "counted": counted, **more}


def utc(one: Rule, dates: Dates, now: datetime, *, blocked: bool = False) -> Decision:
    return decide(one, "UTC", dates, blocked, now)


@settings(max_examples=800)
@given(rules(), zones, dates, st.booleans(), nearby, st.sampled_from(["due_at", "block_at"]))
def test_whatever_is_due_for_a_step_some_search_for_it_admits(
    one: Rule, zone: str, known: Dates, blocked: bool, shift: timedelta, which: str
) -> None:
    moment = getattr(decide(one, zone, known, blocked, EARLY), which)
    now = (moment or year(2030)) + shift
    decision = decide(one, zone, known, blocked, now)
    if decision.step is not None:
        assert decision.step in steps(one)
        assert any(cutoff.admits(known) for cutoff in searches(one, zone, decision.step, now))


@given(rules(), zones, instants)
def test_each_search_is_on_a_date_of_its_own_that_the_rule_knows(one: Rule, zone: str, now: datetime) -> None:
    for step in RULED:
        found = [cutoff.by for cutoff in searches(one, zone, step, now)]
        assert len(found) == len(set(found))
        assert set(found) == (set(undatable_dates(one, step)) if step in steps(one) else set())
        assert set(found) <= set(undatable_dates(one)) <= one.date_names


@given(rules(), zones, dates, nearby)
def test_what_no_search_can_find_is_undatable_or_has_another_date(one: Rule, zone: str, known: Dates, shift: timedelta) -> None:
    missing = {**known, **dict.fromkeys(undatable_dates(one))}
    for step in steps(one):
        assert not any(cutoff.admits(missing) for cutoff in searches(one, zone, step, LATE + shift))
    assert decide(one, zone, missing, False, LATE).step is None


@settings(max_examples=400)
@given(rules(), zones, dates, st.booleans(), nearby)
def test_a_decision_is_what_walking_every_bound_comes_to(
    one: Rule, zone: str, known: Dates, blocked: bool, shift: timedelta
) -> None:
    """The formula once more, with infinities and the ends that walking finds."""
    far = datetime.max.replace(tzinfo=UTC)
    ends: dict[str, datetime] = {}
    for stage, one_bound in one.bounds:
        start = start_of(one.start_of(one_bound), known, zone)
        if isinstance(start, Start):
            ends[stage] = end_by_walking(start, one_bound.term, zone)
    duty = ends.get("keep_at_least", EARLY)
    purpose = ends.get("delete_after", far if one.delete_after or not one.keep_at_least else duty)
    upper = min(purpose, ends.get("delete_by", far))
    known_duty = one.keep_at_least is None or "keep_at_least" in ends
    due_at = max(duty, upper) if known_duty and upper < far else None
    if one.action is Action.BLOCK:
        due_at, block_at = None, ends.get("block_after")
    else:
        block_at = min(ends.get("block_after", far), upper)
        block_at = block_at if due_at and block_at < due_at else None
    now = (due_at or block_at or year(2030)) + shift
    decision = decide(one, zone, known, blocked, now)
    assert (decision.due_at, decision.block_at) == (due_at, block_at)
    to_block = Action.BLOCK if block_at and block_at <= now and not blocked else None
    assert decision.step == (one.action if due_at and due_at <= now else to_block)


@given(rules(), zones, dates, st.booleans(), instants, st.timedeltas(timedelta(), timedelta(days=30_000)))
def test_what_is_due_stays_due(one: Rule, zone: str, known: Dates, blocked: bool, now: datetime, later: timedelta) -> None:
    before, after = decide(one, zone, known, blocked, now), decide(one, zone, known, blocked, now + later)
    assert (before.due_at, before.block_at) == (after.due_at, after.block_at)
    if before.step is one.action:
        assert after.step is one.action


@given(rules(), zones, dates, instants, st.sampled_from(NAMES))
def test_what_is_not_known_never_makes_a_duty_shorter(one: Rule, zone: str, known: Dates, now: datetime, name: str) -> None:
    decision = decide(one, zone, {**known, name: None}, False, now)
    duty = next((end for end in decision.ends if end.stage is Stage.KEEP_AT_LEAST), None)
    if duty is not None and decision.step not in (None, Action.BLOCK):
        assert duty.end is not None
        assert duty.end <= now


def test_a_duty_is_kept_and_the_record_blocked_while_it_outlasts_the_promise() -> None:
    one = rule(
        starts="at",
        keep_at_least=bound("P6Y", "calendar-year-end", basis="HGB"),
        delete_after="keep_at_least",
        delete_by=bound("P3Y", "calendar-year-end"),
    )
    known = {"at": date(2025, 10, 20)}
    assert steps(one) == (Action.BLOCK, Action.DELETE)
    early, between, after = (utc(one, known, year(number)) for number in (2028, 2029, 2032))
    assert (early.verdict, early.step, early.reason) == (Verdict.MUST_KEEP, None, Reason.NOT_DUE)
    assert (between.verdict, between.step, between.reason) == (Verdict.MUST_KEEP, Action.BLOCK, Reason.DUE)
    assert (after.verdict, after.step, after.reason) == (Verdict.MUST_BE_GONE, Action.DELETE, Reason.PAST_CAP)
    waiting = utc(one, known, year(2029), blocked=True)
    assert (waiting.verdict, waiting.step, waiting.reason) == (Verdict.MUST_KEEP, None, Reason.DUTY_RUNNING)
    assert after.ends[0].basis == "HGB"
    assert after.ends[0].date_names == ("at",)
    assert after.ends[0].start == date(2025, 10, 20)


def test_a_promise_is_no_reason_to_keep_longer_than_the_duty() -> None:
    one = rule(
        starts="at",
        keep_at_least=bound("P8Y", "calendar-year-end"),
        delete_after="keep_at_least",
        delete_by=bound("P10Y", "calendar-year-end"),
    )
    decision = utc(one, {"at": date(2025, 10, 20)}, year(2034))
    assert steps(one) == (Action.DELETE,)
    assert (decision.due_at, decision.block_at, decision.verdict) == (year(2034), None, Verdict.MAY_DELETE)


def test_our_own_period_keeps_longer_than_the_duty() -> None:
    one = rule(starts="at", keep_at_least=bound("P1Y"), delete_after=bound("P3Y"))
    assert utc(one, {"at": date(2020, 1, 1)}, year(2022)).due_at == year(2023, 1, 2)


def test_a_blocked_record_waits_for_its_end() -> None:
    one = rule(starts="at", block_after=bound("P0D"), delete_after=bound("P30D"))
    known = {"at": date(2026, 1, 1)}
    assert steps(one) == (Action.BLOCK, Action.DELETE)
    assert utc(one, known, year(2026, 1, 5)).step is Action.BLOCK
    waiting = utc(one, known, year(2026, 1, 5), blocked=True)
    assert (waiting.step, waiting.reason) == (None, Reason.ALREADY_BLOCKED)
    assert utc(one, known, year(2026, 2, 1), blocked=True).step is Action.DELETE


def test_a_record_that_is_due_at_once_is_not_blocked_first() -> None:
    one = rule(starts="at", block_after=bound("P90D"), delete_after=bound("P30D"))
    assert utc(one, {"at": date(2026, 1, 1)}, LATE).step is Action.DELETE


def test_a_rule_that_blocks_only_blocks() -> None:
    one = rule(action="block", starts="at", block_after=bound("P1Y"))
    known = {"at": date(2020, 1, 1)}
    assert steps(one) == (Action.BLOCK,)
    decision = utc(one, known, LATE)
    assert (decision.step, decision.due_at, decision.block_at) == (Action.BLOCK, None, year(2021, 1, 2))
    assert utc(one, known, LATE, blocked=True).step is None
    assert utc(one, {"at": None}, LATE).verdict is Verdict.UNDATABLE


def test_a_purpose_whose_end_was_never_reported_is_open_and_the_cap_decides() -> None:
    one = rule(delete_after=bound("P6M", **{"from": "closed"}), delete_by=bound("P3Y", **{"from": "opened"}))
    assert utc(one, {"opened": date(2020, 1, 1), "closed": None}, LATE).due_at == year(2023, 1, 2)
    assert utc(one, {"opened": None, "closed": date(2020, 1, 1)}, LATE).due_at == year(2020, 7, 2)
    assert utc(one, {"opened": None, "closed": None}, LATE).verdict is Verdict.UNDATABLE


def test_a_cap_of_unknown_start_changes_nothing_where_the_duty_is_the_only_purpose() -> None:
    duty = {"keep_at_least": bound("P6Y", **{"from": "paid"}), "delete_after": "keep_at_least"}
    one = rule(**duty, delete_by=bound("P9Y", **{"from": "opened"}))
    known = {"opened": None, "paid": date(2020, 1, 1)}
    assert utc(one, known, LATE).due_at == utc(rule(**duty), known, LATE).due_at == year(2026, 1, 2)


def test_without_the_start_of_a_duty_nothing_is_done_not_even_blocking() -> None:
    one = rule(
        keep_at_least=bound("P6Y", **{"from": "paid"}),
        delete_after="keep_at_least",
        block_after=bound("P1Y", **{"from": "opened"}),
    )
    decision = utc(one, {"opened": date(2000, 1, 1), "paid": None}, LATE)
    assert (decision.verdict, decision.reason, decision.step) == (Verdict.UNDATABLE, Reason.UNDATABLE, None)
    assert (decision.due_at, decision.block_at) == (None, None)
    assert [one_end.end is None for one_end in decision.ends] == [False, True]


def test_of_several_dates_the_latest_counts_whatever_their_kind() -> None:
    one = rule(starts={"at": ["opened", "closed"], "take": "latest"}, delete_after=bound("P1Y"))
    known: dict[str, Moment] = {"opened": date(2020, 1, 1), "closed": year(2021)}
    assert utc(one, known, LATE).due_at == year(2022, 1, 2)
    assert utc(one, known | {"opened": date(2023, 1, 1)}, LATE).due_at == year(2024, 1, 2)


def test_the_latest_is_found_by_another_date_though_the_clock_was_set_back_over_midnight() -> None:
    """Casey: at 02:00 on 5 March 2010 it was 23:00 on the 4th again, so the latest of two events has the earlier day."""
    one = rule(starts={"at": ["closed", "paid"], "take": "latest"}, delete_after=bound("P1Y"))
    known = {"closed": date(2010, 3, 5), "paid": datetime(2010, 3, 4, 15, tzinfo=UTC)}
    decision = decide(one, "Antarctica/Casey", known, False, LATE)
    assert decision.due_at is not None
    assert any(cutoff.admits(known) for cutoff in searches(one, "Antarctica/Casey", Action.DELETE, decision.due_at))


def test_a_date_of_several_may_only_be_unknown_where_the_rule_says_so() -> None:
    strict = rule(starts={"at": ["opened", "closed"], "take": "latest"}, delete_after=bound("P1Y"))
    lenient = rule(starts={"at": ["opened", "closed"], "take": "latest", "optional": ["closed"]}, delete_after=bound("P1Y"))
    known = {"opened": date(2020, 1, 1)}
    assert utc(strict, known, LATE).verdict is Verdict.UNDATABLE
    assert utc(lenient, known, LATE).step is Action.DELETE
    assert utc(lenient, {"closed": date(2020, 1, 1)}, LATE).verdict is Verdict.UNDATABLE


def test_the_fallback_starts_later_and_only_where_the_start_is_unknown() -> None:
    one = rule(starts={"at": "closed", "else": {"at": "opened", "plus": "P90D"}}, delete_after=bound("P1D"))
    assert utc(one, {"opened": date(2020, 1, 1)}, LATE).due_at == year(2020, 4, 2)
    assert utc(one, {"opened": date(2020, 1, 1), "closed": date(2021, 1, 1)}, LATE).due_at == year(2021, 1, 3)
    assert utc(one, {"opened": None}, LATE).reason is Reason.UNDATABLE


def test_the_fallback_is_no_way_round_a_date_that_is_known_and_later() -> None:
    start = {"at": ["opened", "closed"], "take": "latest", "else": {"at": "paid", "plus": "P90D"}}
    one = rule(starts=start, delete_after=bound("P1D"))
    known = {"paid": date(2020, 1, 1), "opened": None}
    assert utc(one, known | {"closed": date(2025, 1, 1)}, LATE).due_at == year(2025, 1, 3)
    assert utc(one, known | {"closed": date(2019, 1, 1)}, LATE).due_at == year(2020, 4, 2)
    assert utc(one, known | {"closed": None}, LATE).due_at == year(2020, 4, 2)


IMPLAUSIBLE = [
    date(1, 1, 1),
    date(1970, 1, 1),
    date(1970, 12, 31),
    date(1980, 1, 1),
    date(9000, 1, 1),
    date(9999, 12, 31),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1980, 1, 1, tzinfo=UTC),
    datetime(1979, 12, 31, 23, tzinfo=UTC),  # midnight in Berlin
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
]


@pytest.mark.parametrize("moment", IMPLAUSIBLE, ids=str)
def test_an_implausible_date_counts_as_unknown(moment: Moment) -> None:
    assert is_implausible(moment, BERLIN)
    one = rule(starts="at", delete_after=bound("P1D"))
    decision = decide(one, BERLIN, {"at": moment}, False, LATE)
    assert (decision.verdict, decision.reason, decision.step) == (Verdict.UNDATABLE, Reason.IMPLAUSIBLE_DATE, None)


@pytest.mark.parametrize(
    "moment", [date(1971, 1, 1), date(1980, 1, 2), datetime(1980, 1, 1, 0, 0, 1, tzinfo=UTC), date(8999, 12, 31)]
)
def test_a_plausible_date_counts(moment: Moment) -> None:
    assert not is_implausible(moment, BERLIN)


@pytest.mark.parametrize("moment", IMPLAUSIBLE, ids=str)
def test_an_implausible_date_is_not_passed_over_for_another(moment: Moment) -> None:
    """An end in the year 9999 means that something runs on; to skip it would delete what is in use."""
    lenient = rule(starts={"at": ["opened", "closed"], "take": "latest", "optional": ["closed"]}, delete_after=bound("P1Y"))
    fallback = rule(starts={"at": "closed", "else": {"at": "opened", "plus": "P0D"}}, delete_after=bound("P1Y"))
    for one in (lenient, fallback):
        decision = decide(one, BERLIN, {"opened": date(2020, 1, 1), "closed": moment}, False, LATE)
        assert decision.reason is Reason.IMPLAUSIBLE_DATE
    decision = decide(fallback, BERLIN, {"opened": moment}, False, LATE)
    assert decision.reason is Reason.IMPLAUSIBLE_DATE


@given(rules(), zones, dates, st.booleans())
def test_what_is_undatable_is_never_selected(one: Rule, zone: str, known: Dates, blocked: bool) -> None:
    decision = decide(one, zone, known, blocked, LATE)
    assert (decision.verdict is Verdict.UNDATABLE) == (decision.reason in (Reason.UNDATABLE, Reason.IMPLAUSIBLE_DATE))
    if decision.verdict is Verdict.UNDATABLE:
        assert (decision.step, decision.due_at, decision.block_at) == (None, None, None)
    else:
        assert decision.step is not None or blocked


@given(rules(), zones, instants)
def test_a_rule_without_any_date_does_nothing(one: Rule, zone: str, now: datetime) -> None:
    assert decide(one, zone, {}, False, now).verdict is Verdict.UNDATABLE


@given(rules(), zones, st.dates(date(8990, 1, 1), date(8999, 12, 31)))
def test_a_date_in_the_far_future_overflows_nothing(one: Rule, zone: str, day: date) -> None:
    known = dict.fromkeys(NAMES, day)
    assert decide(one, zone, known, False, LATE).step is None
    now = as_instant(day, zone)
    for step in steps(one):
        assert searches(one, zone, step, now)


def test_a_shown_decision_does_not_show_the_dates_of_the_record() -> None:
    one = rule(starts="at", delete_after=bound("P1D"))
    assert "start" not in repr(utc(one, {"at": year(2020)}, LATE))
