"""Lets retentiond's own code talk to SQLite through APSW, whose file system can be exchanged: recorded, or broken.

Only as much of Python's `sqlite3` as `retentiond.database` and SQLAlchemy use. The SQLite library is APSW's own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import apsw
import pytest

T = TypeVar("T")
Committing = Callable[["ApswConnection"], None]

CLASSES: dict[type[apsw.Error], type[sqlite3.Error]] = {
    apsw.ConstraintError: sqlite3.IntegrityError,
    apsw.CorruptError: sqlite3.DatabaseError,
    apsw.NotADBError: sqlite3.DatabaseError,
}


def use_apsw(
    monkeypatch: pytest.MonkeyPatch,
    vfs: str,
    before: Committing = lambda _connection: None,
    after: Committing = lambda _connection: None,
) -> None:
    """From now on every SQLite file is opened by APSW on the file system `vfs`; the two are called around each commit."""

    def connect(address: str, *, timeout: float, **_same: object) -> ApswConnection:
        return ApswConnection(address, vfs, timeout, before, after)

    monkeypatch.setattr(sqlite3, "connect", connect)


def translated(act: Callable[[], T]) -> T:
    """Do `act`, raising what `sqlite3` would raise."""
    try:
        return act()
    except apsw.Error as error:
        translated = CLASSES.get(type(error), sqlite3.OperationalError)(str(error))
        code = int(getattr(error, "extendedresult", 0) or getattr(error, "result", apsw.SQLITE_ERROR))
        translated.sqlite_errorcode = code
        names = apsw.mapping_result_codes | apsw.mapping_extended_result_codes
        translated.sqlite_errorname = str(names.get(code, "SQLITE_ERROR"))
        raise translated from error


class ApswConnection:
    """A connection without transactions of its own, as `sqlite3` has it with `isolation_level=None`."""

    isolation_level = None
    total_changes = 0

    def __init__(self, uri: str, vfs: str, timeout: float, before: Committing, after: Committing) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        self.real = translated(lambda: apsw.Connection(uri, flags=flags, vfs=vfs))
        self.real.set_busy_timeout(int(timeout * 1000))
        self._before, self._after = before, after

    def cursor(self, *_factory: object) -> ApswCursor:
        return ApswCursor(self)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> ApswCursor:
        return self.cursor().execute(sql, values)

    def commit(self) -> None:
        if self.real.in_transaction:
            self._before(self)
            self.execute("COMMIT")
            self._after(self)

    def rollback(self) -> None:
        if self.real.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        translated(self.real.close)

    def create_function(self, name: str, arguments: int, function: Callable[..., Any], **_more: object) -> None:
        self.real.create_scalar_function(name, function, arguments)


class ApswCursor:
    """A cursor that reads all rows at once."""

    arraysize = 1
    description: tuple[tuple[str, None, None, None, None, None, None], ...] | None = None
    rowcount = -1

    def __init__(self, connection: ApswConnection) -> None:
        self._connection = connection
        self._rows: Iterator[Any] = iter(())
        self.lastrowid: int | None = None

    def execute(self, sql: str, values: Sequence[Any] = ()) -> ApswCursor:
        return self._do(sql, lambda cursor: cursor.execute(sql, tuple(values)))

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> ApswCursor:
        return self._do(sql, lambda cursor: cursor.executemany(sql, [tuple(row) for row in rows]))

    def _do(self, sql: str, act: Callable[[apsw.Cursor], apsw.Cursor]) -> ApswCursor:
        real = self._connection.real
        cursor = real.cursor()
        described: list[tuple[Any, ...]] = []

        def trace(at: apsw.Cursor, _sql: str, _values: object) -> bool:
            described[:] = at.get_description()  # afterwards, and where there are no rows, it cannot be asked any more
            return True

        cursor.exec_trace = trace
        changed = real.total_changes()
        self._rows = iter(translated(lambda: list(act(cursor))))
        self.description = tuple((name, None, None, None, None, None, None) for name, *_ in described) or None
        writing = sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
        self.rowcount = real.total_changes() - changed if writing else -1
        self.lastrowid = real.last_insert_rowid()
        return self

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchmany(self, size: int = 1) -> list[Any]:
        return [row for _, row in zip(range(size), self._rows, strict=False)]

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def close(self) -> None:
        self._rows = iter(())
