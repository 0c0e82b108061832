"""Changes rows in place, and sees to it that nothing which decides about a record changes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    """Set the columns to the same values in exactly these rows; raises `RefusedError` where not all of them have them then."""
    layout = scene.layout
    for place, moved in ((layout.table, False), (layout.moved, True)):
        here = [row for row in rows if row.moved is moved]
        if place is not None:
            for some in chunks([row.key for row in here]):
                _update(scene.connection, layout, place, some, values)
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
    # Look whether it is there: a trigger may have put the old values back, and the marker would tell of them as gone.
    plain_values = {name: value for name, value in values.items() if not isinstance(value, sa.ColumnElement)}
    held = [_holds(layout, table.c[name], place.columns[name].type, value) for name, value in plain_values.items()]
    count = sa.select(sa.func.count()).select_from(table).where(among(layout.key_columns(table), keys, layout.dialect), *held)
    if connection.execute(count).scalar_one() != len(keys):
        raise RefusedError("unsupported")


def _holds(
    layout: Layout, column: sa.ColumnElement[Any], column_type: sa.types.TypeEngine[Any], value: object
) -> sa.ColumnElement[bool]:
    if value is None:
        return column.is_(None)
    if layout.dialect != "postgresql":
        return column.is_not_distinct_from(sa.literal(value, Native))
    if isinstance(column_type, sa.types.NullType):
        return sa.true()  # a type without a name that it could be read as
    # By way of text, because not every type has an equality.
    return sa.cast(column, sa.Text) == sa.cast(sa.cast(sa.literal(value, Native), column_type), sa.Text)


def _pinned(layout: Layout, place: Table) -> list[str]:
    dates = {date.column for date in layout.dates.values()}
    return [name for name in sorted(dates | set(layout.options.unchanged)) if not place.columns[name].generated]


def look_again(scene: Scene, rows: Sequence[Row], done: Callable[[Row], bool]) -> None:
    """Raise `RefusedError` where rows are not `done` in the reader's eyes, or where what decides about them changed.

    A trigger may have moved a date, and the record's period would begin anew; a column may have cut the flag short.
    """
    now = fetch(scene.connection, scene.layout, list({row.ref.key for row in rows}))
    for row in rows:
        same = [other for other in now.get(row.ref.key, []) if other.moved is row.moved]
        if len(same) != 1 or same[0].lasting != row.lasting or not done(same[0]):
            raise RefusedError("unsupported")
