"""One connection to a database: opened at once, opened anew after it broke, never shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from retentiond.connector import OutcomeUnknownError, Target
from retentiond_sql.trouble import Trouble, as_error, translated, trouble_of


class UndoneError(Exception):
    """The database undid the whole transaction for the sake of some record, and does not tell whose it is."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Session:
    """A connection of one role to one target; `prepare` is called for each new connection, before its first transaction."""

    def __init__(self, engine: sa.Engine, target: Target, prepare: Callable[[sa.Connection, Target], None] | None = None) -> None:
        self._engine = engine
        self._target = target
        self._prepare = prepare
        self._connection: sa.Connection | None = None
        self.connection()

    def connection(self) -> sa.Connection:
        """The open connection; raises `ConnectorError` where the database cannot be reached."""
        if self._connection is None:
            with translated(self._target):
                connection = self._engine.connect()
            try:
                if self._prepare is not None:
                    with translated(self._target):
                        self._prepare(connection, self._target)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def close(self) -> None:
        """Give the connection up; what was not committed is undone by the server."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            if not connection.closed:
                connection.invalidate()
                connection.close()
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A new transaction that ends by being undone: each sees the database as it is now, all of it at one moment."""
        connection = self.connection()
        try:
            with translated(self._target):
                transaction = connection.begin()
                yield connection
                transaction.rollback()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def changing(self) -> Iterator[sa.Connection]:
        """A transaction that is committed at its end.

        Raises `OutcomeUnknownError` where the answer to the COMMIT did not come, `UndoneError` where the
        database refused it, and else errors of which nothing of the transaction remains.
        """
        connection = self.connection()
        try:
            with translated(self._target):
                transaction = connection.begin()
                yield connection
            self._commit(transaction)
        except BaseException:
            self.close()
            raise

    def _commit(self, transaction: sa.RootTransaction) -> None:
        try:
            transaction.commit()
        except sa.exc.DBAPIError as error:
            trouble = trouble_of(error)
            if trouble in {Trouble.REFERENCED, Trouble.CONSTRAINT}:
                raise UndoneError(trouble.value) from None
            if trouble in {Trouble.BUSY, Trouble.NO_SPACE} and not error.connection_invalidated:
                raise as_error(trouble, self._target) from None
            raise OutcomeUnknownError(
                f"The database of {self._target} did not answer a COMMIT: nobody knows whether it happened. It is looked up.",
                "lost-connection" if trouble is Trouble.LOST else "timeout",
            ) from None
