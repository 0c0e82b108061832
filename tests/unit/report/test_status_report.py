"""Silently dead is the worst: each way of being dead is told, and ends with a status of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.program import NEW, open_office

from retentiond.anchor import Anchored, Coverage
from retentiond.audit import Verification, Word
from retentiond.cli.terminal import say
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.report.status import StatusReport, status_json, status_text
from retentiond.settings import FileAnchor, load_settings
from retentiond.store import Approval, Heartbeat, RunRow, StepRow

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
RUN = RunRow("run-1", "schedule", "ab" * 32, NOW - timedelta(hours=11), NOW - timedelta(hours=10), "done", {"confirmed": 5})
BEAT = Heartbeat(NOW - timedelta(seconds=30), 42, "idle")
SOUND = Verification(10, "cd" * 32, 10, 0, 0, ())


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder: Path = tmp_path_factory.mktemp("office")
    return read_workplace(load_settings(open_office(folder, [("a", NEW)]).settings))


@pytest.fixture
def report(workplace: Workplace) -> StatusReport:
    return StatusReport(NOW, workplace, RUN, RUN, (), None, NOW + timedelta(hours=13), BEAT, (), (), SOUND)


def test_what_is_alive_and_true_ends_with_0(report: StatusReport) -> None:
    assert (report.exit_status, report.problems) == (0, [])
    assert status_json(report)["alive"] is True


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"last_run": None}, 1, "No run was ever made"),
        ({"late_since": NOW - timedelta(days=1)}, 1, "No run on schedule was made"),
        ({"last_run": replace(RUN, status="failed")}, 1, "The last run ended as failed"),
        ({"last_run": replace(RUN, status="incomplete")}, 1, "The last run ended as incomplete"),
        ({"last_run": replace(RUN, status="interrupted")}, 1, "The last run ended as interrupted"),
        ({"last_run": replace(RUN, status="refused")}, 1, "The last run ended as refused"),
        ({"heartbeat": replace(BEAT, at=NOW - timedelta(minutes=11))}, 1, "no sign of life"),
        ({"heartbeat": replace(BEAT, at=NOW + timedelta(minutes=11))}, 1, "no sign of life"),
        ({"heartbeat": replace(BEAT, state="stalled")}, 1, "no progress"),
        ({"remains": True}, 1, "write-ahead file"),
        ({"log": replace(SOUND, problems=("Entry 3 is missing.",))}, 5, "not trustworthy"),
    ],
)
def test_each_way_of_being_dead_or_untrue_is_told(
    report: StatusReport, change: dict[str, Any], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = replace(report, **change)
    assert bad.exit_status == status
    assert words in bad.problems[0]
    say(status_text(bad))
    assert words in capsys.readouterr().out.splitlines()[0]


def test_a_daemon_that_was_told_to_stop_is_not_called_silent(report: StatusReport) -> None:
    stopped = replace(report, heartbeat=Heartbeat(NOW - timedelta(days=3), 42, "stopping"))
    assert stopped.exit_status == 0


def test_the_reason_of_a_failed_step_is_told(report: StatusReport) -> None:
    row = StepRow("letter", "ab", "office", "letters", "delete", "failed", reason="office cannot be reached.")
    bad = replace(report, last_run=replace(RUN, status="failed"), results=(row,))
    assert "office cannot be reached." in bad.problems[0]


def test_a_rule_that_a_guard_refuses_each_night_is_not_called_alive(report: StatusReport) -> None:
    row = StepRow("letter", "ab", "office", "letters", "delete", "refused", reason="Ten times as much as usual is due.")
    bad = replace(report, last_run=replace(RUN, status="refused"), results=(row,))
    assert bad.exit_status == 1
    assert bad.problems == ["The last run ended as refused; Ten times as much as usual is due."]


def spoken(report: StatusReport, *words: tuple[str, str], logged: bool = True, stored: bool = True) -> StatusReport:
    """The same after these words, each a digest and a person."""
    told = tuple(Word("rule letter", digest, by, NOW) for digest, by in words)
    approvals = [Approval("rule", "letter", digest, by, NOW, None) for digest, by in words]
    return replace(report, log=replace(SOUND, words=told if logged else ()), approvals=approvals if stored else [])


def test_only_a_word_for_the_present_version_counts(report: StatusReport, capsys: pytest.CaptureFixture[str]) -> None:
    (assignment,) = report.workplace.assignments
    old, present = ("00" * 32, "staff-1"), (assignment.digest, "staff-2")
    assert status_json(spoken(report, old))["rules"][0]["approved"] is False
    now = status_json(spoken(report, present))["rules"][0]
    assert (now["approved"], now["approved_by"]) == (True, "staff-2")
    say(status_text(spoken(report, present)))
    assert "yes, staff-2" in capsys.readouterr().out


def test_a_rule_that_was_changed_since_it_was_approved_is_not_passed_over(report: StatusReport) -> None:
    """What the old version said is not known here, so that the present one counts as looser."""
    changed = spoken(report, ("another", "staff-7"))
    assert changed.exit_status == 1
    assert "two persons have to approve that" in changed.problems[0]


def test_a_rule_that_is_gone_since_it_was_approved_is_not_passed_over(report: StatusReport) -> None:
    log = replace(SOUND, words=(Word("rule gone", "00" * 32, "staff-7", NOW),))
    gone = replace(report, log=log, approvals=[Approval("rule", "gone", "00" * 32, "staff-7", NOW, None)])
    assert gone.exit_status == 1
    assert "Rule gone was removed" in gone.problems[0]


@pytest.mark.parametrize(
    ("logged", "stored", "words"), [(True, False, "the store does not"), (False, True, "the deletion log does not")]
)
def test_an_approval_that_store_or_log_has_lost_is_told(report: StatusReport, words: str, *, logged: bool, stored: bool) -> None:
    word = report.workplace.assignments[0].digest, "staff-7"
    bad = spoken(report, word, logged=logged, stored=stored)
    assert bad.exit_status == 1
    assert words in bad.problems[0]
    whole = spoken(report, word)
    assert whole.exit_status == 0


def anchored(at: datetime, size: int = 8) -> Anchored:
    return Anchored("file", size, "ab" * 32, "cd" * 32, at)


def test_an_anchor_that_took_nothing_for_25_hours_is_told(report: StatusReport, workplace: Workplace) -> None:
    settings = workplace.settings.model_copy(update={"anchors": (FileAnchor(type="file", path=Path("foreign")),)})
    configured = replace(report, workplace=replace(workplace, settings=settings))
    fresh = replace(configured, covered=Coverage(10, {"file": anchored(NOW - timedelta(hours=25))}))
    assert fresh.exit_status == 0
    for last in ({}, {"file": anchored(NOW - timedelta(hours=25, seconds=1))}):
        late = replace(configured, covered=Coverage(10, last))
        assert late.exit_status == 1
        assert "The anchor file took no checkpoint" in late.problems[0]


def test_the_state_tells_how_far_anchors_reach(report: StatusReport, capsys: pytest.CaptureFixture[str]) -> None:
    told = replace(report, covered=Coverage(10, {"file": anchored(NOW)}))
    say(status_text(told))
    assert "covered up to entry 7, anchored 2026-11-24 14:00:00 UTC by file; 2 entries since" in capsys.readouterr().out
    log = status_json(told)["log"]
    assert log is not None
    assert log["anchors"] is not None
    assert (log["anchors"]["covered"], log["anchors"]["since"]) == (8, 2)
