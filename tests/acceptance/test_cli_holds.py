"""Holds and tax years as a person types them, from placing to lifting, beside a run and without one."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.program import Office, open_office

MAIL = "ada-4711@canary.example"
TODAY = datetime.now(UTC).date()
WORDS = ("--reason", "case-2026/17", "--owner", "staff-2", "--by", "staff-1")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Three letters that are due, two of them to one person; the rule is approved."""
    made = open_office(tmp_path, [("a-4711", 400), ("b", 410), ("c", 420)])
    with closing(sqlite3.connect(tmp_path / "office.db")) as connection, connection:
        connection.execute("ALTER TABLE letters ADD COLUMN email TEXT")
        connection.execute("UPDATE letters SET email = CASE id WHEN 'c' THEN 'bob@canary.example' ELSE ? END", (MAIL.upper(),))
    settings = made.settings.read_text(encoding="utf-8")
    made.settings.write_text(settings + "        subjects: {email: email}\n", encoding="utf-8")
    made.run("approve", "rule", "letter", "--by", "staff-9")
    return made


def placed(office: Office, *scope: str, kind: str = "legal-claim") -> str:
    done = office.run("hold", "place", kind, *scope, *WORDS)
    found = re.search(r"Hold (\w+) \(", done.stdout)
    assert found is not None
    assert "4711" not in done.stdout + done.stderr
    return found[1]


def test_a_hold_from_placing_to_lifting(office: Office) -> None:
    assert office.run("hold", "list").stdout == "There are no holds.\n"
    hold = placed(office, "--person", f"email:{MAIL}")
    office.run("run")
    assert office.letters() == ["a-4711", "b"]
    listed = office.run("hold", "list").stdout
    assert "a person (email)" in listed
    assert "4711" not in listed
    (told,) = office.json("hold", "list")["holds"]
    assert (told["hold"], told["person"], told["record"], told["stands"], told["review_over"]) == (
        hold,
        "email",
        False,
        True,
        False,
    )
    office.run("hold", "renew", hold, "--review", str(TODAY + timedelta(days=99)), "--by", "staff-2")
    assert office.json("hold", "list")["holds"][0]["review_on"] == str(TODAY + timedelta(days=99))
    office.run("hold", "lift", hold, "--by", "staff-2")
    assert office.json("hold", "list")["holds"] == []
    assert [one["stands"] for one in office.json("hold", "list", "--all")["holds"]] == [False]
    assert "is over since" in office.run("hold", "lift", hold, "--by", "staff-2", status=2).stderr
    office.run("run")
    assert office.letters() == []
    entries = office.json("audit", "list", "--limit", "0")["entries"]
    assert [one["fields"]["op"] for one in entries if one["kind"] == "hold"] == ["placed", "renewed", "lifted"]
    office.run("audit", "verify")


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        (("--record", "office/letters", "a-4711"), ["a-4711"]),
        (("--dataset", "office/letters"), ["a-4711", "b", "c"]),
        (("--system", "office", "--rule", "letter"), ["a-4711", "b", "c"]),
        (("--dated", "written_on", "--until", str(TODAY - timedelta(days=415))), ["c"]),
        (("--dated", "written_on", "--since", str(TODAY - timedelta(days=405))), ["a-4711"]),
    ],
)
def test_a_hold_keeps_what_fits_and_nothing_else(office: Office, scope: tuple[str, ...], kept: list[str]) -> None:
    placed(office, *scope)
    office.run("run")
    assert office.letters() == kept


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("legal-claim", *WORDS), "Say what is to be held"),
        (("tax-hold", "--system", "office", *WORDS), "not placed by hand"),
        (("legal-claim", "--person", f"mail {MAIL}", *WORDS), "KIND:IDENTIFIER"),
        (("legal-claim", "--person", "email:nobody-4711@canary.example", *WORDS), "has this email"),
        (("legal-claim", "--record", "office/letters", "z-4711", *WORDS), "There is no such record"),
        (("legal-claim", "--record", "office/letter", "z-4711", *WORDS), "The settings know no data set office/letter"),
        (("legal-claim", "--record", "office/letters", "b", "--system", "shop", *WORDS), "name the same one"),
        (("legal-claim", "--where", "disputed", *WORDS), "FACT=VALUE"),
        (("legal-claim", "--dated", "written_on", "--since", "soon", *WORDS), "The day after --since is none"),
        (("legal-claim", "--system", "office", "--review", "2020-01-01", *WORDS), "lies in the past"),
    ],
)
def test_a_hold_that_is_refused_is_refused_in_one_sentence_and_keeps_nothing(
    office: Office, words: tuple[str, ...], told: str
) -> None:
    done = office.run("hold", "place", *words, status=2)
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert "4711" not in done.stderr
    assert office.json("hold", "list", "--all")["holds"] == []


def test_an_unreadable_register_is_told_and_nothing_goes(office: Office) -> None:
    placed(office, "--system", "office")
    with closing(sqlite3.connect(office.state / "state.db")) as connection, connection:
        connection.execute("UPDATE holds SET scope = zeroblob(60)")
    assert "cannot be opened" in office.run("hold", "list", status=1).stderr
    assert office.run("run", status=4).returncode == 4
    assert len(office.letters()) == 3


def test_a_tax_year_is_entered_and_listed(office: Office) -> None:
    assert "No tax year is entered" in office.run("tax", "list").stdout
    year = TODAY.year - 3
    office.run("tax", "set", str(year), "--filed-on", f"{year + 1}-05-31", "--by", "staff-5")
    (told,) = office.json("tax", "list")["years"]
    assert (told["year"], told["known"], told["filed_on"]) == (year, True, f"{year + 1}-05-31")
    office.run("tax", "set", str(year), "--filed-on", "none", "--by", "staff-5")
    assert office.json("tax", "list")["years"][0]["filed_on"] is None
    assert "after --filed-on is none" in office.run("tax", "set", str(year), "--filed-on", "x", "--by", "s", status=2).stderr


def test_years_that_a_rule_needs_and_nobody_entered_are_listed_as_never_filed(office: Office) -> None:
    policy = office.policy.read_text(encoding="utf-8")
    office.policy.write_text(policy + "    holds: [tax-hold]\n", encoding="utf-8")
    office.run("tax", "set", str(TODAY.year - 1), "--filed-on", str(TODAY), "--by", "staff-5")
    years = office.json("tax", "list")["years"]
    assert [one["year"] for one in years if not one["known"]] == list(range(TODAY.year - 7, TODAY.year - 1))
    assert "never filed, so held until" in " ".join(office.run("tax", "list").stdout.split())
