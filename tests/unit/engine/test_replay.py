"""What a restore brought back goes again, and nothing else does: strangers, held records and what nobody can tell stay."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.workbench import LEADS, START, Workbench, rule

from retentiond import failpoint as points
from retentiond.audit import verify_log
from retentiond.engine.evidence import log_place, open_evidence
from retentiond.engine.holding import place
from retentiond.engine.redoing import ReplayReport
from retentiond.engine.replay import Returned
from retentiond.engine.unblocking import unblock
from retentiond.engine.values import Status
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, GuardRefused
from retentiond.model.decision import Reason
from retentiond.model.hold import HoldKind, Scope
from retentiond.model.record import Action, OutcomeKind
from retentiond.testing.memory import Stored

DAY = timedelta(days=1)
BLOCKING = rule(
    duty="{class: none, period: P3Y, counted: day-end}",
    bounds="delete_after: {period: P1Y, counted: day-end}",
)
"""Blocked after a year, deleted after three."""


class Restored:
    """An installation whose CRM is put back to how it was at a moment of the past."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.taken: dict[str, dict[tuple[str, ...], Stored]] = {}
        self.since = bench.now

    def backup(self) -> None:
        """Copy the CRM; after that time passes."""
        self.taken, self.since = copy.deepcopy(self.bench.crm.datasets), self.bench.now
        self.bench.later(DAY)

    def restore(self) -> None:
        """Put it back."""
        self.bench.crm.datasets = copy.deepcopy(self.taken)
        self.bench.later(DAY)

    def replay(self, *, most: int | None = None) -> ReplayReport:
        """Do again what was undone."""
        return self.bench.replay(self.since, most=most)

    def plan(self, dataset: str = "leads") -> Returned:
        """What would be done again in one data set."""
        (found,) = self.bench.replay_plan(self.since, dataset).datasets
        return found


@pytest.fixture
def drill(tmp_path: Path) -> Restored:
    """Five leads that are due, five that are not; a backup, a run that deletes the due ones, and the restore."""
    drill = Restored(Workbench(tmp_path, rule()))
    for number in range(5):
        drill.bench.lead(f"old-{number}", 400 + number)
        drill.bench.lead(f"new-{number}", 30)
    drill.bench.approve()
    drill.backup()
    assert drill.bench.run().exit_status == 0
    drill.restore()
    return drill


OLD = {f"old-{number}" for number in range(5)}
NEW = {f"new-{number}" for number in range(5)}


def sound(bench: Workbench) -> None:
    """See that the log verifies whole, and that every `again` names a final outcome of the same record and action."""
    found = verify_log(log_place(bench.workplace().settings), full=True)
    assert (found.problems, found.open_batches) == ((), 0)
    entries = {entry.index: entry for entry in bench.entries()}
    for entry in entries.values():
        if entry.kind == "outcome" and "again" in entry.fields:
            before = entries[entry.fields["again"]]
            then, now = entries[before.fields["i"]].fields, entries[entry.fields["i"]].fields
            assert before.index < entry.index
            assert before.fields["o"] in {"confirmed", "pending-copies", "already-absent", "unverified"}
            assert (then["action"], then["rule"], then["dataset"]) == (now["action"], now["rule"], now["dataset"])


def hold(bench: Workbench, key: str) -> None:
    """Keep one lead from going."""
    kind, scope = HoldKind.LEGAL_CLAIM, Scope(system="crm", dataset="leads", key=(key,))
    with bench.store() as store:
        place(bench.workplace(), store, kind, scope, reason="case-1", owner="staff-2", by="staff-1", now=bench.now)


def test_what_was_deleted_and_came_back_is_deleted_again(drill: Restored) -> None:
    assert drill.bench.leads() == OLD | NEW
    report = drill.replay()
    assert (report.status, report.exit_status) == (Status.DONE, 0)
    assert drill.bench.leads() == NEW
    assert drill.bench.said("old-3") == ["confirmed", "confirmed"]
    sound(drill.bench)


def test_each_outcome_names_the_entry_by_which_the_record_was_dealt_with_before(drill: Restored) -> None:
    outcomes = drill.bench.entries("outcome")
    drill.replay()
    again = [entry.fields["again"] for entry in drill.bench.entries("outcome")[len(outcomes) :]]
    assert sorted(again) == [entry.index for entry in outcomes]


def test_the_log_tells_of_the_restore_and_of_the_word_before_anything_is_done(drill: Restored) -> None:
    before = len(drill.bench.entries())
    report = drill.replay()
    restore, approval, intent, *_ = drill.bench.entries()[before:]
    assert [restore.kind, approval.kind, intent.kind] == ["restore", "approval", "intent"]
    assert restore.fields["backup_at"] == f"{drill.since:%Y-%m-%dT%H:%M:%SZ}"
    assert (restore.fields["scope"], restore.fields["system"]) == ("system", "crm")
    assert restore.fields["counts"] == {"again": 5, "strangers": 0, "undecidable": 0, "held": 0}
    assert (approval.fields["subject"], approval.fields["by"]) == ("replay crm", "staff-1")
    assert approval.fields["digest"] == intent.fields["plan_digest"] == report.plan.digest
    assert drill.bench.entries("plan")[0].fields["rule"] == intent.fields["rule"]


def test_a_second_replay_finds_nothing(drill: Restored) -> None:
    drill.replay()
    assert drill.plan().counts == {"again": 0, "strangers": 0, "undecidable": 0, "held": 0}
    assert drill.replay().steps == ()
    sound(drill.bench)


def test_the_plan_changes_nothing(drill: Restored) -> None:
    before = drill.bench.entries()
    assert drill.plan().again == {Action.DELETE: 5}
    assert drill.bench.entries() == before
    assert drill.bench.leads() == OLD | NEW
    assert not list((drill.bench.folder / "state").glob(".replay*"))


def test_the_plan_is_the_same_each_time_and_another_after_a_change(drill: Restored) -> None:
    first, second = (drill.bench.replay_plan(drill.since).digest for _ in range(2))
    assert first == second
    stored = drill.bench.crm.get("leads", "old-1")
    assert stored is not None
    stored.version += 1
    assert drill.bench.replay_plan(drill.since).digest != first


def test_a_record_that_was_changed_before_it_went_is_known_by_what_never_changes(tmp_path: Path) -> None:
    drill = Restored(Workbench(tmp_path, rule()))
    drill.bench.lead("ann", 400)
    drill.bench.approve()
    drill.backup()
    stored = drill.bench.crm.get("leads", "ann")
    assert stored is not None
    stored.version += 1
    drill.bench.run()
    drill.restore()
    drill.replay(most=1)
    assert not drill.bench.leads()


def test_a_stranger_under_a_key_that_was_dealt_with_is_left_alone_and_reported(drill: Restored) -> None:
    drill.bench.lead("old-2", 500, "somebody else")
    assert drill.plan().counts == {"again": 4, "strangers": 1, "undecidable": 0, "held": 0}
    drill.replay()
    assert drill.bench.leads() == NEW | {"old-2"}
    assert drill.bench.crm.datasets["leads"][("old-2",)].content == "somebody else"


def test_without_an_identity_nobody_can_tell_and_nothing_is_done(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, rule("shop.orders", system="shop", dataset="orders", starts="ordered"))
    bench.shop.put("orders", "1", {"ordered": bench.now - 400 * DAY})
    bench.approve()
    taken, since = copy.deepcopy(bench.shop.datasets), bench.now
    bench.run()
    bench.shop.datasets = taken
    (found,) = bench.replay_plan(since, system="shop").datasets
    assert found.counts == {"again": 0, "strangers": 0, "undecidable": 1, "held": 0}
    bench.replay(since, system="shop")
    assert bench.shop.keys("orders") == {("1",)}


def test_a_hold_keeps_what_came_back(drill: Restored) -> None:
    hold(drill.bench, "old-4")
    assert drill.plan().kept == {Reason.HELD: 1}
    drill.replay()
    assert drill.bench.leads() == NEW | {"old-4"}
    sound(drill.bench)


def test_a_hold_that_is_placed_after_the_plan_counts_at_the_last_look(drill: Restored) -> None:
    def placed(name: str) -> None:
        if name == "replay-approved":
            hold(drill.bench, "old-4")

    points.hook = placed
    report = drill.replay()
    points.hook = lambda _name: None
    assert drill.bench.leads() == NEW | {"old-4"}
    (step,) = report.steps
    assert step.outcomes == {OutcomeKind.CONFIRMED: 4, OutcomeKind.HELD: 1}


def test_a_duty_that_came_since_keeps_what_came_back(drill: Restored) -> None:
    drill.bench.write_rules(rule(duty="{class: none, period: P9Y, counted: day-end}"))
    drill.bench.approve()
    assert drill.plan().kept == {Reason.DUTY_RUNNING: 5}
    drill.replay()
    assert drill.bench.leads() == OLD | NEW


def test_what_the_rule_would_not_ask_for_today_goes_again_for_the_act_was_lawful_then(drill: Restored) -> None:
    drill.bench.write_rules(rule(bounds="delete_after: {period: P9Y, counted: day-end}"))
    assert drill.bench.run().steps[0].plan is not None
    drill.replay()
    assert drill.bench.leads() == NEW


def test_what_was_done_before_the_backup_is_not_looked_for(drill: Restored) -> None:
    later = drill.bench.now
    drill.bench.lead("old-1", 500, "made anew since")
    (found,) = drill.bench.replay_plan(later, "leads").datasets
    assert found.counts == {"again": 0, "strangers": 0, "undecidable": 0, "held": 0}


def test_a_year_that_turned_in_between_does_not_hide_what_came_back(drill: Restored) -> None:
    drill.bench.later(365 * DAY)
    drill.bench.approve_clock()
    drill.replay()
    assert not drill.bench.leads() & OLD
    sound(drill.bench)


def test_blocked_unblocked_and_anonymized_records_are_so_again(tmp_path: Path) -> None:
    masking = rule("crm.letters", dataset="letters", starts="written", action="anonymize")
    drill = Restored(Workbench(tmp_path, BLOCKING, masking))
    bench = drill.bench
    bench.lead("blocked", 400)
    bench.lead("given-back", 400)
    bench.lead("young", 30)
    bench.crm.put("letters", "masked", {"written": bench.now - 400 * DAY}, "Dear Ann")
    bench.approve()
    drill.backup()
    bench.run()
    given_back = bench.crm.get("leads", "given-back")
    assert given_back is not None
    given_back.dates["created"] = bench.now - 30 * DAY
    with open_evidence(bench.workplace().settings, bench.now) as evidence:
        unblock(bench.workplace(), evidence, LEADS, "given-back", "staff-1", bench.now, lambda: bench.now)
    twin = copy.deepcopy(bench.crm.datasets)
    drill.restore()
    drill.taken["leads"][("given-back",)] = twin["leads"][("given-back",)]
    bench.crm.datasets = copy.deepcopy(drill.taken)
    bench.crm.datasets["leads"][("given-back",)].blocked = True
    report = drill.replay(most=9)
    assert {(step.action, step.done) for step in report.steps} == {(Action.UNBLOCK, 1), (Action.BLOCK, 1), (Action.ANONYMIZE, 1)}
    assert bench.crm.datasets == twin
    assert sum(one.acts for one in bench.replay_plan(drill.since).datasets) == 0
    sound(bench)


def test_delete_beats_all_that_was_done_before(tmp_path: Path) -> None:
    drill = Restored(Workbench(tmp_path, BLOCKING))
    drill.bench.lead("ann", 1000)
    drill.bench.approve()
    drill.backup()
    drill.bench.run()
    for _ in range(4):
        drill.bench.later(30 * DAY)
        drill.bench.run()
    assert drill.bench.said("ann") == ["confirmed", "confirmed"]
    drill.restore()
    assert drill.plan().again == {Action.DELETE: 1}
    drill.replay(most=1)
    assert not drill.bench.leads()


def test_more_than_the_limits_allow_needs_one_more_word(drill: Restored) -> None:
    drill.bench.write_rules(rule(limits="{records: 3, share: 100%, undatable: 100%}"))
    before = drill.bench.entries()
    with pytest.raises(GuardRefused, match="`--most 5`"):
        drill.replay()
    with pytest.raises(GuardRefused, match="allows 4"):
        drill.replay(most=4)
    assert [entry.kind for entry in drill.bench.entries()[len(before) :]] == []
    drill.replay(most=5)
    assert drill.bench.leads() == NEW


def test_a_clock_that_jumped_stops_a_replay(drill: Restored) -> None:
    drill.bench.later(timedelta(days=-30))
    with pytest.raises((GuardRefused, ConfigurationError)):
        drill.replay()
    assert drill.bench.leads() == OLD | NEW


def test_a_log_that_was_tampered_with_stops_a_replay(drill: Restored) -> None:
    url = f"sqlite:///{drill.bench.folder}/state/log.db"
    with sa.create_engine(url).begin() as connection:
        connection.execute(sa.text("UPDATE log_tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0"))
    with pytest.raises(AuditError):
        drill.replay()
    assert drill.bench.leads() == OLD | NEW


def test_a_system_that_cannot_be_read_is_told_and_nothing_is_done_there(drill: Restored) -> None:
    drill.bench.crm.unreachable = ConnectorError("The store in memory cannot be reached; it was told so.", "unavailable")
    report = drill.replay()
    assert report.exit_status == 4
    assert "cannot be reached" in report.plan.datasets[0].findings[0]


def test_a_data_set_whose_rule_is_gone_is_left_alone(tmp_path: Path) -> None:
    letters = rule("crm.letters", dataset="letters", starts="written")
    drill = Restored(Workbench(tmp_path, rule(), letters))
    drill.bench.crm.put("letters", "1", {"written": drill.bench.now - 400 * DAY})
    drill.bench.approve()
    drill.backup()
    drill.bench.run()
    drill.restore()
    drill.bench.write_rules(rule())
    with pytest.raises(GuardRefused, match="letters"):
        drill.replay()
    drill.bench.approve_removal("crm.letters")
    drill.bench.approve_removal("crm.letters", by="staff-2")
    drill.bench.later(8 * DAY)
    report = drill.replay()
    assert report.exit_status == 4
    assert report.plan.datasets[1].findings == (
        "No rule governs crm/letters any more, so nothing is done there. Restore its rule.",
    )
    assert drill.bench.crm.keys("letters") == {("1",)}


@pytest.mark.parametrize(
    ("system", "datasets", "since"),
    [("nowhere", [], START), ("crm", ["nothing"], START), ("crm", [], datetime(2999, 1, 1, tzinfo=UTC))],
)
def test_what_is_not_there_is_refused(drill: Restored, system: str, datasets: list[str], since: datetime) -> None:
    with pytest.raises(ConfigurationError, match="Nothing was done"):
        drill.bench.replay_plan(since, *datasets, system=system)


def test_outcomes_that_nothing_opens_any_more_are_counted(drill: Restored) -> None:
    with sa.create_engine(f"sqlite:///{drill.bench.folder}/state/log.db").begin() as connection:
        connection.execute(sa.text("DELETE FROM log_batches WHERE idx = (SELECT min(idx) FROM log_batches)"))
    assert drill.plan().lost == 4
    assert drill.plan().again == {Action.DELETE: 1}


class Died(BaseException):
    """Stands for `kill -9`: nothing in the program may catch it."""


def dying_at(point: str) -> Callable[[str], None]:
    def hook(name: str) -> None:
        if name == point:
            points.hook = lambda _name: None
            raise Died

    return hook


@pytest.mark.parametrize("point", ["replay-approved", "intended", "acted", "read-back", "concluded", "replayed"])
def test_a_replay_that_dies_is_finished_by_the_next_one(drill: Restored, point: str) -> None:
    first = [entry.index for entry in drill.bench.entries("outcome")]
    points.hook = dying_at(point)
    with pytest.raises(Died):
        drill.replay()
    drill.replay()
    assert drill.bench.leads() == NEW
    again = drill.bench.entries("outcome")[len(first) :]
    assert {entry.fields["again"] for entry in again if entry.fields["o"] != "failed"} >= set(first)
    sound(drill.bench)
