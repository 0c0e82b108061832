"""One company in PostgreSQL with everything that can stand in a deletion's way: one plan, one run, the fate of every record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.program import Office

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data/scenario"
YEAR = datetime.now(UTC).year

SCHEMA = """
CREATE TABLE customers (number int PRIMARY KEY, name text, email text, phone text, interests text,
    last_interaction_on date, ended_on date, blocked boolean NOT NULL DEFAULT false);
CREATE TABLE invoices (number text PRIMARY KEY, customer int REFERENCES customers, email text,
    issued_on date, settled_on date, blocked boolean NOT NULL DEFAULT false);
CREATE INDEX ON invoices (customer);
CREATE TABLE letters (id text PRIMARY KEY, email text, kind text, sent_on date, blocked boolean NOT NULL DEFAULT false)
"""


def ago(years: int, month: int = 6) -> date:
    return date(YEAR - years, month, 15)


YOUNG = datetime.now(UTC).date() - timedelta(days=30)

CUSTOMERS: dict[int, tuple[str, date, date | None, str, str]] = {
    1: ("anna@example.org", ago(12), ago(12), "left long ago, no invoice", "gone"),
    2: ("bert@example.org", ago(12), ago(12), "left long ago; one invoice is young", "blocked, marketing fields gone"),
    3: ("cleo@example.org", YOUNG, None, "is a customer", "whole"),
    4: ("dora@example.org", YOUNG, None, "is a customer and objected to marketing", "marketing fields gone"),
    5: ("emil@example.org", ago(12), ago(12), "left long ago; a lawsuit is pending", "blocked, marketing fields gone"),
    6: ("fred@example.org", YOUNG, None, "is a customer and demands restriction", "blocked"),
    7: ("gina@example.org", ago(12), ago(12), "left long ago; a voucher has no date", "marketing fields gone"),
}
"""Number: address, last interaction, end of the relationship, what it is about, what becomes of it."""

INVOICES: dict[str, tuple[int | None, str, date | None, str, str]] = {
    "old": (2, "bert@example.org", ago(11), "old invoice", "gone"),
    "young": (2, "bert@example.org", ago(3), "young invoice, settled", "blocked"),
    "new": (3, "cleo@example.org", YOUNG, "invoice of last month", "whole"),
    "sued": (5, "emil@example.org", ago(11), "old invoice, lawsuit pending", "blocked"),
    "audited": (None, "hans@example.org", ago(10), "old invoice of a year that is audited", "blocked"),
    "undated": (7, "gina@example.org", None, "invoice without a date", "whole"),
}

LETTERS: dict[str, tuple[str, str, date | None, str, str]] = {
    "old": ("bert@example.org", "letter", ago(8), "old letter", "gone"),
    "young": ("cleo@example.org", "letter", ago(2), "young letter", "whole"),
    "undated": ("cleo@example.org", "letter", None, "letter without a date", "whole"),
    "twice": ("bert@example.org", "complaint", ago(8), "both a letter and a complaint", "whole"),
    "nowhere": ("bert@example.org", "fax", ago(20), "in no data set at all", "whole"),
    "restricted": ("fred@example.org", "letter", ago(8), "old letter, restriction demanded", "blocked"),
    "survey": ("bert@example.org", "survey", ago(8), "old answer to a survey", "gone"),
}


@pytest.fixture
def shop(tmp_path: Path, postgresql: sa.URL) -> Iterator[Office]:
    """The company, with its policy and settings."""
    office = Office(tmp_path)
    office.policy.parent.mkdir()
    office.policy.write_text((DATA / "policies/shop.yaml").read_text(), encoding="utf-8")
    url = postgresql.set(drivername="postgresql").render_as_string()
    office.settings.write_text((DATA / "settings.yaml").read_text().replace("$URL", url), encoding="utf-8")
    engine = sa.create_engine(postgresql, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in SCHEMA.split(";"):
            connection.exec_driver_sql(statement)
        for number, (email, seen, ended, *_) in CUSTOMERS.items():
            row = (number, "Somebody", email, "069 123", "bicycles", seen, ended)
            connection.exec_driver_sql("INSERT INTO customers VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
        for invoice, (customer, email, issued, *_) in INVOICES.items():
            settled = issued if invoice != "new" else None
            connection.exec_driver_sql(
                "INSERT INTO invoices VALUES (%s, %s, %s, %s, %s)", (invoice, customer, email, issued, settled)
            )
        for letter, (email, kind, sent, *_) in LETTERS.items():
            connection.exec_driver_sql("INSERT INTO letters VALUES (%s, %s, %s, %s)", (letter, email, kind, sent))
    yield office
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE invoices; DROP TABLE customers; DROP TABLE letters")
    engine.dispose()


def fates(url: sa.URL) -> dict[tuple[str, str], str]:
    """What the database itself says became of every record."""
    found: dict[tuple[str, str], str] = {}
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        for number in CUSTOMERS:
            row = connection.exec_driver_sql(
                "SELECT blocked, phone, interests FROM customers WHERE number = %s", (number,)
            ).first()
            words = ["blocked"] if row and row[0] else []
            words += ["marketing fields gone"] if row and row[1:] == (None, None) else []
            found["customers", str(number)] = "gone" if row is None else ", ".join(words) or "whole"
        for table, key, names in (("invoices", "number", INVOICES), ("letters", "id", LETTERS)):
            for name in names:
                query = f"SELECT blocked FROM {table} WHERE {key} = %s"  # noqa: S608 - names of our own
                row = connection.exec_driver_sql(query, (name,)).first()
                found[table, name] = "gone" if row is None else "blocked" if row[0] else "whole"
    return found


def expected() -> dict[tuple[str, str], str]:
    return (
        {("customers", str(number)): fate for number, (*_, fate) in CUSTOMERS.items()}
        | {("invoices", name): fate for name, (*_, fate) in INVOICES.items()}
        | {("letters", name): fate for name, (*_, fate) in LETTERS.items()}
    )


def place_everything(shop: Office) -> None:
    """The lawsuit, the audit, the objection and the restriction."""
    by = ("--by", "staff-2")
    shop.run(
        "hold", "place", "legal-claim", "--person", "email:emil@example.org", "--reason", "case-17", "--owner", "staff-3", *by
    )
    shop.run("tax", "set", str(YEAR - 10), "--audit-since", f"{YEAR - 1}-03-01", *by)
    received = ("--received", datetime.now(UTC).date().isoformat())
    for kind, person in (("objection-to-marketing", "dora@example.org"), ("restriction", "fred@example.org")):
        shop.run("request", "open", kind, "--person", f"email:{person}", *received, "--case", f"case-{kind}", *by)


def test_one_plan_and_one_run_give_every_record_its_due(shop: Office, postgresql: sa.URL) -> None:
    place_everything(shop)
    shop.run("approve", "rule", "--all", "--by", "staff-1")
    before = fates(postgresql)
    plan = shop.json("plan")
    assert fates(postgresql) == before, "a dry run changed something"
    shop.run("run", status=0)
    assert fates(postgresql) == expected()
    told: dict[tuple[str, str], Any] = {(step["rule"], step["action"]): step for step in plan["steps"]}
    assert told["shop.letter", "delete"]["kept"]["contested"] == 1
    assert told["shop.letter", "delete"]["undatable"] == 1
    findings = " ".join(finding["what"] for step in plan["steps"] for finding in step["findings"])
    assert re.search(r"\b1 row\b.*no data set", findings), findings
    shop.run("suppression", "check", "email:dora@example.org")
    shop.run("suppression", "check", "email:cleo@example.org", status=1)
    again = shop.json("run")
    assert [step["outcomes"] for step in again["steps"] if step["outcomes"]] == [], "a second run had something left to do"
    assert fates(postgresql) == expected()
    shop.run("audit", "verify")


def test_what_is_explained_is_what_comes(shop: Office) -> None:
    place_everything(shop)
    held = shop.json("explain", "shop/invoices", "sued")["fates"][0]
    assert (held["verdict"], [one["kind"] for one in held["suspensions"] if one["end"] is None]) == ("held", ["legal-claim"])
    told = " ".join(shop.run("explain", "shop/invoices", "audited", "--lang", "de").stdout.split())
    assert "Außenprüfung" in told
    assert "sec. 147(1) no. 4" in told
    objected = shop.json("explain", "shop/marketing", "4")["fates"][0]
    assert [one["kind"] for one in objected["triggers"]] == ["objection-to-marketing"]
    assert objected["step"] == "delete"
    assert shop.json("explain", "shop/letters", "twice")["fates"][0]["reason"] == "contested"


def test_the_page_shows_this_company() -> None:
    """The table of the documentation is the one of this test."""
    page = (ROOT / "docs/explanation/scenario.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (customers|invoices|letters) \| `([^`]+)` \| ([^|]+) \| ([^|]+) \|", page, re.MULTILINE)
    told = {(table, name): (about.strip(), fate.strip()) for table, name, about, fate in rows}
    about = {("customers", str(number)): row[3:] for number, row in CUSTOMERS.items()}
    about |= {("invoices", name): row[3:] for name, row in INVOICES.items()}
    about |= {("letters", name): row[3:] for name, row in LETTERS.items()}
    assert told == about
