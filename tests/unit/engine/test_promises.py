"""What must never happen, whatever happens: records come and change, time passes, the store lies, processes die.

The machine runs retentiond on a store in memory and keeps its own, independent account of what every record is.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from support import workbench
from support.workbench import Workbench

from retentiond import failpoint as points
from retentiond.connector import How
from retentiond.engine.evidence import open_evidence
from retentiond.engine.reconcile import tidy
from retentiond.errors import OutcomeUnknownError, TransientConnectorError
from retentiond.testing import When

BERLIN = ZoneInfo("Europe/Berlin")
CAP = 20
DAYS = 30
"""The rule of these tests: a duty to keep for 30 days, counted to the end of the day; then the record goes."""

RULE = workbench.rule(
    duty=f"{{class: none, period: P{DAYS}D, counted: day-end}}",
    bounds="delete_after: keep_at_least",
    limits=f"{{records: {CAP}, share: 100%, undatable: 100%}}",
)
KEYS = [f"lead-{number}" for number in range(30)]
AGES = st.one_of(st.none(), st.integers(-3, 29), st.integers(25, 60), st.integers(31, 60))
POINTS = ["run-started", "planned", "intended", "acted", "unknown", "read-back", "concluded", "run-ended", "resolve", "resolved"]


class Died(BaseException):
    """Stands for `kill -9`: nothing in the program may catch it."""


class Life(RuleBasedStateMachine):
    """One installation, through good and bad days."""

    @initialize(
        ages=st.lists(AGES, min_size=len(KEYS), max_size=len(KEYS)),
        proves=st.sampled_from([None, How.RECEIPT, How.STORED_ANSWER]),
    )
    def begin(self, ages: list[int | None], proves: How | None) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.bench = Workbench(self.folder, RULE, batch_size=3)
        self.bench.approve()
        self.bench.crm.proves = proves
        self.gone: list[tuple[str, datetime]] = []
        """What went while retentiond ran, and when."""
        self.at_rest = True
        self.somebody_makes_or_changes_records(dict(zip(KEYS, ages, strict=True)))

    def teardown(self) -> None:
        points.hook = lambda _name: None
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(ages=st.dictionaries(st.sampled_from(KEYS), AGES, min_size=3))
    def somebody_makes_or_changes_records(self, ages: dict[str, int | None]) -> None:
        for key, age in ages.items():
            self.bench.lead(key, age)

    @rule(key=st.sampled_from(KEYS))
    def somebody_else_deletes_a_record(self, key: str) -> None:
        self.bench.crm.datasets.get("leads", {}).pop((key,), None)

    @rule(days=st.integers(1, 20))
    def time_passes(self, days: int) -> None:
        self.bench.later(timedelta(days=days))

    @rule(when=st.sampled_from(When), transient=st.booleans())
    def the_next_act_is_disturbed(self, when: When, transient: bool) -> None:
        transient = transient and when in {When.BEFORE, When.UNDONE}
        self.bench.crm.disturb(when, TransientConnectorError("busy") if transient else OutcomeUnknownError("no answer"))

    @rule(refused=st.sampled_from(KEYS), undying=st.sets(st.sampled_from(KEYS), max_size=5), unreadable=st.booleans())
    def the_store_refuses_lies_or_cannot_be_read(self, refused: str, undying: set[str], unreadable: bool) -> None:
        self.bench.crm.refusing.add((refused,))
        if self.bench.crm.proves is None:  # a store that proves what it does, does what it says
            self.bench.crm.undying |= {(key,) for key in undying}
        self.bench.crm.unreadable = unreadable

    @rule()
    def all_trouble_ends(self) -> None:
        self.bench.crm.refusing.clear()
        self.bench.crm.undying.clear()
        self.bench.crm.unreadable = False

    @rule()
    def retentiond_runs(self) -> None:
        self._run(None, 0)

    @rule(point=st.sampled_from(POINTS), occurrence=st.integers(1, 3))
    def retentiond_runs_and_dies(self, point: str, occurrence: int) -> None:
        self._run(point, occurrence)

    @rule(point=st.sampled_from(["acted", "intended", "read-back"]), again=st.sampled_from(["resolve", "resolved"]))
    def retentiond_dies_and_dies_again_while_it_recovers(self, point: str, again: str) -> None:
        self._run(point, 1)
        self._run(again, 1)
        self._run(None, 0)

    def _run(self, point: str | None, occurrence: int) -> None:
        passed: Counter[str] = Counter()

        def hook(name: str) -> None:
            passed[name] += 1
            if name == point and passed[name] == occurrence:
                raise Died

        before = {key: dict(self.bench.crm.datasets["leads"][key].dates) for key in self.bench.crm.keys("leads")}
        points.hook = hook
        try:
            self.bench.run()
        except Died:
            self.at_rest = False
        else:
            self.at_rest = not self.bench.crm.unreadable
        finally:
            points.hook = lambda _name: None
        for key in before.keys() - self.bench.crm.keys("leads"):
            created = before[key]["created"]
            assert isinstance(created, datetime), "a record of unknown age was deleted"
            kept_until = (created.astimezone(BERLIN) + timedelta(days=DAYS + 1)).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            assert kept_until <= self.bench.now, "a record was deleted before its duty to be kept was over"
            self.gone.append((key[0], self.bench.now))
        self._never_more_than_the_cap()
        if self.at_rest:
            self._the_log_verifies_and_tells_the_truth()

    def _never_more_than_the_cap(self) -> None:
        for _, moment in self.gone:
            a_day = [when for _, when in self.gone if moment - timedelta(days=1) <= when <= moment]
            assert len(a_day) <= CAP, "more went in a day than the rule allows"

    def _the_log_verifies_and_tells_the_truth(self) -> None:
        assert self.bench.problems() == ()
        went = Counter(key for key, _ in self.gone)
        for key, said in self.bench.all_said(KEYS).items():
            assert said.count("confirmed") <= went[key], "the log says deleted of something that was not"
            claimed = sum(outcome in {"confirmed", "already-absent", "unverified"} for outcome in said)
            assert claimed >= went[key], "something went that the log does not tell"
            ours = sum(outcome in {"confirmed", "unverified"} for outcome in said)
            assert self.bench.crm.proves is None or ours == went[key], "what is proven to have gone by us is told otherwise"
        place = self.bench.workplace()
        with open_evidence(place.settings, self.bench.now) as evidence:
            tidy(evidence.log, place.targets, [])  # as the next session on the system does
        assert not self.bench.crm.receipts, "receipts are left of batches that are concluded"


def test_whatever_happens_the_promises_hold() -> None:
    """Runs the machine; its examples are few by default, since each is a whole life."""
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
        ),
    )
