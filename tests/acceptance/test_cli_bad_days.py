"""Bad input and bad days: each gets a clear sentence that says where, a fitting status, and changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.program import NEW, OLD, UNDATED, Office, open_office

from retentiond.cli.main import main

LETTERS = [("a", OLD), ("b", OLD), ("c", NEW), ("d", NEW), ("e", UNDATED)]
KEYS = [key for key, _ in LETTERS]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return open_office(tmp_path, LETTERS)


def _approved(office: Office) -> Office:
    office.run("approve", "rule", "--all", "--by", "staff-1")
    return office


def _sentence(text: str) -> bool:
    """True where the text ends like a sentence or a list of problems, and tells of no bug."""
    return bool(text.strip()) and "Traceback" not in text and "bug" not in text


@pytest.mark.parametrize(
    ("file", "old", "new", "where", "what"),
    [
        ("policy", "rules:", "rules: [", "letters.yaml:", ""),
        ("policy", "    action: delete", "    action: delete\n    colour: red", "rules[0].colour", "colour"),
        ("policy", "    action: delete", "    action: delete\n    action: block", "letters.yaml:", "action"),
        ("policy", "    action: delete", "    action: shred", "rules[0].action", "delete"),
        ("policy", "P1Y", "12", "period", "P"),
        ("policy", "system: office", "system: offise", "letters.yaml:", "office/letters"),
        ("policy", "starts: written_on", "starts: writen_on", "letters.yaml:", "written_on"),
        ("policy", "action: delete", "action: anonymize", "letters.yaml:", "anonymize"),
        ("policy", "approval: rule", "", "rules[0]", "approval"),
        ("settings", "state: state", "stat: state", "retentiond.yaml:", "state"),
        ("settings", "connector: sql", "connector: sqll", "retentiond.yaml:", "sql"),
        ("settings", "key: [id]", "keys: [id]", "retentiond.yaml:", "key"),
        ("settings", "kind: date}", "kind: datum}", "retentiond.yaml:", "local-timestamp"),
        ("settings", "origin: test.example/retentiond/cli", "origin: https://x", "retentiond.yaml:", "origin"),
    ],
)
@pytest.mark.parametrize("command", ["check", "plan", "run"])
def test_a_mistake_in_a_file_is_told_with_its_place(
    office: Office,
    command: str,
    file: str,
    old: str,
    new: str,
    where: str,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = office.policy if file == "policy" else office.settings
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    monkeypatch.setenv("RETENTIOND_SETTINGS", str(office.settings))
    assert main([command]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert where in told.err
    assert what in told.err
    assert _sentence(told.err)
    assert not office.state.exists()


def test_all_mistakes_are_told_at_once(office: Office) -> None:
    text = office.policy.read_text(encoding="utf-8")
    office.policy.write_text(text.replace("action: delete", "action: shred").replace("P1Y", "12"), encoding="utf-8")
    office.settings.write_text(
        office.settings.read_text(encoding="utf-8").replace("kind: date}", "kind: datum}"), encoding="utf-8"
    )
    told = office.run("check", status=2).stderr
    assert "rules[0].action" in told
    assert "rules[0].delete_after.period" in told
    assert "datasets.letters.dates.written_on.kind" in told


def test_a_case_that_does_not_hold_is_told(office: Office) -> None:
    with office.policy.open("a", encoding="utf-8") as file:
        file.write('    cases:\n      - {starts: "2025-03-31", due: "2026-04-02T00:00:00+02:00"}\n')
    told = office.run("check", status=2).stderr
    assert "rules[0].cases[0]" in told
    assert "2026-04-02" in told
    for words in (["plan"], ["run"], ["approve", "rule", "letter", "--by", "staff-7"], ["daemon"]):
        assert "rules[0].cases[0]" in office.run(*words, status=2).stderr
    assert not office.state.exists()


@pytest.mark.parametrize("name", ["Ada Muster", "ada@example.org", "", "a\nb", "ä", "x" * 65])
def test_who_approves_is_told_by_an_id_and_by_nothing_that_names_a_person(office: Office, name: str) -> None:
    told = office.run("approve", "rule", "letter", "--by", name, status=2).stderr
    assert "a staff id of 1 to 64 letters" in told
    assert "Ada" not in told


def _no_table(office: Office) -> None:
    with closing(sqlite3.connect(office.folder / "office.db")) as connection, connection:
        connection.execute("DROP TABLE letters")


def _no_column(office: Office) -> None:
    with closing(sqlite3.connect(office.folder / "office.db")) as connection, connection:
        connection.execute("ALTER TABLE letters RENAME COLUMN written_on TO datum")


def _no_database(office: Office) -> None:
    (office.folder / "office.db").unlink()


def _no_sqlite(office: Office) -> None:
    (office.folder / "office.db").write_text("this is no database, but quite some text all the same, is it not?" * 20)


@pytest.mark.parametrize("harm", [_no_table, _no_column, _no_database, _no_sqlite])
@pytest.mark.parametrize("words", [["plan"], ["run"], ["check", "--live"]])
def test_a_system_that_cannot_be_read_is_told_and_fails(office: Office, words: list[str], harm: object) -> None:
    _approved(office)
    assert callable(harm)
    harm(office)
    done = office.run(*words, status=4 if harm in (_no_table, _no_column) and words != ["check", "--live"] else 1)
    told = done.stdout + done.stderr
    assert "office/letters" in told or "office" in told
    assert _sentence(told)
    assert "no such table" not in told  # a driver's words may hold data


def test_a_plan_needs_no_state_and_makes_none(office: Office) -> None:
    plan = office.json("plan")
    assert plan["steps"][0]["due"] == 2
    assert plan["steps"][0]["approved"] is False
    assert not office.state.exists()


def test_a_state_directory_that_cannot_be_made_stops_a_run_but_no_plan(office: Office) -> None:
    (office.folder / "state").write_text("in the way")
    assert office.json("plan")["steps"][0]["due"] == 2
    done = office.run("run", status=1)
    assert "state" in done.stderr
    assert _sentence(done.stderr)
    assert office.letters() == KEYS


def test_an_unapproved_rule_changes_nothing_and_the_next_command_is_told(office: Office) -> None:
    done = office.run("run", status=4)
    assert "retentiond approve rule letter --by STAFF-ID" in done.stdout
    assert office.letters() == KEYS


def test_a_changed_rule_needs_a_new_word(office: Office) -> None:
    _approved(office)
    office.policy.write_text(office.policy.read_text(encoding="utf-8").replace("P1Y", "P9M"), encoding="utf-8")
    office.run("run", status=4)
    assert office.letters() == KEYS


def test_a_title_may_change_without_a_new_word(office: Office) -> None:
    _approved(office)
    office.policy.write_text(office.policy.read_text(encoding="utf-8").replace("de: Briefe", "de: Post"), encoding="utf-8")
    office.run("run")
    assert office.letters() == ["c", "d", "e"]


def test_a_guard_that_refuses_is_told_and_nothing_runs(office: Office) -> None:
    office.policy.write_text(office.policy.read_text(encoding="utf-8").replace("share: 100%", "share: 10%"), encoding="utf-8")
    done = _approved(office).run("run", status=4)
    assert "10%" in done.stdout
    assert office.letters() == KEYS


@pytest.mark.parametrize("words", [["run"], ["audit", "verify"], ["status"], ["approve", "rule", "--all", "--by", "staff-1"]])
def test_a_log_that_was_tampered_with_stops_everything_with_status_5(office: Office, words: list[str]) -> None:
    _approved(office)
    with closing(sqlite3.connect(office.state / "log.db")) as connection, connection:
        connection.execute("UPDATE log_bundles SET entries = CAST(replace(CAST(entries AS TEXT), 'staff-1', 'staff-2') AS BLOB)")
    done = office.run(*words, status=5)
    assert _sentence(done.stdout + done.stderr)
    assert office.letters() == KEYS


def test_a_log_that_was_rolled_back_is_refused(office: Office) -> None:
    _approved(office)
    old = office.folder / "old.db"
    shutil.copy(office.state / "log.db", old)
    office.run("run")
    for name in ("log.db", "log.db-wal", "log.db-shm"):
        (office.state / name).unlink(missing_ok=True)
    shutil.copy(old, office.state / "log.db")
    office.run("audit", "verify", status=5)
    office.run("run", status=5)


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "--rule", "lettre"],
        ["run", "--rule", "lettre"],
        ["approve", "rule", "lettre", "--by", "staff-1"],
        ["approve", "rule", "--all", "--by", "Zoë\nMüller"],
        ["approve", "plan", "missing.plan", "--by", "staff-1"],
        ["explain", "office/postcards", "a"],
        ["explain", "office", "a"],
        ["plan", "--as-of", "yesterday"],
        ["plan", "-o", "/"],
        ["plan", "-o", ""],
        ["audit", "list", "--limit", "99999999999999999999"],
        ["audit", "show", "99999999999999999999"],
    ],
)
def test_a_name_nobody_knows_is_refused_with_what_is_known(office: Office, words: list[str]) -> None:
    done = office.run(*words, status=2)
    assert done.stdout == ""
    assert _sentence(done.stderr)


@pytest.mark.parametrize("words", [["plan", "-o", "{}"], ["approve", "plan", "{}", "--by", "staff-1"]])
def test_a_plan_is_a_file_and_takes_the_place_of_nothing_else(office: Office, words: list[str]) -> None:
    """As root it would replace a device for the whole machine; from a pipe or a device it would read for ever."""
    pipe = office.folder / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, office.policy.parent):
        done = office.run(*(word.format(path) for word in words), status=2)
        assert done.stdout == ""
        assert str(path) in done.stderr
    assert pipe.is_fifo()


@pytest.mark.parametrize("words", [["audit", "list"], ["audit", "show", "0"], ["audit", "verify"]])
def test_a_log_that_does_not_exist_yet_is_told_so(office: Office, words: list[str]) -> None:
    done = office.run(*words, status=1)
    assert "no deletion log" in done.stderr.lower()
    assert not office.state.exists()


@pytest.mark.parametrize("words", [["audit", "verify"], ["status"], ["run"]])
def test_a_log_that_is_gone_is_not_taken_for_one_that_never_was(office: Office, words: list[str]) -> None:
    _approved(office)
    for name in ("log.db", "log.db-wal", "log.db-shm"):
        (office.state / name).unlink(missing_ok=True)
    done = office.run(*words, status=5)
    assert "last-signed" in done.stderr
    assert office.letters() == KEYS


def test_an_entry_that_does_not_exist_is_refused(office: Office) -> None:
    _approved(office)
    assert "entries 0 to" in office.run("audit", "show", "99999", status=2).stderr


def test_a_second_run_beside_a_running_one_is_refused(office: Office) -> None:
    import fcntl  # noqa: PLC0415 - only here

    _approved(office)
    with (office.state / "log.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = office.run("run", status=1)
    assert _sentence(done.stderr)
    assert office.letters() == KEYS


def test_status_before_the_first_run_says_that_none_was_made(office: Office) -> None:
    state = office.json("status", status=1)
    assert state["alive"] is False
    assert "No run was ever made" in state["problems"][0]
    assert not office.state.exists()
