from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import RenderableType

from retentiond.cli.terminal import say
from retentiond.engine.values import Reconciled, RunReport, Status, StepPlan, StepResult
from retentiond.model.record import Action, OutcomeKind, Target
from retentiond.report.run import run_json, run_text

AT = datetime(2026, 11, 24, 3, 17, tzinfo=UTC)
TARGET = Target("office", "letters")
PLAN = StepPlan(
    policy="letters",
    rule="letter",
    rule_digest="ab" * 32,
    target=TARGET,
    action=Action.DELETE,
    as_of=AT,
    population=100,
    due=7,
    past_cap=2,
    kept={"not-due": 90},
    undatable=3,
    oldest_due=AT,
    latest_due=AT,
    digest="cd" * 32,
)
STEP = StepResult(
    rule="letter",
    rule_digest="ab" * 32,
    target=TARGET,
    action=Action.DELETE,
    status=Status.INCOMPLETE,
    plan=PLAN,
    outcomes=Counter({OutcomeKind.CONFIRMED: 5, OutcomeKind.FAILED: 1, OutcomeKind.CHANGED: 1}),
    rows=9,
    reasons=("One record could not be deleted.",),
)
REPORT = RunReport("run-1", "command", AT, AT, AT + timedelta(seconds=2), Status.INCOMPLETE, (STEP,))


def _told(renderables: Iterable[RenderableType], capsys: pytest.CaptureFixture[str]) -> str:
    say(renderables)
    return capsys.readouterr().out


def test_each_outcome_is_told_with_its_number_and_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    told = _told(run_text(REPORT), capsys)
    assert "5 deleted, confirmed by reading back" in told
    assert "1 not done" in told
    assert "1 changed in between, left alone" in told
    assert "9 rows, lines or parts in all" in told
    assert "One record could not be deleted." in told
    assert "incomplete; 5 of 7 due records dealt with." in told
    assert "Next:" not in told


def test_a_missing_approval_is_told_once_and_with_the_command_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    steps = tuple(
        replace(STEP, rule=rule, action=action, status=Status.REPORT, outcomes={}, reasons=("Nobody has approved it.",))
        for rule in ("b", "a")
        for action in (Action.BLOCK, Action.DELETE)
    )
    told = _told(run_text(replace(REPORT, steps=steps, status=Status.REPORT)), capsys)
    assert "2 rules only reported" in told
    assert "retentiond approve rule a b --by STAFF-ID" in told
    assert told.count("Nobody has approved") == 0


def test_a_plan_that_awaits_a_word_is_told_with_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    told = _told(run_text(replace(REPORT, steps=(replace(STEP, status=Status.AWAITING, outcomes={}),))), capsys)
    assert "retentiond plan --rule letter -o plan.txt" in told
    assert "retentiond approve plan plan.txt --by STAFF-ID" in told


def test_interrupted_batches_come_first_and_an_unresolved_one_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    resolved = Reconciled("run-0.1", TARGET, Action.DELETE, {OutcomeKind.ALREADY_ABSENT: 4})
    unresolved = Reconciled("run-0.2", TARGET, Action.DELETE, {}, "The system cannot be reached.")
    told = _told(run_text(replace(REPORT, reconciled=(resolved, unresolved))), capsys)
    assert (
        told.index("run-0.1")
        < told.index("4 already so when asked")
        < told.index("The system cannot be reached.")
        < told.index("rule ")
    )


def test_of_an_interrupted_batch_only_what_is_proven_is_called_ours_and_none_of_it_counts_for_this_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Reconciled("run-0.1", TARGET, Action.DELETE, {OutcomeKind.CONFIRMED: 3, OutcomeKind.ALREADY_ABSENT: 4})
    report = replace(REPORT, reconciled=(found,))
    told = _told(run_text(report), capsys)
    assert "3 deleted, confirmed by reading back" in told
    assert "4 already so when asked, not by our act" in told
    assert run_json(report)["reconciled"][0]["outcomes"] == {"confirmed": 3, "already-absent": 4}
    assert run_json(report)["steps"] == run_json(REPORT)["steps"]
    assert _told(run_text(REPORT), capsys).splitlines()[-1] == told.splitlines()[-1]


def test_hostile_names_and_reasons_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = replace(STEP, rule="\x1b[2Jrule[red]", target=Target("a\nb", "\u202ec"), reasons=("\x07 [bold]",))
    told = _told(run_text(replace(REPORT, steps=(hostile,))), capsys)
    assert "\x1b" not in told
    assert "\x07" not in told
    assert "\u202e" not in told
    assert "[red]" in told
    assert "[bold]" in told


def test_the_json_tells_the_same() -> None:
    value = run_json(REPORT)
    assert value["exit_status"] == REPORT.exit_status == 1
    assert value["ended_at"] == "2026-11-24T03:17:02Z"
    (step,) = value["steps"]
    assert step["outcomes"] == {"confirmed": 5, "failed": 1, "changed": 1}
    assert (step["due"], step["kept"], step["undatable"]) == (7, {"not-due": 90}, 3)


def test_a_step_that_could_not_be_planned_has_no_figures(capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(STEP, plan=None, outcomes={}, rows=0, status=Status.FAILED, reasons=("It cannot be reached.",))
    report = replace(REPORT, steps=(failed,), status=Status.FAILED)
    assert run_json(report)["steps"][0]["due"] is None
    told = _told(run_text(report), capsys)
    assert "It cannot be reached." in told
    assert "failed; 0 of 0 due records dealt with." in told


def test_a_rule_that_awaits_another_person_is_not_told_to_be_planned(capsys: pytest.CaptureFixture[str]) -> None:
    step = replace(STEP, status=Status.AWAITING, outcomes={}, reasons=("Two persons have to.",), rule_awaits=True)
    say(run_text(replace(REPORT, steps=(step,), status=Status.AWAITING)))
    told = capsys.readouterr().out
    assert "Two persons have to." in told
    assert "approve plan" not in told
