"""Somebody who never saw retentiond watches the whole job, and plays on with what it left behind."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.demo import Demo, played, start

from retentiond.cli.demo.folder import MARK


@pytest.fixture(scope="module")
def demo() -> Demo:
    demo = played()
    assert demo.status == 0, demo.stdout + demo.stderr
    return demo


def test_the_demo_tells_the_whole_story(demo: Demo) -> None:
    commands = [line.split("retentiond ", 1)[1] for line in demo.stdout.splitlines() if re.match(r"\$ .*retentiond ", line)]
    assert [command.split()[0] for command in commands] == [
        "check",
        "plan",
        "run",
        "explain",
        "approve",
        "plan",
        "approve",
        "run",
        "explain",
        "audit",
        "audit",
        "audit",
        "run",
        "status",
    ]
    assert "(exit status 4)" in demo.stdout
    assert "(exit status 5)" in demo.stdout
    assert "every record has the fate it was made for" in demo.stdout
    assert "nothing was due; 0 of 0 due records dealt with" in demo.stdout


def test_a_pipe_gets_neither_colours_nor_progress(demo: Demo) -> None:
    assert "\x1b" not in demo.stdout + demo.stderr
    assert not re.search(r"planning|\d+/\d+", demo.stderr)


def test_nothing_due_is_left_and_the_log_verifies(demo: Demo) -> None:
    plan = demo.json("plan")
    assert plan["totals"]["due"] == 0
    assert {step["approved"] for step in plan["steps"]} == {True}
    assert demo.json("audit", "verify")["trustworthy"] is True


def test_another_moment_moves_the_report(demo: Demo) -> None:
    later = demo.json("plan", "--as-of", "2060-01-01")
    assert later["as_of"] == "2060-01-01T00:00:00Z"
    assert later["totals"]["due"] > 1000
    assert demo.json("plan", "--as-of", "2000-01-01")["totals"]["due"] == 0


def test_one_records_fate_can_be_asked_for(demo: Demo) -> None:
    with closing(sqlite3.connect(demo.folder / "company.db")) as connection:
        (blocked,) = connection.execute(
            "SELECT number FROM invoices WHERE blocked = 1 ORDER BY blocked_at DESC LIMIT 1"
        ).fetchone()
        (undated,) = connection.execute("SELECT number FROM invoices WHERE issued_on IS NULL LIMIT 1").fetchone()
    fate = demo.json("explain", "company/invoices", blocked)["fates"][0]
    assert (fate["verdict"], fate["blocked"], fate["step"]) == ("must-keep", True, None)
    assert [bound["stage"] for bound in fate["bounds"]] == ["block_after", "keep_at_least"]
    assert demo.json("explain", "company/invoices", undated)["fates"][0]["verdict"] == "undatable"


def test_the_log_remembers_a_record_that_is_gone(demo: Demo) -> None:
    match = re.search(r"explain company/inquiries (\S+)", demo.stdout)
    assert match is not None
    answer = demo.json("explain", "company/inquiries", match[1])
    assert answer["fates"][0]["found"] is False
    assert [trace["outcome"]["fields"]["o"] for trace in answer["log"]] == ["pending-copies"]
    assert demo.json("audit", "show", "--record", "company/inquiries", match[1])["traces"] == answer["log"]


def test_the_log_lists_every_step_and_no_key(demo: Demo) -> None:
    entries = demo.json("audit", "list", "--limit", "0")["entries"]
    kinds = {entry["kind"] for entry in entries}
    assert {"log-start", "approval", "run-start", "plan", "intent", "outcome", "concluded", "run-end"} <= kinds
    assert [entry["index"] for entry in entries] == list(range(len(entries)))
    match = re.search(r"explain company/inquiries (\S+)", demo.stdout)
    assert match is not None
    assert match[1] not in demo.run("audit", "list", "--limit", "0", "--json")


def test_status_is_content_and_says_who_approved(demo: Demo) -> None:
    state = demo.json("status")
    assert (state["alive"], state["trustworthy"], state["problems"]) == (True, True, [])
    assert {rule["approved_by"] for rule in state["rules"]} == {"staff-17"}


def test_systems_lists_what_the_rules_govern(demo: Demo) -> None:
    found = {f"{one['system']}/{one['dataset']}": one["rules"] for one in demo.json("systems")["datasets"]}
    assert found["company/invoices"] == ["accounting.invoice"]
    assert all(found.values())


def test_a_folder_that_is_not_the_demos_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = start("demo", "--keep", str(tmp_path))
    assert done.returncode == 2
    assert "nothing was touched" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert not (tmp_path / MARK).exists()
