"""Holds, tax years and entries for the log: the same promises on SQLite and on PostgreSQL, and unreadable is never empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retentiond.errors import StateError
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.subject import Subject
from retentiond.model.tax import TaxYear
from retentiond.store import Entry, Store, open_store
from retentiond.store.tables import holds, tax_years

NOW = datetime(2026, 11, 24, 3, 17, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
CANARY = "canary-4711@secret.example"
SCOPE = Scope(system="crm", dataset="leads", key=(CANARY, "2"), person=Subject("email", CANARY))
HOLD = Hold("h1", HoldKind.INCIDENT, SCOPE, "INC-1", "staff-1", NOW, "staff-2", date(2026, 12, 24), NOW + 180 * DAY)
ENTRY = Entry("hold", NOW, {"hold": "h1", "type": "incident", "op": "placed", "scope_digest": "00", "by": "staff-2"})


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


days = st.dates(date(1977, 1, 1), date(2100, 1, 1))
words = st.text(min_size=1, max_size=20)
scopes = st.builds(
    Scope,
    system=st.none() | words,
    dataset=st.none() | words,
    rule=st.none() | words,
    key=st.none() | st.lists(words, min_size=1, max_size=3).map(tuple),
    person=st.none() | st.builds(Subject, words, words),
    fact=st.none() | st.tuples(words, st.none() | st.booleans() | st.integers(-(2**60), 2**60) | words),
    date_name=st.none() | words,
    since=st.none() | days,
    until=st.none() | days,
)


def test_holds_come_back_as_they_were_placed_in_the_order_they_were_placed(store: Store) -> None:
    other = replace(HOLD, hold="h0", kind=HoldKind.LEGAL_CLAIM, scope=Scope(rule="crm.leads"), expires=None)
    store.place_hold(HOLD)
    store.place_hold(other)
    assert store.holds() == [HOLD, other]


@given(scope=scopes)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_whatever_a_hold_is_about_comes_back(tmp_path: Path, scope: Scope) -> None:
    with open_store(tmp_path / "state", None) as store:
        placed = replace(HOLD, hold=f"h{len(store.holds())}", scope=scope)
        store.place_hold(placed)
        assert store.holds()[-1] == placed


def test_a_lifted_hold_stays_and_says_when(store: Store) -> None:
    store.place_hold(HOLD)
    store.lift_hold("h1", NOW + DAY)
    assert store.holds() == [replace(HOLD, lifted_at=NOW + DAY)]
    assert store.holds()[0].end == NOW + DAY


def test_a_renewed_hold_says_when_it_is_looked_at_again_and_when_it_ends(store: Store) -> None:
    store.place_hold(HOLD)
    store.renew_hold("h1", date(2027, 5, 1), None)
    assert store.holds() == [replace(HOLD, review_on=date(2027, 5, 1), expires=None)]


def test_what_is_unknown_or_lifted_is_neither_lifted_nor_renewed_and_leaves_no_entry(store: Store) -> None:
    store.place_hold(HOLD)
    store.lift_hold("h1", NOW)
    for name in ("h1", "h2"):
        with pytest.raises(StateError, match=f"no hold {name} that stands"):
            store.lift_hold(name, NOW + DAY, ENTRY)
        with pytest.raises(StateError, match=f"no hold {name} that stands"):
            store.renew_hold(name, date(2027, 5, 1), None, ENTRY)
    assert store.holds() == [replace(HOLD, lifted_at=NOW)]
    assert store.pending() == []


def test_a_hold_and_its_entry_are_kept_together_or_not_at_all(store: Store) -> None:
    store.place_hold(HOLD, ENTRY)
    with pytest.raises(StateError):
        store.place_hold(HOLD, ENTRY)  # its id is taken
    assert [entry for _number, entry in store.pending()] == [ENTRY]


def test_entries_wait_in_order_until_they_are_taken_in(store: Store) -> None:
    later = replace(ENTRY, at=NOW + DAY)
    store.enqueue(ENTRY)
    store.enqueue(later)
    (first, one), (_second, two) = store.pending()
    assert (one, two) == (ENTRY, later)
    store.dequeue(first)
    assert [entry for _number, entry in store.pending()] == [later]


def test_a_tax_year_replaces_what_was_known_of_it(store: Store) -> None:
    assert store.tax_years() == {}
    store.set_tax_year(TaxYear(2020), NOW)
    store.set_tax_year(TaxYear(2019, date(2020, 12, 1)), NOW)
    told = TaxYear(2019, date(2020, 11, 30), date(2026, 1, 1), date(2023, 1, 1), date(2024, 1, 1))
    store.set_tax_year(told, NOW, ENTRY)
    assert store.tax_years() == {2019: told, 2020: TaxYear(2020)}
    assert len(store.pending()) == 1


# --- unreadable is never empty


@pytest.mark.parametrize(
    "change",
    [
        {"scope": b""},
        {"scope": b"\0" * 64},
        {"hold": "h2"},  # sealed for another hold
        {"kind": "whim"},
        {"review_on": "soon"},
    ],
)
def test_a_hold_that_somebody_changed_is_an_error(store: Store, change: dict[str, object]) -> None:
    store.place_hold(HOLD)
    with store._engine.begin() as connection:
        connection.execute(sa.update(holds).values(**change))
    with pytest.raises(StateError) as caught:
        store.holds()
    assert CANARY not in str(caught.value)


def test_two_scopes_cannot_be_exchanged(store: Store) -> None:
    store.place_hold(HOLD)
    store.place_hold(replace(HOLD, hold="h2", scope=Scope(system="shop")))
    with store._engine.begin() as connection:
        (one, two) = connection.execute(sa.select(holds.c.scope).order_by(holds.c.id)).scalars()
        connection.execute(sa.update(holds).where(holds.c.hold == "h1").values(scope=two))
        connection.execute(sa.update(holds).where(holds.c.hold == "h2").values(scope=one))
    with pytest.raises(StateError, match="cannot be opened"):
        store.holds()


def test_with_another_key_no_hold_can_be_read(tmp_path: Path, url: sa.URL | None) -> None:
    with open_store(tmp_path / "state", url) as store:
        store.place_hold(HOLD)
    (tmp_path / "state" / "register.key").unlink()
    with open_store(tmp_path / "state", url) as store, pytest.raises(StateError, match=r"`register\.key` is not the key"):
        store.holds()


def test_a_tax_year_that_somebody_changed_is_an_error(store: Store) -> None:
    store.set_tax_year(TaxYear(2019, date(2020, 12, 1)), NOW)
    with store._engine.begin() as connection:
        connection.execute(sa.update(tax_years).values(filed_on="2020-13-01"))
    with pytest.raises(StateError, match="A tax year in the state database cannot be read"):
        store.tax_years()


def test_a_register_whose_table_is_gone_is_an_error(store: Store) -> None:
    with store._engine.begin() as connection:
        connection.execute(sa.schema.DropTable(holds))
    with pytest.raises(StateError):
        store.holds()


def test_no_identifier_and_no_key_of_a_record_stands_in_the_state(tmp_path: Path) -> None:
    with open_store(tmp_path / "state", None) as store:
        store.place_hold(HOLD, ENTRY)
        store.renew_hold("h1", date(2027, 5, 1), None)
        assert store.holds()[0].scope.key == (CANARY, "2")
    written = [file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file()]
    assert any(b"INC-1" in content for content in written)
    assert not any(b"4711" in content for content in written)
