"""A hold placed at any moment between plan and act wins; one placed during an act waits for it, and wins from then on."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond.engine import executor, runner
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.record import OutcomeKind

BEFORE_THE_ACT = ["run-started", "planned", "intended"]
DURING_THE_ACT = ["looked-again", "acted"]
SCOPES = {
    "everything": Scope(system="crm"),
    "the rule": Scope(rule="crm.leads"),
    "the record": Scope("crm", "leads", key=("a",)),
    "a date": Scope("crm", date_name="created", since=date(2000, 1, 1)),
}


class Racer:
    """Places a hold in a thread of its own, as another process would, when the run comes by a named place."""

    def __init__(self, bench: Workbench, place: str, scope: Scope) -> None:
        self.bench = bench
        self.place = place
        self.hold = Hold("h-1", HoldKind.LEGAL_CLAIM, scope, "case-1", "staff-1", bench.now, "staff-1", date(2100, 1, 1))
        self.placed = threading.Event()
        self.thread: threading.Thread | None = None
        self.gone_when_placed: set[str] | None = None

    def __call__(self, name: str) -> None:
        if name == self.place and self.thread is None:
            self.thread = threading.Thread(target=self._place)
            self.thread.start()
            if name in BEFORE_THE_ACT:
                assert self.placed.wait(30), "nobody acts, and still a hold cannot be placed"
            else:
                assert not self.placed.wait(0.2), "a hold was placed while a batch was under way"

    def _place(self) -> None:
        with self.bench.store() as store, store.changing():
            self.gone_when_placed = {"a", "b", "c"} - self.bench.leads()
            store.place_hold(self.hold)
        self.placed.set()


def raced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, scope: Scope) -> tuple[Workbench, Racer]:
    bench = Workbench(tmp_path, rule(), batch_size=1)
    for key in ("a", "b", "c"):
        bench.lead(key, 500)
    bench.approve()
    racer = Racer(bench, place, scope)
    for module in (runner, executor):
        monkeypatch.setattr(module, "failpoint", racer)
    report = bench.run()
    assert racer.thread is not None, f"the run never came by {place}"
    racer.thread.join(30)
    assert racer.placed.is_set()
    assert not report.bugs
    return bench, racer


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("place", BEFORE_THE_ACT)
def test_a_hold_placed_before_the_act_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, scope: Scope) -> None:
    bench, _ = raced(tmp_path, monkeypatch, place, scope)
    assert bench.leads() == ({"a"} if scope.key else {"a", "b", "c"})
    if place != "run-started":
        assert set(bench.said("a")) <= {OutcomeKind.HELD.value}
    assert bench.problems() == ()
    with bench.store() as store:
        store.lift_hold("h-1", bench.now)
    bench.run()
    assert bench.leads() == set(), "what was held is forgotten once the hold is lifted"


@pytest.mark.parametrize("place", DURING_THE_ACT)
def test_a_hold_placed_during_an_act_waits_for_it_and_wins_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    bench, racer = raced(tmp_path, monkeypatch, place, SCOPES["everything"])
    assert racer.gone_when_placed is not None
    assert len(racer.gone_when_placed) <= 1, "a batch began although somebody waited to place a hold"
    assert {"a", "b", "c"} - bench.leads() == racer.gone_when_placed, "something went after the hold was placed"
    assert bench.problems() == ()
