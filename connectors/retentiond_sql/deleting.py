"""Deletes records with their parts."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from retentiond.connector import Action, Answer, Deleter, How, RecordRef, Target
from retentiond_sql.acting import Actor, Records, RefusedError, Scene
from retentiond_sql.layout import Layout, Row
from retentiond_sql.options import SqlConnection, SqlDataset
from retentiond_sql.parts import belongings, chunks, delete_parts, linked_values, unsure
from retentiond_sql.proving import Proving
from retentiond_sql.rows import Key, fetch
from retentiond_sql.schema import Table
from retentiond_sql.swift import UnsureError, delete_unchanged
from retentiond_sql.updating import update_rows
from retentiond_sql.values import among


class SqlDeleter(Proving, Deleter):
    """Deletes rows of one table, wherever they lie, and their parts before them."""

    def __init__(self, connection: SqlConnection, dataset: SqlDataset, target: Target) -> None:
        super().__init__(target)
        if dataset.fields:
            self._actor = Actor(connection, dataset, target, Action.DELETE, empty_fields)
        else:
            self._actor = Actor(connection, dataset, target, Action.DELETE, delete_records, swiftly=delete_swiftly)

    def close(self) -> None:
        """End the session; harmless when repeated."""
        self._actor.close()

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._actor.on(refs, self.permit)


def delete_records(scene: Scene, records: Records) -> dict[Key, Answer]:
    """Delete the records and their parts."""
    counts = take_parts(scene, records)
    how = delete_rows(scene, [row for rows in records.values() for row in rows])
    answers = {}
    for key, rows in records.items():
        number = len(rows) + counts[key]
        answers[key] = Answer.done(how, number if number > 1 else None)
    return answers


def delete_swiftly(scene: Scene, refs: Sequence[RecordRef]) -> dict[Key, Answer]:
    """Delete at once what is there unchanged, by the database's own word."""
    try:
        return dict.fromkeys(delete_unchanged(scene.connection, scene.layout, refs), Answer.done(How.RETURNING))
    except UnsureError:
        raise RefusedError("unsupported") from None


def empty_fields(scene: Scene, records: Records) -> dict[Key, Answer]:
    """Delete records that are no whole rows: all their fields become NULL at once, and the rest of the row stays."""
    rows = [row for some in records.values() for row in some]
    how = update_rows(scene, rows, dict.fromkeys(scene.layout.options.fields))
    if fetch(scene.connection, scene.layout, list(records)):
        raise RefusedError("unsupported")  # a trigger filled one of them anew
    return dict.fromkeys(records, Answer.done(how))


def take_parts(scene: Scene, records: Records) -> dict[Key, int]:
    """Delete the parts of the records, innermost first; how many rows went with each."""
    layout, keys = scene.layout, list(records)
    owners = [
        (number, linked_values(layout.table, layout.linked, row.linked, layout.dialect))
        for number, key in enumerate(keys)
        for row in records[key]
    ]
    _, found = belongings(scene.connection, scene.parts, owners)
    if unsure(scene.connection, found):
        raise RefusedError("unsupported")
    counts = delete_parts(scene.connection, found, layout.target)
    return {key: counts[number] for number, key in enumerate(keys)}


def delete_rows(scene: Scene, rows: Sequence[Row]) -> How:
    """Delete exactly these rows; raises `RefusedError` where the database says that not all of them went."""
    layout = scene.layout
    hows = set()
    for place, moved in ((layout.table, False), (layout.moved, True)):
        here = [row for row in rows if row.moved is moved]
        if place is not None and here:
            hows.add(_delete_from(scene.connection, layout, place, here))
    return How.RETURNING if hows == {How.RETURNING} else How.ROWCOUNT


def _delete_from(connection: sa.Connection, layout: Layout, place: Table, rows: Sequence[Row]) -> How:
    table = place.plain()
    columns = layout.key_columns(table)
    returning = bool(connection.dialect.delete_returning)
    for some in chunks([row.key for row in rows]):
        statement = sa.delete(table).where(among(columns, some, layout.dialect))
        if returning:
            gone = [layout.key_values(row) for row in connection.execute(statement.returning(*columns)).all()]
            if sorted(map(repr, gone)) != sorted(map(repr, some)):
                raise RefusedError("refused")
        elif connection.execute(statement).rowcount != len(some):
            raise RefusedError("refused")
    return How.RETURNING if returning else How.ROWCOUNT
