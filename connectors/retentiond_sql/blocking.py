"""Blocks records, and gives them back: by a flag in the row, or by moving the row out of reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from retentiond.connector import Action, Answer, Blocker, ConfigurationError, How, RecordRef, Target
from retentiond_sql.acting import Act, Actor, Records, RefusedError, Scene
from retentiond_sql.deleting import delete_rows
from retentiond_sql.layout import Layout, Row
from retentiond_sql.options import Block, SqlConnection, SqlDataset
from retentiond_sql.parts import chunks
from retentiond_sql.proving import Proving
from retentiond_sql.rows import Key, fetch
from retentiond_sql.updating import look_again, update_rows
from retentiond_sql.values import among, plain


class SqlBlocker(Proving, Blocker):
    """Blocks rows of one table, and gives them back, in the way that the data set's `block` says."""

    def __init__(self, connection: SqlConnection, dataset: SqlDataset, target: Target) -> None:
        super().__init__(target)
        if dataset.block is None:
            raise ConfigurationError(f"The data set {target} says nothing under `block`, so its records cannot be blocked.")
        self._connection = connection
        self._dataset = dataset
        self._block_options = dataset.block
        self._action = Action.BLOCK
        self._actor = self._actor_for(Action.BLOCK)

    def close(self) -> None:
        """End the session; harmless when repeated."""
        self._actor.close()

    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._acting(Action.BLOCK).on(refs, self.permit)

    def _unblock(self, refs: Sequence[RecordRef]) -> list[Answer]:
        if self._block_options.flag and self._block_options.unflagged() is None:
            return super()._unblock(refs)
        return self._acting(Action.UNBLOCK).on(refs, self.permit)

    def _acting(self, action: Action) -> Actor:
        if action is not self._action:
            self._actor.close()  # first: the other would wait for the lock on the table that this one holds
            self._actor = self._actor_for(action)
            self._action = action
        return self._actor

    def _actor_for(self, action: Action) -> Actor:
        back = action is Action.UNBLOCK
        act = flagging(self._block_options, back=back) if self._block_options.flag else moving(back=back)
        return Actor(self._connection, self._dataset, self.target, action, act, _free if back else _done)


def _done(row: Row) -> bool:
    return row.ref.blocked


def _free(row: Row) -> bool:
    return not row.ref.blocked


def flagging(block: Block, *, back: bool) -> Act:
    """Make the act that sets the flag, or takes it `back`."""

    def act(scene: Scene, records: Records) -> dict[Key, Answer]:
        values: dict[str, Any] = dict((block.unflagged() if back else block.flag) or {})
        if block.at is not None:
            values[block.at] = None if back else _CLOCKS[scene.layout.dialect]
        rows = [row for some in records.values() for row in some]
        how = update_rows(scene, rows, values)
        look_again(scene, rows, _free if back else _done)
        return dict.fromkeys(records, Answer.done(how))

    return act


_CLOCKS: dict[str, sa.ColumnElement[Any]] = {
    "postgresql": sa.literal_column("now()"),
    "mysql": sa.literal_column("UTC_TIMESTAMP(6)"),
    "sqlite": sa.literal_column("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
}
"""Now, by the database's clock; the session's zone is UTC."""


def moving(*, back: bool) -> Act:
    """Make the act that moves rows to the other table, or `back`."""

    def act(scene: Scene, records: Records) -> dict[Key, Answer]:
        return move(scene, records, back=back)

    return act


def move(scene: Scene, records: Records, *, back: bool) -> dict[Key, Answer]:
    """Move the rows to the other table, whole; those that are there already, and the same, are only taken away here."""
    layout = scene.layout
    here = [row for rows in records.values() for row in rows if row.moved is back]
    there = {row.ref.key for rows in records.values() for row in rows if row.moved is not back}
    places = layout.table.plain(), (layout.moved or layout.table).plain()
    source, goal = reversed(places) if back else places
    names = [name for name, column in layout.table.columns.items() if not column.computed]
    for some in chunks([row.key for row in here if row.ref.key not in there]):
        rows = sa.select(*(source.c[name] for name in names)).where(among(layout.key_columns(source), some, layout.dialect))
        insert = sa.insert(goal).from_select(names, rows, include_defaults=False)
        moved = scene.connection.execute(insert.execution_options(preserve_rowcount=True))
        if moved.rowcount != len(some):
            raise RefusedError("refused")
    for some in chunks([row.key for row in here]):
        if _copied(scene, names, some) != len(some):
            raise RefusedError("unsupported")
    delete_rows(scene, here)
    # A trigger may have followed the row to where it went, and another data set may claim it there: blocking must not lose it.
    now = fetch(scene.connection, scene.layout, list(records))
    for key, before in records.items():
        found = now.get(key, [])
        contested = any(row.ref.contested for row in found) and not any(row.ref.contested for row in before)
        if contested or [row.moved for row in found] != [not back]:
            raise RefusedError("unsupported")
    return dict.fromkeys(records, Answer.done(How.ROWCOUNT))


def _copied(scene: Scene, names: Sequence[str], keys: Sequence[tuple[Any, ...]]) -> int:
    """How many of the rows lie in the other table just as they are here: it may round, cut, or hold a stranger."""
    layout = scene.layout
    here, there = layout.table.clause("h"), (layout.moved or layout.table).clause("t")
    same_key = [here.c[name] == there.c[name] for name in layout.options.key]
    same = [_same(layout, name, here, there) for name in names]
    query = sa.select(sa.func.count()).select_from(here.join(there, sa.and_(*same_key, *same)))
    return scene.connection.execute(query.where(among(layout.key_columns(here), keys, layout.dialect))).scalar_one()


def _same(layout: Layout, name: str, here: sa.FromClause, there: sa.FromClause) -> sa.ColumnElement[bool]:
    pair: list[sa.ColumnElement[Any]] = [here.c[name], there.c[name]]
    column_type = layout.table.columns[name].type
    match layout.dialect:
        case "postgresql" if not isinstance(column_type, sa.Numeric):
            pair = [sa.cast(column, sa.Text) for column in pair]  # not every type has an equality
        case "mysql" if not isinstance(column_type, sa.String):
            pass
        case "mysql" | "sqlite":
            pair = [plain(column, layout.dialect) for column in pair]
    one, other = pair
    return one.is_not_distinct_from(other)
