"""What is attributed to us after a lost answer: what a receipt of this very batch proves, and nothing more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.audit import Intent, OpenBatch
from retentiond.connector.api import Answer, Answered, Copy, Receipt
from retentiond.engine.attribution import attributed, resolved
from retentiond.engine.outcome import probed
from retentiond.model.record import RULED, Action, How, Outcome, OutcomeKind, Presence, RecordRef

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS = "ab" * 32
INTENT = Intent("run", "rule@0", "d", "p", "crm", "leads", Action.DELETE, NOW)
BATCH = OpenBatch("run.1", 0, INTENT, tuple(RecordRef((str(n),)) for n in range(6)), b"salt", items=ITEMS)

PROVEN = st.sampled_from([How.RECEIPT, How.XID, How.STORED_ANSWER])
ANSWERS = st.one_of(
    PROVEN.map(Answer.done), st.just(Answer.not_found()), st.just(Answer.changed()), st.just(Answer.failed("referenced"))
)
NUMBERED = st.dictionaries(st.integers(0, 5), ANSWERS)
DONE = Answer.done(How.RECEIPT)


@given(NUMBERED)
def test_a_receipt_of_the_batch_proves_what_it_tells(answers: dict[int, Answer]) -> None:
    assert attributed(BATCH, [Receipt(6, ITEMS, answers)]) == answers


@given(NUMBERED, st.integers(0, 9).filter(lambda count: count != 6), st.text().filter(lambda items: items != ITEMS))
def test_a_receipt_with_another_count_or_digest_proves_nothing(answers: dict[int, Answer], count: int, items: str) -> None:
    assert attributed(BATCH, [Receipt(count, ITEMS, answers), Receipt(6, items, answers)]) == {}


@given(st.lists(NUMBERED, max_size=4))
def test_what_was_done_in_one_part_stays_done_whatever_another_part_says(parts: list[dict[int, Answer]]) -> None:
    proven = attributed(BATCH, [Receipt(6, ITEMS, part) for part in parts])
    done = {number for part in parts for number, answer in part.items() if answer.said is Answered.DONE}
    assert {number for number, answer in proven.items() if answer.said is Answered.DONE} == done
    assert proven.keys() == {number for part in parts for number in part}


def test_without_receipts_or_a_digest_nothing_is_proven() -> None:
    assert attributed(BATCH, None) == attributed(BATCH, []) == {}
    old = OpenBatch("run.1", 0, INTENT, BATCH.records, b"salt")
    assert attributed(old, [Receipt(6, "", {0: DONE})]) == {}


@pytest.mark.parametrize("how", sorted(set(How) - {How.RECEIPT, How.XID, How.STORED_ANSWER}))
def test_what_cannot_prove_an_earlier_act_is_not_taken_for_proof(how: How) -> None:
    assert attributed(BATCH, [Receipt(6, ITEMS, {0: Answer.done(how)})]) == {}


@pytest.mark.parametrize("answer", [Answer.done(How.RECEIPT, -1), Answer.done(How.RECEIPT, 2**60), Answer.failed("Erika")])
def test_a_receipt_that_the_log_could_not_take_proves_nothing(answer: Answer) -> None:
    assert attributed(BATCH, [Receipt(6, ITEMS, {0: answer})]) == {}


@pytest.mark.parametrize("number", [-1, 6])
def test_a_record_that_the_batch_does_not_have_is_not_attributed(number: int) -> None:
    assert attributed(BATCH, [Receipt(6, ITEMS, {number: DONE})]) == {}


@given(st.sampled_from(list(Action)), ANSWERS, st.sampled_from(list(Presence)))
def test_only_what_is_proven_and_seen_is_confirmed(action: Action, answer: Answer, seen: Presence) -> None:
    outcome = resolved(action, answer, seen, (), NOW)
    wished = {
        Action.DELETE: Presence.ABSENT,
        Action.BLOCK: Presence.BLOCKED,
        Action.ANONYMIZE: Presence.ANONYMIZED,
        Action.UNBLOCK: Presence.PRESENT,
    }[action]
    assert (outcome.kind is OutcomeKind.CONFIRMED) == (answer.said is Answered.DONE and seen is wished)
    if answer.said is Answered.DONE:
        assert outcome == Outcome(OutcomeKind.CONFIRMED if seen is wished else OutcomeKind.UNVERIFIED, answer.how)


@given(st.sampled_from(RULED), st.sampled_from(list(Presence)))
def test_what_no_receipt_tells_is_what_a_look_tells(action: Action, seen: Presence) -> None:
    assert resolved(action, None, seen, (), NOW) == probed(action, seen)


def test_what_was_not_there_and_is_now_was_not_done() -> None:
    assert resolved(Action.DELETE, Answer.not_found(), Presence.PRESENT, (), NOW) == Outcome(OutcomeKind.FAILED, code="not-done")
    assert resolved(Action.DELETE, Answer.not_found(), Presence.ABSENT, (), NOW) == Outcome(
        OutcomeKind.ALREADY_ABSENT, How.NOT_FOUND
    )


def test_copies_that_outlive_a_proven_act_are_told_no_earlier_than_it_can_have_been() -> None:
    outcome = resolved(Action.DELETE, DONE, Presence.ABSENT, (Copy("backup", timedelta(days=30)),), NOW)
    assert outcome == Outcome(OutcomeKind.PENDING_COPIES, How.RECEIPT, until=NOW + timedelta(days=30))
