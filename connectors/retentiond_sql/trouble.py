"""What an error of a driver means, and the finished sentence for it. The driver's own text is never passed on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from retentiond.connector import ConnectorError, Target, TransientConnectorError


class Trouble(StrEnum):
    """The kinds of trouble that are dealt with differently."""

    LOST = "lost-connection"
    """The server cannot be reached, or the connection broke."""
    BUSY = "unavailable"
    """Somebody else holds a lock, or the database chose this transaction as the one to give way."""
    TIMEOUT = "timeout"
    FORBIDDEN = "forbidden"
    REFERENCED = "referenced"
    CONSTRAINT = "constraint"
    NO_SPACE = "no-space"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


_POSTGRESQL = {
    "25006": Trouble.FORBIDDEN,  # read-only transaction
    "25P03": Trouble.LOST,  # idle in transaction for too long
    "23503": Trouble.REFERENCED,
    "23001": Trouble.REFERENCED,
    "40002": Trouble.CONSTRAINT,
    "40003": Trouble.LOST,  # "statement completion unknown"
    "42501": Trouble.FORBIDDEN,
    "53100": Trouble.NO_SPACE,
    "55P03": Trouble.BUSY,  # lock timeout
    "57014": Trouble.TIMEOUT,  # statement timeout
}
_POSTGRESQL_CLASSES = {
    "08": Trouble.LOST,
    "22": Trouble.CONSTRAINT,  # a value that does not fit
    "23": Trouble.CONSTRAINT,
    "28": Trouble.FORBIDDEN,
    "40": Trouble.BUSY,
    "53": Trouble.LOST,
    "57": Trouble.LOST,
    "58": Trouble.UNREADABLE,
    "XX": Trouble.UNREADABLE,
}
_MYSQL = {
    Trouble.LOST: {0, 1040, 1053, 1077, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1927, 2002, 2003, 2005, 2006, 2013, 2055},
    Trouble.BUSY: {1205, 1206, 1213, 1613},
    Trouble.TIMEOUT: {1028, 1317, 1969, 3024},
    Trouble.FORBIDDEN: {1044, 1045, 1142, 1143, 1227, 1290, 1370, 1410, 1698, 1792, 1836},
    Trouble.REFERENCED: {1217, 1451},
    Trouble.CONSTRAINT: {1048, 1062, 1169, 1216, 1264, 1265, 1292, 1364, 1366, 1406, 1411, 1452, 1557, 1586, 3819, 4025},
    Trouble.NO_SPACE: {1021, 1114},
    Trouble.UNREADABLE: {1030, 1033, 1034, 1194, 1195, 1712, 1877},
}
_SQLITE = {
    "SQLITE_CONSTRAINT_FOREIGNKEY": Trouble.REFERENCED,
    "SQLITE_CONSTRAINT_TRIGGER": Trouble.REFUSED,
}
_SQLITE_CLASSES = {
    "SQLITE_BUSY": Trouble.BUSY,
    "SQLITE_LOCKED": Trouble.BUSY,
    "SQLITE_CONSTRAINT": Trouble.CONSTRAINT,
    "SQLITE_READONLY": Trouble.FORBIDDEN,
    "SQLITE_PERM": Trouble.FORBIDDEN,
    "SQLITE_AUTH": Trouble.FORBIDDEN,
    "SQLITE_FULL": Trouble.NO_SPACE,
    "SQLITE_INTERRUPT": Trouble.TIMEOUT,
    "SQLITE_CANTOPEN": Trouble.UNREADABLE,
    "SQLITE_CORRUPT": Trouble.UNREADABLE,
    "SQLITE_IOERR": Trouble.UNREADABLE,
    "SQLITE_NOTADB": Trouble.UNREADABLE,
    "SQLITE_TOOBIG": Trouble.CONSTRAINT,
    "SQLITE_MISMATCH": Trouble.CONSTRAINT,
}


def trouble_of(error: sa.exc.DBAPIError) -> Trouble:
    """Tell what kind of trouble the database is in, from its code alone."""
    if error.connection_invalidated:
        return Trouble.LOST
    driver = error.orig
    if isinstance(driver, sqlite3.Error):
        name = getattr(driver, "sqlite_errorname", None) or ""
        # Without a code it is the module's own complaint: text that is no UTF-8.
        return _SQLITE.get(name) or _SQLITE_CLASSES.get(
            "_".join(name.split("_")[:2]), Trouble.REFUSED if name else Trouble.UNREADABLE
        )
    # By module, because PyMySQL tells a SQLSTATE too, but a much coarser one.
    if type(driver).__module__.startswith("psycopg"):
        state: str | None = getattr(driver, "sqlstate", None)
        if state is None:  # the client library itself: no server was reached, or it is gone
            if _turned_away(getattr(driver, "pgconn", None)):
                return Trouble.FORBIDDEN
            return Trouble.LOST if isinstance(error, sa.exc.OperationalError) else Trouble.UNREADABLE
        return _POSTGRESQL.get(state) or _POSTGRESQL_CLASSES.get(state[:2], Trouble.REFUSED)
    number = driver.args[0] if driver is not None and driver.args else None
    return next((trouble for trouble, numbers in _MYSQL.items() if number in numbers), Trouble.REFUSED)


def _turned_away(attempt: Any) -> bool:
    """True where a server asked for a password and never let us in: the client library tells no code for that."""
    return attempt is not None and attempt.backend_pid == 0 and (attempt.needs_password or attempt.used_password)


_SENTENCES = {
    Trouble.LOST: "cannot be reached, or broke the connection. See whether it runs and can be reached from here.",
    Trouble.BUSY: "made us give way to somebody who uses the same rows. This passes by itself.",
    Trouble.TIMEOUT: "did not answer in time. See whether an index is missing, or raise statement_timeout_seconds.",
    Trouble.FORBIDDEN: "does not let our role do this. Check its password and rights; `retentiond check --live` names them.",
    Trouble.REFERENCED: "keeps records that other rows point at. Declare those rows as parts.",
    Trouble.CONSTRAINT: "has a constraint that forbids the change. `retentiond check --live` tells more.",
    Trouble.NO_SPACE: "has no space left on its disk. Make room and try again.",
    Trouble.UNREADABLE: "cannot be read: its file is missing, damaged, or holds what is no text.",
    Trouble.REFUSED: "refused. Its own log tells why; `retentiond check --live` looks at the usual causes.",
}
_PASSING = frozenset({Trouble.LOST, Trouble.BUSY, Trouble.TIMEOUT})


def as_error(trouble: Trouble, target: Target) -> ConnectorError:
    """The error for something that surely did not happen."""
    sentence = f"The database of {target} {_SENTENCES[trouble]}"
    return (TransientConnectorError if trouble in _PASSING else ConnectorError)(sentence, trouble.value)


@contextmanager
def translated(target: Target) -> Iterator[None]:
    """Turn the driver's errors into ours; only for what changes nothing, or surely did not happen when it fails."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise as_error(trouble_of(error), target) from None
