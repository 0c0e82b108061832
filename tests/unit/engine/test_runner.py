"""One run, from rules to entries, on records in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.workbench import Workbench, rule

from retentiond import failpoint as points
from retentiond.connector import Answer, Cutoff, How, Receipt, RecordRef
from retentiond.engine.evidence import open_evidence
from retentiond.engine.executor import Stand
from retentiond.engine.planfile import open_plan_file
from retentiond.engine.values import Status
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, OutcomeUnknownError, TransientConnectorError
from retentiond.model.record import Action, OutcomeKind, Presence, Target
from retentiond.store import Approval, PlanHeader
from retentiond.testing import When
from retentiond.testing.memory import MemoryDeleter, MemoryReader

DAY = timedelta(days=1)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """Ten leads that are due, ten that are not, one of which nobody knows how old it is; nothing approved."""
    made = Workbench(tmp_path)
    fill(made)
    return made


def fill(bench: Workbench) -> None:
    for number in range(10):
        bench.lead(f"old-{number}", 400 + number)
        bench.lead(f"new-{number}", 300 - number)
    bench.lead("undated", None)


def old(bench: Workbench) -> set[str]:
    return {key for key in bench.leads() if key.startswith("old")}


def lose_store(bench: Workbench) -> None:
    for file in (bench.folder / "state").glob("state.db*"):
        file.unlink()


class TestApproval:
    def test_a_store_that_was_lost_is_told_and_nothing_is_done_until_the_rule_is_approved_again(self, bench: Workbench) -> None:
        bench.approve()
        lose_store(bench)
        report = bench.run()
        assert (report.exit_status, report.steps[0].status) == (1, Status.FAILED)
        assert "lost or rolled back" in report.steps[0].reasons[0]
        assert bench.crm.acts == 0
        bench.approve()
        assert bench.run().exit_status == 0
        assert old(bench) == set()

    def test_a_store_that_was_lost_is_told_also_where_nothing_is_due(self, bench: Workbench) -> None:
        bench.approve()
        bench.run()
        lose_store(bench)
        assert bench.run().exit_status == 1

    def test_a_word_for_a_rule_that_somebody_put_into_the_store_is_none(self, bench: Workbench) -> None:
        digest = bench.plan()[0].rule_digest
        with open_evidence(bench.workplace().settings, bench.now) as evidence:
            evidence.store.approve(Approval("rule", "crm.leads", digest, "nobody", bench.now, None))
        report = bench.run()
        assert (report.exit_status, report.steps[0].status) == (1, Status.FAILED)
        assert bench.crm.acts == 0

    def test_a_word_for_a_plan_that_somebody_put_into_the_store_is_none(self, bench: Workbench) -> None:
        bench.write_rules(rule(approval="plan"))
        bench.approve()
        file = bench.plan_file()
        with open_evidence(bench.workplace().settings, bench.now) as evidence, open_plan_file(file) as planned:
            step, now = planned.headers[0], bench.now
            header = PlanHeader(step.digest, step.rule, step.rule_digest, step.action, now, now, now + DAY, step.counts)
            evidence.store.save_plan(header, planned.records(0))
            evidence.store.approve(Approval("plan", "crm.leads delete", step.digest, "nobody", now, now + DAY))
        assert bench.run().steps[0].status is Status.AWAITING
        assert bench.crm.acts == 0

    def test_the_log_is_told_once_by_which_version_a_run_goes_and_whether_it_may_act(self, bench: Workbench) -> None:
        bench.run()
        bench.run()
        bench.approve()
        bench.run()
        bench.run()
        bench.write_rules(rule(bounds="delete_after: {period: P11M, counted: day-end}"))
        bench.run()
        told = [(entry.fields["rule"].partition("@")[0], entry.fields["mode"]) for entry in bench.entries("policy")]
        assert told == [("crm.leads", "report"), ("crm.leads", "enforce"), ("crm.leads", "report")]
        assert len({entry.fields["digest"] for entry in bench.entries("policy")}) == 2

    def test_an_unapproved_rule_only_reports(self, bench: Workbench) -> None:
        report = bench.run()
        assert (report.exit_status, report.steps[0].status) == (4, Status.REPORT)
        assert "retentiond approve rule crm.leads" in report.steps[0].reasons[0]
        assert bench.crm.acts == 0

    def test_an_approved_rule_acts_and_a_second_run_finds_nothing_to_do(self, bench: Workbench) -> None:
        bench.approve()
        assert bench.run().exit_status == 0
        assert old(bench) == set()
        assert len(bench.leads()) == 11
        acts = bench.crm.acts
        second = bench.run()
        assert (second.exit_status, second.steps[0].plan and second.steps[0].plan.due) == (0, 0)
        assert bench.crm.acts == acts
        assert bench.problems() == ()

    def test_another_version_of_the_rule_needs_an_approval_of_its_own(self, bench: Workbench) -> None:
        bench.approve()
        bench.write_rules(rule(bounds="delete_after: {period: P11M, counted: day-end}"))
        assert bench.run().steps[0].status is Status.AWAITING
        assert bench.crm.acts == 0

    def test_a_new_title_needs_no_new_approval(self, bench: Workbench) -> None:
        bench.approve()
        bench.write_rules(rule() + "    note: only a note\n")
        assert bench.run().exit_status == 0

    def test_only_the_named_rules_run(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule(), rule("shop.orders", system="shop", dataset="orders", starts="ordered"))
        fill(bench)
        bench.approve()
        assert [step.rule for step in bench.run("shop.orders").steps] == ["shop.orders"]
        assert len(old(bench)) == 10

    def test_an_unknown_rule_is_told_with_the_known_ones(self, bench: Workbench) -> None:
        with pytest.raises(ConfigurationError, match=r"no rule crm\.lead; the rules are: crm\.leads"):
            bench.run("crm.lead")


class TestOutcomes:
    def test_a_record_of_unknown_age_is_never_touched(self, bench: Workbench) -> None:
        bench.approve()
        bench.later(5000 * DAY)
        bench.approve_clock()
        bench.run()
        assert bench.leads() == {"undated"}

    def test_copies_that_survive_are_never_passed_over(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule("crm.letters", dataset="letters", starts="written"))
        bench.crm.put("letters", "a", {"written": bench.now - 400 * DAY})
        bench.approve()
        bench.run()
        assert bench.said("a", Target("crm", "letters")) == ["pending-copies"]

    def test_a_store_that_says_deleted_of_what_is_still_there_is_not_believed(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.undying.add(("old-3",))
        report = bench.run()
        assert (report.exit_status, report.status) == (1, Status.INCOMPLETE)
        assert bench.said("old-3") == ["unverified"]
        assert bench.said("old-4") == ["confirmed"]

    def test_one_refused_record_does_not_stop_the_others(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.refusing.add(("old-3",))
        assert bench.run().exit_status == 1
        assert old(bench) == {"old-3"}
        assert bench.said("old-3") == ["failed"]
        bench.crm.refusing.clear()
        assert bench.run().exit_status == 0
        assert bench.said("old-3") == ["failed", "confirmed"]

    def test_a_record_that_changed_after_it_was_found_is_left_alone(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.before_act = lambda _refs: bench.lead("old-9", 1)
        assert bench.run().exit_status == 0
        assert old(bench) == {"old-9"}
        assert bench.said("old-9") == ["changed"]

    def test_a_record_that_is_called_changed_and_is_not_is_due_again_and_somebody_hears_of_it(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.approve()
        monkeypatch.setattr(MemoryDeleter, "_delete", lambda _self, refs: [Answer.changed() for _ in refs])
        report = bench.run()
        assert (report.exit_status, report.status) == (1, Status.INCOMPLETE)
        assert bench.said("old-9") == ["failed"]

    def test_a_record_that_is_called_gone_and_cannot_be_looked_for_is_due_again_and_somebody_hears_of_it(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.approve()
        bench.crm.unreadable = True
        monkeypatch.setattr(MemoryDeleter, "_delete", lambda _self, refs: [Answer.not_found() for _ in refs])
        assert bench.run().exit_status == 1
        assert bench.said("old-9") == ["failed"]

    def test_a_record_that_is_found_twice_is_dealt_with_once(self, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that answers for keys would acknowledge it twice, and the log would tell of more than was there."""
        bench.approve()
        honest = MemoryReader.find

        def twice(reader: MemoryReader, cutoff: Cutoff, awaiting: Action) -> Iterator[list[RecordRef]]:
            for page in honest(reader, cutoff, awaiting):
                yield [ref for ref in page for _ in range(2)]

        monkeypatch.setattr(MemoryReader, "find", twice)
        assert dict(bench.run().steps[0].outcomes) == {OutcomeKind.CONFIRMED: 10}

    def test_a_record_that_somebody_else_deleted_is_not_claimed_as_ours(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.before_act = lambda _refs: bench.crm.datasets["leads"].__delitem__(("old-9",))
        bench.run()
        assert bench.said("old-9") == ["already-absent"]

    def test_what_cannot_be_read_back_is_unverified(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.unreadable = True
        assert bench.run().exit_status == 1
        assert bench.said("old-9") == ["unverified"]

    def test_blocking_comes_before_deleting(self, tmp_path: Path) -> None:
        bounds = "block_after: {period: P1Y, counted: day-end}\n    delete_after: {period: P2Y, counted: day-end}"
        bench = Workbench(tmp_path, rule(bounds=bounds))
        for days in (300, 400, 800):
            bench.lead(str(days), days)
        bench.approve()
        report = bench.run()
        assert [(step.action, step.done) for step in report.steps] == [(Action.BLOCK, 1), (Action.DELETE, 1)]
        assert bench.leads() == {"300", "400"}
        assert {key[0] for key, stored in bench.crm.datasets["leads"].items() if stored.blocked} == {"400"}
        assert bench.run().exit_status == 0
        bench.later(366 * DAY)
        bench.approve_clock()
        bench.run()
        assert bench.said("400") == ["confirmed", "confirmed"]

    def test_anonymized_records_stay_and_are_not_found_again(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule(action="anonymize"))
        fill(bench)
        bench.approve()
        assert bench.run().steps[0].done == 10
        assert len(bench.leads()) == 21
        assert bench.run().steps[0].done == 0


class TestTrouble:
    def test_what_surely_did_not_happen_is_tried_again_with_patience(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.disturb(When.BEFORE, TransientConnectorError("busy"))
        bench.crm.disturb(When.BEFORE, TransientConnectorError("busy", retry_after=17))
        assert bench.run().exit_status == 0
        assert old(bench) == set()
        assert bench.slept[1:] == [17]

    @pytest.mark.parametrize("asked", [366 * 86_400, float("nan")])
    def test_a_system_that_asks_to_wait_for_ever_is_left_to_the_next_run(self, bench: Workbench, asked: float) -> None:
        bench.approve()
        bench.crm.disturb(When.BEFORE, TransientConnectorError("busy", retry_after=asked))
        assert bench.run().exit_status == 1
        assert bench.slept == []
        assert bench.said("old-9") == ["failed"]

    def test_a_wait_that_lies_in_the_past_is_none(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.disturb(When.BEFORE, TransientConnectorError("busy", retry_after=-5))
        assert bench.run().exit_status == 0
        assert bench.slept == [0.0]

    def test_a_system_that_stays_away_fails_and_is_due_again(self, bench: Workbench) -> None:
        bench.approve()
        for _ in range(20):
            bench.crm.disturb(When.BEFORE, TransientConnectorError("busy"))
        assert bench.run().exit_status == 1
        assert len(old(bench)) == 10
        assert bench.said("old-9") == ["failed"]

    @pytest.mark.parametrize(("when", "said"), [(When.AFTER, "already-absent"), (When.BEFORE, "failed")])
    def test_an_act_of_which_nobody_knows_is_looked_up_and_not_repeated(self, bench: Workbench, when: When, said: str) -> None:
        bench.approve()
        bench.crm.disturb(when, OutcomeUnknownError("no answer"))
        bench.run()
        assert bench.said("old-9") == [said]
        assert bench.problems() == ()

    def test_half_a_batch_is_told_record_by_record(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.disturb(When.HALF, OutcomeUnknownError("no answer"))
        bench.run()
        gone = {key for key in (f"old-{number}" for number in range(10)) if key not in bench.leads()}
        for number in range(10):
            said = bench.said(f"old-{number}")
            assert (f"old-{number}" in gone) == bool({"confirmed", "already-absent"} & set(said)), said

    def test_a_doubt_that_cannot_be_resolved_stays_and_blocks_new_work_there(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.disturb(When.AFTER, OutcomeUnknownError("no answer"))
        bench.crm.unreadable = True
        assert bench.run().exit_status == 1
        left = old(bench)
        assert len(left) == 6
        second = bench.run()
        assert second.exit_status == 1
        assert second.reconciled[0].unresolved
        assert "in doubt" in second.steps[0].reasons[0]
        assert old(bench) == left
        bench.crm.unreadable = False
        assert bench.run().exit_status == 0
        assert old(bench) == set()
        assert bench.said("old-9") == ["already-absent"]

    def test_a_system_that_cannot_be_reached_fails_alone(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule(), rule("shop.orders", system="shop", dataset="orders", starts="ordered"))
        fill(bench)
        bench.shop.put("orders", "a", {"ordered": bench.now - 400 * DAY})
        bench.approve()
        bench.crm.unreachable = ConnectorError("The CRM cannot be reached.", "unavailable")
        report = bench.run()
        assert [step.status for step in report.steps] == [Status.FAILED, Status.DONE]
        assert report.steps[0].reasons == ("The CRM cannot be reached.",)
        assert bench.shop.keys("orders") == set()

    def test_a_reason_for_a_failure_that_nobody_knows_fails_its_records_and_no_more(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.disturb(When.BEFORE, ConnectorError("The CRM is out of sorts.", "out-of-sorts"))
        assert bench.run().exit_status == 1
        assert (bench.said("old-9"), bench.said("old-1")) == (["failed"], ["confirmed"])

    @pytest.mark.parametrize("rows", [-1, 2**60])
    def test_a_number_of_rows_that_makes_no_sense_claims_nothing(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch, rows: int
    ) -> None:
        bench.approve()
        monkeypatch.setattr(MemoryDeleter, "_delete", lambda _self, refs: [Answer.done(How.RETURNING, rows) for _ in refs])
        assert bench.run().exit_status == 1
        assert bench.said("old-9") == ["failed"]

    def test_what_was_done_counts_although_the_session_cannot_be_ended(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.approve()

        def close(_self: MemoryDeleter) -> None:
            raise ConnectorError("The CRM does not let us go.")

        monkeypatch.setattr(MemoryDeleter, "close", close)
        report = bench.run()
        assert (report.exit_status, report.steps[0].done) == (1, 10)
        assert report.steps[0].reasons == ("The CRM does not let us go.",)
        assert bench.entries("run-end")[0].fields["counts"]["confirmed"] == 10

    def test_a_connector_that_ends_the_program_does_not_end_it_in_peace(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.approve()

        def count(_self: MemoryReader) -> int:
            raise SystemExit(0)

        monkeypatch.setattr(MemoryReader, "count", count)
        with pytest.raises(RuntimeError, match="tried to end the program"):
            bench.run()

    def test_a_bug_in_one_connector_keeps_no_other_rule_from_its_turn_and_ends_the_run_as_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        orders = rule("shop.orders", system="shop", dataset="orders", starts="ordered")
        bench = Workbench(tmp_path, rule(), orders)
        fill(bench)
        bench.shop.put("orders", "1", {"ordered": bench.now - 400 * DAY})
        bench.approve()
        real = MemoryReader.present

        def present(self: MemoryReader, refs: Sequence[RecordRef]) -> list[Presence]:
            if self._dataset == "leads":
                raise ZeroDivisionError(refs[0].key[0])
            return real(self, refs)

        monkeypatch.setattr(MemoryReader, "present", present)
        for _ in range(2):  # the second run cannot look up what the first left in doubt either
            report = bench.run()
            assert {type(bug) for bug in report.bugs} == {ZeroDivisionError}
            assert report.exit_status == 3
            assert bench.shop.keys("orders") == set()
        assert report.reconciled[0].unresolved == (
            "An interrupted batch of crm/leads cannot be looked up: a bug ended its look-up (ZeroDivisionError)."
        )
        assert bench.problems() == ()
        monkeypatch.undo()
        assert bench.run().exit_status == 0
        assert old(bench) == set()

    def test_too_many_failures_end_the_step(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, more="guards: {errors: 3}", batch_size=2)
        fill(bench)
        bench.approve()
        bench.crm.refusing = {(f"old-{number}",) for number in range(10)}
        report = bench.run()
        assert sum(report.steps[0].outcomes.values()) == 4
        assert "the rest was left alone" in report.steps[0].reasons[0]

    def test_a_run_that_is_told_to_stop_finishes_the_batch_in_hand(self, bench: Workbench) -> None:
        bench.approve()
        report = bench.run(stop=lambda: bench.crm.acts > 0)
        assert (report.exit_status, report.status) == (130, Status.INTERRUPTED)
        assert len(old(bench)) == 6
        assert bench.problems() == ()

    def test_a_run_that_is_told_to_stop_while_it_plans_begins_nothing(self, bench: Workbench) -> None:
        bench.approve()
        asked = iter([False])
        report = bench.run(stop=lambda: next(asked, True))
        assert (report.exit_status, report.status) == (130, Status.INTERRUPTED)
        assert (bench.crm.acts, bench.entries("plan")) == (0, [])

    def test_a_connector_that_answers_too_little_leaves_no_false_entry(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.approve()
        honest = bench.crm.disturbed
        monkeypatch.setattr(type(bench.crm), "disturbed", lambda _self, *act: honest(*act)[:-1])
        bench.run()
        assert bench.said("old-9") == ["already-absent"]


class Died(BaseException):
    """Stands for `kill -9`."""


def dying_at(bench: Workbench, monkeypatch: pytest.MonkeyPatch, point: str, occurrence: int = 1) -> None:
    """Run, and die when `point` is passed that often."""
    passed = []

    def die(name: str) -> None:
        passed.append(name)
        if name == point and passed.count(point) == occurrence:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(points, "hook", die)
        with pytest.raises(Died):
            bench.run()


PROVING = (How.RECEIPT, How.STORED_ANSWER)


class Noting(MemoryDeleter):
    """Keeps nothing in the store: what it noted before it acted is what proves it."""

    def prove(self, refs: Sequence[RecordRef], answers: Sequence[Answer]) -> None:
        del answers
        assert self.permit is not None
        numbers = [str(self.permit.numbers[ref.key]) for ref in refs]
        self.permit.note(" ".join([self.permit.items, *numbers]).encode())

    def receipts(self, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
        del batch
        told = [note.decode().split() for note in notes]
        return [Receipt(4, items, {int(n): Answer.done(How.XID) for n in numbers}) for items, *numbers in told]


class TestNotes:
    @pytest.fixture(autouse=True)
    def _noting(self, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("retentiond.testing.memory.MemoryDeleter", Noting)
        bench.approve()

    def test_what_was_noted_is_asked_for_when_the_answer_is_lost(self, bench: Workbench) -> None:
        bench.crm.disturb(When.AFTER, OutcomeUnknownError("no answer"))
        assert bench.run().steps[0].done == 10
        assert [entry.fields["how"] for entry in bench.entries("outcome")] == ["xid"] * 4 + ["returning"] * 6

    def test_what_was_noted_is_asked_for_after_a_crash(self, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
        dying_at(bench, monkeypatch, "acted")
        assert dict(bench.run().reconciled[0].outcomes) == {OutcomeKind.CONFIRMED: 4}


@pytest.mark.parametrize("how", PROVING)
class TestProof:
    @pytest.fixture(autouse=True)
    def _proving(self, bench: Workbench, how: How) -> None:
        bench.crm.proves = how
        bench.approve()

    def hows(self, bench: Workbench) -> list[tuple[str, str]]:
        return [(entry.fields["o"], entry.fields["how"]) for entry in bench.entries("outcome")]

    def test_an_act_whose_answer_is_lost_is_proven_and_confirmed(self, bench: Workbench, how: How) -> None:
        bench.crm.disturb(When.AFTER, OutcomeUnknownError("no answer"))
        report = bench.run()
        assert (report.exit_status, report.steps[0].done) == (0, 10)
        assert self.hows(bench) == [("confirmed", how.value)] * 4 + [("confirmed", "returning")] * 6
        assert bench.problems() == ()

    def test_an_act_that_a_crash_cut_off_is_proven_and_confirmed(
        self, bench: Workbench, how: How, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dying_at(bench, monkeypatch, "acted")
        report = bench.run()
        assert dict(report.reconciled[0].outcomes) == {OutcomeKind.CONFIRMED: 4}
        assert self.hows(bench)[:4] == [("confirmed", how.value)] * 4
        assert bench.problems() == ()

    @pytest.mark.parametrize("when", [When.BEFORE, When.UNDONE])
    def test_an_act_that_did_not_happen_is_not_attributed(self, bench: Workbench, when: When) -> None:
        bench.crm.disturb(when, OutcomeUnknownError("no answer"))
        assert bench.run().exit_status == 1
        assert bench.said("old-9") == ["failed"]

    def test_the_half_that_happened_is_told_from_the_half_that_did_not(self, bench: Workbench, how: How) -> None:
        bench.crm.disturb(When.HALF, OutcomeUnknownError("no answer"))
        bench.run()
        assert self.hows(bench)[:4] == [("confirmed", how.value)] * 2 + [("failed", "none")] * 2

    def test_what_somebody_else_deleted_meanwhile_is_not_claimed(self, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
        dying_at(bench, monkeypatch, "intended")
        bench.crm.datasets["leads"].clear()
        report = bench.run()
        assert dict(report.reconciled[0].outcomes) == {OutcomeKind.ALREADY_ABSENT: 4}
        assert report.steps[0].done == 0

    def test_an_attempt_that_was_undone_does_not_speak_for_the_next_one(self, bench: Workbench, how: How) -> None:
        bench.crm.disturb(When.UNDONE, TransientConnectorError("busy"))
        bench.crm.disturb(When.HALF, OutcomeUnknownError("no answer"))
        bench.run()
        assert self.hows(bench)[:4] == [("confirmed", how.value)] * 2 + [("failed", "none")] * 2

    def test_what_was_proven_and_is_there_again_is_unverified(self, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
        there = dict(bench.crm.datasets["leads"])
        dying_at(bench, monkeypatch, "acted")
        bench.crm.datasets["leads"].update(there)
        report = bench.run()
        assert dict(report.reconciled[0].outcomes) == {OutcomeKind.UNVERIFIED: 4}

    def test_held_records_of_a_batch_keep_the_numbers_of_the_others(
        self, bench: Workbench, how: How, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The act is on fewer records than the intent names; a receipt calls them as the intent does."""
        monkeypatch.setattr(
            "retentiond.engine.runner.look_again",
            lambda _store, _assignment, _action, refs, _now: [
                Stand.HELD if ref.key == ("old-8",) else Stand.FREE for ref in refs
            ],
        )
        bench.crm.disturb(When.AFTER, OutcomeUnknownError("no answer"))
        bench.run()
        assert bench.said("old-8") == ["held"]
        assert self.hows(bench)[:4] == [
            *(("confirmed", how.value), ("held", "none"), ("confirmed", how.value), ("confirmed", how.value))
        ]

    def test_receipts_are_forgotten_once_the_log_has_concluded(self, bench: Workbench) -> None:
        bench.run()
        assert bench.crm.receipts == []

    @pytest.mark.parametrize("point", ["acted", "concluded", "run-ended"])
    def test_receipts_that_a_crash_left_behind_go_with_the_next_run(
        self, bench: Workbench, point: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dying_at(bench, monkeypatch, point)
        bench.run()
        assert bench.crm.receipts == []

    def test_receipts_that_are_left_when_nothing_is_due_any_more_go_all_the_same(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dying_at(bench, monkeypatch, "concluded", 3)
        assert (old(bench), len(bench.crm.receipts)) == (set(), 1)
        assert bench.run().steps[0].outcomes == {}
        assert bench.crm.receipts == []

    def test_receipts_of_another_log_stay(self, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
        other = ("other.example/retentiond/other", "run.1", Receipt(1, "", {0: Answer.done(How.RETURNING)}))
        bench.crm.receipts.append(other)
        dying_at(bench, monkeypatch, "concluded")
        bench.run()
        assert bench.crm.receipts == [other]

    def test_the_receipt_of_a_batch_in_doubt_stays_until_it_is_resolved(
        self, bench: Workbench, how: How, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dying_at(bench, monkeypatch, "acted")
        bench.crm.unreadable = True
        assert bench.run().reconciled[0].unresolved
        assert len(bench.crm.receipts) == 1
        bench.crm.unreadable = False
        bench.run()
        assert self.hows(bench)[:4] == [("confirmed", how.value)] * 4


class TestGuards:
    def test_a_refusal_changes_nothing(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule(limits="{records: 9, share: 100%, undatable: 100%}"))
        fill(bench)
        bench.approve()
        report = bench.run()
        assert (report.exit_status, report.steps[0].status) == (4, Status.REFUSED)
        assert bench.crm.acts == 0

    def test_the_daily_cap_counts_across_runs_and_crashes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = Workbench(tmp_path, rule(limits="{records: 14, share: 100%, undatable: 100%}"))
        fill(bench)
        bench.approve()

        def die(name: str) -> None:
            if name == "concluded" and bench.crm.acts == 2:
                raise KeyboardInterrupt

        monkeypatch.setattr(points, "hook", die)
        with pytest.raises(KeyboardInterrupt):
            bench.run()
        monkeypatch.undo()
        for number in range(10, 15):
            bench.lead(f"old-{number}", 400)
        assert len(old(bench)) == 7
        assert "8 were done in the last 24 hours" in bench.run().steps[0].reasons[0]
        assert len(old(bench)) == 7
        bench.later(2 * DAY)
        assert bench.run().exit_status == 0

    def test_a_clock_set_back_stops_everything_until_a_person_says_it_is_right(self, bench: Workbench) -> None:
        bench.approve()
        bench.run()
        bench.lead("old-again", 400)
        bench.now -= 3 * DAY
        report = bench.run()
        assert report.exit_status == 4
        assert "set back" in report.steps[0].reasons[0]
        assert bench.run().exit_status == 4
        assert bench.leads() >= {"old-again"}
        bench.approve_clock()
        assert bench.run().exit_status == 0
        assert bench.run().exit_status == 0
        assert "old-again" not in bench.leads()

    def test_what_is_found_out_about_an_interrupted_batch_does_not_vouch_for_the_clock(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.approve()

        def die(name: str) -> None:
            if name == "acted":
                raise KeyboardInterrupt

        monkeypatch.setattr(points, "hook", die)
        with pytest.raises(KeyboardInterrupt):
            bench.run()
        monkeypatch.undo()
        bench.now -= 3 * DAY
        (step,) = bench.run().steps
        assert [reason for reason in step.reasons if "deletion log" in reason]

    def test_a_clock_that_leaped_ahead_deletes_nothing(self, bench: Workbench) -> None:
        bench.approve()
        bench.run()
        bench.now += 4000 * DAY
        assert bench.run().exit_status == 4
        assert len(bench.leads()) == 11

    def test_a_clock_that_leaped_ahead_before_the_first_run_deletes_nothing(self, bench: Workbench) -> None:
        bench.approve()
        bench.now += 4000 * DAY
        bench.boot = "boot-2"
        assert [bench.run().exit_status for _ in range(2)] == [4, 4]
        assert len(bench.leads()) == 21

    def test_a_persons_word_for_the_clock_says_nothing_about_the_time_before_it(self, bench: Workbench) -> None:
        """Given under a clock that was years ahead, it would otherwise stand for years once the clock is right again."""
        bench.approve()
        bench.run()
        bench.lead("old-again", 400)
        right = bench.now
        bench.now += 4000 * DAY
        bench.approve_clock()
        bench.now = right
        assert bench.run().exit_status == 4
        assert "old-again" in bench.leads()

    def test_a_system_whose_clock_contradicts_ours_is_left_alone(self, bench: Workbench) -> None:
        bench.approve()
        bench.crm.clock = bench.now - 700 * DAY
        assert bench.run().steps[0].status is Status.REFUSED
        assert bench.crm.acts == 0

    @pytest.mark.parametrize(
        "forged", ["CAST(replace(entries, 'staff-1', 'staff-2') AS BLOB)", "replace(entries, 'staff-1', 'staff-2')", "7", "x''"]
    )
    def test_a_log_that_does_not_verify_stops_everything(self, bench: Workbench, forged: str) -> None:
        bench.approve()
        with closing(sqlite3.connect(bench.folder / "state" / "log.db")) as database, database:
            database.execute(f"UPDATE log_bundles SET entries = {forged}")  # noqa: S608 - words of this test
        with pytest.raises(AuditError, match="deletion log"):
            bench.run()
        assert bench.crm.acts == 0


class TestPlans:
    def test_a_dry_run_changes_nothing_and_needs_no_state(self, bench: Workbench) -> None:
        (step,) = bench.plan()
        assert step.plan is not None
        assert (step.plan.population, step.plan.due, step.plan.undatable, sum(step.plan.kept.values())) == (21, 10, 1, 10)
        assert bench.crm.acts == 0
        assert not (bench.folder / "state").exists()

    def test_a_later_moment_finds_more(self, bench: Workbench) -> None:
        due = [step.plan.due for step in bench.plan(bench.now + 66 * DAY) if step.plan]
        assert due > [10]

    def test_a_rule_that_wants_plans_does_only_what_the_approved_one_names(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule(approval="plan"))
        fill(bench)
        bench.approve()
        assert bench.run().steps[0].status is Status.AWAITING
        bench.approve_plan(bench.plan_file())
        bench.lead("old-late", 500)
        bench.lead("old-1", 2000)
        report = bench.run()
        assert report.exit_status == 4
        assert old(bench) == {"old-late", "old-1"}
        assert "2 more records" in report.steps[0].reasons[0]

    def test_an_approved_plan_expires(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule(approval="plan"))
        fill(bench)
        bench.approve()
        bench.approve_plan(bench.plan_file())
        bench.later(31 * DAY)
        assert bench.run().steps[0].status is Status.AWAITING

    def test_an_approved_plan_outlives_the_turn_of_the_year(self, tmp_path: Path) -> None:
        """Handles hang on a key of their year; those in the plan are still those of its records."""
        bench = Workbench(tmp_path, rule(approval="plan"))
        bench.later(datetime(2026, 12, 30, tzinfo=UTC) - bench.now)
        fill(bench)
        bench.approve()
        bench.approve_plan(bench.plan_file())
        bench.later(3 * DAY)
        bench.run()
        assert old(bench) == set()

    def test_an_approved_plan_outlives_a_clock_that_leaped_ahead_for_a_while(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule(approval="plan"))
        fill(bench)
        bench.approve()
        bench.approve_plan(bench.plan_file())
        right = bench.now
        bench.now += 4000 * DAY
        bench.boot = "boot-2"
        assert bench.run().exit_status == 4
        bench.now = right
        bench.approve_clock()
        assert bench.run().exit_status == 0

    def test_a_plan_that_was_approved_under_a_clock_that_was_ahead_does_not_stand(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, rule(approval="plan"))
        fill(bench)
        bench.approve()
        right = bench.now
        bench.now += 4000 * DAY
        bench.approve_plan(bench.plan_file())
        bench.now = right
        bench.approve_clock()
        assert bench.run().steps[0].status is Status.AWAITING

    def test_a_plan_for_another_version_of_the_rule_is_refused(self, bench: Workbench) -> None:
        file = bench.plan_file()
        bench.write_rules(rule(bounds="delete_after: {period: P11M, counted: day-end}"))
        with pytest.raises(ConfigurationError, match="another version of rule"):
            bench.approve_plan(file)

    @pytest.mark.parametrize("damage", ["cut", "bit", "line", "empty"])
    def test_a_damaged_plan_file_is_refused(self, bench: Workbench, damage: str) -> None:
        file = bench.plan_file()
        text = file.read_text()
        lines = text.splitlines(keepends=True)
        damaged = {
            "cut": text[:-20],
            "bit": text.replace('"f":"', '"f":"A', 1),
            "line": "".join(lines[:1] + lines[2:]),
            "empty": "",
        }
        file.write_text(damaged[damage])
        with pytest.raises(ConfigurationError, match="Make it anew"):
            bench.approve_plan(file)

    def test_a_plan_file_names_no_record(self, bench: Workbench) -> None:
        assert "old-" not in bench.plan_file().read_text()
        assert bench.plan_file().stat().st_mode & 0o077 == 0


def test_no_key_is_ever_told(bench: Workbench) -> None:
    """Neither what a run reports nor what it keeps names a record."""
    bench.lead("canary@example.org", 700)
    bench.approve()
    bench.crm.refusing.add(("canary@example.org",))
    report = bench.run()
    assert "canary" not in repr(report)
    for file in (bench.folder / "state").rglob("*"):
        assert not file.is_file() or b"canary" not in file.read_bytes(), file.name
