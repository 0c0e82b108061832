"""A new generation of the log: begun only when told, where the one before is lost for good or was rolled back.

The new log has another name, because a second history under the old one must never be signed. It begins with what the old one
was signed for last, so that nobody can leave the old one out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retentiond.audit.keys import KEYS
from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note
from retentiond.audit.place import ANCHORS, LogPlace, write_beside
from retentiond.audit.tables import metadata
from retentiond.database import open_database, translated
from retentiond.errors import AuditError, ConfigurationError
from retentiond.failpoint import failpoint
from retentiond.lock import exclusive

MARK = "next-generation"
"""The file that says what the log to be begun comes after; there between two steps only."""

VERSION_TABLE = "audit_version"


def begin_generation(place: LogPlace) -> Path:
    """Put the log in the state directory aside, so that the next opening begins another under `place.origin`; its folder.

    May be repeated after a crash. Raises `ConfigurationError` where no log was signed here, or `origin` is still that of the
    old one; `AuditError` where what was signed last cannot be read.
    """
    with exclusive(place.state / "log.lock", "the deletion log"):
        before = _signed_last(place)
        if before.origin == place.origin:
            raise ConfigurationError(
                f"The log that was signed here is named {before.origin}, and no second history must be signed under that name. "
                f"Give `origin` in the settings another one first."
            )
        number = _next(place.state)
        told = {"generation": number + 1, "prev_origin": before.origin, "prev_size": before.size, "prev_root": before.root.hex()}
        write_beside(place.state / MARK, json.dumps(told))
        failpoint("generation-marked")
        folder = place.state / f"generation-{number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if place.url is not None:
            _set_tables_aside(place.url, f"retentiond_generation_{number}")
        write_beside(folder / place.public_key.name, place.public_key.read_text(encoding="utf-8"))
        names = ["log.db-wal", "log.db-shm", "log.db", KEYS, ANCHORS, place.last_signed.name]
        for name in names:  # what was signed goes last: until then the log counts as lost, and nothing begins
            # What is there came in an earlier try; one that a start in between has made is of the new log.
            if (place.state / name).exists() and not (folder / name).exists():
                (place.state / name).rename(folder / name)
                failpoint("generation-moved")
        return folder


def came_after(state: Path) -> dict[str, Any]:
    """What the first entry of a log to be begun says about the generation; the fields of a first one where nothing is marked."""
    try:
        found: dict[str, Any] = json.loads((state / MARK).read_bytes())
    except FileNotFoundError:
        return {"generation": 1}
    except (OSError, ValueError):
        raise AuditError(f"{state / MARK} cannot be read. Run `retentiond audit generation` again.") from None
    return found


def forget_mark(state: Path) -> None:
    """The new log has begun."""
    (state / MARK).unlink(missing_ok=True)


def _next(state: Path) -> int:
    """The number of the generation to be put aside: the marked one, where a crash came in between."""
    if (state / MARK).exists():
        return int(came_after(state)["generation"]) - 1
    return 1 + sum(1 for folder in state.glob("generation-*") if folder.is_dir())


def _signed_last(place: LogPlace) -> Checkpoint:
    try:
        key = VerifierKey.parse(place.public_key.read_text(encoding="utf-8"))
        return Checkpoint.parse(open_note(place.last_signed.read_bytes().decode("utf-8"), key))
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError, NoteError):
        raise AuditError(f"{place.last_signed} or {place.public_key} cannot be read. Restore them from their backup.") from None
    if (place.state / MARK).exists() and not place.last_signed.exists():
        raise ConfigurationError("The log before is put aside already; the next approval or run begins the new one.")
    raise ConfigurationError(f"No log was signed in {place.state}, so there is none that another could come after.")


def _set_tables_aside(url: sa.URL, schema: str) -> None:
    engine = open_database(url)
    try:
        with translated("The deletion log"), engine.begin() as connection:
            inspector = sa.inspect(connection)
            there = {name for name in (*metadata.tables, VERSION_TABLE) if inspector.has_table(name)}
            names = sorted(name for name in there if not inspector.has_table(name, schema))
            if names:
                connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
            for name in names:
                connection.execute(sa.text(f'ALTER TABLE "{name}" SET SCHEMA "{schema}"'))
    finally:
        engine.dispose()
