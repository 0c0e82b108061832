"""A looser version of a rule, or its removal, needs two persons and the cool-off; a tighter one needs nobody."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond.engine.values import Status, StepResult
from retentiond.errors import ConfigurationError

DAY = timedelta(days=1)
LOOSER = rule(bounds="delete_after: {period: P11M, counted: day-end}")
TIGHTER = rule(bounds="delete_after: {period: P2Y, counted: day-end}")
ORDERS = rule("shop.orders", system="shop", dataset="orders", starts="ordered")
LETTERS = rule("crm.letters", dataset="letters", starts="written")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """Three leads, of which one is due under the first version of the rule; that is approved."""
    made = Workbench(tmp_path)
    for key, days_old in (("old", 1000), ("year", 400), ("months", 350), ("new", 10)):
        made.lead(key, days_old)
    made.approve()
    return made


def step(bench: Workbench, name: str = "crm.leads") -> StepResult:
    (found,) = (one for one in bench.run().steps if one.rule == name)
    return found


def modes(bench: Workbench) -> list[str]:
    return [entry.fields["mode"] for entry in bench.entries("policy")]


def test_a_tighter_version_acts_without_a_word(bench: Workbench) -> None:
    bench.write_rules(TIGHTER)
    assert step(bench).status is Status.DONE
    assert bench.leads() == {"year", "months", "new"}
    assert modes(bench) == ["enforce"]


def test_back_to_what_was_approved_is_no_loosening_of_it(bench: Workbench) -> None:
    bench.write_rules(TIGHTER)
    bench.run()
    bench.write_rules(rule())
    assert step(bench).status is Status.DONE


def test_back_to_a_looser_version_after_a_tighter_one_was_approved_is_one(bench: Workbench) -> None:
    bench.later(DAY)
    bench.write_rules(TIGHTER)
    bench.approve()
    bench.write_rules(rule())
    assert step(bench).status is Status.AWAITING


def test_a_looser_version_waits_for_two_persons_and_the_cool_off(bench: Workbench) -> None:
    bench.write_rules(LOOSER)
    first = step(bench)
    assert first.status is Status.AWAITING
    assert "`delete_after` was P1Y day-end and is P11M day-end" in first.reasons[0]
    assert "two persons have to approve that" in first.reasons[0]
    bench.approve(by="staff-1")
    assert "a second person beside staff-1" in step(bench).reasons[0]
    bench.later(DAY)
    bench.approve(by="staff-2")
    cooling = step(bench)
    assert cooling.status is Status.AWAITING
    assert "staff-1 and staff-2 have approved that, and it counts from 2026-03-09 03:17 UTC on" in cooling.reasons[0]
    bench.later(7 * DAY - timedelta(seconds=1))
    assert step(bench).status is Status.AWAITING
    assert bench.crm.acts == 0
    bench.later(timedelta(seconds=1))
    assert step(bench).status is Status.DONE
    assert bench.leads() == {"new"}
    assert modes(bench) == ["report", "enforce"]
    assert bench.problems() == ()


def test_the_cool_off_is_that_of_the_settings(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, more="guards: {cool_off: PT2H}")
    bench.lead("months", 350)
    bench.approve()
    bench.write_rules(LOOSER)
    bench.approve(by="staff-1")
    bench.approve(by="staff-2")
    assert step(bench).status is Status.AWAITING
    bench.later(timedelta(hours=2))
    assert step(bench).status is Status.DONE


@pytest.mark.parametrize("others", [(), ("staff-2",)])
def test_the_same_person_twice_is_refused_and_nothing_is_recorded(bench: Workbench, others: tuple[str, ...]) -> None:
    bench.write_rules(LOOSER)
    bench.approve(by="staff-1")
    for other in others:
        bench.approve(by=other)
    before = len(bench.entries())
    with pytest.raises(ConfigurationError, match=r"already approved by staff-1.*nothing was recorded\.$"):
        bench.approve(by="staff-1")
    assert len(bench.entries()) == before


def test_what_was_said_before_a_version_came_into_force_says_nothing_about_a_later_one(bench: Workbench) -> None:
    """One person's word for a loosening of old does not become the first of two for the same loosening later."""
    bench.write_rules(LOOSER)
    bench.approve(by="staff-1")
    bench.later(DAY)
    bench.write_rules(TIGHTER)
    bench.approve(by="staff-3")
    bench.later(DAY)
    bench.write_rules(LOOSER)
    bench.approve(by="staff-2")
    bench.later(9 * DAY)
    found = step(bench)
    assert found.status is Status.AWAITING
    assert "beside staff-2" in found.reasons[0]


def test_a_word_of_a_clock_that_was_ahead_ends_no_cool_off(bench: Workbench) -> None:
    bench.write_rules(LOOSER)
    bench.approve(by="staff-1")
    bench.approve(by="staff-2")
    right = bench.now
    bench.now += 4000 * DAY
    bench.approve(by="staff-3")
    bench.now = right
    bench.approve_clock()
    assert step(bench).status is Status.AWAITING
    assert bench.crm.acts == 0


@pytest.mark.parametrize("forged", ["period", "digest"])
def test_a_version_that_somebody_changed_in_the_store_makes_nothing_tighter(bench: Workbench, forged: str) -> None:
    bench.write_rules(LOOSER)
    with closing(sqlite3.connect(bench.folder / "state" / "state.db")) as store, store:
        if forged == "period":
            ((text,),) = store.execute("select deciding from rule_versions").fetchall()
            deciding = json.loads(text)
            deciding["rule"]["delete_after"]["period"] = "P1M"
            store.execute("update rule_versions set deciding = ?", [json.dumps(deciding)])
        else:
            store.execute("update rule_versions set digest = ?", [bench.plan()[0].rule_digest])
    found = step(bench)
    assert found.status is Status.AWAITING
    assert "cannot be read any more" in found.reasons[0]
    assert bench.crm.acts == 0


def test_a_store_that_was_lost_does_not_bring_a_rule_back_to_its_beginning(bench: Workbench) -> None:
    for file in (bench.folder / "state").glob("state.db*"):
        file.unlink()
    bench.write_rules(LOOSER)
    bench.approve(by="staff-1")
    assert step(bench).status is Status.AWAITING
    assert bench.crm.acts == 0


class TestRemoval:
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Workbench:
        """Two rules on one system and one on another, all approved; the one about letters is then removed."""
        made = Workbench(tmp_path, rule(), LETTERS, ORDERS)
        made.lead("old", 1000)
        made.approve()
        made.write_rules(rule(), ORDERS)
        return made

    def test_everything_on_its_system_is_refused_until_two_persons_approved_it_and_the_cool_off_is_over(
        self, bench: Workbench
    ) -> None:
        refused = step(bench)
        assert refused.status is Status.REFUSED
        assert "Rule crm.letters was removed" in refused.reasons[0]
        assert "`retentiond approve removal crm.letters --by STAFF-ID`" in refused.reasons[0]
        assert step(bench, "shop.orders").status is Status.DONE
        bench.approve_removal("crm.letters", "staff-1")
        bench.approve_removal("crm.letters", "staff-2")
        assert step(bench).status is Status.REFUSED
        assert bench.crm.acts == 0
        bench.later(7 * DAY)
        assert step(bench).status is Status.DONE
        assert bench.leads() == set()

    def test_the_same_person_twice_is_refused(self, bench: Workbench) -> None:
        bench.approve_removal("crm.letters")
        with pytest.raises(ConfigurationError, match="already approved by staff-1"):
            bench.approve_removal("crm.letters")

    def test_the_removal_of_a_rule_that_is_there_or_never_was_cannot_be_approved(self, bench: Workbench) -> None:
        for name in ("crm.leads", "crm.nobody"):
            with pytest.raises(ConfigurationError, match=r"Removed ones are: crm\.letters"):
                bench.approve_removal(name)

    def test_a_rule_that_comes_back_is_in_force_as_before(self, bench: Workbench) -> None:
        bench.approve_removal("crm.letters")
        bench.write_rules(rule(), LETTERS, ORDERS)
        assert step(bench).status is Status.DONE

    def test_a_rule_that_comes_back_after_its_removal_was_in_force_is_new(self, bench: Workbench) -> None:
        bench.approve_removal("crm.letters", "staff-1")
        bench.approve_removal("crm.letters", "staff-2")
        bench.later(8 * DAY)
        bench.run()
        bench.write_rules(rule(), LETTERS, ORDERS)
        bench.crm.put("letters", "letter", {"written": bench.now - 1000 * DAY}, "content")
        assert step(bench, "crm.letters").status is Status.REPORT

    def test_a_new_name_is_a_removal_and_a_new_rule(self, bench: Workbench) -> None:
        bench.write_rules(rule(), rule("crm.post", dataset="letters", starts="written"), ORDERS)
        bench.approve("crm.post")
        bench.crm.put("letters", "letter", {"written": bench.now - 1000 * DAY}, "content")
        assert step(bench, "crm.post").status is Status.REFUSED
        assert bench.crm.acts == 0
