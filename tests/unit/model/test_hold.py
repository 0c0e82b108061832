"""Which records a hold takes in: those that fit everything that is given; in doubt one too many."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from retentiond.model.hold import Scope
from retentiond.model.record import Fact, RecordRef, Target
from retentiond.model.subject import Subject

LEADS = Target("crm", "leads")
ANN = Subject("email", "ann@x.example")


def takes_in(scope: Scope, ref: RecordRef) -> bool:
    return scope.takes_in(LEADS, "crm.leads", ref)


@pytest.mark.parametrize(
    ("typed", "stored", "fits"),
    [
        ("true", True, True),
        ("17", 17, True),
        ("17", "17", True),
        ("open", "open", True),
        ("open", None, True),
        ("true", False, False),
        ("17", 18, False),
        ("open", "Open", False),
    ],
)
def test_a_fact_is_compared_as_it_is_typed_and_an_unknown_one_fits(typed: str, stored: Fact, fits: bool) -> None:
    assert takes_in(Scope(fact=("state", typed)), RecordRef(("1",), facts={"state": stored})) is fits


@pytest.mark.parametrize("known", [date(2026, 1, 1), date(2026, 1, 3), datetime(2026, 1, 3, 23, 59, tzinfo=UTC), None])
def test_a_record_whose_date_lies_within_or_is_unknown_is_taken_in(known: date | None) -> None:
    scope = Scope(date_name="created", since=date(2026, 1, 1), until=date(2026, 1, 3))
    assert takes_in(scope, RecordRef(("1",), {"created": known}))


@pytest.mark.parametrize("known", [date(2025, 12, 30), date(2026, 1, 5)])
def test_a_record_whose_date_lies_outside_is_not_taken_in(known: date) -> None:
    scope = Scope(date_name="created", since=date(2026, 1, 1), until=date(2026, 1, 3))
    assert not takes_in(scope, RecordRef(("1",), {"created": known}))


@pytest.mark.parametrize(
    ("scope", "fits"),
    [
        (Scope(system="crm", dataset="leads", rule="crm.leads", key=("1",), person=ANN), True),
        (Scope(system="shop"), False),
        (Scope(dataset="letters"), False),
        (Scope(rule="crm.letters"), False),
        (Scope(key=("2",)), False),
        (Scope(person=Subject("email", "bob@x.example")), False),
        (Scope(system="crm", person=Subject("phone", "ann@x.example")), False),
    ],
)
def test_a_record_has_to_fit_everything(scope: Scope, fits: bool) -> None:
    assert takes_in(scope, RecordRef(("1",), subjects=frozenset({ANN}))) is fits
