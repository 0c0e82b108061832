"""The register of tax years as a list, with the years that rules need and nobody entered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TypedDict

from rich.console import RenderableType

from retentiond.engine.workplace import Workplace
from retentiond.model.hold import HoldKind
from retentiond.model.tax import TaxYear, year_suspended_until
from retentiond.report.layout import table
from retentiond.report.shown import moment, stamp

NEVER_FILED_LASTS = 8
"""So many calendar years later a year of which no return was filed is open no more."""


class TaxYearJson(TypedDict):
    """One tax year."""

    year: int
    known: bool
    filed_on: str | None
    closed_on: str | None
    audit_since: str | None
    audit_until: str | None
    open_until: str


class TaxYearsJson(TypedDict):
    """What `tax list --json` writes."""

    years: list[TaxYearJson]


def tax_json(workplace: Workplace, known: Mapping[int, TaxYear], now: datetime) -> TaxYearsJson:
    """The register for a program."""
    return {"years": [_json(workplace, year, year.year in known) for year in _years(workplace, known, now)]}


def tax_text(workplace: Workplace, known: Mapping[int, TaxYear], now: datetime) -> Iterator[RenderableType]:
    """The register for a person."""
    years = _years(workplace, known, now)
    if not years:
        yield "No tax year is entered, and no rule needs one."
        return
    grid = table("year", "filed", "closed", "audit", "open until")
    for year in years:
        end = moment(max(year_suspended_until(year, zone) for zone in _zones(workplace)), min(_zones(workplace)))
        if year.year not in known:
            grid.add_row(str(year.year), "not entered", "-", "-", f"never filed, so held until {end}")
            continue
        since = f"since {year.audit_since}" + (f" until {year.audit_until}" if year.audit_until else "")
        audit = since if year.audit_since else "-"
        grid.add_row(str(year.year), str(year.filed_on or "never"), str(year.closed_on or "-"), audit, end)
    yield grid


def _years(workplace: Workplace, known: Mapping[int, TaxYear], now: datetime) -> list[TaxYear]:
    """Those that are entered, and those whose documents a rule keeps because nobody entered them."""
    missing = [TaxYear(year) for year in range(now.year - NEVER_FILED_LASTS, now.year) if year not in known]
    needed = [
        year
        for year in missing
        if any(HoldKind.TAX_HOLD in (one.rule.holds or ()) for one in workplace.assignments)
        and any(year_suspended_until(year, zone) > now for zone in _zones(workplace))
    ]
    return sorted([*known.values(), *needed], key=lambda year: year.year)


def _zones(workplace: Workplace) -> frozenset[str]:
    """The zones of the rules that ask the register; of all where none does."""
    asking = frozenset(one.zone for one in workplace.assignments if HoldKind.TAX_HOLD in (one.rule.holds or ()))
    return asking or frozenset(one.zone for one in workplace.assignments) or frozenset({"Europe/Berlin"})


def _json(workplace: Workplace, year: TaxYear, known: bool) -> TaxYearJson:
    return {
        "year": year.year,
        "known": known,
        "filed_on": _day(year.filed_on),
        "closed_on": _day(year.closed_on),
        "audit_since": _day(year.audit_since),
        "audit_until": _day(year.audit_until),
        "open_until": stamp(max(year_suspended_until(year, zone) for zone in _zones(workplace))),
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
