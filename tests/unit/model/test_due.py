from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.dates import ZONES, days, instants, moments, terms, whole_days, zones
from support.reference import end_by_walking, later_by_walking

from retentiond.model.due import LAST_MOMENT, DueMoment, Start, as_instant, due_moment, end_of, later_by
from retentiond.model.law import CLASSES
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Moment
from retentiond.model.tax import assessment_end, statutory_end

BERLIN = "Europe/Berlin"
EXAMPLES = list(csv.DictReader((Path(__file__).parents[2] / "data/period-examples.csv").read_text().splitlines()))


def _term(text: str) -> Term:
    period, counted = text.split()
    return Term(RetentionPeriod.parse(period), Counted(counted))


def _moment(text: str) -> Moment:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _starts(text: str) -> list[Start]:
    """The start of an example; two where the same must come out for both readings of a clock that was set back."""
    *values, last = text.split()
    if last == "either":
        wall = datetime.fromisoformat(values[0])
        return [Start(wall.replace(tzinfo=ZoneInfo(BERLIN), fold=fold).astimezone(UTC)) for fold in (0, 1)]
    if last in ("after_last_day", "count_start_day"):
        return [Start(_moment(values[0]), inclusive_end=last == "after_last_day", count_start_day=last == "count_start_day")]
    return [Start(max(map(_moment, [*values, last]), key=lambda one: as_instant(one, BERLIN)))]


@dataclass
class Bounds:
    minima: list[datetime]
    purposes: list[datetime]
    caps: list[datetime]
    triggers: list[datetime]
    suspensions: list[datetime | None]

    @property
    def due(self) -> DueMoment:
        return due_moment(
            minima=self.minima, purposes=self.purposes, caps=self.caps, triggers=self.triggers, suspensions=self.suspensions
        )


def _bounds(row: dict[str, str], start: Start) -> Bounds:
    found = Bounds([], [], [], [], [])
    for bound in filter(None, map(str.strip, row["bounds"].split(";"))):
        kind, _, term = bound.partition(" ")
        if kind == "voucher":
            found.minima.append(statutory_end(start, CLASSES["voucher"], BERLIN))
        else:
            {"duty": found.minima, "purpose": found.purposes, "cap": found.caps}[kind].append(end_of(start, _term(term), BERLIN))
    kind, *more = row["more"].split() or [""]
    if kind == "hold":
        found.suspensions.append(None if more == ["open"] else datetime.fromisoformat(more[0]))
    elif kind == "tax":
        filed = None if more[1] == "never" else date.fromisoformat(more[1])
        found.suspensions.append(assessment_end(int(more[0]), filed, BERLIN))
    elif kind == "trigger":
        found.triggers.append(datetime.fromisoformat(more[0]))
    elif kind == "event":
        found.purposes.append(datetime.fromisoformat(more[0]))
    return found


def test_all_worked_examples_are_here() -> None:
    assert len(EXAMPLES) == len({row["id"] for row in EXAMPLES}) == 36


@pytest.mark.parametrize("row", EXAMPLES, ids=[row["id"] for row in EXAMPLES])
def test_a_worked_example_comes_out(row: dict[str, str]) -> None:
    for start in _starts(row["start"]):
        found = _bounds(row, start).due
        expected = None if row["due"] == "HELD" else datetime.fromisoformat(row["due"])
        blocked = datetime.fromisoformat(row["blocked"]) if row["blocked"] else None
        assert (found.due_at, found.block_at, found.held) == (expected, blocked, row["due"] == "HELD"), row["why"]


@settings(max_examples=400)
@given(moments, terms, zones, st.sampled_from(["", "inclusive", "counted"]))
@example(datetime(2025, 10, 26, 1, 30, tzinfo=UTC), Term(RetentionPeriod(), Counted.EXACT), BERLIN, "")
@example(date(2011, 12, 29), Term(RetentionPeriod(), Counted.DAY_END), "Pacific/Apia", "")
@example(date(2024, 1, 30), Term(RetentionPeriod(months=1), Counted.DAY_END), BERLIN, "inclusive")
@example(date(2023, 1, 31), Term(RetentionPeriod(months=1), Counted.DAY_END), BERLIN, "counted")
def test_the_end_of_a_term_is_the_one_that_walking_finds(moment: Moment, term: Term, zone: str, flag: str) -> None:
    start = Start(moment, inclusive_end=flag == "inclusive", count_start_day=flag == "counted")
    assert end_of(start, term, zone) == end_by_walking(start, term, zone)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", ["P1M day-end", "P3Y day-end", "P8Y calendar-year-end", "P14D day-end"])
def test_every_day_of_the_century_ends_where_walking_ends(zone: str, text: str) -> None:
    term, day = _term(text), date(1970, 1, 1)
    while day.year <= 2100:
        start = Start(day)
        assert end_of(start, term, zone) == end_by_walking(start, term, zone), day
        day += timedelta(days=23)  # meets every day of the month and every month


@given(moments, whole_days, zones)
def test_a_later_start_is_the_one_that_walking_finds(moment: Moment, plus: RetentionPeriod, zone: str) -> None:
    assert later_by(moment, plus, zone) == later_by_walking(moment, plus, zone)


@given(instants, terms, zones)
def test_the_offset_in_which_an_instant_is_written_does_not_matter(instant: datetime, term: Term, zone: str) -> None:
    elsewhere = instant.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert end_of(Start(instant), term, zone) == end_of(Start(elsewhere), term, zone)


@given(days, terms, zones)
def test_an_end_is_in_utc(day: date, term: Term, zone: str) -> None:
    assert end_of(Start(day), term, zone).tzinfo is UTC


@pytest.mark.parametrize("counted", Counted)
@pytest.mark.parametrize("moment", [date(9998, 12, 31), datetime(9998, 12, 31, 23, tzinfo=UTC), date.max])
def test_an_end_beyond_the_calendar_never_comes(counted: Counted, moment: Moment) -> None:
    assert end_of(Start(moment), Term(RetentionPeriod(years=400), counted), BERLIN) == LAST_MOMENT


def test_a_start_beyond_the_calendar_stays_at_its_end() -> None:
    assert later_by(date.max, RetentionPeriod(days=1), BERLIN) == date.max
    assert later_by(datetime.max.replace(tzinfo=UTC), RetentionPeriod(days=1), BERLIN) == LAST_MOMENT


def test_a_naive_datetime_is_refused() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="not an instant"):
        end_of(Start(naive), Term(RetentionPeriod(days=1), Counted.EXACT), BERLIN)
    with pytest.raises(ValueError, match="not an instant"):
        later_by(naive, RetentionPeriod(days=1), BERLIN)


def test_an_unknown_zone_is_an_error_and_no_late_end() -> None:
    with pytest.raises(ValueError, match="not found"):
        end_of(Start(date(2026, 1, 1)), _term("P1D day-end"), "Europe/Nowhere")
    with pytest.raises(ValueError, match="not found"):
        later_by(datetime(2026, 1, 1, tzinfo=UTC), RetentionPeriod(days=1), "Europe/Nowhere")


def test_nothing_that_ends_a_purpose_means_no_due_moment() -> None:
    assert due_moment() == DueMoment(None, None)


def test_a_block_comes_before_the_end_or_not_at_all() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert due_moment(caps=[late], blocks=[early]) == DueMoment(late, early, unsuspended=late)
    assert due_moment(caps=[early], blocks=[late]) == DueMoment(early, None, unsuspended=early)


_ends = st.lists(instants, max_size=3)


@given(_ends, _ends, _ends, _ends)
def test_a_duty_is_never_cut_short_and_a_cap_never_prolongs(
    minima: list[datetime], purposes: list[datetime], caps: list[datetime], triggers: list[datetime]
) -> None:
    whole = due_moment(minima=minima, purposes=purposes, caps=caps, triggers=triggers)
    without = due_moment(minima=minima, purposes=purposes, triggers=triggers)
    assert whole.due_at is None or all(end <= whole.due_at for end in minima)
    if without.due_at is not None:
        assert whole.due_at is not None
        assert whole.due_at <= without.due_at
