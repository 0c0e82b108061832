"""Looks behind retentiond's back: counts in the company's own database and log files what is there."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retentiond.cli.demo.company import Company

KEYS = {"customers": "id", "invoices": "number", "inquiries": "id", "survey_answers": "id", "contacts": "id"}
LOG = "access-log"


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything that is there at one moment."""

    rows: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Table, key, columns."""
    attachments: Mapping[str, int]
    """How many attachments each inquiry has."""
    log_lines: Mapping[str, int]
    """How often each line stands in the log files."""


def look(company: Company) -> Sight:
    """What is there now."""
    connection = sqlite3.connect(f"file:{company.database}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        rows = {
            table: {str(row[key]): dict(row) for row in connection.execute(f"SELECT * FROM {table}")}  # noqa: S608 - names from above
            for table, key in KEYS.items()
        }
        attachments = dict(
            connection.execute("SELECT inquiry_id, count(*) FROM inquiry_attachments GROUP BY inquiry_id").fetchall()
        )
    finally:
        connection.close()
    lines: dict[str, int] = {}
    for path in sorted(company.logs.iterdir()):
        for line in _text(path).splitlines():
            lines[line] = lines.get(line, 0) + 1
    return Sight(rows, attachments, lines)


def unchanged(before: Sight, after: Sight) -> list[str]:
    """What differs although nothing was to be changed, as finished sentences."""
    return [] if before == after else ["Something changed in the company's data although nothing was allowed yet."]


def mistakes(company: Company, before: Sight, after: Sight) -> list[str]:
    """What is not as it was promised, as finished sentences; empty where every single record has its fate."""
    truth, found = company.truth, list[str]()

    def expect(what: str, *, wrong: int) -> None:
        if wrong:
            found.append(f"{wrong:,} {what}.")

    if after.rows["customers"] != before.rows["customers"]:
        found.append("Customers changed, of which no rule speaks.")
    for table in ("invoices", "inquiries", "survey_answers", "contacts"):
        now, then = after.rows[table], before.rows[table]
        expect(f"{table} are still there that had to be deleted", wrong=len(truth.to_delete.get(table, set()) & now.keys()))
        kept = truth.to_keep.get(table, set())
        expect(f"{table} are gone or changed that had to stay as they are", wrong=sum(now.get(key) != then[key] for key in kept))
        blocked = truth.to_block.get(table, set())
        expect(
            f"{table} are not blocked, or changed otherwise", wrong=sum(not _blocked(then[key], now.get(key)) for key in blocked)
        )
        masked = truth.to_anonymize.get(table, set())
        expect(f"{table} are not anonymized", wrong=sum(not _anonymized(then[key], now.get(key)) for key in masked))
        fates = sum(len(fate.get(table, ())) for fate in (truth.to_delete, truth.to_keep, truth.to_block, truth.to_anonymize))
        expect(f"{table} have no known fate", wrong=abs(fates - len(then)))
    gone = truth.to_delete["inquiries"]
    expect("attachments outlived their inquiry", wrong=sum(after.attachments.get(key, 0) for key in gone))
    stay = {key: number for key, number in before.attachments.items() if key not in gone}
    expect("inquiries lost an attachment that had to stay", wrong=sum(after.attachments.get(key) != n for key, n in stay.items()))
    expect("log lines are still there that had to go", wrong=len(truth.to_delete[LOG] & after.log_lines.keys()))
    expect(
        "log lines are gone or doubled that had to stay", wrong=sum(after.log_lines.get(line) != 1 for line in truth.to_keep[LOG])
    )
    expect("log lines are there that nobody wrote", wrong=len(after.log_lines.keys() - before.log_lines.keys()))
    return found


def _blocked(then: Mapping[str, Any], now: Mapping[str, Any] | None) -> bool:
    return (
        now is not None
        and now["blocked"] == 1
        and _without(now, "blocked", "blocked_at") == _without(then, "blocked", "blocked_at")
    )


def _anonymized(then: Mapping[str, Any], now: Mapping[str, Any] | None) -> bool:
    if now is None or now["anonymized"] != 1 or now["rating"] != then["rating"]:
        return False
    return now["email"] is None and now["ip"] != then["ip"] and now["comment"] != then["comment"]


def _without(row: Mapping[str, Any], *columns: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in columns}


def _text(path: Path) -> str:
    return (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
