"""Counts the rows of a table that no data set of the settings looks after, and those that more than one does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import sqlalchemy as sa

from retentiond.connector import Finding
from retentiond_sql.layout import Layout, number
from retentiond_sql.values import fulfil


def coverage_findings(connection: sa.Connection, layout: Layout) -> list[Finding]:
    """What the data sets on these tables leave out, or claim twice; the same words whichever of them is asked."""
    return [Finding(what, refuses=False) for moved in (False, True) for what in _told(connection, layout, moved=moved)]


def _told(connection: sa.Connection, layout: Layout, *, moved: bool) -> Iterator[str]:
    place = layout.moved if moved else layout.table
    if place is None:
        return
    table = place.clause("r")
    claims = [layout.options.claim(), *layout.claims[moved]]
    # A row is looked after by who takes it whole: fields may go, and the rest would stay for ever.
    takers = [claim for claim in claims if not claim.fields] or claims
    taken = [sa.func.coalesce(fulfil(table, claim.only, layout.dialect), sa.false()) for claim in takers]
    pairs = [(one, other) for one, other in combinations(claims, 2) if one.contests(other)]
    both = [sa.func.coalesce(layout.claimed(table, a) & layout.claimed(table, b), sa.false()) for a, b in pairs]
    sums = [sa.func.sum(number(condition)) for condition in (sa.not_(sa.or_(*taken)), sa.or_(sa.false(), *both))]
    nobodys, contested = tuple(connection.execute(sa.select(*sums).select_from(table)).one())
    if nobodys:
        yield (
            f"{_rows(int(nobodys), 'belongs', 'belong', place)} to no data set of the settings, so no rule looks after them. "
            f"Declare a data set for them; a NULL in a column of `only` is the usual cause."
        )
    if contested:
        yield (
            f"{_rows(int(contested), 'belongs', 'belong', place)} to more than one data set of the settings, so no rule may act "
            f"on them. Narrow `only`, or share out `fields`."
        )


def _rows(count: int, one: str, many: str, place: object) -> str:
    return f"{count} {'row' if count == 1 else 'rows'} of the table {place} {one if count == 1 else many}"
