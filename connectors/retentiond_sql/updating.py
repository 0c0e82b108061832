"""Changes rows in place, and sees to it that nothing which decides about a record changes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from retentiond.connector import How
from retentiond_sql.acting import RefusedError, Scene
from retentiond_sql.layout import Layout, Row
from retentiond_sql.parts import chunks
from retentiond_sql.rows import fetch
from retentiond_sql.schema import Table
from retentiond_sql.values import Native, among


def update_rows(scene: Scene, rows: Sequence[Row], values: Mapping[str, Any]) -> How:
    """Set the columns to the same values in exactly these rows; raises `RefusedError` where it was not all of them."""
    layout = scene.layout
    for place, moved in ((layout.table, False), (layout.moved, True)):
        here = [row for row in rows if row.moved is moved]
        if place is not None:
            for some in chunks([row.key for row in here]):
                _update(scene.connection, layout, place, some, values)
    _unmoved(scene, rows)
    return How.ROWCOUNT


def _update(
    connection: sa.Connection, layout: Layout, place: Table, keys: Sequence[tuple[Any, ...]], values: Mapping[str, Any]
) -> None:
    table = place.plain()
    new = {
        table.c[name]: value if isinstance(value, sa.ColumnElement) else sa.literal(value, Native)
        for name, value in values.items()
    }
    if layout.dialect == "mysql":
        # Naming a column keeps ON UPDATE CURRENT_TIMESTAMP from moving it: a date that moves starts its period anew.
        new |= {table.c[name]: table.c[name] for name in _pinned(layout, place) if table.c[name] not in new}
    statement = sa.update(table).where(among(layout.key_columns(table), keys, layout.dialect)).values(new)
    if connection.execute(statement).rowcount != len(keys):
        raise RefusedError("refused")


def _pinned(layout: Layout, place: Table) -> list[str]:
    dates = {date.column for date in layout.options.dates.values()}
    return [name for name in sorted(dates | set(layout.options.unchanged)) if not place.columns[name].generated]


def _unmoved(scene: Scene, rows: Sequence[Row]) -> None:
    """Look again: a trigger may have changed what decides, and the record's period would begin anew."""
    now = fetch(scene.connection, scene.layout, list({row.ref.key for row in rows}))
    for row in rows:
        same = [other for other in now.get(row.ref.key, []) if other.moved is row.moved]
        if len(same) != 1 or same[0].ref.fingerprint != row.ref.fingerprint:
            raise RefusedError("unsupported")
