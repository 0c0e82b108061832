"""The published notice of the first user, all of its systems, one plan, one approval, one run: what becomes of every record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dovecot import Dovecot
from support.notice import Company, Servers, company
from support.services import Server


@pytest.fixture
def balanced_bytes(tmp_path: Path, postgresql_server: Server, dovecot: Dovecot) -> Iterator[Company]:
    with company(tmp_path, Servers(postgresql_server, dovecot)) as made:
        yield made


def test_one_plan_and_one_run_keep_every_promise_of_the_notice(balanced_bytes: Company, tmp_path: Path) -> None:
    office = balanced_bytes.office
    before = balanced_bytes.fates()
    office.run("approve", "rule", "--all", "--by", "staff-1")
    plan = str(tmp_path / "plan.json")
    office.run("plan", "-o", plan)
    assert balanced_bytes.fates() == before, "a dry run changed something"
    office.run("approve", "plan", plan, "--by", "staff-1")
    office.run("run")
    assert balanced_bytes.fates() == balanced_bytes.expected
    office.run("audit", "verify")
    live = {one["system"]: one for one in office.json("systems", "--live", status=1)["systems"]}
    assert set(live) == set(balanced_bytes.settings["systems"])
    for one in live.values():
        assert one["holder"], "nobody says whose it is"
        assert all(data["reachable"] and all(act["ready"] for act in data["permitted"]) for data in one["datasets"])
    (cdn,) = live["bunny-pull-zone"]["attestations"]
    assert (cdn["good"], cdn["by"]) == (True, "connector:rest")
    assert [one["name"] for one in live["openai"]["datasets"][0]["copies"]] == ["logs against abuse"]
    (task,) = (one for one in office.json("task", "list")["tasks"] if one["system"] == "finom")
    office.run("task", "done", "finom/copies", task["key"], "--evidence", "letter-7", "--by", "staff-2")
    again = office.json("run")
    assert [step["rule"] for step in again["steps"] if any(step["outcomes"].values())] == ["pay.finom-copies"]
    assert balanced_bytes.fates() == balanced_bytes.expected
