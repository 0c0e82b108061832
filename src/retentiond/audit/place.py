"""Where a log lies, and the file beside it that says how far it was signed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note
from retentiond.database import open_database, translated
from retentiond.errors import AuditError, StateError
from retentiond.folder import sync_folder

ANCHORS = "anchors"
"""The folder of the anchors' receipts in the state directory."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """One deletion log."""

    state: Path
    """The state directory: keys, locks and `last-signed` are there in any case."""
    url: sa.URL | None
    """The PostgreSQL database that holds the log; None for `log.db` in the state directory."""
    origin: str
    """The log's name in its checkpoints."""

    @property
    def database(self) -> Path | sa.URL:
        """What to open."""
        return self.url if self.url is not None else self.state / "log.db"

    @property
    def last_signed(self) -> Path:
        """The newest checkpoint, kept outside the database: a database that fell behind it was rolled back."""
        return self.state / "last-signed"

    @property
    def public_key(self) -> Path:
        """The verifier key, for auditors."""
        return self.state / "log.vkey"


def remains(place: LogPlace) -> bool:
    """True where the write-ahead file of a log in a SQLite file holds something: while one writes, and when clearing it failed.

    Once a run is over nothing is to be left there of what it had put aside, sealed, for its open batches.
    """
    if place.url is not None:
        return False
    try:
        return (place.state / "log.db-wal").stat().st_size > 0
    except OSError:
        return False  # none, or none that could be told; whoever opens the log says so


@contextmanager
def reading(place: LogPlace) -> Iterator[sa.Connection]:
    """A connection that cannot write, in one transaction: a view of the log as it is at one moment.

    Raises `StateError` where there is no log.
    """
    if place.url is None and not (place.state / "log.db").exists():
        raise StateError(f"There is no deletion log in {place.state} yet; the first approval or run begins it.")
    engine = open_database(place.database, readonly=True)
    try:
        with translated("The deletion log"):
            if not sa.inspect(engine).has_table("log_head"):
                raise StateError("There is no deletion log in the database yet; the first approval or run begins it.")
            with engine.connect().execution_options(**_snapshot(engine)) as connection, connection.begin():
                yield connection
    finally:
        engine.dispose()


def _snapshot(engine: sa.Engine) -> dict[str, str]:
    return {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}


def last_signed(place: LogPlace, key: VerifierKey) -> Checkpoint | None:
    """The checkpoint beside the log; None where there is none. Raises `AuditError` where it is not ours."""
    try:
        note = place.last_signed.read_bytes().decode("utf-8")  # as bytes: reading as text would mend foreign line ends
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"{place.last_signed} cannot be read ({type(error).__name__}).") from None
    try:
        return Checkpoint.parse(open_note(note, key))
    except NoteError as error:
        raise AuditError(f"{place.last_signed}: {error}") from None


def write_beside(file: Path, text: str) -> None:
    """Replace a file of the state directory durably and as a whole; raises `AuditError`."""
    part = file.with_name(f".{file.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.rename(file)
        sync_folder(file.parent)
    except OSError as error:
        raise AuditError(f"{file} cannot be written ({error.strerror}); nothing more is done until it can.") from None
