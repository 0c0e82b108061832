from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.report.shown import HIDDEN, counted, day_or_moment, moment, shown, span, stamp


@given(st.text())
def test_nothing_a_terminal_acts_on_gets_through(text: str) -> None:
    assert not any(unicodedata.category(character) in HIDDEN for character in shown(text))


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb", r"a\nb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u2028b", r"a\u2028b"),
        ("a\ud800b", r"a\ud800b"),
        ("Gruß [bold]x[/bold]", "Gruß [bold]x[/bold]"),
    ],
)
def test_hostile_names_are_shown_as_escapes(hostile: str, safe: str) -> None:
    assert shown(hostile) == safe


def test_an_instant_is_told_in_utc_or_in_the_rules_zone_whatever_its_own() -> None:
    at = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert moment(at) == "2025-12-31 23:30:00 UTC"
    assert moment(at, "Europe/Berlin") == "2026-01-01 00:30:00+01:00"
    assert stamp(at) == "2025-12-31T23:30:00Z"


def test_a_plain_date_stays_a_plain_date() -> None:
    assert day_or_moment(date(2026, 2, 3)) == "2026-02-03"
    assert day_or_moment(datetime(2026, 2, 3, 4, tzinfo=UTC)) == "2026-02-03T04:00:00Z"


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=30), "30 days"),
        (timedelta(days=1, hours=5), "1 day"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=0), "0 seconds"),
    ],
)
def test_a_length_of_time_is_told_in_its_largest_unit(length: timedelta, words: str) -> None:
    assert span(length) == words


def test_one_record_is_no_plural() -> None:
    assert (counted(1, "record"), counted(2000, "record")) == ("1 record", "2,000 records")
