from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from retentiond.audit import Entry, Verification
from retentiond.cli.terminal import say
from retentiond.report.log import Trace, entries_text, entry_text, trace_text, verification_json, verification_text

AT = datetime(2026, 11, 24, 3, 17, tzinfo=UTC)
RUN = "75ab766d-2d83-422f-bd62-5f8ad7be042e"
INTENT = Entry(
    7,
    "intent",
    AT,
    {
        "batch": f"{RUN}.1",
        "run": RUN,
        "rule": "letter@0123456789abcdef",
        "action": "delete",
        "count": 2,
        "system": "office",
        "dataset": "letters",
    },
    b"{}",
)
OUTCOME = Entry(8, "outcome", None, {"i": 7, "n": 0, "o": "failed", "how": "none", "code": "referenced"}, b"{}")


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("intent", INTENT.fields, "batch 75ab766d….1: to delete 2 records of office/letters, rule letter"),
        ("outcome", OUTCOME.fields, "record 0 of entry 7: failed (referenced), by none"),
        ("concluded", {"batch": f"{RUN}.1", "counts": {"confirmed": 2, "failed": 0}}, "batch 75ab766d….1: confirmed 2"),
        ("concluded", {"batch": f"{RUN}.1", "counts": {}, "resolved": 1}, "nothing, looked up after a crash"),
        ("approval", {"subject": "rule letter", "decision": "approved", "by": "staff-1"}, "rule letter approved by staff-1"),
        ("run-start", {"run": RUN, "trigger": "schedule", "clock": "believed"}, "run 75ab766d… by schedule, clock believed"),
        ("run-end", {"run": RUN, "status": "done", "counts": {"due": 1}}, "run 75ab766d… done: due 1"),
        (
            "log-start",
            {"origin": "example.org/retentiond/x", "software": "retentiond 1"},
            "example.org/retentiond/x, retentiond 1",
        ),
        (
            "plan",
            {"rule": "letter@01", "action": "block", "system": "a", "dataset": "b", "counts": {"due": 3}},
            "letter: block in a/b: due 3",
        ),
        ("something-new", {"v": 2, "kind": "something-new", "what": "\x1b[2J"}, r"what \x1b[2J"),
    ],
)
def test_each_kind_of_entry_is_summed_up(
    kind: str, fields: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say(entries_text([Entry(3, kind, AT, fields, b"{}")]))
    assert words in " ".join(capsys.readouterr().out.split())


def test_one_entry_is_shown_with_all_its_fields_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    say(entry_text(Entry(3, "approval", AT, {"by": "staff-1"}, b'{"by":"staff-1"}\x1b')))
    told = capsys.readouterr().out
    assert "by: staff-1" in told
    assert '{"by":"staff-1"}\\x1b' in told


def test_a_trace_says_when_what_and_how_it_ended() -> None:
    told = trace_text(Trace(OUTCOME, INTENT))
    assert "2026-11-24 03:17:00 UTC: delete by rule letter@0123456789abcdef" in told
    assert "failed – not done (referenced); entry 8, intended in entry 7" in told


def test_a_log_in_order_says_what_is_not_signed_and_what_is_in_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    say(verification_text(Verification(10, "ab" * 32, 8, 2, 1, ())))
    told = capsys.readouterr().out
    assert "in order: 10 entries" in told
    assert "signed: 8; the next run signs the others" in told
    assert "in doubt: 1" in told


def test_a_log_out_of_order_says_so_first(capsys: pytest.CaptureFixture[str]) -> None:
    found = Verification(10, "ab" * 32, 8, 2, 1, ("Entry 3 is missing.",))
    say(verification_text(found))
    told = capsys.readouterr().out.splitlines()
    assert "NOT trustworthy" in told[0]
    assert "Entry 3 is missing." in told[1]
    assert verification_json(found)["trustworthy"] is False
