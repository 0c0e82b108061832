"""A database is put back from its backup, and a person does again what that undid, as the guide says."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.program import NEW, OLD, Office, open_office

MANY = 25


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Many old letters and a new one, approved."""
    office = open_office(tmp_path, [*((f"old-{number}", OLD) for number in range(MANY)), ("new", NEW)])
    text = office.settings.read_text(encoding="utf-8")
    office.settings.write_text(text.replace("key: [id]", "key: [id]\n        identity: [written_on]"), encoding="utf-8")
    office.run("approve", "rule", "--all", "--by", "staff-1")
    return office


def test_a_restore_that_nobody_told_of_is_refused_told_and_done_again_by_a_person(office: Office) -> None:
    database, backup = office.folder / "office.db", office.folder / "backup.db"
    shutil.copy(database, backup)
    since = datetime.now(UTC).isoformat()
    office.run("run")
    assert office.letters() == ["new"]
    shutil.copy(backup, database)

    refused = office.run("run", status=4).stdout
    assert "this looks like a restore" in " ".join(refused.split())
    assert "this looks like a restore" in " ".join(office.run("status", status=1).stdout.split())
    assert len(office.letters()) == MANY + 1

    replay = ("replay", "--system", "office", "--since", since)
    shown = office.run(*replay).stdout
    assert f"letters: {MANY} records to be deleted again." in shown
    assert "the same command with `--go --by STAFF-ID`" in shown
    assert len(office.letters()) == MANY + 1

    done = office.run(*replay, "--go", "--by", "staff-1").stdout
    assert f"{MANY} confirmed by reading back" in done
    assert office.letters() == ["new"]
    assert "There is nothing to do again." in office.run(*replay).stdout
    assert f"office (system) as of {since[:19]}Z: again {MANY}" in " ".join(office.run("audit", "list").stdout.split())
    office.run("audit", "verify", "--full")
    office.run("run")
    office.run("status")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--system", "office", "--since", "2026-01-01", "--go"), "--go --by STAFF-ID"),
        (("--system", "office", "--since", "2026-01-01", "--by", "staff-1"), "--go --by STAFF-ID"),
        (("--system", "cellar", "--since", "2026-01-01"), "known are: office"),
        (("--system", "office", "--dataset", "bills", "--since", "2026-01-01"), "it has: letters"),
        (("--system", "office", "--since", "yesterday"), "--since"),
        (("--system", "office", "--since", "2999-01-01"), "lies ahead"),
        (("--system", "office", "--since", "2026-01-01", "--go", "--by", "Ada Muster"), "staff id"),
    ],
)
def test_words_that_mean_nothing_are_refused_and_nothing_is_done(office: Office, words: tuple[str, ...], said: str) -> None:
    assert said in office.run("replay", *words, status=2).stderr
    assert len(office.letters()) == MANY + 1
