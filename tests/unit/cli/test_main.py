from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.program import NEW, open_office

from retentiond import __version__
from retentiond.cli import connectors as command
from retentiond.cli import run
from retentiond.cli.main import main
from retentiond.engine.runner import run as run_once
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, GuardRefused, PermitError, Problem, StateError

CANARY = "anna.beispiel@kunden.example"


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def raise_it() -> Mapping[str, Any]:
        raise error

    monkeypatch.setattr(command, "installed", raise_it)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectorError("The system cannot be reached. Look whether it runs."), 1),
        (StateError("The disk is full. Free space."), 1),
        (ConfigurationError("The settings are wrong.", [Problem("a.yaml:1:2", "state", "missing")]), 2),
        (PermitError("The permit was already spent."), 3),
        (GuardRefused("A guard refused."), 4),
        (AuditError("The log does not verify."), 5),
    ],
)
def test_an_expected_error_is_told_on_stderr_and_ends_with_its_status(
    error: Exception, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _raising(monkeypatch, error)
    assert main(["connectors"]) == status
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == f"{error}\n"


def test_a_bug_is_told_by_its_class_and_not_by_its_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _raising(monkeypatch, KeyError(CANARY))
    assert main(["connectors"]) == 3
    streams = capsys.readouterr()
    assert "KeyError" in streams.err
    (report,) = tmp_path.iterdir()
    assert str(report) in streams.err
    assert CANARY not in streams.out + streams.err + report.read_text()
    assert "command: connectors" in report.read_text()


def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _raising(monkeypatch, KeyboardInterrupt())
    assert main(["connectors"]) == 130
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["plan", "--frob"],
        ["explain", "only-one-word"],
        ["approve", "rule", "--all"],
        ["audit", "list", "--limit", "-1"],
        ["audit", "show", "first"],
    ],
)
def test_wrong_words_end_with_2_and_a_hint(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "--help" in streams.err


@pytest.mark.parametrize(
    "words", [["approve", "rule", "--by", "x"], ["approve", "rule", "a", "--all", "--by", "x"], ["audit", "show"]]
)
def test_words_that_do_not_fit_together_end_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.endswith(".\n")


def test_the_version_is_shown_without_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"retentiond {__version__}\n"


def test_missing_settings_are_told_with_the_place_that_was_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings", str(tmp_path / "none.yaml"), "plan"]) == 2
    assert str(tmp_path / "none.yaml") in capsys.readouterr().err


@pytest.mark.parametrize("words", [["systems"], ["status"], ["run"], ["audit", "list"], ["check"]])
def test_the_settings_are_named_before_the_command(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETENTIOND_SETTINGS", str(tmp_path / "from-environment.yaml"))
    assert main(words) == 2
    assert "from-environment.yaml" in capsys.readouterr().err
    assert main(["--settings", str(tmp_path / "from-option.yaml"), *words]) == 2
    assert "from-option.yaml" in capsys.readouterr().err


def test_help_is_plain_text_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "Exit status" in out
    assert "\x1b" not in out


def test_the_schema_of_policies_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["rules"]


def test_a_bug_in_one_step_is_told_after_the_report_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(run, "run_once", lambda *args, **more: replace(run_once(*args, **more), bugs=(KeyError(CANARY),)))
    office = open_office(tmp_path, [("a", NEW)])
    assert main(["--settings", str(office.settings), "run"]) == 3
    told = capsys.readouterr()
    assert "letter" in told.out
    assert "This is a bug in retentiond (KeyError)" in told.err
    assert CANARY not in told.out + told.err
