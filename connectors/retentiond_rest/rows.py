"""The application's own table, which knows the ids that a system cannot list. It is only ever read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retentiond.connector import ConnectorError, Secret, Target
from retentiond_rest.options import Ids


def rows(ids: Ids, target: Target) -> list[tuple[str, Mapping[str, Any]]]:
    """Each id once, with the row that tells of it. Raises `ConnectorError` where the table cannot be read or looks broken."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in _rows(ids, target):
        if ids.id not in row:
            raise ConnectorError(f"The table of ids of {target} has no {ids.id!r}. Mend `ids`.", "unreadable")
        value = row[ids.id]
        if value is None or value == "":
            continue  # a row that stored nothing there
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ConnectorError(f"An id of {target} is neither text nor a whole number.", "unreadable")
        found[str(value)] = row
    if not found and not ids.may_be_empty:
        raise ConnectorError(
            f"The table of ids of {target} names none, which is taken for an error. Say `may_be_empty: true` where that can be.",
            "unreadable",
        )
    return list(found.items())


def _rows(ids: Ids, target: Target) -> Iterator[Mapping[str, Any]]:
    if ids.file is not None:
        yield from _file(ids.file, target)
    if ids.database is not None and ids.table is not None:
        yield from _table(ids.database, ids.table, target)


def _file(path: Path, target: Target) -> Iterator[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".csv":
            yield from csv.DictReader(text.splitlines(keepends=True), strict=True)
            return
        for line in text.splitlines():
            if line.strip():
                yield _object(json.loads(line))
    except OSError as error:
        raise ConnectorError(f"The table of ids of {target} cannot be read ({type(error).__name__}).", "unreadable") from None
    except (ValueError, csv.Error):
        raise ConnectorError(f"The table of ids of {target} cannot be read: a line of it is broken.", "unreadable") from None


def _object(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ValueError("a line that is no object")  # noqa: TRY004 - caught as any broken line
    return row


def _table(database: Secret, table: str, target: Target) -> Iterator[Mapping[str, Any]]:
    try:
        engine = sa.create_engine(database.reveal(), poolclass=sa.NullPool)
        schema, _, name = table.rpartition(".")
        with engine.connect() as connection:
            for row in connection.execute(sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None))):
                yield _plain(row._mapping)  # noqa: SLF001 - its public name in SQLAlchemy
    except sa.exc.SQLAlchemyError as error:
        raise ConnectorError(f"The table of ids of {target} cannot be read ({type(error).__name__}).", "unreadable") from None


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as JSON would tell it: what knows how to write itself in ISO 8601 does."""
    return {str(name): value.isoformat(" ") if hasattr(value, "hour") else _text(value) for name, value in row.items()}


def _text(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
