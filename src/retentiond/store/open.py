"""Opens the store, and makes it the first time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from retentiond.database import is_at, migrate, open_database
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
        # The daemon opens the store every minute, and Alembic is not made for threads.
        if not is_at(engine, "store_version", NEWEST):
            migrate(engine, "retentiond.store:migrations")
        yield Store(engine, open_seal(state), state)
    finally:
        engine.dispose()
