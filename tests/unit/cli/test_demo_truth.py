"""The demo's judge is judged: it is content with the right end, and notices each single wrong one."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retentiond.cli.demo.company import Company, found
from retentiond.cli.demo.truth import LOG, Sight, look, mistakes, unchanged

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return found(tmp_path, NOW)


def _do(company: Company, *statements: tuple[str, list[tuple[str, ...]]]) -> None:
    with closing(sqlite3.connect(company.database)) as connection, connection:
        for statement, rows in statements:
            connection.executemany(statement, rows)


def _keys(keys: set[str]) -> list[tuple[str, ...]]:
    return [(key,) for key in sorted(keys)]


def _enforce(company: Company) -> None:
    """What retentiond is to do, done by hand."""
    truth = company.truth
    _do(
        company,
        ("DELETE FROM inquiry_attachments WHERE inquiry_id = ?", _keys(truth.to_delete["inquiries"])),
        ("DELETE FROM inquiries WHERE id = ?", _keys(truth.to_delete["inquiries"])),
        ("DELETE FROM invoices WHERE number = ?", _keys(truth.to_delete["invoices"])),
        (
            "UPDATE invoices SET blocked = 1, blocked_at = '2026-11-24 14:00:00' WHERE number = ?",
            _keys(truth.to_block["invoices"]),
        ),
        ("UPDATE contacts SET blocked = 1, blocked_at = '2026-11-24 14:00:00' WHERE id = ?", _keys(truth.to_block["contacts"])),
        (
            "UPDATE survey_answers SET email = NULL, ip = '192.0.2.0/24', comment = '', anonymized = 1 WHERE id = ?",
            _keys(truth.to_anonymize["survey_answers"]),
        ),
    )
    for path in company.logs.iterdir():
        packed = path.suffix == ".gz"
        text = (gzip.decompress(path.read_bytes()) if packed else path.read_bytes()).decode()
        rest = "".join(line for line in text.splitlines(keepends=True) if line.rstrip("\n") not in truth.to_delete[LOG])
        path.write_bytes(gzip.compress(rest.encode()) if packed else rest.encode())


def test_the_same_moment_makes_the_same_company(company: Company, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    again = found(tmp_path / "again", NOW)
    assert look(again) == look(company)
    assert again.truth == company.truth


@pytest.mark.parametrize("now", [datetime(2027, 1, 1, 3, tzinfo=UTC), datetime(2028, 2, 29, 23, 30, tzinfo=UTC)])
def test_every_record_has_exactly_one_fate_on_any_day(tmp_path: Path, now: datetime) -> None:
    company = found(tmp_path, now)
    truth, sight = company.truth, look(company)
    for name in ("invoices", "inquiries", "survey_answers", "contacts", LOG):
        fates = [fate.get(name, set()) for fate in (truth.to_delete, truth.to_block, truth.to_anonymize, truth.to_keep)]
        there = set(sight.log_lines) if name == LOG else set(sight.rows[name])
        assert set().union(*fates) == there
        assert sum(map(len, fates)) == len(there)
        assert truth.undatable[name] <= truth.to_keep[name]
        assert truth.undatable[name]


def test_the_right_end_contents_the_judge(company: Company) -> None:
    before = look(company)
    assert unchanged(before, look(company)) == []
    _enforce(company)
    after = look(company)
    assert mistakes(company, before, after) == []
    assert unchanged(before, after) != []


def test_doing_nothing_is_noticed(company: Company) -> None:
    before = look(company)
    assert len(mistakes(company, before, before)) >= 5


@pytest.mark.parametrize(
    "harm",
    [
        lambda c: _do(c, ("DELETE FROM invoices WHERE number = ?", [(min(c.truth.to_keep["invoices"]),)])),
        lambda c: _do(c, ("DELETE FROM invoices WHERE number = ?", [(min(c.truth.undatable["invoices"]),)])),
        lambda c: _do(c, ("DELETE FROM invoices WHERE number = ?", [(min(c.truth.to_block["invoices"]),)])),
        lambda c: _do(c, ("UPDATE invoices SET cents = 1 WHERE number = ?", [(min(c.truth.to_keep["invoices"]),)])),
        lambda c: _do(c, ("UPDATE contacts SET name = 'x' WHERE id = ?", [(min(c.truth.to_block["contacts"]),)])),
        lambda c: _do(c, ("UPDATE contacts SET blocked = 0 WHERE id = ?", [(min(c.truth.to_block["contacts"]),)])),
        lambda c: _do(
            c, ("UPDATE survey_answers SET email = 'x' WHERE id = ?", [(min(c.truth.to_anonymize["survey_answers"]),)])
        ),
        lambda c: _do(c, ("UPDATE survey_answers SET comment = '' WHERE id = ?", [(min(c.truth.undatable["survey_answers"]),)])),
        lambda c: _do(c, ("DELETE FROM customers WHERE id = ?", [("1",)])),
        lambda c: _do(
            c,
            (
                "INSERT INTO inquiry_attachments (inquiry_id, name, content) VALUES (?, 'a', 'b')",
                [(min(c.truth.to_delete["inquiries"]),)],
            ),
        ),
        lambda c: _do(c, ("DELETE FROM inquiry_attachments WHERE inquiry_id IN (SELECT id FROM inquiries)", [()])),
        lambda c: (c.logs / "access.log").write_text(""),
        lambda c: (c.logs / "access.log").write_text((c.logs / "access.log").read_text() * 2),
        lambda c: (c.logs / "new.log").write_text("a line nobody wrote\n"),
    ],
)
def test_each_single_harm_is_noticed(company: Company, harm: Callable[[Company], object]) -> None:
    before: Sight = look(company)
    _enforce(company)
    harm(company)
    assert mistakes(company, before, look(company)) != []
