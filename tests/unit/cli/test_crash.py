from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from retentiond.cli.crash import write_crash_report

CANARY = "anna.beispiel@kunden.example"


def _look_up(secret: str) -> None:
    nobody: dict[str, str] = {}
    try:
        nobody[secret]
    except KeyError as error:
        raise ValueError(f"no row for {secret}") from error


def _bug() -> Exception:
    with pytest.raises(ValueError, match=CANARY) as caught:
        _look_up(CANARY)
    return caught.value


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_crash_report_tells_places_and_classes_but_no_message_or_argument(folder: Path) -> None:
    told = write_crash_report(_bug(), "explain")
    (report,) = folder.iterdir()
    text = report.read_text()
    assert str(report) in told
    assert "ValueError" in told
    assert CANARY not in text + told
    assert "builtins.KeyError" in text
    assert "builtins.ValueError" in text
    assert "test_crash.py" in text
    assert "command: explain" in text


def test_a_crash_report_is_for_its_owner_only(folder: Path) -> None:
    write_crash_report(_bug(), None)
    (report,) = folder.iterdir()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_where_no_report_can_be_written_the_bug_is_still_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert "ValueError" in write_crash_report(_bug(), None)
