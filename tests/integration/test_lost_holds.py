"""A hold that the deletion log tells of cannot be made away with in the store: not by an old backup, not by hand."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond.engine.evidence import open_evidence
from retentiond.engine.holding import give_up, lift, place
from retentiond.engine.outbox import flush_outbox
from retentiond.engine.values import Status
from retentiond.errors import ConfigurationError
from retentiond.model.hold import HoldKind, Scope

CHANGES = {
    "it was deleted": "DELETE FROM holds",
    "it was lifted by hand": "UPDATE holds SET lifted_at = 0",
    "it became one that no rule heeds": "UPDATE holds SET kind = 'technical-fault'",
    "it got an end": "UPDATE holds SET expires = 0",
}


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path, rule())
    bench.lead("a", 500)
    bench.approve()
    return bench


def held(bench: Workbench) -> str:
    """Place a hold on everything, entry included."""
    with open_evidence(bench.workplace().settings, bench.now) as evidence:
        placed = place(
            bench.workplace(),
            evidence.store,
            HoldKind.LEGAL_CLAIM,
            Scope(system="crm"),
            reason="case-1",
            owner="staff-1",
            by="staff-1",
            now=bench.now,
        )
        flush_outbox(evidence, bench.now)
    return placed.hold.hold


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
def test_what_was_changed_by_hand_stops_everything(bench: Workbench, statement: str) -> None:
    held(bench)
    with closing(sqlite3.connect(bench.folder / "state" / "state.db")) as connection, connection:
        connection.execute(statement)
    report = bench.run()
    assert {step.status for step in report.steps} == {Status.REFUSED}
    assert "tells of a hold that stands" in report.steps[0].reasons[0]
    assert bench.leads() == {"a"}


def test_an_old_backup_of_the_store_stops_everything(bench: Workbench) -> None:
    backup = bench.folder / "backup.db"
    shutil.copy(bench.folder / "state" / "state.db", backup)
    held(bench)
    for file in (bench.folder / "state").glob("state.db*"):
        file.unlink()
    shutil.copy(backup, bench.folder / "state" / "state.db")
    assert {step.status for step in bench.run().steps} == {Status.REFUSED}
    assert bench.leads() == {"a"}


def test_a_lost_hold_can_be_given_up_by_a_named_person(bench: Workbench) -> None:
    name = held(bench)
    with bench.store() as store, pytest.raises(ConfigurationError, match="is not lost"):
        give_up(bench.workplace(), store, name, "staff-1", bench.now)
    with closing(sqlite3.connect(bench.folder / "state" / "state.db")) as connection, connection:
        connection.execute("DELETE FROM holds")
    with bench.store() as store:
        give_up(bench.workplace(), store, name, "staff-1", bench.now)
    for _ in range(2):
        assert {step.status for step in bench.run().steps} == {Status.DONE}
    assert bench.leads() == set()


def test_a_hold_that_was_lifted_the_right_way_is_no_matter(bench: Workbench) -> None:
    name = held(bench)
    bench.run()
    assert bench.leads() == {"a"}
    with bench.store() as store:
        lift(bench.workplace(), store, name, "staff-1", bench.now)  # its entry waits for the run
    bench.run()
    assert bench.leads() == set()
    assert bench.problems() == ()
    bench.lead("b", 500)
    bench.run()
    assert bench.leads() == set()
