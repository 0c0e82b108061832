"""The demo's company: a database and web server logs full of made-up data whose fate is known beforehand.

Each record is made for one fate, well clear of its rule's border, by plain arithmetic on days and years that shares
nothing with the engine. So what has to be there afterwards is known without asking retentiond.
"""

from __future__ import annotations

import gzip
import os
import random
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
FIRST_NAMES = ("Ada", "Bela", "Cora", "Deniz", "Edda", "Falk", "Gesa", "Hanno", "Ines", "Jette", "Kaya", "Levin")
LAST_NAMES = ("Mustermann", "Musterfrau", "Beispiel", "Platzhalter", "Probe", "Vorlage")
TOWNS = ("Musterstadt", "Beispielhausen", "Probenburg", "Vorlagen am See")
PAGES = ("/", "/angebot", "/kontakt", "/impressum", "/bilder/logo.svg", "/katalog?seite=2")

SCHEMA = """
CREATE TABLE customers (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE invoices (
  number TEXT PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id), recipient TEXT NOT NULL,
  cents INTEGER NOT NULL, issued_on DATE, received_on DATE, settled_on DATE,
  blocked INTEGER NOT NULL, blocked_at DATETIME);
CREATE TABLE inquiries (
  id TEXT PRIMARY KEY, sender TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
  resolved_at DATETIME, last_message_at DATETIME);
CREATE TABLE inquiry_attachments (
  id INTEGER PRIMARY KEY, inquiry_id TEXT NOT NULL REFERENCES inquiries(id), name TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE survey_answers (
  id INTEGER PRIMARY KEY, email TEXT, ip TEXT, comment TEXT, rating INTEGER NOT NULL,
  submitted_at INTEGER, anonymized INTEGER NOT NULL DEFAULT 0);
CREATE TABLE contacts (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, last_interaction_on DATE,
  blocked INTEGER NOT NULL, blocked_at DATETIME);
CREATE INDEX invoices_customer ON invoices (customer_id);
CREATE INDEX invoices_issued ON invoices (issued_on);
CREATE INDEX invoices_received ON invoices (received_on);
CREATE INDEX invoices_settled ON invoices (settled_on);
CREATE INDEX inquiries_resolved ON inquiries (resolved_at);
CREATE INDEX inquiries_last_message ON inquiries (last_message_at);
CREATE INDEX inquiry_attachments_inquiry ON inquiry_attachments (inquiry_id);
CREATE INDEX survey_answers_submitted ON survey_answers (submitted_at);
CREATE INDEX contacts_last_interaction ON contacts (last_interaction_on);
"""


@dataclass(frozen=True, slots=True)
class Company:
    """Where the data is, and what is to become of it."""

    database: Path
    logs: Path
    truth: Truth


@dataclass(slots=True)
class Truth:
    """The keys of all records, by the fate they were made for."""

    to_delete: dict[str, set[str]] = field(default_factory=dict)
    to_block: dict[str, set[str]] = field(default_factory=dict)
    to_anonymize: dict[str, set[str]] = field(default_factory=dict)
    to_keep: dict[str, set[str]] = field(default_factory=dict)
    """To be left exactly as they are, the undatable ones included."""
    undatable: dict[str, set[str]] = field(default_factory=dict)

    def add(self, fate: dict[str, set[str]], table: str, key: object) -> None:
        """Note the fate of one record."""
        fate.setdefault(table, set()).add(str(key))


def found(folder: Path, now: datetime) -> Company:
    """Make the company's data in `folder`, relative to `now` (aware UTC), the same for the same moment."""
    truth = Truth()
    database, logs = folder / "company.db", folder / "logs"
    chance = random.Random("retentiond demo")  # noqa: S311 - made-up data, no secret
    connection = sqlite3.connect(database)
    try:
        connection.executescript(SCHEMA)
        with connection:
            _customers(connection, chance)
            _invoices(connection, chance, truth, now.astimezone(ZONE).date())
            _inquiries(connection, chance, truth, now)
            _survey(connection, chance, truth, now)
            _contacts(connection, chance, truth, now.astimezone(ZONE).date())
    finally:
        connection.close()
    logs.mkdir()
    _access_logs(logs, chance, truth, now)
    return Company(database, logs, truth)


CUSTOMERS = 300


def _customers(connection: sqlite3.Connection, chance: random.Random) -> None:
    """Customers no rule speaks of: nobody may touch them."""
    for number in range(1, CUSTOMERS + 1):
        name = _name(chance)
        connection.execute(
            "INSERT INTO customers VALUES (?, ?, ?, ?)", (number, name, f"kunde{number}@kunden.example", chance.choice(TOWNS))
        )


def _invoices(connection: sqlite3.Connection, chance: random.Random, truth: Truth, today: date) -> None:
    """Kept for 8 years after the year of issue or receipt, blocked a year after the year of payment."""
    numbers = iter(range(1, 10_000))
    year = today.year

    def invoice(issued: date | None, received: date | None, settled: date | None, *, blocked: bool) -> str:
        key = f"{(issued or today).year}-{next(numbers):05}"
        row = (key, chance.randint(1, CUSTOMERS), _name(chance), chance.randint(500, 900_000))
        dates = (_day(issued), _day(received), _day(settled), blocked, f"{year - 1}-01-10 03:17:00" if blocked else None)
        connection.execute("INSERT INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row + dates)
        return key

    for _ in range(150):
        issued = _within_year(chance, year - chance.randint(9, 12))
        truth.add(truth.to_delete, "invoices", invoice(issued, None, issued + timedelta(days=14), blocked=True))
    for number in range(8):  # issued in one year, received in the next: the later date counts
        late = invoice(date(year - 9, 12, 20 + number), date(year - 8, 1, 4), date(year - 8, 1, 20), blocked=True)
        truth.add(truth.to_keep, "invoices", late)
    for _ in range(500):
        issued = _within_year(chance, year - chance.randint(3, 8))
        truth.add(truth.to_keep, "invoices", invoice(issued, None, issued + timedelta(days=14), blocked=True))
    for _ in range(90):
        issued = date(year - 2, 1, 1) + timedelta(days=chance.randint(0, 300))
        truth.add(truth.to_block, "invoices", invoice(issued, None, issued + timedelta(days=14), blocked=False))
    for number in range(440):
        issued = date(year - 1, 1, 1) + timedelta(days=chance.randint(0, (today - date(year - 1, 1, 1)).days))
        paid = issued + timedelta(days=14) if number % 4 else None
        truth.add(truth.to_keep, "invoices", invoice(issued, None, paid, blocked=False))
    for _ in range(12):
        key = invoice(None, None, None, blocked=False)
        truth.add(truth.to_keep, "invoices", key)
        truth.add(truth.undatable, "invoices", key)


def _inquiries(connection: sqlite3.Connection, chance: random.Random, truth: Truth, now: datetime) -> None:
    """Deleted 6 months after they were resolved, or presumed so 90 days after the last word; after 3 years at the latest."""

    def inquiry(resolved: int | None, last_word: int | None) -> str:
        key = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        dates = [
            None if days is None else _clock(now - timedelta(days=days, minutes=chance.randint(0, 600)))
            for days in (resolved, last_word)
        ]
        sender = f"anfrage{chance.randint(1, 9999)}@kunden.example"
        connection.execute(
            "INSERT INTO inquiries VALUES (?, ?, ?, ?, ?, ?)", (key, sender, "Anfrage", f"Gruß, {_name(chance)}", *dates)
        )
        for number in range(chance.choice((0, 0, 1, 2))):
            connection.execute(
                "INSERT INTO inquiry_attachments (inquiry_id, name, content) VALUES (?, ?, ?)",
                (key, f"anlage-{number + 1}.pdf", b"%PDF-demo"),
            )
        return key

    for _ in range(140):
        days = chance.randint(200, 900)
        truth.add(truth.to_delete, "inquiries", inquiry(days, days + 1))
    for _ in range(40):
        truth.add(truth.to_delete, "inquiries", inquiry(None, chance.randint(300, 1000)))
    for _ in range(15):
        truth.add(truth.to_delete, "inquiries", inquiry(chance.randint(1, 90), chance.randint(1110, 1500)))
    for _ in range(500):
        days = chance.randint(5, 170)
        truth.add(truth.to_keep, "inquiries", inquiry(days, days + 1))
    for _ in range(180):
        truth.add(truth.to_keep, "inquiries", inquiry(None, chance.randint(1, 250)))
    for _ in range(15):
        key = inquiry(None, None)
        truth.add(truth.to_keep, "inquiries", key)
        truth.add(truth.undatable, "inquiries", key)


def _survey(connection: sqlite3.Connection, chance: random.Random, truth: Truth, now: datetime) -> None:
    """Anonymized 12 months after submission."""

    def answer(submitted: int | None) -> int:
        row = (
            f"teilnahme{chance.randint(1, 99_999)}@kunden.example",
            _address(chance),
            f"Meint {_name(chance)}",
            chance.randint(1, 5),
            submitted,
        )
        cursor = connection.execute(
            "INSERT INTO survey_answers (email, ip, comment, rating, submitted_at) VALUES (?, ?, ?, ?, ?)", row
        )
        return cast("int", cursor.lastrowid)

    for fate, count, youngest, oldest in ((truth.to_anonymize, 110, 380, 700), (truth.to_keep, 480, 1, 350)):
        for _ in range(count):
            truth.add(fate, "survey_answers", answer(int((now - timedelta(days=chance.randint(youngest, oldest))).timestamp())))
    for submitted in (None, None, None, None, None, None, 0, 0, 0, 0):  # 0 is 1970: no date that anybody wrote down
        key = answer(submitted)
        truth.add(truth.to_keep, "survey_answers", key)
        truth.add(truth.undatable, "survey_answers", key)


def _contacts(connection: sqlite3.Connection, chance: random.Random, truth: Truth, today: date) -> None:
    """Blocked 2 years after the last interaction."""
    numbers = iter(range(1, 10_000))

    def contact(days: int | None, *, blocked: bool) -> int:
        key = next(numbers)
        last = None if days is None else _day(today - timedelta(days=days))
        since = f"{today.year - 1}-06-01 03:17:00" if blocked else None
        row = (key, _name(chance), f"kontakt{key}@kunden.example", last, blocked, since)
        connection.execute("INSERT INTO contacts VALUES (?, ?, ?, ?, ?, ?)", row)
        return key

    for _ in range(90):
        truth.add(truth.to_block, "contacts", contact(chance.randint(745, 1400), blocked=False))
    for _ in range(395):
        truth.add(truth.to_keep, "contacts", contact(chance.randint(1, 720), blocked=False))
    for _ in range(10):
        truth.add(truth.to_keep, "contacts", contact(chance.randint(1450, 1800), blocked=True))
    for _ in range(5):
        key = contact(None, blocked=False)
        truth.add(truth.to_keep, "contacts", key)
        truth.add(truth.undatable, "contacts", key)


LINES_A_DAY = 150
DAYS_OF_LOGS = 20
GARBLED_DAYS = (2, 16, 18)


def _access_logs(folder: Path, chance: random.Random, truth: Truth, now: datetime) -> None:
    """Twenty days of web server log, one file a day, older ones packed; each line may stay for 14 days."""
    for day in range(DAYS_OF_LOGS):
        ended = now - timedelta(days=day)
        lines = list(_log_lines(chance, ended - timedelta(days=1), truth, now))
        if day in GARBLED_DAYS:  # above the first date of a file nothing tells when a line was written
            garbled = [f"worker {day}-{number} started without a clock" for number in range(2)]
            lines = garbled + lines
            for line in garbled:
                truth.add(truth.to_keep, "access-log", line)
                truth.add(truth.undatable, "access-log", line)
        text = "".join(f"{line}\n" for line in lines)
        path = folder / ("access.log" + (f".{day}" if day else "") + (".gz" if day > 1 else ""))
        path.write_bytes(gzip.compress(text.encode()) if day > 1 else text.encode())
        os.utime(path, (ended.timestamp(), ended.timestamp()))


def _log_lines(chance: random.Random, start: datetime, truth: Truth, now: datetime) -> Iterator[str]:
    border = now - timedelta(days=14)
    moments = [start + timedelta(seconds=second) for second in chance.sample(range(86_400), LINES_A_DAY)]
    # Well clear of the border: what would lie within two hours of it is moved to its young side.
    for at in sorted(at + timedelta(hours=4) if abs(at - border) < timedelta(hours=2) else at for at in moments):
        stamp = at.astimezone(ZONE).strftime("%d/%b/%Y:%H:%M:%S %z")
        page, size = chance.choice(PAGES), chance.randint(200, 40_000)
        line = f'{_address(chance)} - - [{stamp}] "GET {page} HTTP/1.1" 200 {size} "-" "Demo {chance.getrandbits(40):010x}"'
        truth.add(truth.to_delete if at < border else truth.to_keep, "access-log", line)
        yield line


def _name(chance: random.Random) -> str:
    return f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"


def _address(chance: random.Random) -> str:
    """An address of the ranges set aside for documentation."""
    if chance.random() < 0.2:  # noqa: PLR2004 - a fifth comes by IPv6
        return f"2001:db8:{chance.getrandbits(16):x}:{chance.getrandbits(16):x}::{chance.getrandbits(16):x}"
    return f"{chance.choice(('192.0.2', '198.51.100', '203.0.113'))}.{chance.randint(1, 254)}"


def _within_year(chance: random.Random, year: int) -> date:
    return date(year, 1, 1) + timedelta(days=chance.randint(0, 340))


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _clock(value: datetime) -> str:
    """What a clock on the office wall showed, as the database keeps it: without a zone."""
    return value.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S.000000")
