"""Opens the store, and makes it the first time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from retentiond.database import migrate, open_database, translated
from retentiond.folder import make_state_directory
from retentiond.sealing import open_seal
from retentiond.store.approvals import Approvals
from retentiond.store.attestations import Attestations
from retentiond.store.findings import Findings
from retentiond.store.holds import Holds
from retentiond.store.outbox import Outbox
from retentiond.store.plans import Plans
from retentiond.store.pulse import Pulse
from retentiond.store.requests import Requests
from retentiond.store.reviews import Reviews
from retentiond.store.runs import Runs
from retentiond.store.suppressions import Suppressions
from retentiond.store.taxyears import TaxYears
from retentiond.store.turns import Turns

NEWEST = "0005"
"""The version that the newest migration makes."""


class Store(
    Runs,
    Approvals,
    Plans,
    Pulse,
    Holds,
    TaxYears,
    Requests,
    Suppressions,
    Reviews,
    Findings,
    Attestations,
    Outbox,
    Turns,
):
    """What survives a restart. Every method is one short transaction and raises `StateError` where it cannot be made."""


@contextmanager
def open_store(state: Path, url: sa.URL | None) -> Iterator[Store]:
    """Open the store in the directory `state`, or in the PostgreSQL database of `url`; make or upgrade it where needed.

    The directory is made with mode 0700 where it is missing. Raises `StateError` where the store cannot be used:
    unreachable, read-only, full, damaged, or made by a newer retentiond.
    """
    make_state_directory(state)
    engine = open_database(url if url is not None else state / "state.db")
    try:
        if not _current(engine):
            migrate(engine, "retentiond.store:migrations")
        yield Store(engine, open_seal(state), state)
    finally:
        engine.dispose()


def _current(engine: sa.Engine) -> bool:
    """True where nothing is to be migrated: the daemon opens the store every minute, and Alembic is not made for threads."""
    version = sa.table("store_version", sa.column("version_num"))
    with translated(), engine.connect() as connection:
        if not sa.inspect(connection).has_table(version.name):
            return False
        return list(connection.execute(sa.select(version.c.version_num)).scalars()) == [NEWEST]
