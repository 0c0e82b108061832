from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TypedDict

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.dates import day_terms, exact_terms, instants, moments, terms, whole_days, zones

from retentiond.model.cutoff import cutoff_for
from retentiond.model.due import Start, end_of, later_by
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Cutoff, Moment

BERLIN = "Europe/Berlin"
INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)


class Flags(TypedDict, total=False):
    inclusive_end: bool
    count_start_day: bool


flags: st.SearchStrategy[Flags] = st.sampled_from([Flags(), Flags(inclusive_end=True), Flags(count_start_day=True)])
nearby = st.one_of(
    st.just(timedelta()),
    st.timedeltas(timedelta(seconds=-2), timedelta(seconds=2)),
    st.timedeltas(timedelta(hours=-30), timedelta(hours=30)),
    st.timedeltas(timedelta(days=-5), timedelta(days=5)),
)


def _left_out(cutoff: Cutoff, zone: str) -> bool:
    """Samoa had no 30 December 2011; it is admitted with the instant at which the 31st began."""
    return zone == "Pacific/Apia" and cutoff.before_date == date(2011, 12, 31)


def _last_admitted(cutoff: Cutoff, instant: bool) -> Moment:
    return cutoff.before - INSTANT if instant else cutoff.before_date - DAY


@settings(max_examples=600)
@given(moments, terms, zones, flags, nearby)
def test_what_is_due_is_admitted(moment: Moment, term: Term, zone: str, flag: Flags, shift: timedelta) -> None:
    end = end_of(Start(moment, **flag), term, zone)
    now = end + shift
    if end <= now:
        assert cutoff_for("at", term, zone, now, **flag).admits({"at": moment})


@settings(max_examples=300)
@given(moments, terms, zones, whole_days, nearby)
def test_what_is_due_a_while_after_a_date_is_admitted(
    moment: Moment, term: Term, zone: str, plus: RetentionPeriod, shift: timedelta
) -> None:
    end = end_of(Start(later_by(moment, plus, zone)), term, zone)
    now = end + shift
    if end <= now:
        assert cutoff_for("at", term, zone, now, plus=plus).admits({"at": moment})


@settings(max_examples=300)
@given(moments, day_terms, zones, flags, nearby)
def test_counted_in_days_or_years_what_is_admitted_is_due(
    moment: Moment, term: Term, zone: str, flag: Flags, shift: timedelta
) -> None:
    now = end_of(Start(moment, **flag), term, zone) + shift
    cutoff = cutoff_for("at", term, zone, now, **flag)
    if cutoff.admits({"at": moment}) and not _left_out(cutoff, zone):
        assert end_of(Start(moment, **flag), term, zone) <= now


@settings(max_examples=300)
@given(exact_terms, zones, instants, st.booleans())
def test_the_last_that_is_admitted_is_due_unless_the_clock_was_changed_near_it(
    term: Term, zone: str, now: datetime, instant: bool
) -> None:
    """Month ends need no exception here: the last that is admitted lies on the last of the clamped days."""
    last = _last_admitted(cutoff_for("at", term, zone, now), instant)
    late = end_of(Start(last), term, zone) - now
    assert late <= timedelta(hours=26 if zone == "Pacific/Apia" else 1)


@given(day_terms, zones, instants, st.booleans(), flags)
def test_the_bound_is_the_least(term: Term, zone: str, now: datetime, instant: bool, flag: Flags) -> None:
    cutoff = cutoff_for("at", term, zone, now, **flag)
    assume(not _left_out(cutoff, zone))
    assert end_of(Start(_last_admitted(cutoff, instant), **flag), term, zone) <= now


@pytest.mark.parametrize(
    ("now", "before", "before_date"),
    [
        ("2025-11-03T10:15:30+01:00", "2025-10-20T08:15:30.000001+00:00", "2025-10-21"),
        ("2026-03-29T03:30:00+02:00", "2026-03-15T02:30:00.000001+00:00", "2026-03-16"),
        ("2025-10-26T02:30:00+01:00", "2025-10-12T01:00:00+00:00", "2025-10-13"),  # every reading up to three has been there
    ],
)
def test_fourteen_days_go_back_to_the_same_wall_clock(now: str, before: str, before_date: str) -> None:
    term = Term(RetentionPeriod(days=14), Counted.EXACT)
    cutoff = cutoff_for("entry", term, BERLIN, datetime.fromisoformat(now))
    assert cutoff == Cutoff("entry", datetime.fromisoformat(before), date.fromisoformat(before_date))


def test_the_last_day_of_february_stands_for_all_days_that_are_clamped_to_it() -> None:
    term = Term(RetentionPeriod(months=1), Counted.DAY_END)
    first_of_march = datetime(2026, 3, 1, tzinfo=UTC)
    assert cutoff_for("at", term, "UTC", first_of_march).before_date == date(2026, 2, 1)
    assert cutoff_for("at", term, "UTC", first_of_march - INSTANT).before_date == date(2026, 1, 28)


def test_eight_years_reach_back_to_a_whole_year() -> None:
    term = Term(RetentionPeriod(years=8), Counted.CALENDAR_YEAR_END)
    new_year = datetime(2034, 12, 31, 23, tzinfo=UTC)
    assert cutoff_for("at", term, BERLIN, new_year).before == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert cutoff_for("at", term, BERLIN, new_year - INSTANT).before == datetime(2025, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize("counted", Counted)
def test_before_the_calendar_nothing_is_admitted(counted: Counted) -> None:
    cutoff = cutoff_for("at", Term(RetentionPeriod(years=400), counted), BERLIN, datetime(300, 1, 1, tzinfo=UTC))
    assert not cutoff.admits({"at": date.min})
    assert not cutoff.admits({"at": datetime.min.replace(tzinfo=UTC)})


def test_an_unknown_zone_is_an_error_and_no_empty_search() -> None:
    with pytest.raises(ValueError, match="not found"):
        cutoff_for("at", Term(RetentionPeriod(days=1), Counted.EXACT), "Europe/Nowhere", datetime(2026, 1, 1, tzinfo=UTC))
