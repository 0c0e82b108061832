"""Reads rows by their keys, out of every table that a record may lie in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

import sqlalchemy as sa

from retentiond_sql.layout import Layout, Row
from retentiond_sql.parts import chunks
from retentiond_sql.related import complete
from retentiond_sql.values import Kind, among, among_numbers, are_numbers

Key = tuple[str, ...]
"""A key in its text form."""


def fetch(
    connection: sa.Connection, layout: Layout, keys: Sequence[Key], *, lock: bool = False, extra: Sequence[str] = ()
) -> dict[Key, list[Row]]:
    """The rows under exactly these keys, `only` or not; `extra` columns come as they are read for digests.

    With `lock` nobody else can change them until the transaction ends. One record in two rows is told by a list of two.
    """
    found: dict[Key, list[Row]] = {}
    asked, conditions = _named(layout, keys)
    for named in conditions:
        for table, moved in layout.places():
            query = layout.select(table, moved=moved, extra=[layout.as_read(table.c[name]) for name in extra])
            query = query.where(named(table), layout.held(table))
            if lock:
                # In one order for everybody, so that two sessions wait for each other rather than block each other.
                query = query.order_by(*layout.key_columns(table)).with_for_update()
            rows = [layout.read(raw, moved=moved) for raw in connection.execute(query).all()]
            # After the rows are locked and in a statement of its own, so that it sees what is there now.
            for row in complete(connection, layout, rows):
                if row.ref.key in asked:
                    found.setdefault(row.ref.key, []).append(row)
    return found


def _named(
    layout: Layout, keys: Sequence[Key]
) -> tuple[AbstractSet[Key], list[Callable[[sa.FromClause], sa.ColumnElement[bool]]]]:
    """Those of the keys that a record can have, and conditions for one statement each that together name them all."""
    if layout.dialect == "postgresql" and layout.key_kinds == (Kind.INTEGER,) and all(len(key) == 1 for key in keys):
        texts = [key[0] for key in keys]
        if keys and are_numbers(texts):
            return set(keys), [lambda table: among_numbers(layout.key_columns(table)[0], texts)]
    asked = {key: values for key in keys if (values := layout.values_of(key)) is not None}
    some = chunks(list(asked.values()))
    return asked.keys(), [partial(_among, layout, values) for values in some]


def _among(layout: Layout, values: Sequence[tuple[object, ...]], table: sa.FromClause) -> sa.ColumnElement[bool]:
    return among(layout.key_columns(table), values, layout.dialect)
