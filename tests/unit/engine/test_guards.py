"""The belts: one refusal, and nothing of the plan runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from retentiond.engine.guards import refusals
from retentiond.engine.values import StepPlan
from retentiond.model.record import Action, Target
from retentiond.model.rule import Limits
from retentiond.settings import Guards

GUARDS = Guards()


def plan(due: int, population: int, undatable: int = 0, action: Action = Action.DELETE) -> StepPlan:
    return StepPlan(
        policy="web",
        rule="web.log",
        rule_digest="d" * 64,
        target=Target("server", "log"),
        action=action,
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        population=population,
        due=due,
        past_cap=0,
        kept={},
        undatable=undatable,
        oldest_due=None,
        latest_due=None,
        digest="e" * 64,
    )


def told(
    a_plan: StepPlan, limits: Limits | None = None, lately: int = 0, history: tuple[int, ...] = (), *, approved: bool = False
) -> list[str]:
    return refusals(a_plan, limits, GUARDS, done_lately=lately, history=history, plan_approved=approved)


def test_an_ordinary_plan_passes() -> None:
    assert told(plan(100, 1000)) == []


def test_nothing_due_is_never_refused() -> None:
    assert told(plan(0, 0)) == []


@pytest.mark.parametrize(("due", "refused"), [(250, False), (251, True), (1000, True)])
def test_more_than_a_quarter_of_all_records_is_refused(due: int, refused: bool) -> None:
    assert bool(told(plan(due, 1000))) == refused


def test_records_that_came_while_none_were_counted_are_refused() -> None:
    assert "would delete 3 of 0 records of server/log; its limit" in told(plan(3, 0))[0]


def test_a_rule_may_widen_its_own_share() -> None:
    assert told(plan(1000, 1000), Limits.model_validate({"records": "default", "share": "100%", "undatable": "default"})) == []


@pytest.mark.parametrize(("lately", "refused"), [(0, False), (1, True)])
def test_what_was_done_in_the_last_day_counts_against_the_cap(lately: int, refused: bool) -> None:
    assert bool(told(plan(10_000, 1_000_000), lately=lately)) == refused


def test_too_many_records_without_a_date_refuse_a_deletion() -> None:
    assert "no provable date" in told(plan(1, 100, undatable=21))[0]


def test_a_spike_against_what_is_usual_is_refused_until_a_person_approved_that_plan() -> None:
    spike = plan(5_000, 1_000_000)
    assert "usual" in told(spike, history=(100, 120, 90))[0]
    assert told(spike, history=(100, 120, 90), approved=True) == []


def test_a_small_spike_is_no_spike() -> None:
    assert told(plan(900, 1_000_000), history=(1, 1, 1)) == []


def test_two_runs_tell_nothing_about_what_is_usual() -> None:
    assert told(plan(5_000, 1_000_000), history=(1, 1)) == []


def test_an_approved_plan_does_not_lift_the_absolute_limits() -> None:
    assert told(plan(20_000, 1_000_000), approved=True)


def test_every_objection_is_told_at_once_and_names_rule_and_data_set() -> None:
    found = told(replace(plan(20_000, 20_000), undatable=10_000))
    assert len(found) == 3
    assert all("server/log" in one or "web.log" in one for one in found)
