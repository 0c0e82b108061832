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
