"""Requests and the suppression list go by rules of their own, like any other records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.workbench import START, Workbench, rule

from retentiond.connector import subject
from retentiond.engine.evidence import open_store_of
from retentiond.engine.values import RunReport
from retentiond.model.record import Action
from retentiond.model.request import Request, RequestKind, RequestState, closed_at
from retentiond.store import Store

OWN = """
  self:
    connector: retentiond
    datasets:
      requests: {kind: requests}
      suppression-list: {kind: suppression-list}
"""
ANNA = subject("email", "anna@person.example")
RULES = (
    rule("own.request", system="self", dataset="requests", starts="{at: closed_at, missing: not-yet}"),
    rule("own.mark", system="self", dataset="suppression-list", starts="objected_at", approval="plan"),
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path, *RULES)
    settings = tmp_path / "settings.yaml"
    settings.write_text(settings.read_text(encoding="utf-8") + OWN.lstrip("\n"), encoding="utf-8")
    bench.approve()
    return bench


def request(number: int, state: RequestState, kind: RequestKind = RequestKind.ERASURE, age: int = 500) -> Request:
    assert ANNA is not None
    then = START - timedelta(days=age)
    over = None if state is RequestState.OPEN else then
    return Request(
        request=f"r-{number}",
        kind=kind,
        persons=frozenset({ANNA}),
        received_at=then,
        state=state,
        by="staff-1",
        case=f"case-{number}",
        decided_at=over,
        decided_by="staff-1" if over else None,
        answered_at=over,
        rules=None,
    )


@pytest.fixture
def store(bench: Workbench) -> Iterator[Store]:
    with open_store_of(bench.workplace().settings) as store:
        yield store


def told(report: RunReport, name: str) -> dict[str, int]:
    return {kind.value: count for step in report.steps if step.rule == name for kind, count in step.outcomes.items() if count}


def test_a_request_goes_when_its_time_is_over_and_one_that_still_keeps_something_stays(bench: Workbench, store: Store) -> None:
    store.open_request(request(1, RequestState.GRANTED))
    store.open_request(request(2, RequestState.OPEN))
    store.open_request(request(3, RequestState.GRANTED, age=10))
    store.open_request(request(4, RequestState.GRANTED, RequestKind.RESTRICTION))
    store.open_request(request(5, RequestState.REFUSED, RequestKind.RESTRICTION))
    report = bench.run()
    assert told(report, "own.request") == {"confirmed": 2}
    assert [one.request for one in store.requests()] == ["r-2", "r-3", "r-4"]
    assert bench.problems() == ()


def test_a_mark_only_goes_by_a_plan_that_a_person_approved(bench: Workbench, store: Store) -> None:
    assert ANNA is not None
    store.suppress(ANNA, "case-1", START - timedelta(days=500))
    bench.run()
    assert store.suppressed(ANNA) is not None
    bench.approve_plan(bench.plan_file())
    assert told(bench.run(), "own.mark") == {"confirmed": 1}
    assert store.suppressed(ANNA) is None


def test_a_mark_that_is_younger_by_now_is_left_alone(bench: Workbench, store: Store) -> None:
    assert ANNA is not None
    store.suppress(ANNA, "case-1", START - timedelta(days=500))
    bound = next(one for target, one in bench.workplace().targets.items() if target.dataset == "suppression-list")
    with bound.reader() as reader:
        (ref,) = (ref for page in reader.undated(["nothing"]) for ref in page)
    assert store.unsuppress(ANNA, START)
    store.suppress(ANNA, "case-2", START)
    assert not store.remove_suppression(ref.key[0], START - timedelta(days=500))
    assert store.suppressed(ANNA) == START


@pytest.mark.parametrize("kind", RequestKind)
def test_nothing_that_still_keeps_records_is_ever_closed(kind: RequestKind) -> None:
    assert closed_at(request(1, RequestState.OPEN, kind)) is None
    granted = closed_at(request(1, RequestState.GRANTED, kind))
    assert (granted is None) is (kind is RequestKind.RESTRICTION)
    assert closed_at(request(1, RequestState.REFUSED, kind)) == datetime(2024, 10, 17, 3, 17, tzinfo=UTC)


def test_what_is_kept_is_blocked_from_the_beginning(bench: Workbench, store: Store) -> None:
    store.open_request(request(1, RequestState.GRANTED))
    bound = next(one for target, one in bench.workplace().targets.items() if target.dataset == "requests")
    assert bound.offer().actions == {Action.DELETE, Action.BLOCK}
    with bound.reader() as reader:
        ref = reader.explain(("r-1",))
        assert ref is not None
        assert ref.blocked
        assert "anna" not in repr(ref)
