"""Moments, terms and zones for tests to choose from, the awkward ones often."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.record import Moment

ZONES = ("Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Pacific/Apia", "UTC")

_AWKWARD = (
    datetime(2011, 12, 30, 9, 59, 59, 999_999, tzinfo=UTC),  # Apia leaves this day out
    datetime(2025, 3, 30, 1, tzinfo=UTC),  # Berlin goes to summer time
    datetime(2025, 10, 26, 0, 30, tzinfo=UTC),  # Berlin: 02:30 for the first time
    datetime(2025, 10, 26, 1, 30, tzinfo=UTC),  # Berlin: 02:30 for the second time
    datetime(2025, 3, 9, 7, tzinfo=UTC),  # New York goes to summer time
    datetime(2025, 11, 2, 6, 30, tzinfo=UTC),  # New York: 01:30 for the second time
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2025, 1, 31, 23, 30, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 0, tzinfo=UTC),  # midnight of New Year in Berlin
    datetime(1985, 12, 31, 18, 30, tzinfo=UTC),  # Kathmandu moves by a quarter of an hour
)
_FIRST, _LAST = datetime(1971, 1, 2, tzinfo=UTC), datetime(2100, 12, 30, tzinfo=UTC)


def _instants() -> st.SearchStrategy[datetime]:
    anywhere = st.datetimes(_FIRST.replace(tzinfo=None), _LAST.replace(tzinfo=None)).map(lambda one: one.replace(tzinfo=UTC))
    nearby = st.builds(
        lambda base, days, minutes: base + timedelta(days=days, minutes=minutes),
        st.sampled_from(_AWKWARD),
        st.integers(-40, 40),
        st.integers(-90, 90),
    )
    return st.one_of(anywhere, nearby, st.sampled_from(_AWKWARD))


instants = _instants()
days = st.one_of(
    st.dates(date(1971, 1, 2), date(2100, 12, 30)),
    st.builds(lambda base, shift: base.date() + timedelta(days=shift), st.sampled_from(_AWKWARD), st.integers(-40, 40)),
)
moments: st.SearchStrategy[Moment] = st.one_of(instants, days)
zones = st.sampled_from(ZONES)

_months = st.builds(RetentionPeriod, years=st.integers(0, 11), months=st.integers(0, 15))
_days = st.builds(RetentionPeriod, weeks=st.integers(0, 4), days=st.integers(0, 45))
_mixed = st.builds(
    RetentionPeriod, years=st.integers(0, 3), months=st.integers(0, 14), weeks=st.integers(0, 2), days=st.integers(0, 40)
)
whole_days = st.one_of(_months, _days, _mixed)
_with_time = st.builds(
    RetentionPeriod, months=st.integers(0, 3), days=st.integers(0, 20), hours=st.integers(0, 50), minutes=st.integers(0, 90)
)

exact_terms = st.builds(Term, st.one_of(whole_days, _with_time), st.just(Counted.EXACT))
day_terms = st.builds(Term, whole_days, st.sampled_from([one for one in Counted if one is not Counted.EXACT]))
terms = st.one_of(exact_terms, day_terms)
