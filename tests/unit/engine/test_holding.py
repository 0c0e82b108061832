"""A hold is placed as a whole or not at all, counts from then on, and leaves a trace in the log that names nobody."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.workbench import START, Workbench, rule

from retentiond.engine.evidence import open_evidence
from retentiond.engine.holding import Placed, lift, place, renew, set_tax_year
from retentiond.engine.outbox import flush_outbox, try_to_flush
from retentiond.engine.persons import find_person
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.record import RecordRef, Target
from retentiond.model.subject import Subject
from retentiond.model.tax import TaxYear
from retentiond.store.tables import tax_years

ANN = Subject("email", "ann-4711@canary.example")
BOB = Subject("email", "bob@canary.example")
DAY = timedelta(days=1)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """Two leads that are due; one rule that every hold stops, and one in another system that only incidents stop."""
    picky = rule("shop.orders", system="shop", dataset="orders", starts="ordered") + "    holds: [incident]\n"
    bench = Workbench(tmp_path, rule(), picky)
    bench.crm.put("leads", "ann", {"created": START - 400 * DAY}, subjects=[ANN, Subject("customer", "1")])
    bench.crm.put("leads", "bob", {"created": START - 400 * DAY}, subjects=[BOB, Subject("customer", "2")])
    return bench


def placed(bench: Workbench, kind: HoldKind = HoldKind.LEGAL_CLAIM, scope: Scope | None = None, **more: Any) -> Placed:
    words: dict[str, Any] = {"reason": "case-1", "owner": "staff-2", "by": "staff-1", "now": bench.now} | more
    with bench.store() as store:
        return place(bench.workplace(), store, kind, scope or Scope(person=ANN), **words)


def kept(bench: Workbench) -> list[Hold]:
    with bench.store() as store:
        return store.holds()


def refused(bench: Workbench, kind: HoldKind = HoldKind.LEGAL_CLAIM, scope: Scope | None = None, **more: Any) -> str:
    """What is said of a hold that must not be placed; one sentence or two, nothing is kept, and nobody is named."""
    with pytest.raises(ConfigurationError) as caught:
        placed(bench, kind, scope, **more)
    with bench.store() as store:
        assert (store.holds(), store.pending()) == ([], [])
    assert "4711" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- placing


def test_nothing_that_is_held_goes_and_it_goes_once_nobody_holds_it(bench: Workbench) -> None:
    bench.approve()
    hold = placed(bench).hold
    assert kept(bench) == [hold]
    bench.run("crm.leads")
    assert bench.leads() == {"ann"}
    with bench.store() as store:
        assert lift(bench.workplace(), store, hold.hold, "staff-1", bench.now).lifted_at == bench.now
    bench.run("crm.leads")
    assert bench.leads() == set()


@pytest.mark.parametrize(
    ("kind", "review", "expires"),
    [
        (HoldKind.LEGAL_CLAIM, date(2026, 9, 1), None),
        (HoldKind.TAX_AUDIT, date(2026, 9, 1), None),
        (HoldKind.AUTHORITY_ORDER, date(2026, 9, 1), None),
        (HoldKind.INCIDENT, date(2026, 3, 31), START + 180 * DAY),
        (HoldKind.TECHNICAL_FAULT, date(2026, 3, 31), START + 30 * DAY),
    ],
)
def test_each_kind_is_looked_at_again_and_ends_as_it_has_to(
    bench: Workbench, kind: HoldKind, review: date, expires: datetime | None
) -> None:
    hold = placed(bench, kind).hold
    assert (hold.review_on, hold.expires) == (review, expires)
    assert placed(bench, kind, review_on=bench.now.date()).hold.review_on == bench.now.date()


def test_a_hold_that_some_rules_do_not_let_stop_them_is_placed_and_says_which(bench: Workbench) -> None:
    assert placed(bench, HoldKind.INCIDENT, Scope(system="crm")).deaf == ()
    bench.write_rules(rule(), rule("crm.letters", dataset="letters", starts="written") + "    holds: [incident]\n")
    assert placed(bench, HoldKind.LEGAL_CLAIM, Scope(system="crm")).deaf == ("crm.letters",)


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (Scope(), "Say what is to be held"),
        (Scope(system="crn"), "governs a system crn; there are: crm, shop"),
        (Scope(system="crm", dataset="lead"), "governs a data set lead; there are: leads"),
        (Scope(rule="crm.lead"), "governs a rule crm.lead; there are: crm.leads, shop.orders"),
        (Scope(system="shop", rule="crm.leads"), "governs a rule crm.leads; there are: shop.orders"),
        (Scope(fact=("disputed", "true")), "governs a fact disputed; there are: none"),
        (Scope(date_name="writen", since=date(2026, 1, 1)), "governs a date writen; there are: closed, created, ordered"),
        (Scope(date_name="created"), "needs the name of the date, and since or until when"),
        (Scope(system="crm", since=date(2026, 1, 1)), "needs the name of the date, and since or until when"),
        (Scope(date_name="created", since=date(2026, 1, 2), until=date(2026, 1, 1)), "lies before its first"),
        (Scope(person=Subject("phone", "4711")), "governs a kind of identifier phone; there are: customer, email"),
        (Scope(person=Subject("email", "nobody-4711@x.example")), "No record in this scope has this email"),
        (Scope(system="crm", dataset="leads", key=("cia-4711",)), "There is no such record in that data set"),
        (Scope(system="crm", dataset="leads", key=("bob",), person=ANN), "No record in this scope has this email"),
        (Scope(system="shop"), r"No rule in this scope is stopped by a hold of the kind legal-claim (shop.orders)"),
    ],
)
def test_a_scope_that_could_mean_nothing_is_refused(bench: Workbench, scope: Scope, told: str) -> None:
    assert told in refused(bench, scope=scope)


@pytest.mark.parametrize("kind", [HoldKind.TAX_HOLD, HoldKind.REQUEST])
def test_what_registers_bring_about_is_not_placed_by_hand(bench: Workbench, kind: HoldKind) -> None:
    assert "is not placed by hand" in refused(bench, kind)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"by": "Ann Miller"}, "`--by`"),
        ({"owner": "ann@x.example"}, "`--owner`"),
        ({"reason": "because of Ann"}, "A reason is a reference"),
        ({"reason": ""}, "A reason is a reference"),
        ({"reason": "x" * 81}, "A reason is a reference"),
        ({"review_on": date(2026, 2, 28)}, "lies in the past"),
    ],
)
def test_words_that_are_none_are_refused(bench: Workbench, words: dict[str, Any], told: str) -> None:
    assert told in refused(bench, **words)


def test_a_person_who_may_be_two_is_refused_and_the_kind_that_tells_them_apart_is_named(bench: Workbench) -> None:
    bench.crm.put("leads", "ann-2", {"created": START}, subjects=[ANN, Subject("customer", "471199")])
    told = refused(bench)
    assert "they differ in customer in crm" in told
    assert placed(bench, scope=Scope(person=Subject("customer", "471199"))).hold


def test_two_records_with_one_more_identifier_in_common_are_one_persons(bench: Workbench) -> None:
    bench.crm.put("leads", "ann-2", {"created": START}, subjects=[ANN, Subject("customer", "1"), Subject("customer", "9")])
    bench.crm.put("leads", "ann-3", {"created": START}, subjects=[ANN])
    assert placed(bench).unreadable == ()


def test_where_a_system_cannot_be_read_nobody_is_called_unknown_without_saying_so(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retentiond.testing.memory import MemoryReader  # noqa: PLC0415 - only here is it sabotaged

    def broken(_reader: MemoryReader, _person: Subject) -> list[list[RecordRef]]:
        raise ConnectorError("The system is away.")

    monkeypatch.setattr(MemoryReader, "about", broken)
    assert "Not searched, because they cannot be read: crm/leads." in refused(bench)


def test_a_search_tells_what_it_found_and_where_it_could_not_look(bench: Workbench) -> None:
    looked = find_person(bench.workplace(), ANN)
    assert [(target, ref.key) for target, ref in looked.found] == [(Target("crm", "leads"), ("ann",))]
    assert Target("shop", "orders") in looked.unknowing
    assert looked.unreadable == {}
    assert "4711" not in repr(looked)


def test_a_hold_tells_which_data_sets_in_its_scope_cannot_know_the_person(bench: Workbench) -> None:
    bench.write_rules(rule(), rule("shop.orders", system="shop", dataset="orders", starts="ordered"))
    told = tuple(one.target.target for one in bench.workplace().assignments if ANN.kind not in one.subjects)
    assert told
    assert placed(bench, scope=Scope(person=ANN)).unknowing == told
    assert placed(bench, scope=Scope(system="crm", person=ANN)).unknowing == ()


# --- lifting and renewing


def test_what_is_unknown_lifted_or_over_is_neither_lifted_nor_renewed(bench: Workbench) -> None:
    lifted, over = placed(bench).hold.hold, placed(bench, HoldKind.INCIDENT).hold.hold
    with bench.store() as store:
        lift(bench.workplace(), store, lifted, "staff-1", bench.now)
        waiting = store.pending()
        bench.later(181 * DAY)
        for name, told in ((lifted, "is over since 2026-03-01"), (over, "is over since 2026-08-28"), ("h9", "no hold h9")):
            with pytest.raises(ConfigurationError, match=told):
                lift(bench.workplace(), store, name, "staff-1", bench.now)
            with pytest.raises(ConfigurationError, match=told):
                renew(bench.workplace(), store, name, date(2027, 1, 1), "staff-1", bench.now)
        assert store.pending() == waiting


def test_an_incident_that_is_renewed_lasts_180_days_from_then_on(bench: Workbench) -> None:
    hold = placed(bench, HoldKind.INCIDENT).hold
    bench.later(100 * DAY)
    with bench.store() as store:
        renew(bench.workplace(), store, hold.hold, date(2026, 7, 1), "staff-1", bench.now)
        with pytest.raises(ConfigurationError, match="lies in the past"):
            renew(bench.workplace(), store, hold.hold, date(2026, 6, 1), "staff-1", bench.now)
    (renewed,) = kept(bench)
    assert (renewed.review_on, renewed.expires, renewed.scope) == (date(2026, 7, 1), bench.now + 180 * DAY, hold.scope)


def test_a_claim_that_is_renewed_still_ends_by_nothing_and_a_fault_is_not_renewed(bench: Workbench) -> None:
    claim, fault = placed(bench).hold.hold, placed(bench, HoldKind.TECHNICAL_FAULT).hold.hold
    with bench.store() as store:
        assert renew(bench.workplace(), store, claim, date(2027, 1, 1), "staff-1", bench.now).expires is None
        with pytest.raises(ConfigurationError, match="30 days at the most"):
            renew(bench.workplace(), store, fault, date(2026, 4, 1), "staff-1", bench.now)


# --- tax years


def test_what_is_not_said_anew_of_a_tax_year_stays_and_what_is_taken_back_goes(bench: Workbench) -> None:
    with bench.store() as store:

        def told(days: dict[str, date | None]) -> TaxYear:
            return set_tax_year(bench.workplace(), store, 2019, days, "staff-1", bench.now)

        told({"filed_on": date(2020, 11, 30)})
        told({"audit_since": date(2023, 1, 1)})
        assert store.tax_years() == {2019: TaxYear(2019, date(2020, 11, 30), None, date(2023, 1, 1))}
        told({"audit_since": None, "closed_on": date(2026, 1, 1)})
        assert store.tax_years() == {2019: TaxYear(2019, date(2020, 11, 30), date(2026, 1, 1))}
        types = [entry.fields["type"] for _number, entry in store.pending()]
        assert types == ["tax-hold", "tax-audit", "tax-audit"]
        assert {entry.fields["hold"] for _number, entry in store.pending()} == {"tax-2019"}


@pytest.mark.parametrize(
    ("year", "days", "told"),
    [
        (1976, {"filed_on": date(1977, 5, 1)}, "from 1977 to 2026"),
        (2027, {}, "from 1977 to 2026"),
        (2019, {}, "Say what is known"),
        (2019, {"filed_on": date(2019, 12, 31)}, "filed-on of the tax year 2019 has to lie after that year"),
        (2019, {"closed_on": date(2026, 3, 3)}, "closed-on of the tax year 2019 has to lie after that year and not ahead"),
        (2019, {"audit_until": date(2023, 1, 1)}, "has to have begun before"),
        (2019, {"audit_since": date(2023, 1, 2), "audit_until": date(2023, 1, 1)}, "has to have begun before"),
    ],
)
def test_a_tax_year_that_cannot_be_so_is_refused(bench: Workbench, year: int, days: dict[str, date | None], told: str) -> None:
    with bench.store() as store:
        with pytest.raises(ConfigurationError, match=told):
            set_tax_year(bench.workplace(), store, year, days, "staff-1", bench.now)
        assert (store.tax_years(), store.pending()) == ({}, [])


@pytest.mark.parametrize("kind", ["tax-hold", "tax-audit"])
def test_nothing_that_a_tax_year_could_stop_goes_while_the_register_cannot_be_read(bench: Workbench, kind: str) -> None:
    bench.write_rules(rule() + f"    holds: [{kind}]\n")
    bench.approve()
    with bench.store() as store:
        store.set_tax_year(TaxYear(2019), bench.now)
        with store._engine.begin() as connection:
            connection.execute(sa.update(tax_years).values(filed_on="2020-13-01"))
    before = bench.leads()
    bench.run()
    assert bench.leads() == before
    decision = bench.fate("ann").decision
    assert decision is not None
    assert [one.kind for one in decision.suspensions] == [HoldKind(kind)]


# --- the log


def test_each_word_about_a_hold_stands_in_the_log_and_names_nobody(bench: Workbench) -> None:
    hold = placed(bench, HoldKind.INCIDENT).hold.hold
    with bench.store() as store:
        renew(bench.workplace(), store, hold, date(2026, 7, 1), "staff-3", bench.now)
        lift(bench.workplace(), store, hold, "staff-4", bench.now)
    with open_evidence(bench.workplace().settings, bench.now) as evidence:
        assert flush_outbox(evidence, bench.now) == 3
        assert flush_outbox(evidence, bench.now) == 0
    entries = bench.entries("hold")
    assert [(one.fields["op"], one.fields["by"]) for one in entries] == [
        ("placed", "staff-1"),
        ("renewed", "staff-3"),
        ("lifted", "staff-4"),
    ]
    assert len({one.fields["scope_digest"] for one in entries}) == 1
    assert {len(one.fields["scope_digest"]) for one in entries} == {64}
    assert bench.problems() == ()
    state = bench.workplace().settings.state
    assert not [file for file in state.rglob("*") if file.is_file() and b"4711" in file.read_bytes()]


def test_two_holds_on_one_person_cannot_be_told_by_their_digests(bench: Workbench) -> None:
    placed(bench), placed(bench)
    with bench.store() as store:
        assert len({entry.fields["scope_digest"] for _number, entry in store.pending()}) == 2


def test_a_hold_counts_at_once_though_a_run_has_the_log_and_its_entry_follows(bench: Workbench) -> None:
    settings = bench.workplace().settings
    with open_evidence(settings, bench.now):
        hold = placed(bench).hold
        assert not try_to_flush(settings, bench.now)
        assert kept(bench) == [hold]
    assert try_to_flush(settings, bench.now)
    (entry,) = bench.entries("hold")
    assert (entry.fields["hold"], entry.at) == (hold.hold, datetime(2026, 3, 1, 3, 17, tzinfo=UTC))
