"""The register of tax years: what is known of the assessment of each."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa

from retentiond.errors import StateError
from retentiond.model.tax import TaxYear
from retentiond.store.outbox import Entry, insert_entry
from retentiond.store.part import Part
from retentiond.store.tables import tax_years

_DAYS = ("filed_on", "closed_on", "audit_since", "audit_until")


class TaxYears(Part):
    """The part of the store that knows which years are still open."""

    def set_tax_year(self, year: TaxYear, at: datetime, entry: Entry | None = None) -> None:
        """Keep what is known of a year, in place of what was known before."""
        days = {name: None if (day := getattr(year, name)) is None else day.isoformat() for name in _DAYS}
        with self._transaction() as connection:
            connection.execute(sa.delete(tax_years).where(tax_years.c.year == year.year))
            connection.execute(sa.insert(tax_years).values(year=year.year, changed_at=at, **days))
            insert_entry(connection, entry)

    def tax_years(self) -> dict[int, TaxYear]:
        """All years that the register knows; raises `StateError` where one cannot be read."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(tax_years).order_by(tax_years.c.year)).mappings().all()
        try:
            return {row["year"]: TaxYear(row["year"], *(_day(row[name]) for name in _DAYS)) for row in rows}
        except (ValueError, TypeError):
            raise StateError("A tax year in the state database cannot be read. Enter it anew: `retentiond tax set`.") from None


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
