"""What an outcome may claim."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.connector.api import Answer, Copy
from retentiond.engine.outcome import judge, judge_all, probed
from retentiond.model.record import RULED, Action, How, Outcome, OutcomeKind, Presence

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WISHED = {
    Action.DELETE: Presence.ABSENT,
    Action.BLOCK: Presence.BLOCKED,
    Action.ANONYMIZE: Presence.ANONYMIZED,
    Action.UNBLOCK: Presence.PRESENT,
}
SAID = Answer.done(How.OPERATOR)
ANSWERS = (Answer.done(How.RETURNING), Answer.not_found(), Answer.changed(), Answer.failed("referenced"), SAID)
SEEN: tuple[Presence | None, ...] = (*Presence, None)


@pytest.mark.parametrize(("action", "answer", "seen"), list(product(Action, ANSWERS, SEEN)))
def test_only_an_acknowledged_act_that_the_read_back_agrees_with_is_confirmed(
    action: Action, answer: Answer, seen: Presence | None
) -> None:
    outcome = judge(action, answer, seen, (), NOW)
    claims = outcome.kind in {OutcomeKind.CONFIRMED, OutcomeKind.PENDING_COPIES}
    assert claims == (answer == ANSWERS[0] and seen is WISHED[action])


@pytest.mark.parametrize(("action", "answer"), list(product(RULED, ANSWERS)))
def test_a_record_that_was_seen_untouched_is_never_called_gone(action: Action, answer: Answer) -> None:
    outcome = judge(action, answer, Presence.PRESENT, (), NOW)
    assert outcome.kind in {OutcomeKind.UNVERIFIED, OutcomeKind.CHANGED, OutcomeKind.FAILED}


_two_answers = st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=2)
_two_seen = st.lists(st.sampled_from(SEEN), min_size=1, max_size=2)


@given(st.data(), st.sampled_from(Action), _two_answers, _two_seen, st.sampled_from([(), (Copy("trash", timedelta(days=30)),)]))
def test_a_batch_is_judged_record_by_record(
    data: st.DataObject, action: Action, answers: list[Answer], seen: list[Presence | None], copies: tuple[Copy, ...]
) -> None:
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(answers), st.sampled_from(seen)), max_size=8))
    each = [judge(action, answer, presence, copies, NOW) for answer, presence in pairs]
    assert judge_all(action, [one for one, _ in pairs], [one for _, one in pairs], copies, NOW) == each


def test_a_delete_that_was_acknowledged_but_is_still_seen_is_unverified() -> None:
    assert judge(Action.DELETE, Answer.done(How.ROWCOUNT), Presence.PRESENT, (), NOW) == Outcome(
        OutcomeKind.UNVERIFIED, How.ROWCOUNT
    )


def test_what_is_not_found_but_was_not_looked_at_again_is_no_absence() -> None:
    assert judge(Action.DELETE, Answer.not_found(), None, (), NOW) == Outcome(OutcomeKind.FAILED, code="unreadable")


def test_a_refused_record_that_is_gone_all_the_same_is_called_absent_and_not_ours() -> None:
    assert judge(Action.DELETE, Answer.failed("referenced"), Presence.ABSENT, (), NOW) == Outcome(
        OutcomeKind.ALREADY_ABSENT, How.PROBE
    )


def test_surviving_copies_are_told_until_the_last_of_them_goes() -> None:
    copies = (Copy("trash", timedelta(days=30)), Copy("backup", timedelta(days=90)))
    outcome = judge(Action.DELETE, Answer.done(How.RESPONSE), Presence.ABSENT, copies, NOW)
    assert (outcome.kind, outcome.until) == (OutcomeKind.PENDING_COPIES, NOW + timedelta(days=90))


def test_a_copy_whose_life_nobody_knows_leaves_the_end_open() -> None:
    copies = (Copy("trash", timedelta(days=30)), Copy("backup", None))
    assert judge(Action.DELETE, Answer.done(How.RESPONSE), Presence.ABSENT, copies, NOW).until is None


def test_rows_that_went_along_are_told() -> None:
    assert judge(Action.DELETE, Answer.done(How.RETURNING, rows=7), Presence.ABSENT, (), NOW).rows == 7


@pytest.mark.parametrize("action", RULED)
def test_a_probe_claims_nothing_as_ours(action: Action) -> None:
    assert probed(action, WISHED[action]) == Outcome(OutcomeKind.ALREADY_ABSENT, How.PROBE)
    assert probed(action, Presence.PRESENT) == Outcome(OutcomeKind.FAILED, code="not-done")


@pytest.mark.parametrize("copies", [(), (Copy("trash", timedelta(days=30)),)])
def test_a_persons_word_is_never_told_as_our_act_or_as_confirmed(copies: tuple[Copy, ...]) -> None:
    assert judge(Action.DELETE, SAID, Presence.ABSENT, copies, NOW) == Outcome(OutcomeKind.ALREADY_ABSENT, How.OPERATOR)
    assert judge(Action.DELETE, SAID, Presence.PRESENT, copies, NOW) == Outcome(OutcomeKind.FAILED, code="not-done")
    assert judge(Action.DELETE, SAID, None, copies, NOW) == Outcome(OutcomeKind.FAILED, code="unreadable")
