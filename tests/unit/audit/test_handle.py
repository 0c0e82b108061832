"""Handles bind a record; the published vector comes out."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from retentiond.audit.handle import EpochKey, commitment, ephemeral_handles, lp, salt
from retentiond.model.record import RecordRef, Target

TARGET = Target("crm", "customer")
KEY = EpochKey("2026-1", bytes(range(32)))
RECORD = RecordRef(("4711",), identity=("2019-03-01T09:00:00Z",))


def test_the_commitment_of_the_vectors_comes_out() -> None:
    found = commitment(salt(bytes(range(0x20, 0x40)), 36), KEY.handle(TARGET, ("4711",)), KEY.identity(TARGET, RECORD))
    assert found.hex() == "6da5f9f89822ddf270af1103fb69446b84b712e979109e12e76068d185acf5a3"


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_no_two_lists_of_parts_look_alike(one: list[str], other: list[str]) -> None:
    assert (lp(*one) == lp(*other)) == (one == other)


def test_a_handle_differs_by_key_target_and_epoch_and_by_nothing_else() -> None:
    places = [Target("crm", "customer"), Target("crm", "lead"), Target("crmc", "ustomer")]
    keys = [("4711",), ("47", "11"), ("4711", ""), ("",), ()]
    epochs = [KEY, EpochKey("2027-1", bytes(32))]
    handles = {epoch.handle(place, key) for epoch, place, key in itertools.product(epochs, places, keys)}
    assert len(handles) == len(epochs) * len(places) * len(keys)
    assert KEY.handle(TARGET, ("4711",)) == EpochKey("other", bytes(range(32))).handle(TARGET, ("4711",))


_text = st.text(st.characters(codec=None, exclude_categories=[]), max_size=4)
_records = st.builds(
    RecordRef,
    key=st.lists(_text, max_size=3).map(tuple),
    fingerprint=st.text("0123456789abcdef", max_size=64),
    identity=st.lists(_text, max_size=2).map(tuple),
)


@given(st.lists(_records, max_size=5))
def test_many_are_named_like_each_alone(records: list[RecordRef]) -> None:
    alone = [KEY.handle(TARGET, ref.key) + KEY.fingerprint(TARGET, ref) for ref in records]
    assert KEY.named(TARGET, records) == alone


def test_a_file_name_that_is_no_utf_8_has_a_handle() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert KEY.handle(TARGET, (name,)) != KEY.handle(TARGET, ("caf",))


def test_a_fingerprint_differs_after_any_change_that_decides() -> None:
    before = KEY.fingerprint(TARGET, RecordRef(("4711",), fingerprint="aa"))
    assert before != KEY.fingerprint(TARGET, RecordRef(("4711",), fingerprint="bb"))
    assert before != KEY.fingerprint(TARGET, RecordRef(("4712",), fingerprint="aa"))
    assert len(before) == 32


def test_a_record_without_identity_has_an_empty_one() -> None:
    assert KEY.identity(TARGET, RecordRef(("4711",))) == b""


def test_ephemeral_handles_are_good_for_one_process_only() -> None:
    assert ephemeral_handles().handle(TARGET, ("4711",)) != ephemeral_handles().handle(TARGET, ("4711",))


def test_a_key_does_not_show_itself() -> None:
    assert str(KEY.secret) not in repr(KEY)
