"""A setting is met only where it surely is as expected: what is missing, unreadable or in doubt is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.model.expectation import is_met, is_plain, unmet


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("at most P3D", "P3D"),
        ("at most P3D", "PT72H"),
        ("at most P3D", "P2D"),
        ("at most P1M", "P20D"),
        ("at most P1Y", "P12M"),
        ("at least P8Y", "P10Y"),
        ("at least P1M", "P40D"),
        ("at most 5", "5"),
        ("at least 5", "6"),
        ("on", "On"),
        ("off", "off"),
        ("P30D", "P30D"),
        ("P1W", "P7D"),
        ("by month", "by month"),
    ],
)
def test_what_is_as_expected_is_met(expected: str, told: str) -> None:
    assert is_met(expected, told)


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("at most P3D", "P4D"),
        ("at most P3D", "PT72H1S"),
        ("at most P3D", "3"),
        ("at most P3D", "off"),
        ("at most P3D", "at most P3D"),
        ("at most P30D", "P1M"),  # a month may have 31 days
        ("at most P1M", "P30D"),  # and another one 28
        ("at least P1M", "P30D"),
        ("at most 5", "P5D"),
        ("at most 5", "5.5"),
        ("at most some days", "P1D"),
        ("P30D", "P29D"),
        ("P1M", "P30D"),
        ("on", "true"),
        ("off", ""),
        ("by month", "By month"),
    ],
)
def test_what_is_not_surely_so_is_not_met(expected: str, told: str) -> None:
    assert not is_met(expected, told)


@given(st.text() | st.sampled_from(["off", "none", "at most P1D", "P0D", ""]))
def test_what_is_not_told_is_never_met(expected: str) -> None:
    assert not is_met(expected, None)


periods = st.builds(
    lambda months, days, hours: f"P{months}M{days}DT{hours}H", st.integers(0, 60), st.integers(0, 2000), st.integers(0, 50)
)


@given(periods, periods)
def test_two_periods_are_at_most_each_other_only_where_they_are_the_same(one: str, other: str) -> None:
    both = is_met(f"at most {one}", other) and is_met(f"at most {other}", one)
    assert both == is_met(one, other)
    assert is_met(f"at most {one}", other) == is_met(f"at least {other}", one)


def test_what_is_missed_is_told_by_name() -> None:
    expect = {"retention": "at most P3D", "storage": "off", "masking": "on"}
    assert unmet(expect, {"retention": "P3D", "storage": "on"}) == ("masking", "storage")


@pytest.mark.parametrize(("value", "plain"), [("on", True), ("P3D", True), ("-1", True), ("Ann Muster", False), ("", False)])
def test_only_what_cannot_be_a_text_is_shown(value: str, plain: bool) -> None:
    assert is_plain(value) is plain
