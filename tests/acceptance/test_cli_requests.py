"""A person's request from the day it comes to the answer, a review, and an attestation, as a person types them."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.program import Office, open_office

MAIL = "ada-4711@canary.example"
PERSON = f"email:{MAIL}"
TODAY = datetime.now(UTC).date()

REVIEW = "review_after: {period: P1Y, counted: day-end, owner: sales, no_decision: {block: P90D, delete: P300D}}"
ATTESTED = """systems:
  office: {holder: Büro GmbH, role: processor, connector: sql}
attestations:
  - {id: mail.provider, data_kind: {de: Mail, en: mail}, categories: [], system: office, every: P3M, expect: {spam: P30D}}
rules:"""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Two letters of one person and one of another, with their addresses, in a table that can be blocked."""
    made = open_office(tmp_path, [("a", 10), ("b", 20), ("c", 10)])
    with closing(sqlite3.connect(tmp_path / "office.db")) as connection, connection:
        connection.execute("ALTER TABLE letters ADD COLUMN email TEXT")
        connection.execute("ALTER TABLE letters ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0")
        connection.execute("UPDATE letters SET email = ?", ("bob@canary.example",))
        connection.execute("UPDATE letters SET email = ? WHERE id IN ('a', 'b')", (MAIL.upper(),))
    return made


def searchable(office: Office) -> None:
    """Let the settings say where a person's address stands."""
    text = office.settings.read_text(encoding="utf-8")
    more = "        subjects: {email: email}\n        block: {flag: {blocked: 1}}\n"
    office.settings.write_text(text + more, encoding="utf-8")


def opened(office: Office, kind: str = "erasure", **how: str) -> str:
    words = {"person": PERSON, "received": str(TODAY), "case": "DS-1", "by": "staff-7"} | how
    told = office.run("request", "open", kind, *(part for name, value in words.items() for part in (f"--{name}", value)))
    found = re.search(r"Request (\w+) \(", told.stdout)
    assert found is not None
    assert "4711" not in told.stdout + told.stderr
    return found[1]


def test_an_erasure_from_the_day_it_comes_to_the_answer(office: Office) -> None:
    searchable(office)
    request = opened(office)
    (listed,) = office.json("request", "list")["requests"]
    assert (listed["request"], listed["state"], listed["overdue"], listed["identifiers"]) == (
        request,
        "open",
        False,
        {"email": 1},
    )
    office.run("request", "grant", request, "--by", "staff-8")
    assert "granted already" in office.run("request", "refuse", request, "--by", "staff-8", status=2).stderr
    office.run("approve", "rule", "letter", "--by", "staff-7")
    office.run("run")
    assert office.letters() == ["c"]
    shown = office.json("request", "show", request, "--lang", "de")
    assert [(one["fate"], one["count"]) for one in shown["records"]] == [("deleted", 2)]
    assert "gelöscht" in office.run("request", "show", request, "--lang", "de").stdout
    office.run("request", "answered", request, "--by", "staff-7")
    assert "was answered on" in office.run("request", "answered", request, "--by", "staff-7", status=2).stderr
    told = office.run("audit", "list", "--limit", "0").stdout
    assert office.run("audit", "verify")
    for word in ("opened", "granted", "answered"):
        assert word in told
    assert not [file for file in office.state.rglob("*") if file.is_file() and b"4711" in file.read_bytes()]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"received": str(TODAY + timedelta(days=2))}, "in the future"),
        ({"received": "2026-02-30"}, "The day after --received is none"),
        ({"received": "2026-02-01T10:00"}, "The time after --received has no zone"),
        ({"person": "email:ada-4711@canary.exampl"}, "No system holds a record"),
        ({"person": "ada-4711@canary.example"}, "KIND:IDENTIFIER"),
        ({"case": "Ada Muster"}, "reference"),
        ({"by": "Ada Muster"}, "staff id"),
        ({"rule": "other"}, "no rule other"),
    ],
)
def test_bad_input_is_one_sentence_that_repeats_nobody_and_changes_nothing(
    office: Office, how: dict[str, str], words: str
) -> None:
    searchable(office)
    given = {"person": PERSON, "received": str(TODAY), "case": "DS-1", "by": "staff-7"} | how
    told = office.run(
        "request", "open", "erasure", *(part for name, value in given.items() for part in (f"--{name}", value)), status=2
    )
    assert words in told.stderr
    assert "4711" not in told.stderr
    assert office.json("request", "list")["requests"] == []


def test_before_the_first_request_there_is_nothing_to_tell(office: Office) -> None:
    assert office.run("request", "list").stdout == "There are no requests.\n"
    assert "no requests yet" in office.run("request", "show", "1a2b", status=2).stderr
    assert office.run("review", "list").stdout == "Nothing waits for a decision.\n"
    assert office.run("suppression", "check", PERSON, status=1).stdout == "This email is not suppressed.\n"
    assert office.run("attest", "--list").stdout == "No policy asks for an attestation.\n"


def test_an_overdue_request_makes_the_status_unwell(office: Office) -> None:
    searchable(office)
    opened(office, received=str(TODAY - timedelta(days=45)))
    told = office.json("status", status=1)
    assert (told["duties"]["requests"], told["duties"]["overdue"]) == (1, 1)
    assert any("overdue" in one for one in told["problems"])
    assert "OVERDUE" in " ".join(office.run("request", "list").stdout.split())


def test_an_objection_to_marketing_suppresses_at_once_and_a_new_consent_lifts_it(office: Office) -> None:
    searchable(office)
    text = office.policy.read_text(encoding="utf-8")
    words = "    ended_by: [objection-to-marketing]\n    suppress: [email]\n    approval: rule"
    office.policy.write_text(text.replace("    approval: rule", words), encoding="utf-8")
    request = opened(office, "objection-to-marketing")
    assert "is suppressed since" in office.run("suppression", "check", PERSON).stdout
    remove = ("suppression", "remove", PERSON, "--by", "staff-7", "--case", "C-1")
    assert f"first `retentiond request lift {request}`" in office.run(*remove, status=2).stderr
    office.run("request", "lift", request, "--by", "staff-7")
    office.run(*remove)
    office.run("suppression", "check", PERSON, status=1)


def test_a_request_that_no_rule_reacts_to_is_recorded_and_says_so(office: Office) -> None:
    searchable(office)
    words = ("--person", PERSON, "--received", str(TODAY), "--case", "DS-1", "--by", "staff-7")
    assert "No rule brings anything about" in office.run("request", "open", "objection-to-marketing", *words).stderr
    assert len(office.json("request", "list")["requests"]) == 1


def test_whoever_is_not_suppressed_is_not_taken_off_the_list(office: Office) -> None:
    words = ("suppression", "remove", PERSON, "--by", "staff-7", "--case", "C-1")
    assert "is not on the suppression list" in office.run(*words, status=2).stderr


def test_a_review_takes_two_persons_to_keep(office: Office) -> None:
    text = office.policy.read_text(encoding="utf-8")
    office.policy.write_text(
        text.replace("delete_after: {period: P1Y, counted: day-end}", REVIEW.replace("P1Y", "P5D")), encoding="utf-8"
    )
    with closing(sqlite3.connect(office.folder / "office.db")) as connection, connection:
        connection.execute("DELETE FROM letters WHERE id <> 'a'")
    office.settings.write_text(
        office.settings.read_text(encoding="utf-8") + "        block: {flag: {blocked: 1}}\n", encoding="utf-8"
    )
    office.run("approve", "rule", "letter", "--by", "staff-7")
    office.run("run")
    (review,) = office.json("review", "list")["reviews"]
    assert (review["owner"], review["waiting"]) == ("sales", True)
    assert office.json("review", "list", "--overdue")["reviews"] == []
    keep = ("review", "decide", review["review"], "keep")
    assert "needs a reason and a date" in office.run(*keep, "--by", "staff-7", status=2).stderr
    until = str(TODAY + timedelta(days=3))
    assert "Proposed." in office.run(*keep, "--by", "staff-7", "--until", until, "--reason", "C-1").stdout
    assert "somebody else" in office.run(*keep, "--by", "staff-7", status=2).stderr
    assert f"Decided: keep until {until}" in office.run(*keep, "--by", "staff-8").stdout
    assert office.json("review", "list")["reviews"] == []


def test_an_attestation_is_asked_for_recorded_and_counted(office: Office) -> None:
    text = office.policy.read_text(encoding="utf-8")
    office.policy.write_text(text.replace("rules:", ATTESTED), encoding="utf-8")
    words = ("attest", "mail.provider", "--reference", "AV-1", "--by", "staff-7", "--result")
    office.run(*words, "not-met")
    assert office.json("attest", "--list")["attestations"][0]["good"] is False
    assert office.json("status", status=1)["duties"]["attestations"] == 1
    office.run(*words, "met")
    assert office.json("attest", "--list")["attestations"][0]["good"] is True
    assert office.json("status", status=1)["duties"]["attestations"] == 0
    assert "Say RULE" in office.run("attest", "mail.provider", status=2).stderr
    letter = office.folder / "letter.pdf"
    letter.write_bytes(b"We delete spam after 30 days.")
    office.run(*words, "met", "--document", str(letter))
    assert office.json("attest", "--list")["attestations"][0]["document"] == hashlib.sha256(letter.read_bytes()).hexdigest()
    assert "yet to come" in office.run(*words, "met", "--at", str(TODAY + timedelta(days=2)), status=2).stderr
    office.run(*words, "not-met", "--at", str(TODAY - timedelta(days=9)))  # an older word than the one that stands
    assert office.json("attest", "--list")["attestations"][0]["good"] is True
    office.run("audit", "verify")
    assert "asks for an attestation other" in office.run("attest", "other", *words[2:], "met", status=2).stderr
