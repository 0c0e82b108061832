from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.program import NEW, OLD, UNDATED, open_office

from retentiond.audit import ephemeral_handles
from retentiond.cli.terminal import say
from retentiond.connector.api import Copy, Finding
from retentiond.engine.explain import explain
from retentiond.engine.planning import plan_rules
from retentiond.engine.registers import Registers
from retentiond.engine.values import Status, StepPlan
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.model.record import Target
from retentiond.report.fate import explain_json, explain_text
from retentiond.report.plan import PlanReport, plan_json, plan_text
from retentiond.settings import load_settings

HOSTILE = "\x1b[2J[red]undated"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    letters = [("a", OLD), ("b", OLD), ("c", NEW), *((f"{HOSTILE}{number}", UNDATED) for number in range(9))]
    folder: Path = tmp_path_factory.mktemp("office")
    return read_workplace(load_settings(open_office(folder, letters).settings))


@pytest.fixture(scope="module")
def report(workplace: Workplace) -> PlanReport:
    now = datetime.now(UTC)
    return PlanReport(now, plan_rules(workplace, Registers(), ephemeral_handles(), now), frozenset(), workplace)


def _plan(report: PlanReport) -> StepPlan:
    plan = report.steps[0].plan
    assert plan is not None
    return plan


def test_the_report_tells_due_kept_and_undatable(report: PlanReport, capsys: pytest.CaptureFixture[str]) -> None:
    say(plan_text(report, samples=False))
    told = capsys.readouterr().out
    assert "to be deleted: 2 of 12 records (16.7%)" in told
    assert "kept: 1, because its time is not over yet" in told
    assert "undatable: 9 without a provable date, never acted on" in told
    assert "go after P1Y from written_on, counted in full days" in told
    assert "nobody has approved this version" in told
    assert "Total: 2 due, of them 0 past the promised maximum; 9 undatable, never acted on." in told
    assert "undated1" not in told


def test_samples_are_few_and_safe(report: PlanReport, capsys: pytest.CaptureFixture[str]) -> None:
    say(plan_text(report, samples=True))
    told = capsys.readouterr().out
    assert told.count(r"\x1b[2J[red]undated") == 5
    assert "\x1b" not in told


def test_the_json_holds_no_key_even_where_samples_are_known(report: PlanReport) -> None:
    assert len(_plan(report).undatable_samples) == 9
    assert "undated1" not in str(plan_json(report))


def test_approval_is_told_as_known_or_not_known(report: PlanReport) -> None:
    digest = report.steps[0].rule_digest
    approvals: tuple[Collection[str] | None, ...] = (None, frozenset(), {digest})
    known = [plan_json(replace(report, approved=approved))["steps"][0]["approved"] for approved in approvals]
    assert known == [None, False, True]


def test_copies_and_findings_are_told(report: PlanReport, capsys: pytest.CaptureFixture[str]) -> None:
    copies = (Copy("trash", timedelta(days=30)), Copy("tape", None))
    plan = replace(_plan(report), copies=copies, findings=(Finding("An index is missing.", refuses=False),))
    changed = replace(report, steps=(replace(report.steps[0], plan=plan),))
    say(plan_text(changed, samples=False))
    told = capsys.readouterr().out
    assert "a copy survives: trash, for up to 30 days" in told
    assert "a copy survives: tape, nobody has said how long" in told
    assert "noticed: An index is missing." in told
    assert plan_json(changed)["steps"][0]["copies"] == [
        {"name": "trash", "lives_seconds": 2592000.0},
        {"name": "tape", "lives_seconds": None},
    ]


def test_a_step_that_could_not_be_planned_says_why(report: PlanReport, capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(report.steps[0], plan=None, status=Status.FAILED, reasons=("office cannot be reached.",))
    changed = replace(report, steps=(failed,))
    say(plan_text(changed, samples=False))
    told = capsys.readouterr().out
    assert "to be deleted: failed" in told
    assert "office cannot be reached." in told
    assert plan_json(changed)["steps"][0]["due"] is None


def test_a_fate_is_told_with_each_bound_in_the_rules_own_zone(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    rules = {one.rule.id: one for one in workplace.assignments}
    for key, words in (
        ("a", "It is to go (its time is over)."),
        ("c", "It stays (its time is not over yet)."),
        (f"{HOSTILE}1", "It stays, because nobody can tell when it is due (a date that decides is unknown)."),
        ("z", "The system holds no record under this key now."),
    ):
        fates = explain(workplace, Registers(), Target("office", "letters"), key, now)
        say(explain_text(fates, rules, key, now, (), None))
        told = capsys.readouterr().out
        assert words in told
        assert "\x1b" not in told
        assert key not in str(explain_json(fates, now, (), None)).replace("delete_after", "") or len(key) == 1
    fates = explain(workplace, Registers(), Target("office", "letters"), "a", now)
    say(explain_text(fates, rules, "a", now, (), "There is no deletion log yet."))
    told = capsys.readouterr().out
    assert "00:00:00+0" in told
    assert "Deletion log: There is no deletion log yet." in told
