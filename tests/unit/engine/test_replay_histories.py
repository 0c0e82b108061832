"""Whatever happened and whenever the backup was made: after a replay the world is as if it had never been restored."""

from __future__ import annotations

import copy
import shutil
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from support import workbench
from support.workbench import LEADS, Workbench

from retentiond.audit import verify_log
from retentiond.engine.evidence import log_place, open_evidence
from retentiond.engine.holding import lift, place
from retentiond.engine.requesting import decide_request, lift_request, open_request
from retentiond.engine.unblocking import unblock
from retentiond.errors import ConfigurationError
from retentiond.model.hold import HoldKind, Scope
from retentiond.model.request import RequestKind, RequestState
from retentiond.model.subject import Subject
from retentiond.testing.memory import Stored

DAY = timedelta(days=1)
LEAD_RULE = workbench.rule(
    duty="{class: none, period: P60D, counted: day-end}", bounds="delete_after: {period: P30D, counted: day-end}"
)
"""Blocked after 30 days, deleted after 60."""
LETTER_RULE = workbench.rule(
    "crm.letters",
    dataset="letters",
    starts="written",
    bounds="delete_after: {period: P30D, counted: day-end}",
    action="anonymize",
)
KEYS = [f"key-{number}" for number in range(8)]
AGES = st.integers(0, 90)
World = dict[str, dict[tuple[str, ...], Stored]]


class Histories(RuleBasedStateMachine):
    """One installation, some of whose records are held, requested, given back; and then its CRM is restored."""

    @initialize(ages=st.lists(AGES, min_size=len(KEYS), max_size=len(KEYS)))
    def begin(self, ages: list[int]) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.bench = Workbench(self.folder, LEAD_RULE, LETTER_RULE, batch_size=3, basis="Art. 6(1)(f) GDPR")
        self.backups: list[tuple[datetime, World]] = []
        self.holds: list[str] = []
        self.requests: list[str] = []
        for key, age in zip(KEYS, ages, strict=True):
            self.somebody_makes_a_record(key, age)
        self.bench.approve()

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(key=st.sampled_from(KEYS), age=AGES)
    def somebody_makes_a_record(self, key: str, age: int) -> None:
        """Only where there is none: what somebody else takes away the log knows nothing of."""
        then, person = self.bench.now - age * DAY, Subject("email", f"{key}@canary.example")
        if self.bench.crm.get("leads", key) is None:
            self.bench.crm.put("leads", key, {"created": then}, subjects=[person])
        if self.bench.crm.get("letters", key) is None:
            self.bench.crm.put("letters", key, {"written": then}, subjects=[person])

    @rule(days=st.integers(1, 20))
    def time_passes(self, days: int) -> None:
        self.bench.later(days * DAY)

    @rule()
    def retentiond_runs(self) -> None:
        self.bench.approve_clock()
        self.bench.run()

    @rule(key=st.sampled_from(KEYS), dataset=st.sampled_from(["leads", "letters"]))
    def a_hold_is_placed(self, key: str, dataset: str) -> None:
        scope = Scope(system="crm", dataset=dataset, key=(key,))
        with self.bench.store() as store:
            if self.bench.crm.get(dataset, key) is not None:
                kind, now = HoldKind.LEGAL_CLAIM, self.bench.now
                placed = place(self.bench.workplace(), store, kind, scope, reason="c-1", owner="staff-2", by="staff-1", now=now)
                self.holds.append(placed.hold.hold)

    @precondition(lambda self: self.holds)
    @rule()
    def a_hold_is_lifted(self) -> None:
        with self.bench.store() as store:
            lift(self.bench.workplace(), store, self.holds.pop(), "staff-1", self.bench.now)

    @rule(key=st.sampled_from(KEYS), kind=st.sampled_from([RequestKind.ERASURE, RequestKind.RESTRICTION]))
    def a_person_asks(self, key: str, kind: RequestKind) -> None:
        person = Subject("email", f"{key}@canary.example")
        with self.bench.store() as store:
            if self.bench.crm.get("leads", key) is not None:
                made = open_request(
                    self.bench.workplace(), store, kind, [person], self.bench.now, "C-1", "staff-1", (), self.bench.now
                )
                if kind is RequestKind.ERASURE:
                    decide_request(store, made.request, RequestState.GRANTED, "staff-2", self.bench.now)
                self.requests.append(made.request)

    @precondition(lambda self: self.requests)
    @rule()
    def a_person_takes_it_back(self) -> None:
        with self.bench.store() as store:
            lift_request(store, self.requests.pop(), "staff-1", self.bench.now)

    @rule(key=st.sampled_from(KEYS))
    def a_record_is_given_back(self, key: str) -> None:
        with open_evidence(self.bench.workplace().settings, self.bench.now) as evidence:
            try:
                unblock(self.bench.workplace(), evidence, LEADS, key, "staff-1", self.bench.now, lambda: self.bench.now)
            except ConfigurationError:
                return

    @rule(key=st.sampled_from(KEYS))
    def a_restriction_comes_a_backup_is_made_and_the_restriction_ends(self, key: str) -> None:
        if self.bench.crm.get("leads", key) is not None:
            self.a_person_asks(key, RequestKind.RESTRICTION)
            self.retentiond_runs()
            self.a_backup_is_made()
            self.a_person_takes_it_back()
            self.a_record_is_given_back(key)

    @rule()
    def a_backup_is_made(self) -> None:
        self.backups.append((self.bench.now, copy.deepcopy(self.bench.crm.datasets)))
        self.bench.later(DAY)

    @precondition(lambda self: self.backups)
    @rule(strangers=st.sets(st.sampled_from(KEYS), max_size=3), which=st.integers(0, 10))
    def the_system_is_restored_and_replayed(self, strangers: set[str], which: int) -> None:
        since, backup = self.backups[which % len(self.backups)]
        twin = copy.deepcopy(self.bench.crm.datasets)
        self.bench.crm.datasets = copy.deepcopy(backup)
        self.bench.later(DAY)
        for name in strangers:
            self.bench.crm.put("leads", name, {"created": self.bench.now - 500 * DAY}, "a stranger")
        self.bench.approve_clock()
        self.bench.replay(since, most=1000)
        for dataset, records in backup.items():
            for key, before in records.items():
                if dataset == "leads" and key[0] in strangers:
                    assert self.bench.crm.datasets[dataset][key].content == "a stranger"
                    assert not self.bench.crm.datasets[dataset][key].blocked
                else:
                    self._check(dataset, key, before, twin[dataset].get(key))
        plan = self.bench.replay_plan(since)
        assert plan.counts["again"] == 0
        found = verify_log(log_place(self.bench.workplace().settings), full=True)
        assert (found.problems, found.open_batches) == ((), 0)
        # Time goes on as if nothing had happened: what was made meanwhile was lost, and is of no matter here.
        self.bench.crm.datasets = twin

    def _check(self, dataset: str, key: tuple[str, ...], before: Stored, never_restored: Stored | None) -> None:
        after = self.bench.crm.get(dataset, key)
        if never_restored is not None and never_restored.born != before.born:
            never_restored = None  # it went, and another one came under its key
        if after == never_restored:
            return
        if before.anonymized and after is not None and never_restored is not None:
            # Blocked after it was anonymized: that hides nothing, and is not done again.
            assert replace(after, blocked=never_restored.blocked) == never_restored
            return
        created = before.dates.get("created")
        if isinstance(created, datetime) and never_restored is not None and self.bench.now - created > 30 * DAY:
            # Given back in time, it would be blocked by the next run by now: then it stays blocked.
            assert after == replace(never_restored, blocked=True)
            return
        assert self._must_stay(dataset, key), "it is not as if it had never been restored, and nothing is in the way"
        assert after is not None
        assert (after.born, after.anonymized) == (before.born, before.anonymized)

    def _must_stay(self, dataset: str, key: tuple[str, ...]) -> bool:
        """True where a hold or a request that stands is about the record, by an account of its own."""
        with self.bench.store() as store:
            held = any(
                hold.lifted_at is None and (hold.scope.dataset, hold.scope.key) == (dataset, key) for hold in store.holds()
            )
            person = Subject("email", f"{key[0]}@canary.example")
            asked = any(
                person in one.persons and one.kind is RequestKind.RESTRICTION and one.state is not RequestState.REFUSED
                for one in store.requests()
            )
        return held or asked


@pytest.mark.timeout(1800)
def test_after_a_replay_the_world_is_as_if_it_had_never_been_restored() -> None:
    patient = settings(
        max_examples=10,
        stateful_step_count=20,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink such a history takes longer than to read it
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(Histories, settings=patient)
