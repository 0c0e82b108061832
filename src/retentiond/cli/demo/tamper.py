"""Does to a copy of the deletion log what somebody with the database's password could do to the real one."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from retentiond.errors import StateError


def tampered_copy(state: Path, copy: Path, staff: str, forged: str) -> Path:
    """Copy the state directory and, in the copy's log, put `forged` for `staff` in one approval; the copy.

    Both are of one length, so that nothing but these letters differs. Raises `StateError` where no approval names `staff`.
    """
    shutil.copytree(state, copy)
    connection = sqlite3.connect(copy / "log.db")
    try:
        with connection:
            for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f'DROP TRIGGER "{trigger}"')
            if not _forge(connection, staff.encode(), forged.encode()):
                raise StateError("The copy of the log holds no approval that could be forged.")
    finally:
        connection.close()
    return copy


def _forge(connection: sqlite3.Connection, said: bytes, forged: bytes) -> bool:
    """Rewrite the first entry that holds `said`; False where there is none."""
    row = connection.execute(
        "SELECT n, entries FROM log_bundles WHERE instr(entries, ?) > 0 ORDER BY n LIMIT 1", (said,)
    ).fetchone()
    if row is not None:
        connection.execute("UPDATE log_bundles SET entries = ? WHERE n = ?", (row[1].replace(said, forged, 1), row[0]))
    return row is not None
