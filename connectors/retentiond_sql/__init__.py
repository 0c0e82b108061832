"""The `sql` connector: rows of PostgreSQL, MariaDB, MySQL and SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence

from retentiond.connector import Action, Connector, Copy, Offer
from retentiond_sql.anonymizing import SqlAnonymizer
from retentiond_sql.beside import beside
from retentiond_sql.blocking import SqlBlocker
from retentiond_sql.deleting import SqlDeleter
from retentiond_sql.options import SqlConnection, SqlDataset
from retentiond_sql.reader import SqlReader

__all__ = ["connector"]

_UNTOLD = {
    "sqlite": ("write-ahead log", "backups"),
    "postgresql": ("write-ahead log", "backups"),
    "mysql": ("binary log", "backups"),
    "mariadb": ("binary log", "backups"),
}
"""Copies that every such system may have; reported as living for ever until the settings say how long, or that there are none."""


def _offer(_connection: SqlConnection, dataset: SqlDataset) -> Offer:
    actions = {Action.DELETE}
    if dataset.block is not None:
        actions.add(Action.BLOCK)
    if dataset.anonymize is not None:
        actions.add(Action.ANONYMIZE)
    return Offer(
        frozenset(dataset.dates),
        frozenset(actions),
        facts=frozenset(dataset.facts),
        subjects=frozenset(dataset.subjects),
        computed=frozenset(dataset.computed()),
    )


def _copies(connection: SqlConnection, dataset: SqlDataset) -> Sequence[Copy]:
    if connection.copies is None:
        of_system = [Copy(name, None) for name in _UNTOLD[connection.address().get_backend_name()]]
    else:
        of_system = [Copy(copy.name, copy.duration()) for copy in connection.copies]
    return [*of_system, *(Copy(copy.name, copy.duration()) for copy in dataset.copies)]


def _key(text: str) -> tuple[str, ...]:
    """A key as a person types it: `17`, `berlin,17`, or a JSON list where a component holds a comma."""
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except ValueError:
            parts = None
        if (
            isinstance(parts, list)
            and parts
            and all(isinstance(part, (str, int)) and not isinstance(part, bool) for part in parts)
        ):
            return tuple(map(str, parts))
    return tuple(text.split(","))


connector = Connector(
    name="sql",
    title="SQL databases: PostgreSQL, MariaDB, MySQL, SQLite",
    connection=SqlConnection,
    options=SqlDataset,
    offer=_offer,
    reader=SqlReader,
    deleter=SqlDeleter,
    blocker=SqlBlocker,
    anonymizer=SqlAnonymizer,
    copies=_copies,
    beside=beside,
    key=_key,
    extra="sql",
)
