"""A derived duty never ends before one of the duties it derives from, whichever version of the other rule that is from."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from retentiond.model.bound import Derived, Duty
from retentiond.model.due import Start, end_of
from retentiond.model.period import Counted, RetentionPeriod
from retentiond.policy.derived import _looked_up

WANTED = Derived.model_validate({"derived_from": "shop.voucher", "from": "last_voucher"})


def duty(period: str, counted: Counted, law: str = "none") -> Duty:
    return Duty.model_validate({"period": period, "counted": counted, "class": law})


def looked_up(*known: Duty) -> Duty:
    found = _looked_up(WANTED, {"shop.voucher": list(known)})
    assert found is not None
    return found


def test_a_long_period_by_day_is_not_lost_to_a_short_one_by_year() -> None:
    old, new = duty("P10Y", Counted.DAY_END), duty("P1Y", Counted.CALENDAR_YEAR_END)
    assert looked_up(old, new).period == RetentionPeriod(years=10)


def test_the_law_is_not_lost_to_a_longer_period_without_one() -> None:
    law, longer = duty("P8Y", Counted.CALENDAR_YEAR_END, "voucher"), duty("P10Y", Counted.CALENDAR_YEAR_END)
    assert looked_up(law, longer).class_ == "voucher"


YEARS = st.builds("P{}Y".format, st.integers(1, 12))
DUTIES = st.builds(duty, YEARS, st.sampled_from(Counted)) | st.just(duty("PT30H", Counted.EXACT))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it


@given(st.lists(DUTIES, min_size=1, max_size=4), MOMENTS)
def test_no_derived_duty_ends_before_what_it_protects(known: list[Duty], moment: datetime) -> None:
    start = Start(moment)
    end = end_of(start, looked_up(*known).term, "Europe/Berlin")
    assert all(end >= end_of(start, one.term, "Europe/Berlin") for one in known)
