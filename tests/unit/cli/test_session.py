from __future__ import annotations

from datetime import UTC, datetime

import pytest

from retentiond.cli.session import moment_of, target_of
from retentiond.errors import ConfigurationError
from retentiond.model.record import Target

NOWHERE = ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2027-01-08T00:00:00+25:00"]
"""Moments whose offset leads out of the calendar, or is none."""

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, NOW),
        ("2027-01-08", datetime(2027, 1, 8, tzinfo=UTC)),
        ("2027-01-08T00:00:00+01:00", datetime(2027, 1, 7, 23, tzinfo=UTC)),
        ("2027-01-08T00:00:00Z", datetime(2027, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_taken_in_its_own_zone_and_a_day_in_utc(text: str | None, moment: datetime) -> None:
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize("text", ["2027-01-08T00:00:00", "tomorrow", "8.1.2027", "", "2027-02-30", "20270108T000000", *NOWHERE])
def test_a_moment_that_could_be_misread_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--as-of"):
        moment_of(text, NOW)


def test_a_data_set_is_named_with_its_system() -> None:
    assert target_of("crm/leads/old") == Target("crm", "leads/old")


@pytest.mark.parametrize("text", ["crm", "/leads", "crm/", ""])
def test_half_a_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="SYSTEM/DATASET"):
        target_of(text)
