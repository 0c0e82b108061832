"""Where a run keeps what it did: the store of what survives a restart, and the deletion log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime

from retentiond import __version__
from retentiond.audit import DeletionLog, LogPlace, open_log
from retentiond.settings import Settings
from retentiond.store import Store, open_store


@dataclass(frozen=True, slots=True)
class Evidence:
    """Store and deletion log, both open for writing."""

    store: Store
    log: DeletionLog


@contextmanager
def open_evidence(settings: Settings, now: datetime) -> Iterator[Evidence]:
    """Open both, made anew the first time (stamped `now`, aware UTC).

    Raises `StateError` where they cannot be used or another run holds them, `AuditError` where the log is not trustworthy.
    """
    with open_store_of(settings) as store, open_log(log_place(settings), now, f"retentiond {__version__}") as log:
        yield Evidence(store, log)


def open_store_of(settings: Settings) -> AbstractContextManager[Store]:
    """Open the store alone."""
    return open_store(settings.state, settings.database_url())


@contextmanager
def existing_store(settings: Settings) -> Iterator[Store | None]:
    """The store where there is one; None before the first run. Raises `StateError` where it cannot be opened."""
    if settings.database is None and not (settings.state / "state.db").is_file():
        yield None
        return
    with open_store_of(settings) as store:
        yield store


def log_place(settings: Settings) -> LogPlace:
    """Where the deletion log lies."""
    return LogPlace(settings.state, settings.database_url(), settings.origin)
