"""Every report says how far anchors reach, and what the rest is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from retentiond.anchor import Anchored, Coverage
from retentiond.cli.terminal import say
from retentiond.engine.anchoring import Anchoring, Handed
from retentiond.report.anchors import UNANCHORED, anchoring_json, anchoring_text, coverage_json, coverage_text

AT = datetime(2026, 11, 24, 3, 17, tzinfo=UTC)
FILE = Anchored("file", 1234, "ab" * 32, "cd" * 32, AT)


def test_a_log_that_is_not_anchored_says_so_and_what_it_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    say(coverage_text(Coverage(7, {})))
    told = " ".join(capsys.readouterr().out.split())
    assert "anchored: nothing; no checkpoint was handed to anybody outside, 7 entries" in told
    assert UNANCHORED in told
    assert coverage_json(Coverage(7, {}))["promise"] == UNANCHORED


def test_the_tail_is_what_came_after_the_newest_anchored_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    last = {
        "file": FILE,
        "mail": replace(FILE, type="mail", at=AT + timedelta(minutes=1)),
        "witness": replace(FILE, type="witness", size=900, at=AT - timedelta(days=1)),
    }
    found = Coverage(1237, last)
    say(coverage_text(found))
    told = " ".join(capsys.readouterr().out.split())
    assert "covered up to entry 1,233, anchored 2026-11-24 03:17:00 UTC by file, mail; 3 entries since" in told
    assert "nobody changes unnoticed" in told
    assert coverage_json(found) == {
        "anchored": True,
        "covered": 1234,
        "at": "2026-11-24T03:17:00Z",
        "types": ["file", "mail"],
        "since": 3,
        "promise": coverage_json(found)["promise"],
    }


def test_what_went_wrong_stands_first(capsys: pytest.CaptureFixture[str]) -> None:
    handed = (Handed("file", 9), Handed("mail", 9, "The anchor mail did not take the checkpoint. It cannot be reached."))
    done = Anchoring(handed, Coverage(12, {"file": replace(FILE, size=9)}))
    say(anchoring_text(done))
    assert capsys.readouterr().out.startswith("The anchor mail did not take the checkpoint.")
    assert [one["taken"] for one in anchoring_json(done)["handed"]] == [True, False]
