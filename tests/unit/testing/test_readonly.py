"""A dry run does not even try to write: its connector would say so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond.connector import Connector
from retentiond.engine.values import Status
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.settings import load_settings
from retentiond.testing import memory_connector
from retentiond.testing.readonly import WriteAttemptedError, forbidden_connector, write_refusing_connector

BLOCKING = "block_after: {period: P1D, counted: day-end}\n    delete_after: {period: P1Y, counted: day-end}"


class Refusing(Workbench):
    """The installation of the engine's tests with a CRM that cannot be written to."""

    forbidden = False

    def workplace(self) -> Workplace:
        """Settings and policies with that connector."""
        crm: Connector = forbidden_connector(self.crm) if self.forbidden else write_refusing_connector(self.crm)
        available = {"memory": crm, "other": memory_connector(self.shop, name="other")}
        return read_workplace(load_settings(self.folder / "settings.yaml"), available)


@pytest.mark.parametrize("forbidden", [False, True])
@pytest.mark.parametrize("action", ["delete", "anonymize"])
def test_a_dry_run_tells_what_is_due_and_writes_nothing(tmp_path: Path, action: str, *, forbidden: bool) -> None:
    bench = Refusing(tmp_path, rule(action=action, bounds=BLOCKING))
    bench.forbidden = forbidden
    for number in range(8):
        bench.lead(f"lead-{number}", 100 * number)
    before = repr(bench.crm.datasets)
    for at in (bench.now, bench.now + timedelta(days=5000)):
        assert any(step.plan is not None and step.plan.due for step in bench.plan(at))
    bench.plan_file()
    assert repr(bench.crm.datasets) == before


def test_a_run_that_nobody_approved_writes_nothing(tmp_path: Path) -> None:
    bench = Refusing(tmp_path)
    bench.lead("old", 900)
    (step,) = bench.run().steps
    assert step.status is Status.REPORT
    assert bench.leads() == {"old"}


def test_a_write_would_have_been_noticed(tmp_path: Path) -> None:
    bench = Refusing(tmp_path)
    bench.lead("old", 900)
    bench.approve()
    assert [type(bug) for bug in bench.run().bugs] == [WriteAttemptedError]
    assert bench.leads() == {"old"}


def test_a_system_that_grants_no_right_to_act_fails_the_step(tmp_path: Path) -> None:
    bench = Refusing(tmp_path)
    bench.forbidden = True
    bench.lead("old", 900)
    bench.approve()
    (step,) = bench.run().steps
    assert step.status is Status.FAILED
    assert bench.leads() == {"old"}
