"""A receipt tells of each record what was answered, in little room and without a key, and takes nothing for one that is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.connector import Action, Answer, How, Permit, RecordRef, Target, read_receipt, receipt_of, receipt_text
from retentiond.connector.api import MOST_ROWS
from retentiond.model.record import FAILURE_CODES

ANSWERS = st.one_of(
    st.builds(Answer.done, st.just(How.RECEIPT), st.none() | st.integers(1, MOST_ROWS - 1)),
    st.builds(Answer.failed, st.sampled_from(sorted(FAILURE_CODES))),
    st.just(Answer.not_found()),
    st.just(Answer.changed()),
)
BATCHES = st.dictionaries(st.integers(0, 999_999), ANSWERS, max_size=60)


@given(BATCHES)
def test_what_is_written_is_read_back(answers: dict[int, Answer]) -> None:
    assert read_receipt(receipt_text(answers), How.RECEIPT) == answers


@given(BATCHES, st.sampled_from([How.RECEIPT, How.XID, How.STORED_ANSWER]))
def test_done_is_known_by_whatever_proves_it_and_nothing_else_is(answers: dict[int, Answer], how: How) -> None:
    read = read_receipt(receipt_text(answers), how)
    assert all((answer.how is how) == (answers[number].how is How.RECEIPT) for number, answer in read.items())


@given(BATCHES)
def test_one_batch_has_one_text(answers: dict[int, Answer]) -> None:
    assert receipt_text(answers) == receipt_text(dict(reversed(answers.items())))
    assert receipt_text(answers).isascii()


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_what_is_no_receipt_is_refused_or_read_as_it_stands(text: str) -> None:
    try:
        answers = read_receipt(text, How.RECEIPT)
    except ValueError:
        return
    assert receipt_text(answers) == text


@pytest.mark.parametrize(
    "text",
    [
        '[["done","",0,"3-1"]]',
        '[["done","",0,"1,1"]]',
        '[["done","",0,"1"],["changed","",0,"1"]]',
        '[["done","",-1,"1"]]',
        '[["done","refused",0,"1"]]',
        '[["failed","no such word",0,"1"]]',
        '[["done","",0,"1-9999999"]]',
        '[["done","",0,"٣"]]',
        "[" * 100_000,
    ],
)
def test_what_nobody_would_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"receipt|batch|Answered|line"):
        read_receipt(text, How.RECEIPT)


def test_a_thousand_records_that_all_went_take_little_room() -> None:
    assert len(receipt_text(dict.fromkeys(range(1000), Answer.done(How.RETURNING)))) < 40


def test_a_receipt_calls_records_by_their_number_in_the_batch() -> None:
    refs = [RecordRef((key,)) for key in "abc"]
    permit = Permit("r.1", Action.DELETE, Target("s", "d"), refs, numbers=[7, 2, 9], count=12, items="ab")
    receipt = receipt_of(permit, refs[1:], [Answer.changed(), Answer.not_found()])
    assert (receipt.count, receipt.items, receipt.answers) == (12, "ab", {2: Answer.changed(), 9: Answer.not_found()})
