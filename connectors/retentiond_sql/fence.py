"""Keeps acting sessions of retentiond apart, an orphaned one of a killed process included."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from retentiond.connector import Target, TransientConnectorError
from retentiond_sql.options import SqlConnection, SqlDataset
from retentiond_sql.trouble import Trouble, trouble_of

PATIENCE_SECONDS = 30
"""How long an acting session waits for an earlier one to end."""


class Fence:
    """A lock of the session on the data set's table, taken before anything else is done with the connection.

    After `kill -9` the server may still be working for a session whose process is gone; a look beside it would be
    out of date at once. The lock is the server's and goes with the session. It is on the table, not on the data
    set's name: two installations that act on one table wait for each other, too. SQLite needs none, because there
    the process holds the locks itself.
    """

    def __init__(self, connection: SqlConnection, dataset: SqlDataset, patience_seconds: int = PATIENCE_SECONDS) -> None:
        self._table = dataset.table
        self._lock_seconds = connection.lock_timeout_seconds
        self._patience = patience_seconds

    def __call__(self, connection: sa.Connection, target: Target) -> None:
        """Take the lock; raises `TransientConnectorError` where an earlier session does not end in time."""
        match connection.dialect.name:
            case "postgresql":
                taken = self._postgresql(connection)
            case "mysql" | "mariadb":
                taken = self._mysql(connection)
            case _:
                taken = True
        if not taken:
            raise TransientConnectorError(
                f"Another session of retentiond is still acting on {target}. It is waited for; where it does not end, "
                f"look for a session named retentiond in the database.",
                "unavailable",
            )

    def _name(self, database: str | None, schema: str | None) -> bytes:
        place = self._table if "." in self._table else f"{schema}.{self._table}"
        return hashlib.sha256(f"retentiond {database} {place}".encode()).digest()

    def _postgresql(self, connection: sa.Connection) -> bool:
        name = self._name(connection.engine.url.database, connection.dialect.default_schema_name)
        try:
            with connection.begin():
                connection.execute(_SET, {"name": "lock_timeout", "value": f"{self._patience}s"})
                connection.execute(_PG_LOCK, {"key": int.from_bytes(name[:8], signed=True)})
                connection.execute(_SET, {"name": "lock_timeout", "value": f"{self._lock_seconds}s"})
        except sa.exc.DBAPIError as error:
            if trouble_of(error) is Trouble.BUSY:
                return False
            raise
        return True

    def _mysql(self, connection: sa.Connection) -> bool:
        # The names of these locks are the server's, not the database's, and may have 64 characters.
        name = "retentiond " + self._name(connection.engine.url.database, connection.engine.url.database).hex()[:48]
        with connection.begin():
            return bool(connection.execute(_MYSQL_LOCK, {"name": name, "patience": self._patience}).scalar_one() == 1)


_SET = sa.text("SELECT set_config(:name, :value, false)")
_PG_LOCK = sa.text("SELECT pg_advisory_lock(:key)")
_MYSQL_LOCK = sa.text("SELECT GET_LOCK(:name, :patience)")
