"""The connector of the how-to is built as it stands there, keeps every promise, and is noticed when it does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from retentiond.testing import ConformanceKit

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-connector.md"


def _files() -> dict[str, str]:
    """The files that the page has a reader write."""
    blocks = re.findall(r"^```python file=(\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return dict(blocks)


def _prove(folder: Path, zone: str = "UTC") -> subprocess.CompletedProcess[str]:
    """Run the tests of the page in a process of their own."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(folder), str(folder)]
    environment = {**os.environ, "TZ": zone, "PYTHONPATH": str(folder)}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    for name, text in _files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_the_connector_of_the_page_keeps_every_promise(written: Path, zone: str) -> None:
    done = _prove(written, zone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ConformanceKit.promises())} passed" in done.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "promise"),
    [
        ("elif there[ref.key] != ref.fingerprint:", "elif not ref.key:", "a_changed_record_is_not_deleted"),
        ("(ref.dates[cutoff.by], ref.key)", "ref.key", "the_oldest_comes_first"),
        ("        if going:", "        if not refs:", "deleted_is_really_gone"),
        ("person in ref.subjects", "any(person.value in one.value for one in ref.subjects)", "about_finds_exactly"),
        ("person.value if person else None", "None", "the_fingerprint_covers_the_person"),
        ("entries: list[dict[str, Any]] = json", "entries = [] if not path.exists() else json", "a_system_out_of_reach"),
    ],
)
def test_a_mistake_in_it_is_noticed(written: Path, right: str, wrong: str, promise: str) -> None:
    module = written / "retentiond_guestbook.py"
    text = module.read_text(encoding="utf-8")
    assert text.count(right) == 1
    module.write_text(text.replace(right, wrong), encoding="utf-8")
    done = _prove(written)
    assert done.returncode == 1, done.stdout
    assert f"test_{promise}" in done.stdout
