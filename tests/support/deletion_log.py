"""A deletion log with a few batches in it, for tests that look at it or tamper with it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import sqlalchemy as sa

from retentiond.audit import DeletionLog, Intent, LogPlace, open_log
from retentiond.audit.stored import append
from retentiond.audit.tile import WIDTH, full_bundle, split_bundle
from retentiond.model.record import Action, How, Outcome, OutcomeKind, RecordRef, Target

NOW = datetime(2026, 11, 22, 3, 12, 1, tzinfo=UTC)
ORIGIN = "log.example.org/retentiond/test"
TARGET = Target("crm", "customer")
DIGEST = "ab" * 32
RUN = str(uuid.UUID("4f9d2c1a-0b3e-4c5d-8e7f-a1b2c3d4e5f6"))
CONFIRMED = Outcome(OutcomeKind.CONFIRMED, How.RETURNING)


def intent_of(run: str = RUN, target: Target = TARGET) -> Intent:
    """An intent to delete from `target`."""
    return Intent(run, f"crm.customer@{DIGEST[:16]}", DIGEST, DIGEST, target.system, target.dataset, Action.DELETE, NOW)


def records_of(*keys: str) -> list[RecordRef]:
    """One record for each key, with an identity of its own."""
    return [RecordRef((key,), fingerprint="f" * 64, identity=(f"born {key}",)) for key in keys]


def delete(log: DeletionLog, *keys: str, run: str = RUN, outcomes: Sequence[Outcome] | None = None) -> None:
    """One batch from intent to conclusion."""
    batch = log.intend(intent_of(run), records_of(*keys), NOW)
    log.conclude(batch, outcomes or [CONFIRMED] * len(keys), NOW)


def written(place: LogPlace) -> None:
    """A signed log with a run of two concluded batches (five records) in it."""
    with open_log(place, NOW, "retentiond 0") as log:
        log.checkpoint(NOW)
        log.event("run-start", NOW, run=RUN, trigger="command", policy_digest=DIGEST, tzdata="2026a", clock="believed")
        delete(log, "anna", "bert", "carla")
        log.checkpoint(NOW)
        failed = Outcome(OutcomeKind.FAILED, code="referenced")
        delete(log, "dora", "emil", outcomes=[failed, CONFIRMED])
        log.event("run-end", NOW, run=RUN, status="done", counts={"due": 5, "confirmed": 4, "failed": 1})
        log.checkpoint(NOW)


@contextmanager
def behind_its_back(place: LogPlace) -> Iterator[sa.Connection]:
    """A connection such as somebody has who may write to the database, committed at the end."""
    url = place.url or sa.URL.create("sqlite", database=str(place.state / "log.db"))
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def leaves_of(connection: sa.Connection) -> list[bytes]:
    """Every leaf, as it is stored."""
    stored = connection.execute(sa.text("SELECT entries FROM log_bundles ORDER BY n")).scalars()
    return [leaf for entries in stored for leaf in split_bundle(bytes(entries))]


def put(connection: sa.Connection, leaves: Sequence[bytes], *, rehashed: bool = False) -> None:
    """Exchange all leaves; `rehashed` as by somebody who knows the format but has no key: tiles and head fit again."""
    connection.execute(sa.text("DELETE FROM log_bundles"))
    if rehashed:
        connection.execute(sa.text("DELETE FROM log_tiles"))
        last_at = connection.execute(sa.text("UPDATE log_head SET size = 0, tree = :tree RETURNING last_at"), {"tree": b""})
        append(connection, leaves, last_at.scalar_one())
    else:
        for n, place in enumerate(range(0, len(leaves), WIDTH)):
            row = {"n": n, "entries": full_bundle(leaves[place : place + WIDTH])}
            connection.execute(sa.text("INSERT INTO log_bundles (n, entries) VALUES (:n, :entries)"), row)


def put_leaf(connection: sa.Connection, index: int, leaf: bytes) -> None:
    """Exchange one leaf."""
    leaves = leaves_of(connection)
    put(connection, [*leaves[:index], leaf, *leaves[index + 1 :]])
