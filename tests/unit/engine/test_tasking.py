"""How tasks stand is what their rules say: held, undated and unruled ones are told apart from those that wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond.engine.duties import duties_of
from retentiond.engine.tasking import Stage, Tasked, add_task, finish_task, tasked
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.errors import ConfigurationError
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.record import Target
from retentiond.report.duties import duties_problems, duties_text
from retentiond.report.tasks import tasks_text
from retentiond.settings import load_settings
from retentiond.testing import memory_connector
from retentiond_manual import connector

DAY = timedelta(days=1)
YEARLY = Target("finom", "yearly")
SYSTEM = """  finom:
    connector: manual
    connection: {{register: {folder}}}
    datasets:
      yearly: {{owner: books, instructions: Ask them., within: P14D, dates: [due_on, asked_on]}}
"""


class TaskBench(Workbench):
    """A workbench with a system that only persons reach."""

    def workplace(self) -> Workplace:
        available = {"memory": memory_connector(self.crm), "other": memory_connector(self.shop, name="other")}
        return read_workplace(load_settings(self.folder / "settings.yaml"), available | {"manual": connector})

    def tasked(self) -> Tasked:
        return tasked(self.workplace(), self.registers(), self.now)

    def stage(self) -> Stage:
        (one,) = self.tasked().tasks
        return one.stage

    def add(self, key: str = "a", **dates: date) -> None:
        add_task(self.workplace(), YEARLY, key, dates or {"due_on": date(2026, 2, 1)})

    def finish(self, key: str = "a", evidence: str = "C-1") -> None:
        with self.store() as store:
            finish_task(self.workplace(), store, YEARLY, key, evidence, "staff-1", self.now)


RULED = rule(
    "finom.yearly",
    system="finom",
    dataset="yearly",
    starts="due_on",
    bounds="delete_after: {period: P0D, counted: day-end}\n    requires: [{fact: done, is: true}]",
)


@pytest.fixture
def bench(tmp_path: Path) -> TaskBench:
    made = TaskBench(tmp_path, rule(), RULED)
    (tmp_path / "tasks").mkdir(mode=0o700)
    with (tmp_path / "settings.yaml").open("a") as file:
        file.write(SYSTEM.format(folder=tmp_path / "tasks"))
    return made


def test_a_task_waits_from_the_day_after_its_date_and_is_overdue_after_its_time(bench: TaskBench) -> None:
    bench.add(due_on=date(2026, 3, 1))
    told = [bench.stage()]
    for _ in range(15):
        bench.later(DAY)
        told.append(bench.stage())
    assert told == [Stage.TO_COME, *[Stage.WAITING] * 14, Stage.OVERDUE]


def test_a_task_without_the_date_that_decides_is_undated(bench: TaskBench) -> None:
    bench.add(asked_on=date(2026, 3, 1))
    assert bench.stage() is Stage.UNDATED


def test_a_task_that_no_rule_is_about_is_told_as_that(bench: TaskBench) -> None:
    bench.add()
    bench.write_rules(rule())
    assert bench.stage() is Stage.UNRULED
    bench.finish()
    assert bench.stage() is Stage.DONE


def test_a_held_task_waits_for_nobody_and_stays(bench: TaskBench) -> None:
    bench.add()
    bench.approve("finom.yearly")
    with bench.store() as store:
        scope = Scope(system="finom")
        hold = Hold("h1", HoldKind.LEGAL_CLAIM, scope, "C-1", "o", bench.now, "s", date(2030, 1, 1))
        store.place_hold(hold)
    assert bench.stage() is Stage.HELD
    bench.finish()
    bench.run()
    assert bench.stage() is Stage.DONE


def test_a_run_closes_what_a_person_said_and_leaves_what_nobody_said(bench: TaskBench) -> None:
    bench.add("a")
    bench.add("b")
    bench.approve("finom.yearly")
    bench.finish("a")
    report = bench.run("finom.yearly")
    (step,) = report.steps
    assert (step.done, dict(step.outcomes)) == (0, {"already-absent": 1})
    assert [one.task.ref.key for one in bench.tasked().tasks] == [("b",)]
    assert [entry.fields["how"] for entry in bench.entries("outcome")] == ["operator"]
    assert bench.problems() == ()


def test_the_log_is_told_of_a_word_before_the_register_and_never_of_its_key(bench: TaskBench) -> None:
    bench.add("a-name-4711")
    bench.finish("a-name-4711")
    bench.run()
    (entry,) = [one for one in bench.entries("approval") if one.fields["subject"] == "task finom/yearly"]
    assert (entry.fields["decision"], entry.fields["by"]) == ("done", "staff-1")
    assert "4711" not in str(entry.fields)
    assert "C-1" not in str(entry.fields)


def test_a_word_that_is_refused_leaves_no_entry(bench: TaskBench) -> None:
    bench.add()
    for key, evidence in (("b", "C-1"), ("a", "Anna Muster")):
        with pytest.raises(ConfigurationError):
            bench.finish(key, evidence)
    with bench.store() as store:
        assert store.pending() == []
    assert bench.stage() is Stage.OVERDUE


def test_what_waits_is_counted_and_what_cannot_be_read_is_trouble(bench: TaskBench) -> None:
    bench.add()
    with bench.store() as store:
        duties = duties_of(bench.workplace(), store, bench.now)
        assert (duties.tasks, duties.late_tasks) == (1, 1)
        assert any("1 task that only a person can do" in one for one in duties_problems(duties))
        assert "tasks that wait for their person: 1, overdue 1" in list(duties_text(duties, bench.now))
        (bench.folder / "tasks").rename(bench.folder / "elsewhere")
        duties = duties_of(bench.workplace(), store, bench.now)
        assert any("is not there" in one for one in duties_problems(duties))
    (step,) = bench.run("finom.yearly").steps
    assert step.status == "failed"


def test_a_key_cannot_move_the_cursor(bench: TaskBench) -> None:
    bench.add()
    (one,) = bench.tasked().tasks
    task = replace(one.task, owner="a\x1b[31m", instructions="b\x1b[2J")
    text = list(tasks_text(Tasked((replace(one, task=task),))))
    assert "\x1b" not in "".join(str(line) for line in text if isinstance(line, str))
