"""The application's own table, which knows the ids that a system cannot list. It is only ever read."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retentiond.connector import ConnectorError, Secret, Target
from retentiond_rest.options import Ids


def rows(ids: Ids, target: Target, columns: Collection[str] = ()) -> dict[str, Mapping[str, Any]]:
    """Each id once, with what its row tells in `columns`; what two rows tell differently is not known.

    Raises `ConnectorError` where the table cannot be read or looks broken.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for row in _rows(ids, target, {ids.id, *columns}):
        if ids.id not in row:
            raise ConnectorError(f"The table of ids of {target} has no {ids.id!r}. Mend `ids`.", "unreadable")
        value = row[ids.id]
        if value is None or value == "":
            continue  # a row that stored nothing there
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ConnectorError(f"An id of {target} is neither text nor a whole number.", "unreadable")
        told = {name: row.get(name) for name in columns}
        before = found.get(str(value), told)
        found[str(value)] = {name: told[name] if told[name] == before[name] else None for name in columns}
    if not found and not ids.may_be_empty:
        raise ConnectorError(
            f"The table of ids of {target} names none, which is taken for an error. Say `may_be_empty: true` where that can be.",
            "unreadable",
        )
    return found


def _rows(ids: Ids, target: Target, columns: Collection[str]) -> Iterator[Mapping[str, Any]]:
    if ids.file is not None:
        yield from _file(ids.file, target)
    if ids.database is not None and ids.table is not None:
        yield from _table(ids.database, ids.table, target, columns)


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


def _table(database: Secret, table: str, target: Target, columns: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """Reads no other columns: a chat's text has no business here."""
    try:
        engine = sa.create_engine(database.reveal(), poolclass=sa.NullPool)
        schema, _, name = table.rpartition(".")
        with engine.connect() as connection:
            there = {column["name"] for column in sa.inspect(connection).get_columns(name, schema or None)}
            chosen: list[sa.ColumnClause[Any]] = [sa.column(column) for column in sorted(there & set(columns))]
            asked = sa.select(*chosen).select_from(sa.table(name, schema=schema or None))
            for row in connection.execute(asked) if chosen else ():
                yield _plain(row._mapping)  # noqa: SLF001 - its public name in SQLAlchemy
    except ImportError:
        what = f"The table of ids of {target} lies in a database whose driver is missing: `pip install 'retentiond[sql]'`."
        raise ConnectorError(what, "unavailable") from None
    except sa.exc.SQLAlchemyError as error:
        raise ConnectorError(f"The table of ids of {target} cannot be read ({type(error).__name__}).", "unreadable") from None


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as JSON would tell it: what knows how to write itself in ISO 8601 does."""
    return {str(name): value.isoformat(" ") if hasattr(value, "hour") else _text(value) for name, value in row.items()}


def _text(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
