"""The store in memory tells what was put there, as far as the data set is said to tell it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.connector import (
    Action,
    ConnectorError,
    Cutoff,
    Fact,
    Finding,
    Permit,
    Reader,
    RecordRef,
    Subject,
    Target,
)
from retentiond.testing import MemoryStore, memory_connector
from retentiond.testing.memory import Stored, fingerprint
from retentiond.testing.readonly import WriteAttemptedError, forbidden_connector, write_refusing_connector

LEADS = Target("crm", "leads")
AT = datetime(2020, 1, 1, tzinfo=UTC)
ANNA = Subject("email", "anna@person.example")
PHONE = Subject("phone", "+49305550199")
FACTS = st.dictionaries(
    st.sampled_from(["open", "year", "type"]), st.none() | st.booleans() | st.integers(0, 2) | st.text(max_size=2)
)
SUBJECTS = st.sets(st.builds(Subject, st.sampled_from(["email", "phone"]), st.sampled_from(["1", "2", "a@b"])))


def reader(store: MemoryStore, **options: Any) -> Reader:
    connector = memory_connector(store)
    return connector.reader(connector.connection(), connector.options.model_validate({"dates": ["created"], **options}), LEADS)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.put("leads", "a", {"created": AT}, facts={"open": True, "year": 2020}, subjects=[ANNA, PHONE], contested=True)
    store.put("leads", "b", {"created": AT}, subjects=[ANNA])
    return store


def told(store: MemoryStore, key: str, **options: Any) -> RecordRef:
    ref = reader(store, **options).explain((key,))
    assert ref is not None
    return ref


def test_a_record_tells_the_facts_and_persons_that_are_offered_and_no_others(store: MemoryStore) -> None:
    ref = told(store, "a", facts=["open", "closed"], subjects=["phone"])
    assert (dict(ref.facts), ref.subjects, ref.contested) == ({"open": True, "closed": None}, frozenset({PHONE}), True)
    bare = told(store, "a")
    assert (bare.facts, bare.subjects) == ({}, frozenset())


def test_a_record_about_several_persons_is_found_by_each(store: MemoryStore) -> None:
    there = reader(store, subjects=["email", "phone"])
    assert [ref.key for page in there.about(ANNA) for ref in page] == [("a",), ("b",)]
    assert [ref.key for page in there.about(PHONE) for ref in page] == [("a",)]


def test_a_kind_that_is_stored_and_not_offered_is_unknown(store: MemoryStore) -> None:
    with pytest.raises(ConnectorError, match=r"^This data set cannot be searched by phone\.$") as caught:
        reader(store, subjects=["email"]).about(PHONE)
    assert caught.value.code == "unsupported"


@given(FACTS, SUBJECTS, st.booleans(), FACTS, SUBJECTS, st.booleans())
def test_the_fingerprint_is_the_same_just_where_all_that_decides_is(
    facts: dict[str, Fact],
    whom: set[Subject],
    contested: bool,
    facts2: dict[str, Fact],
    whom2: set[Subject],
    contested2: bool,
) -> None:
    one = Stored({"created": AT}, facts=facts, subjects=whom, contested=contested)
    other = Stored({"created": AT}, facts=facts2, subjects=whom2, contested=contested2)
    # True is not 1 for whoever reads a rule, though Python says that it is: so the kind of each fact counts, too.
    same = (_typed(facts), whom, contested) == (_typed(facts2), whom2, contested2)
    assert (fingerprint(one) == fingerprint(other)) is same


def _typed(facts: dict[str, Fact]) -> dict[str, tuple[type, Fact]]:
    return {name: (type(fact), fact) for name, fact in facts.items()}


def test_no_search_is_led_by_a_date_that_is_worked_out(store: MemoryStore) -> None:
    there = reader(store, dates=["created", "last_heard"], computed=["last_heard"])
    with pytest.raises(ConnectorError) as caught:
        list(there.find(Cutoff("last_heard", AT, AT.date()), Action.DELETE))
    assert caught.value.code == "unsupported"
    assert [ref.key for page in there.undated(["last_heard"]) for ref in page] == [("a",), ("b",)]


def test_coverage_tells_what_the_store_was_told(store: MemoryStore) -> None:
    assert reader(store).coverage() == ()
    store.coverage_findings.append(Finding("The table letters of crm belongs to no data set. Give it one."))
    assert reader(store).coverage() == tuple(store.coverage_findings)
    there = reader(store)
    store.unreachable = ConnectorError("The store in memory is out of reach; it was told so.", "unavailable")
    with pytest.raises(ConnectorError):
        there.coverage()


def test_who_must_not_write_must_not_unblock_either(store: MemoryStore) -> None:
    ref = told(store, "a")
    refusing = write_refusing_connector(store).blocker
    assert refusing is not None
    with refusing(None, None, LEADS) as blocker, pytest.raises(WriteAttemptedError):
        blocker.unblock([ref], Permit("test.1", Action.UNBLOCK, LEADS, [ref]))
    forbidding = forbidden_connector(store).blocker
    assert forbidding is not None
    with pytest.raises(ConnectorError):
        forbidding(None, None, LEADS)
