"""A whole small installation for tests: settings, policies and state in a folder, records in memory, a clock in hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from retentiond.audit import Entry, ephemeral_handles, read_log, verify_log
from retentiond.engine.approval import approve_clock, approve_plan, approve_removal, approve_rule
from retentiond.engine.evidence import log_place, open_evidence, open_store_of
from retentiond.engine.explain import explain
from retentiond.engine.planfile import write_plan_file
from retentiond.engine.planning import plan_rules
from retentiond.engine.redoing import ReplayReport, replay
from retentiond.engine.registers import Registers, read_registers
from retentiond.engine.replay import ReplayPlan, plan_replay
from retentiond.engine.runner import run
from retentiond.engine.values import Fate, RunReport, StepResult
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.model.record import Target
from retentiond.settings import load_settings
from retentiond.store import ClockReading, Store
from retentiond.testing import MemoryStore, memory_connector

START = datetime(2026, 3, 1, 3, 17, tzinfo=UTC)

LEADS = Target("crm", "leads")

SETTINGS = """\
policies: policies
state: state
origin: bench.example/retentiond/test
batch_size: {batch_size}
{more}
systems:
  crm:
    connector: memory
    datasets:
      leads: {{dates: [created, closed], subjects: [email, customer]}}
      letters: {{dates: [written], copies: [backup], subjects: [email]}}
  shop:
    connector: other
    datasets:
      orders: {{dates: [ordered], identity: false}}
"""

RULE = """\
  - id: {id}
    data_kind: {{de: Erfundenes, en: things made up}}
    categories: [master-data]
    target: {{system: {system}, dataset: {dataset}}}
    starts: {starts}
    keep_at_least: {duty}
    {bounds}
    action: {action}
    limits: {limits}
    approval: {approval}
"""


def rule(
    name: str = "crm.leads",
    *,
    system: str = "crm",
    dataset: str = "leads",
    starts: str = "created",
    duty: str = "none",
    bounds: str = "delete_after: {period: P1Y, counted: day-end}",
    action: str = "delete",
    limits: str = "{records: 1000, share: 100%, undatable: 100%}",
    approval: str = "rule",
) -> str:
    """One rule in YAML."""
    return RULE.format(
        id=name,
        system=system,
        dataset=dataset,
        starts=starts,
        duty=duty,
        bounds=bounds,
        action=action,
        limits=limits,
        approval=approval,
    )


class Workbench:
    """The installation; everything is done at `now`, which stands still unless it is moved."""

    def __init__(self, folder: Path, *rules: str, batch_size: int = 4, more: str = "", basis: str = "law") -> None:
        self.folder = folder
        self.now = START
        self.boot = "boot-1"
        self.monotonic = 0.0
        self.slept: list[float] = []
        self.crm, self.shop = MemoryStore(), MemoryStore()
        self.basis = basis
        (folder / "policies").mkdir()
        self.write_rules(*rules)
        (folder / "settings.yaml").write_text(SETTINGS.format(batch_size=batch_size, more=more), encoding="utf-8")

    def write_rules(self, *rules: str) -> None:
        """Replace the policy."""
        head = (
            "policy: made-up\ntitle: {de: A, en: A}\npurpose: test\nbasis: [" + json.dumps(self.basis) + "]\nnotice: test\n"
            'zone: Europe/Berlin\nvalid_from: "1990-01-01"\nrules:\n'
        )
        (self.folder / "policies" / "made-up.yaml").write_text(head + "".join(rules or (rule(),)), encoding="utf-8")

    def workplace(self) -> Workplace:
        """Settings and policies as they are now."""
        available = {"memory": memory_connector(self.crm), "other": memory_connector(self.shop, name="other")}
        return read_workplace(load_settings(self.folder / "settings.yaml"), available)

    def later(self, span: timedelta) -> None:
        """Let time pass, on all clocks."""
        self.now += span
        self.monotonic += span.total_seconds()

    def reading(self) -> ClockReading:
        """What the clocks show."""
        return ClockReading(self.now, self.boot, self.monotonic)

    def lead(self, key: str, days_old: float | None, content: str = "content") -> None:
        """Put a lead into the CRM that was created so many days ago; None for nobody knows when."""
        created = None if days_old is None else self.now - timedelta(days=days_old)
        self.crm.put("leads", key, {"created": created}, content)

    def leads(self) -> set[str]:
        """The keys of the leads that are there."""
        return {key[0] for key in self.crm.keys("leads")}

    def approve(self, *names: str, by: str = "staff-1") -> None:
        """Give a person's word for rules, all of them where none is named."""
        workplace = self.workplace()
        with open_evidence(workplace.settings, self.now) as evidence:
            for one in workplace.chosen(names):
                approve_rule(workplace, evidence, one.rule.id, by, self.now)

    def approve_removal(self, name: str, by: str = "staff-1") -> None:
        """Give a person's word that a rule may be gone."""
        workplace = self.workplace()
        with open_evidence(workplace.settings, self.now) as evidence:
            approve_removal(workplace, evidence, name, by, self.now)

    def approve_plan(self, file: Path) -> None:
        """Let a plan be carried out."""
        workplace = self.workplace()
        with open_evidence(workplace.settings, self.now) as evidence:
            approve_plan(workplace, evidence, file, "staff-1", self.now)

    def approve_clock(self) -> None:
        """Say that the clock is right."""
        with open_evidence(self.workplace().settings, self.now) as evidence:
            approve_clock(evidence, self.reading(), "staff-1")

    def run(self, *only: str, stop: Callable[[], bool] = lambda: False) -> RunReport:
        """One run."""
        workplace = self.workplace()
        with open_evidence(workplace.settings, self.now) as evidence:
            return run(
                workplace,
                evidence,
                reading=self.reading(),
                trigger="command",
                clock=lambda: self.now,
                stop=stop,
                only=only,
                sleep=self.slept.append,
            )

    def replay(self, since: datetime, *datasets: str, system: str = "crm", most: int | None = None) -> ReplayReport:
        """Do again what a restore of a system to its state at `since` undid."""
        workplace = self.workplace()
        with open_evidence(workplace.settings, self.now) as evidence:
            return replay(
                workplace,
                evidence,
                system=system,
                backup_at=since,
                by="staff-1",
                reading=self.reading(),
                clock=lambda: self.now,
                datasets=datasets,
                most=most,
                sleep=self.slept.append,
            )

    def replay_plan(self, since: datetime, *datasets: str, system: str = "crm") -> ReplayPlan:
        """What a replay would do."""
        workplace = self.workplace()
        place = log_place(workplace.settings)
        return plan_replay(workplace, self.registers(), place, system, since, self.now, datasets=datasets)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """What survives a restart."""
        with open_store_of(self.workplace().settings) as store:
            yield store

    def registers(self) -> Registers:
        """What persons and registers say."""
        if not (self.folder / "state" / "state.db").exists():
            return Registers()  # a dry run needs no state
        with self.store() as store:
            return read_registers(store, [one.rule.id for one in self.workplace().assignments])

    def fate(self, key: str, target: Target = LEADS) -> Fate:
        """What the rule says about one record."""
        (fate,) = explain(self.workplace(), self.registers(), target, key, self.now)
        return fate

    def plan(self, as_of: datetime | None = None) -> Sequence[StepResult]:
        """The dry run."""
        return plan_rules(self.workplace(), self.registers(), ephemeral_handles(), as_of or self.now)

    def plan_file(self) -> Path:
        """The plan in a file."""
        file = self.folder / "plan.json"
        workplace = self.workplace()
        with open_evidence(workplace.settings, self.now) as evidence:
            registers = read_registers(evidence.store, [one.rule.id for one in workplace.assignments])
            write_plan_file(file, workplace, registers, evidence.log, self.now)
        return file

    def entries(self, kind: str | None = None) -> list[Entry]:
        """What the deletion log holds."""
        with read_log(log_place(self.workplace().settings)) as log:
            return list(log.entries(kind=kind))

    def said(self, key: str, target: Target | None = None) -> list[str]:
        """The outcomes that the log tells of one record, oldest first."""
        with read_log(log_place(self.workplace().settings)) as log:
            return [entry.fields["o"] for entry in log.find(target or Target("crm", "leads"), (key,))]

    def all_said(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """The outcomes that the log tells of each of several leads."""
        with read_log(log_place(self.workplace().settings)) as log:
            return {key: [entry.fields["o"] for entry in log.find(Target("crm", "leads"), (key,))] for key in keys}

    def problems(self) -> tuple[str, ...]:
        """What a verification of the log finds."""
        return verify_log(log_place(self.workplace().settings)).problems
