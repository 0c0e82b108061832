"""Old records that come in bulk are left alone until a person looked: nobody may restore data and see them vanish at once."""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond.engine.holding import lift, place
from retentiond.engine.values import RunReport, Status
from retentiond.model.hold import HoldKind, Scope

DAY = timedelta(days=1)
MANY = 30


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """Many leads that were due went in a run; some that are not due stayed."""
    bench = Workbench(tmp_path, rule(), batch_size=50)
    for number in range(MANY):
        bench.lead(f"old-{number}", 400)
        bench.lead(f"new-{number}", 30)
    bench.approve()
    return bench


def refused(report: RunReport) -> str:
    """Why the only step was refused."""
    (step,) = report.steps
    assert (step.status, step.outcomes) == (Status.REFUSED, {})
    return " ".join(step.reasons)


def test_a_restore_that_nobody_told_of_is_noticed_and_nothing_goes(bench: Workbench) -> None:
    taken = copy.deepcopy(bench.crm.datasets)
    bench.run()
    bench.later(DAY)
    bench.crm.datasets = taken
    assert "looks like a restore" in refused(bench.run())
    bench.later(DAY)
    assert "retentiond replay --system crm" in refused(bench.run())
    assert len(bench.leads()) == 2 * MANY


def test_a_replay_ends_the_quarantine(bench: Workbench) -> None:
    taken, since = copy.deepcopy(bench.crm.datasets), bench.now
    bench.run()
    bench.later(DAY)
    bench.crm.datasets = taken
    refused(bench.run())
    bench.replay(since)
    assert bench.run().exit_status == 0
    assert len(bench.leads()) == MANY


def test_a_person_who_approves_the_plan_ends_the_quarantine(bench: Workbench) -> None:
    taken = copy.deepcopy(bench.crm.datasets)
    bench.run()
    bench.later(DAY)
    bench.crm.datasets = taken
    refused(bench.run())
    bench.approve_plan(bench.plan_file())
    assert bench.run().exit_status == 0
    assert len(bench.leads()) == MANY


def test_an_import_of_old_records_is_noticed_until_a_person_approves_the_plan(bench: Workbench) -> None:
    bench.run()
    bench.later(DAY)
    for number in range(MANY):
        bench.lead(f"imported-{number}", 500)
    assert "a restore or an import" in refused(bench.run())
    bench.later(DAY)
    refused(bench.run())
    bench.approve_plan(bench.plan_file())
    assert bench.run().exit_status == 0
    assert len(bench.leads()) == MANY


def test_a_restore_hidden_among_many_that_fell_due_is_noticed(bench: Workbench) -> None:
    taken = copy.deepcopy(bench.crm.datasets)
    bench.run()
    for number in range(100):
        bench.lead(f"soon-{number}", 364)
    bench.crm.datasets["leads"] |= taken["leads"]
    bench.later(3 * DAY)
    assert "30 of the 130 records" in refused(bench.run())


def test_few_that_came_back_are_no_bulk(bench: Workbench) -> None:
    taken = copy.deepcopy(bench.crm.datasets)
    bench.run()
    bench.later(DAY)
    bench.crm.datasets["leads"] |= dict(list(taken["leads"].items())[:20])
    assert bench.run().exit_status == 0
    assert not {key for key in bench.leads() if key.startswith("old")}


def test_many_that_fall_due_in_time_are_no_bulk_arrival(bench: Workbench) -> None:
    bench.run()
    for number in range(200):
        bench.lead(f"soon-{number}", 364)
    bench.later(3 * DAY)
    assert bench.run().exit_status == 0


def test_many_that_a_lifted_hold_sets_free_are_no_bulk_arrival(bench: Workbench) -> None:
    with bench.store() as store:
        kind, words = HoldKind.LEGAL_CLAIM, {"reason": "case-1", "owner": "staff-2", "by": "staff-1"}
        scope = Scope(system="crm", dataset="leads")
        hold = place(
            bench.workplace(), store, kind, scope, reason="case-1", owner="staff-2", by=words["by"], now=bench.now
        ).hold.hold
    bench.run()
    bench.later(DAY)
    with bench.store() as store:
        lift(bench.workplace(), store, hold, "staff-1", bench.now)
    assert bench.run().exit_status == 0
    assert len(bench.leads()) == MANY


def test_many_whose_dates_somebody_corrected_are_no_bulk_arrival(bench: Workbench) -> None:
    """They were there all along: there are not more records than before."""
    bench.run()
    bench.later(DAY)
    for number in range(MANY):
        stored = bench.crm.get("leads", f"new-{number}")
        assert stored is not None
        stored.dates["created"] = bench.now - 500 * DAY
    assert bench.run().exit_status == 0
    assert not bench.leads()


def test_names_that_are_used_again_for_new_records_are_no_restore(tmp_path: Path) -> None:
    """As with log files that are rotated: the same names are dealt with again and again, and no identity tells them apart."""
    orders = rule("shop.orders", system="shop", dataset="orders", starts="ordered", bounds="delete_after: {period: P7D}")
    bench = Workbench(tmp_path, orders.replace("{period: P7D}", "{period: P7D, counted: day-end}"), batch_size=50)
    bench.approve()
    for _week in range(4):
        for number in range(MANY):
            bench.shop.put("orders", f"{number}", {"ordered": bench.now})
        bench.later(9 * DAY)
        assert bench.run().exit_status == 0
        assert not bench.shop.keys("orders")


def test_records_without_an_identity_that_came_back_are_noticed_by_their_dates(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, rule("shop.orders", system="shop", dataset="orders", starts="ordered"), batch_size=50)
    bench.approve()
    for number in range(MANY):
        bench.shop.put("orders", f"{number}", {"ordered": bench.now - 400 * DAY})
    taken = copy.deepcopy(bench.shop.datasets)
    bench.run()
    bench.later(DAY)
    bench.shop.datasets = taken
    assert "have been dealt with before" in refused(bench.run())


def test_how_many_are_a_bulk_is_a_setting(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, rule(), batch_size=50, more="guards: {arrivals: 50%, arrivals_floor: 100}")
    for number in range(MANY):
        bench.lead(f"old-{number}", 400)
    bench.approve()
    taken = copy.deepcopy(bench.crm.datasets)
    bench.run()
    bench.later(DAY)
    bench.crm.datasets = taken
    assert bench.run().exit_status == 0
    assert not bench.leads()


def test_records_whose_deletion_was_acknowledged_and_that_never_went_are_no_restore(bench: Workbench) -> None:
    bench.crm.undying |= {(f"old-{number}",) for number in range(MANY)}
    for _day in range(2):
        (step,) = bench.run().steps
        assert step.status is Status.INCOMPLETE
        bench.later(DAY)
