"""What the parts of the store share: the engine, and one short transaction for each thing that is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retentiond.database import translated
from retentiond.errors import StateError
from retentiond.sealing import Seal


class Part:
    """Works on the store's engine; every method is one transaction of its own."""

    def __init__(self, engine: sa.Engine, seal: Seal, state: Path) -> None:
        self._engine = engine
        self._seal = seal
        self._state = state

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with translated(), self._engine.begin() as connection:
            yield connection

    def _only_row(self, table: sa.Table) -> sa.Row[Any]:
        with self._transaction() as connection:
            row = connection.execute(sa.select(table)).one_or_none()
        if row is None:
            raise _lost(table)
        return row

    def _set_only_row(self, table: sa.Table, values: Mapping[str, Any]) -> None:
        with self._transaction() as connection:
            if connection.execute(sa.update(table).values(**values)).rowcount != 1:
                raise _lost(table)


def _lost(table: sa.Table) -> StateError:
    return StateError(f"The state database has lost the row of its table {table.name}; restore the database from a backup.")
