"""What cannot be read only ever keeps more: a spoilt register stops everything that it could be about, and says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond.engine.values import Status
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject

TAX = rule(
    "crm.letters",
    dataset="letters",
    starts="written",
    duty="{class: business-letter, period: P6Y, counted: calendar-year-end}",
    bounds="delete_after: keep_at_least\n    holds: [tax-hold, tax-audit]",
)

SPOILT = {
    "a hold was changed": "UPDATE holds SET scope = zeroblob(40)",
    "a hold is of no known kind": "UPDATE holds SET kind = 'whim'",
    "the table of holds is gone": "DROP TABLE holds",
    "a request was changed": "UPDATE requests SET persons = zeroblob(40)",
    "a request is in no known state": "UPDATE requests SET state = 'perhaps'",
}


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path, rule(), TAX)
    bench.lead("a", 500)
    bench.crm.put("letters", "old", {"written": bench.now - timedelta(days=20 * 365)})
    bench.approve()
    with bench.store() as store:
        scope = Scope(rule="crm.leads", key=("b",))
        store.place_hold(Hold("h-1", HoldKind.LEGAL_CLAIM, scope, "c-1", "s", bench.now, "s", date(2100, 1, 1)))
        person = frozenset({Subject("email", "ada@example.org")})
        store.open_request(Request("r-1", RequestKind.ACCESS, person, bench.now, RequestState.OPEN, "s", "c-2"))
    return bench


def spoil(bench: Workbench, statement: str) -> None:
    with closing(sqlite3.connect(bench.folder / "state" / "state.db")) as connection, connection:
        connection.execute(statement)


def test_as_long_as_everything_can_be_read_both_go(bench: Workbench) -> None:
    bench.run()
    assert (bench.leads(), bench.crm.keys("letters")) == (set(), set())


@pytest.mark.parametrize("statement", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_register_stops_everything(bench: Workbench, statement: str) -> None:
    spoil(bench, statement)
    report = bench.run()
    assert {step.status for step in report.steps} == {Status.REFUSED}
    assert report.exit_status == 4
    assert all("cannot be read" in step.reasons[0] for step in report.steps)
    assert (bench.leads(), bench.crm.keys("letters")) == ({"a"}, {("old",)})


def test_another_key_than_the_registers_were_sealed_with_stops_everything(bench: Workbench) -> None:
    key = bench.folder / "state" / "register.key"
    key.write_bytes(bytes(32))
    assert {step.status for step in bench.run().steps} == {Status.REFUSED}
    assert bench.leads() == {"a"}


@pytest.mark.parametrize("statement", ["INSERT INTO tax_years VALUES (1, 'never', NULL, NULL, NULL, 0)", "DROP TABLE tax_years"])
def test_a_spoilt_tax_register_keeps_what_it_could_be_about_and_nothing_else(bench: Workbench, statement: str) -> None:
    spoil(bench, statement)
    report = bench.run()
    assert (bench.leads(), bench.crm.keys("letters")) == (set(), {("old",)})
    assert {step.rule: step.status for step in report.steps} == {"crm.leads": Status.DONE, "crm.letters": Status.REFUSED}
    assert report.exit_status == 4, "it is kept, and nobody hears of it"
