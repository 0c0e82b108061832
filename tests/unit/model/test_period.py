from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from retentiond.model.period import Counted, RetentionPeriod, Term


class Holder(BaseModel):
    period: RetentionPeriod


@pytest.mark.parametrize("text", ["P14D", "P6M", "P3Y", "PT30M", "P1Y2M3W4DT5H6M7S", "P0D", "PT336H", "P500Y"])
def test_what_is_read_is_written_the_same(text: str) -> None:
    assert str(RetentionPeriod.parse(text)) == text


def test_no_time_at_all_is_written_as_no_days() -> None:
    assert str(RetentionPeriod.parse("PT0S")) == "P0D"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1YT",
        "14",
        "14D",
        "P-1D",
        "-P1D",
        "+P1D",
        "P1.5Y",
        "P1,5D",
        "p1d",
        "P1D ",
        " P1D",
        "P1D1Y",
        "P1H",
        "PT1D",
        "P١D",
        "P1D\n",
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a period is ISO 8601 text"):
        RetentionPeriod.parse(text)


@pytest.mark.parametrize("text", ["P501Y", "P6012M", "P999999999D", "PT9999999H"])
def test_a_period_longer_than_anybody_means_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 500 years"):
        RetentionPeriod.parse(text)


@pytest.mark.parametrize("value", [14, 14.0, True, None, ["P1D"]])
def test_a_field_takes_text_only(value: object) -> None:
    with pytest.raises(ValidationError, match="a period is ISO 8601 text"):
        Holder.model_validate({"period": value})


def test_three_years_are_no_1095_days() -> None:
    assert Holder.model_validate({"period": "P3Y"}).period == RetentionPeriod(years=3)


def test_a_field_is_written_back_as_text() -> None:
    assert Holder(period=RetentionPeriod(months=6)).model_dump(mode="json") == {"period": "P6M"}


@pytest.mark.parametrize("text", ["P14D", "PT30M", "P1Y2M"])
def test_the_schema_knows_a_period(text: str) -> None:
    schema = Holder.model_json_schema()["properties"]["period"]
    assert re.search(schema["pattern"], text)
    assert not re.search(schema["pattern"], text.lower())
    assert not re.search(schema["pattern"], "P")


@given(st.integers(0, 400), st.integers(0, 11), st.integers(0, 60))
def test_reading_undoes_writing(years: int, months: int, days: int) -> None:
    period = RetentionPeriod(years=years, months=months, days=days)
    assert RetentionPeriod.parse(str(period)) == period


@pytest.mark.parametrize("counted", [one for one in Counted if one is not Counted.EXACT])
def test_hours_are_not_counted_in_days_or_years(counted: Counted) -> None:
    with pytest.raises(ValueError, match="only be counted `exact`"):
        Term(RetentionPeriod(hours=1), counted)
