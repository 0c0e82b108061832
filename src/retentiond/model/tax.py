"""German tax law's own formulas: the open assessment that suspends, and the shortening for vouchers."""

from __future__ import annotations

from datetime import UTC, date, datetime

from retentiond.model.due import Start, as_instant, end_of
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.workday import next_workday

_ASSESSMENT_YEARS = 4  # section 169(2) no. 2 AO
_LATEST_FILING_YEARS = 3  # section 170(2) no. 1 AO
_OLD = Term(RetentionPeriod(years=10), Counted.CALENDAR_YEAR_END)
_NEW = Term(RetentionPeriod(years=8), Counted.CALENDAR_YEAR_END)
_NEW_SINCE = date(2025, 1, 1)


def assessment_end(tax_year: int, filed_on: date | None, zone: str) -> datetime:
    """Return when the assessment period of a tax year is over (UTC); `filed_on` is None where no return was filed.

    Its last day moves to the next working day (section 108(3) AO). Extensions for evasion do not count.
    """
    latest = tax_year + _LATEST_FILING_YEARS
    counted_from = latest if filed_on is None else min(filed_on.year, latest)
    last = next_workday(date(counted_from + _ASSESSMENT_YEARS, 12, 31))
    return end_of(Start(last), Term(RetentionPeriod(), Counted.DAY_END), zone)


def voucher_end(start: Start, zone: str) -> datetime:
    """Return when the duty to keep a voucher is over (UTC): 8 years, or 10 where those were over before 2025.

    Not for supervised banks, insurers and securities firms, which keep theirs for 10 years.
    """
    shortened = max(end_of(start, _NEW, zone), as_instant(_NEW_SINCE, zone).astimezone(UTC))
    return min(end_of(start, _OLD, zone), shortened)
