"""German tax law's own formulas: the open assessment that suspends, and a period that the law made shorter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from retentiond.model.due import Start, as_instant, end_of
from retentiond.model.law import RetentionClass
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.workday import next_workday

_ASSESSMENT_YEARS = 4  # section 169(2) no. 2 AO
_LATEST_FILING_YEARS = 3  # section 170(2) no. 1 AO


@dataclass(frozen=True, slots=True)
class TaxYear:
    """What is known of the assessment of one calendar year's taxes."""

    year: int
    filed_on: date | None = None
    """When the last return of the year was filed; None where none was."""
    closed_on: date | None = None
    """From the end of which day on, by a person's word, nothing of that year matters for a tax any more; None while it does."""
    audit_since: date | None = None
    """When an audit of the year began; None where there was none."""
    audit_until: date | None = None
    """At the end of which day the audit was over; None while it runs."""


def assessment_end(tax_year: int, filed_on: date | None, zone: str) -> datetime:
    """Return when the assessment period of a tax year is over (UTC); `filed_on` is None where no return was filed.

    Its last day moves to the next working day (section 108(3) AO). Extensions for evasion do not count.
    """
    latest = tax_year + _LATEST_FILING_YEARS
    counted_from = latest if filed_on is None else min(filed_on.year, latest)
    last = next_workday(date(counted_from + _ASSESSMENT_YEARS, 12, 31))
    return end_of_day(last, zone)


def end_of_day(day: date, zone: str) -> datetime:
    """Return the moment (UTC) at which `day` is over in the IANA `zone`."""
    return end_of(Start(day), Term(RetentionPeriod(), Counted.DAY_END), zone)


@lru_cache(maxsize=4096)
def year_suspended_until(year: TaxYear, zone: str) -> datetime:
    """Return until when (UTC) documents of the year may matter for a tax that is still open (section 147(3) sentence 5 AO)."""
    end = assessment_end(year.year, year.filed_on, zone)
    return end if year.closed_on is None else min(end, end_of_day(year.closed_on, zone))


def statutory_end(start: Start, duty: RetentionClass, zone: str) -> datetime:
    """Return when the law's own duty to keep is over (UTC), reckoned in the IANA `zone`.

    Where the law made the period shorter, the shorter one frees what the longer one had not freed before; nothing is free by
    it before the day from which the new law is in force.
    """
    end = end_of(start, duty.term, zone)
    if duty.shortened is None:
        return end
    old = end_of(start, Term(duty.shortened.from_, duty.counted), zone)
    return min(old, max(end, as_instant(duty.shortened.since, zone).astimezone(UTC)))


def waited(moment: datetime, guard: RetentionPeriod, zone: str) -> datetime:
    """Return `moment` plus the whole days of `guard` by the calendar of the IANA `zone` (UTC)."""
    return end_of(Start(moment), Term(guard, Counted.EXACT), zone) if guard.whole_days else moment


def ahead(moment: datetime, lead: RetentionPeriod) -> datetime:
    """Return `moment` less `lead`, whose days count 24 hours here: it only says when work begins (UTC)."""
    try:
        return moment - timedelta(days=lead.whole_days, seconds=lead.elapsed_seconds)
    except OverflowError:
        return moment
