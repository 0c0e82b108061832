"""What only a person can delete, from the day it is entered to the log's entry, as a person types it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.program import Office, open_office

TODAY = datetime.now(UTC).date()

RULE = """  - id: contacts
    data_kind: {de: Kontakte, en: contacts}
    categories: [name]
    target: {system: meetergo, dataset: contacts}
    starts: due_on
    keep_at_least: none
    delete_after: {period: P10D, counted: day-end}
    requires: [{fact: done, is: true}]
    action: delete
    limits: {records: default, share: 100%, undatable: default}
    approval: rule
"""
SYSTEM = """  meetergo:
    connector: manual
    connection: {{register: {folder}}}
    datasets:
      contacts: {{owner: sales, instructions: Delete it in the list of contacts., within: P14D}}
"""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = open_office(tmp_path, [("a", 10)])
    (tmp_path / "tasks").mkdir(mode=0o700)
    with made.settings.open("a", encoding="utf-8") as file:
        file.write(SYSTEM.format(folder=tmp_path / "tasks"))
    with made.policy.open("a", encoding="utf-8") as file:
        file.write(RULE)
    return made


def add(office: Office, key: str, days_ago: int) -> None:
    office.run("task", "add", "meetergo/contacts", key, "--date", f"due_on={TODAY - timedelta(days=days_ago)}")


def states(office: Office) -> dict[str, str]:
    return {task["key"]: task["state"] for task in office.json("task", "list")["tasks"]}


def test_a_task_waits_becomes_overdue_and_is_closed_by_a_persons_word(office: Office) -> None:
    assert "There is no task." in office.run("task", "list").stdout
    add(office, "K-1", 15)
    add(office, "K-2", 40)
    add(office, "K-3", 5)
    assert states(office) == {"K-1": "waiting", "K-2": "overdue", "K-3": "to-come"}
    assert [task["key"] for task in office.json("task", "list", "--overdue")["tasks"]] == ["K-2"]
    listed = office.run("task", "list").stdout
    assert "Delete it in the list of contacts." in listed
    assert "sales" in listed
    planned = office.run("plan", "--rule", "contacts").stdout
    assert "3 tasks of meetergo/contacts are open for sales" in " ".join(planned.split())
    office.run("approve", "rule", "letter", "contacts", "--by", "staff-7")
    office.run("run")
    assert sorted(states(office)) == ["K-1", "K-2", "K-3"]
    told = office.json("status", status=1)
    assert (told["duties"]["tasks"], told["duties"]["late_tasks"]) == (2, 1)
    assert any("wait for longer than they may" in one for one in told["problems"])

    paper = office.folder / "paper.png"
    paper.write_bytes(b"a picture")
    word = ("--evidence", "DS-1", "--by", "staff-7")
    office.run("task", "done", "meetergo/contacts", "K-2", *word, "--document", str(paper))
    assert "no open task" in office.run("task", "done", "meetergo/contacts", "K-2", *word, status=2).stderr
    assert states(office)["K-2"] == "done"
    (step,) = [one for one in office.json("run")["steps"] if one["rule"] == "contacts"]
    assert step["outcomes"] == {"already-absent": 1}
    assert states(office) == {"K-1": "waiting", "K-3": "to-come"}
    assert "already-absent" in office.run("audit", "list", "--limit", "0").stdout
    office.run("audit", "verify")
    assert office.json("status")["duties"]["late_tasks"] == 0
    assert not [file for file in office.state.rglob("*") if file.is_file() and b"K-2" in file.read_bytes()]


def test_the_log_tells_by_whose_word_and_holds_the_documents_digest(office: Office) -> None:
    office.run("approve", "rule", "letter", "contacts", "--by", "staff-7")
    add(office, "K-1", 15)
    paper = office.folder / "paper.png"
    paper.write_bytes(b"a picture")
    words = ("--evidence", "DS-1", "--by", "staff-8", "--document", str(paper))
    office.run("task", "done", "meetergo/contacts", "K-1", *words)
    office.run("run")
    entries = office.json("audit", "list", "--limit", "0")["entries"]
    (word,) = [one["fields"] for one in entries if one["fields"].get("subject") == "task meetergo/contacts"]
    assert (word["decision"], word["by"]) == ("done", "staff-8")
    assert word["document"] == hashlib.sha256(b"a picture").hexdigest()
    assert [one["fields"]["how"] for one in entries if one["kind"] == "outcome"] == ["operator"]
    export = office.folder / "export"
    office.run("audit", "export", str(export))
    key = next(one["fields"]["vkey"] for one in entries if one["kind"] == "log-start")
    office.run("audit", "verify", "--export", str(export), "--vkey", key)


def test_a_rule_that_does_not_ask_for_the_word_is_refused(office: Office) -> None:
    text = office.policy.read_text(encoding="utf-8")
    for wrong in ("requires: []", "requires: [{fact: done, is: false}]"):
        office.policy.write_text(text.replace("requires: [{fact: done, is: true}]", wrong), encoding="utf-8")
        assert "nothing of meetergo/contacts may go before 'done' is true" in office.run("check", status=2).stderr


def test_a_register_that_is_gone_is_trouble_and_no_empty_list(office: Office) -> None:
    add(office, "K-1", 15)
    (office.folder / "tasks").rename(office.folder / "elsewhere")
    assert "The register of meetergo/contacts is not there" in office.run("task", "list", status=1).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "meetergo/contacts", "K-1", "--date", "due_on"), "--date NAME=DAY"),
        (
            ("add", "office/letters", "K-1", "--date", "due_on=2027-01-31"),
            "is no data set of tasks; there are: meetergo/contacts",
        ),
        (("done", "meetergo/contacts", "K-1", "--evidence", "DS-1", "--by", "Anna Muster"), "staff id"),
    ],
)
def test_bad_input_is_one_sentence(office: Office, words: tuple[str, ...], told: str) -> None:
    assert told in office.run("task", *words, status=2).stderr
