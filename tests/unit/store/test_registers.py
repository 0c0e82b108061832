"""Requests, suppressions, reviews, findings and attestations: the same promises on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retentiond.errors import StateError
from retentiond.model.circumstances import ReviewDecision, ReviewWord
from retentiond.model.record import Target
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject
from retentiond.store import Attestation, AttestationResult, FindingAge, Store, open_store

NOW = datetime(2026, 11, 24, 3, 17, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
LEADS = Target("crm", "leads")
CANARY = "canary-4711@secret.example"
PERSON = Subject("email", CANARY)
REQUEST = Request("r1", RequestKind.ERASURE, frozenset({PERSON}), NOW, RequestState.OPEN, "staff-1", "C-1")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> sa.URL | None:
    """None for SQLite in the state directory, or the URL of a fresh PostgreSQL database."""
    if request.param == "sqlite":
        return None
    found: sa.URL = request.getfixturevalue("postgresql")
    return found


@pytest.fixture
def store(tmp_path: Path, url: sa.URL | None) -> Iterator[Store]:
    with open_store(tmp_path / "state", url) as opened:
        yield opened


# --- requests


def test_a_request_comes_back_as_it_was_received(store: Store) -> None:
    second = replace(REQUEST, request="r2", persons=frozenset({PERSON, Subject("phone", "+49301")}), rules=frozenset({"b", "a"}))
    store.open_request(REQUEST)
    store.open_request(second)
    assert store.requests() == [REQUEST, second]


def test_a_decision_and_an_answer_are_kept_beside_the_request(store: Store) -> None:
    store.open_request(REQUEST)
    store.decide_request("r1", RequestState.GRANTED, NOW + DAY, "staff-2")
    store.answer_request("r1", NOW + 2 * DAY)
    assert store.requests() == [
        replace(
            REQUEST,
            state=RequestState.GRANTED,
            decided_at=NOW + DAY,
            decided_by="staff-2",
            answered_at=NOW + 2 * DAY,
        )
    ]


def test_a_request_that_is_not_there_is_neither_decided_nor_answered(store: Store) -> None:
    with pytest.raises(StateError, match="knows no request"):
        store.decide_request("r9", RequestState.GRANTED, NOW, "staff-2")
    with pytest.raises(StateError, match="knows no request"):
        store.answer_request("r9", NOW)


@pytest.mark.parametrize("blob", [b"", b"x" * 60])
def test_requests_that_cannot_be_opened_never_look_like_none(store: Store, blob: bytes) -> None:
    store.open_request(REQUEST)
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE requests SET persons = :blob"), {"blob": blob})
    with pytest.raises(StateError):
        store.requests()


def test_the_persons_of_one_request_cannot_be_put_into_another(store: Store) -> None:
    store.open_request(REQUEST)
    store.open_request(replace(REQUEST, request="r2", persons=frozenset({Subject("email", "b@c.example")})))
    with store._engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE requests SET persons = (SELECT o.persons FROM requests o WHERE o.request = 'r1') WHERE request = 'r2'"
            )
        )
    with pytest.raises(StateError):
        store.requests()


# --- the suppression list


def test_who_is_suppressed_stays_so_since_the_first_time(store: Store) -> None:
    assert store.suppressed(PERSON) is None
    store.suppress(PERSON, "C-1", NOW)
    store.suppress(PERSON, "C-2", NOW + DAY)
    assert store.suppressed(PERSON) == NOW
    assert store.suppressed(Subject("phone", PERSON.value)) is None


def test_a_new_consent_takes_a_person_off_the_list_and_one_given_before_the_objection_does_not(store: Store) -> None:
    store.suppress(PERSON, "C-1", NOW)
    assert not store.unsuppress(PERSON, NOW - DAY)
    assert store.suppressed(PERSON) == NOW
    assert store.unsuppress(PERSON, NOW + DAY)
    assert store.suppressed(PERSON) is None
    assert not store.unsuppress(PERSON, NOW + DAY)


def test_without_its_key_the_list_is_refused_instead_of_looking_empty(tmp_path: Path, url: sa.URL | None) -> None:
    state = tmp_path / "state"
    with open_store(state, url) as store:
        store.suppress(PERSON, "C-1", NOW)
    (state / "register.key").unlink()
    with open_store(state, url) as store:
        for ask in (
            lambda: store.suppressed(PERSON),
            lambda: store.suppress(PERSON, "C-1", NOW),
            lambda: store.unsuppress(PERSON, NOW),
        ):
            with pytest.raises(StateError, match=r"another `register\.key`"):
                ask()


# --- reviews


def _noted(store: Store, *keys: str, due: datetime = NOW) -> None:
    store.note_reviews("crm.lead", LEADS, [((key,), due) for key in keys], "sales", NOW)


def test_a_record_that_is_found_again_keeps_what_was_decided_and_proposed(store: Store) -> None:
    _noted(store, "a", "b")
    first, second = sorted(store.reviews(), key=lambda item: item.key)
    word = ReviewDecision(ReviewWord.KEEP, NOW + DAY, NOW + 9 * DAY, "C-1")
    store.propose_review(first.id, word, "staff-1")
    store.decide_review(second.id, replace(word, word=ReviewWord.DELETE, until=None), "staff-1", None)
    _noted(store, "a", "b", due=NOW + DAY / 2)
    first, second = sorted(store.reviews(), key=lambda item: item.key)
    assert (first.proposal, first.proposed_by, first.decision, first.waiting) == (word, "staff-1", None, True)
    assert second.decision is not None
    assert (second.decision.word, second.by, second.second_by, second.waiting) == (ReviewWord.DELETE, "staff-1", None, False)
    assert store.review_words("crm.lead") == {("b",): second.decision}
    assert store.review_words("other") == {}


def test_a_decision_settles_the_proposal(store: Store) -> None:
    _noted(store, "a")
    (item,) = store.reviews()
    word = ReviewDecision(ReviewWord.KEEP, NOW + DAY, NOW + 9 * DAY, "C-1")
    store.propose_review(item.id, word, "staff-1")
    store.decide_review(item.id, word, "staff-1", "staff-2")
    (item,) = store.reviews()
    assert (item.decision, item.by, item.second_by) == (word, "staff-1", "staff-2")
    assert (item.proposal, item.proposed_by) == (None, None)


def test_a_record_that_was_kept_waits_again_once_its_new_date_is_over(store: Store) -> None:
    _noted(store, "a")
    (item,) = store.reviews()
    store.decide_review(item.id, ReviewDecision(ReviewWord.KEEP, NOW, NOW + DAY, "C-1"), "staff-1", "staff-2")
    assert not store.reviews()[0].waiting
    _noted(store, "a", due=NOW + DAY)
    assert store.reviews()[0].waiting


def test_nothing_is_decided_about_a_review_that_is_not_there(store: Store) -> None:
    with pytest.raises(StateError, match="knows no review"):
        store.decide_review("00", ReviewDecision(ReviewWord.DELETE, NOW), "staff-1", None)


def test_closing_forgets_the_records_of_that_rule_and_no_others(store: Store) -> None:
    _noted(store, "a", "b")
    store.note_reviews("other", LEADS, [(("a",), NOW)], "sales", NOW)
    assert store.close_reviews("crm.lead", [("a",), ("z",)]) == 1
    assert sorted((item.rule, item.key) for item in store.reviews()) == [("crm.lead", ("b",)), ("other", ("a",))]


def test_a_key_may_be_any_text_that_a_file_system_allows(store: Store) -> None:
    key = ("a\udcff", "\x00", "")
    store.note_reviews("r", LEADS, [(key, NOW)], "o", NOW)
    (item,) = store.reviews()
    assert item.key == key


# --- ages of findings


def test_a_finding_keeps_its_first_day_and_is_forgotten_once_it_is_gone(store: Store) -> None:
    store.note_findings("r", "undatable", [("a",), ("b",)], NOW, whole=True)
    store.note_findings("r", "undatable", [("b",), ("c",)], NOW + DAY, whole=True)
    store.note_findings("r", "contested", [("a",)], NOW + DAY, whole=True)
    assert store.findings() == [FindingAge("r", "contested", 1, NOW + DAY), FindingAge("r", "undatable", 2, NOW)]
    store.note_findings("r", "undatable", [], NOW + 2 * DAY, whole=True)
    assert store.findings() == [FindingAge("r", "contested", 1, NOW + DAY)]


def test_what_was_looked_for_only_in_part_forgets_nothing(store: Store) -> None:
    store.note_findings("r", "undatable", [("a",)], NOW, whole=True)
    store.note_findings("r", "undatable", [("b",)], NOW + DAY, whole=False)
    assert store.findings() == [FindingAge("r", "undatable", 2, NOW)]


_SEEN = st.lists(st.tuples(st.sets(st.sampled_from("abcdef")), st.booleans()), max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(seen=_SEEN)
def test_the_ages_are_those_that_a_person_with_a_list_would_tell(
    tmp_path_factory: pytest.TempPathFactory, seen: list[tuple[set[str], bool]]
) -> None:
    listed: dict[str, datetime] = {}
    with open_store(tmp_path_factory.mktemp("state"), None) as store:
        for day, (keys, whole) in enumerate(seen):
            at = NOW + day * DAY
            store.note_findings("r", "undatable", [(key,) for key in sorted(keys)], at, whole=whole)
            listed = {key: listed.get(key, at) for key in keys | (set() if whole else listed.keys())}
            told = [FindingAge("r", "undatable", len(listed), min(listed.values()))] if listed else []
            assert store.findings() == told


# --- attestations


def test_of_each_rule_the_newest_attestation_is_told(store: Store) -> None:
    first = Attestation("b", AttestationResult.MET, "C-1", "staff-1", NOW, NOW + DAY)
    later = replace(first, result=AttestationResult.NOT_MET, at=NOW + DAY)
    other = replace(first, rule="a")
    for one in (first, later, other):
        store.attest(one)
    assert store.attestations() == [other, later]


# --- nothing can be read by others


def test_no_identifier_and_no_key_lies_in_the_state_in_plain_text(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with open_store(state, None) as store:
        store.open_request(REQUEST)
        store.suppress(PERSON, "C-1", NOW)
        store.note_reviews("r", LEADS, [((CANARY,), NOW)], "o", NOW)
        store.note_findings("r", "undatable", [(CANARY,)], NOW, whole=True)
        shown = repr((store.requests(), store.reviews()))
    kept = b"".join(file.read_bytes() for file in state.iterdir() if file.is_file())
    assert b"r1" in kept
    for part in (CANARY, "canary-4711", "secret.example"):
        assert part.encode() not in kept
        assert part not in shown
