"""Who may change the registers when: nobody while a batch is under way, so that whoever placed a hold knows it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from retentiond.database import DatabaseError, Fault, is_sqlite, translated
from retentiond.errors import StateError
from retentiond.lock import LONGEST_WAIT, turn
from retentiond.store.part import Part

_REGISTERS = 0x7265_7469_6E64  # one number in all installations: the lock lives in the database of the state


class Turns(Part):
    """The part of the store that keeps runs and changes of the registers apart."""

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Held by a run from its last look at the registers until the act of the batch is over, together with other runs."""
        with self._turn(alone=False):
            yield

    @contextmanager
    def changing(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Held, alone, while a register changes; waits for the batches in hand and lets no other begin.

        `waiting` is called once where that takes longer than a second. Raises `StateError` after ten minutes.
        """
        with self._turn(alone=True, waiting=waiting):
            yield

    @contextmanager
    def _turn(self, *, alone: bool, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        if is_sqlite(self._engine):
            with turn(self._state / "registers.lock", "the registers", alone=alone, waiting=waiting):
                yield
            return
        take = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
        with translated():
            connection = self._engine.connect()
        with connection:
            if not _taken(connection, take, 1):
                waiting()
                if not _taken(connection, take, LONGEST_WAIT):
                    raise StateError(
                        f"The registers were in other hands for {LONGEST_WAIT} seconds; nothing was done. Look who runs."
                    )
            yield  # closing the connection ends the transaction, and with it the lock


def _taken(connection: sa.Connection, take: Callable[[int], sa.Function[None]], seconds: int) -> bool:
    """Wait for the lock, behind those who came before; False where it does not come within so many seconds."""
    try:
        with translated():
            connection.execute(sa.select(sa.func.set_config("lock_timeout", f"{seconds}s", True)))
            connection.execute(sa.select(take(_REGISTERS)))
    except DatabaseError as error:
        if error.fault is not Fault.LOCKED:
            raise
        connection.rollback()
        return False
    return True
