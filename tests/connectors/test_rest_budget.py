"""Exactly so many requests a minute reach a system as its account may send, with progress all the while."""

from __future__ import annotations

from pathlib import Path

import pytest
from connectors.rest_support import dataset
from support.vendors import formbricks
from support.webserver import Answered, Asked

from retentiond.connector import Answered as Said
from retentiond.connector.budget import Budget
from retentiond_rest import connector


@pytest.mark.parametrize("most", [None, 7])
def test_exactly_the_budget_of_a_minute_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int | None) -> None:
    """The manifest's budget where the settings name none; one budget for finding, acting and looking."""
    now = [0.0]
    budgets: dict[tuple[str, int], Budget] = {}

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def shared(account: str, limit: int) -> Budget:
        return budgets.setdefault((account, limit), Budget(limit, clock=lambda: now[0], sleep=sleep))

    monkeypatch.setattr("retentiond.connector.http.shared_budget", shared)
    fake = formbricks.Formbricks(most=250)
    for number in range(60):
        fake.put(f"r{number:03}", "2020-01-01T00:00:00.000Z")
    times: list[float] = []
    answered = fake._routed

    def timed(asked: Asked) -> Answered:
        times.append(now[0])
        return answered(asked)

    fake._routed = timed  # type: ignore[method-assign]
    more = {} if most is None else {"requests_per_minute": most}
    with fake.served() as url:
        data = dataset(tmp_path, url, "formbricks", formbricks.KEY, "responses", values={"survey": formbricks.SURVEY}, **more)
        refs = data.find("created")
        for start in range(0, len(refs), connector.batch_size):
            batch = refs[start : start + connector.batch_size]
            assert {answer.said for answer in data.delete(batch)} == {Said.DONE}
            assert len(fake.responses) == 60 - start - len(batch)
    limit = most or 100
    (key,) = budgets
    assert key[1] == limit
    assert len(times) > 120
    for begun in times:
        assert sum(begun <= one < begun + 60 for one in times) <= limit
    full = [sum(minute <= one / 60 < minute + 1 for one in times) for minute in range(int(times[-1] // 60))]
    assert set(full) == {limit}, "a minute in which less was sent than may be"
