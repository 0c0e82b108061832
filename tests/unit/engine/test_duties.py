"""What persons still have to do is counted, and what nobody may let lie makes the state unwell."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from support.workbench import LEADS, START, Workbench, rule

from retentiond.engine.duties import NO_DUTIES, Duties, duties_of
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject
from retentiond.report.duties import duties_json, duties_problems, duties_text
from retentiond.store import Attestation, AttestationResult

DAY = timedelta(days=1)
ATTESTED = (
    "attestations:\n  - {id: mail.provider, data_kind: {de: A, en: A}, categories: [], system: crm, every: P3M, "
    "expect: {deletion: after 30 days}}\nsystems:\n  crm: {holder: H, role: processor, connector: memory}\nrules:"
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, rule())


def counted(bench: Workbench) -> Duties:
    with bench.store() as store:
        return duties_of(bench.workplace(), store, bench.now)


def received(
    bench: Workbench, kind: RequestKind, at: datetime, *, decided_at: datetime | None = None, answered_at: datetime | None = None
) -> None:
    state = RequestState.OPEN if kind is RequestKind.ERASURE else RequestState.GRANTED
    person = Subject("email", "a@b")
    made = Request("r1", kind, frozenset({person}), at, state, "s", "C-1", decided_at, answered_at=answered_at)
    with bench.store() as store:
        store.open_request(made)


def test_before_the_first_entry_there_is_nothing_to_do(bench: Workbench) -> None:
    assert counted(bench) == NO_DUTIES
    assert list(duties_problems(NO_DUTIES)) == list(duties_text(NO_DUTIES, START)) == []


def test_an_answer_is_overdue_from_the_moment_it_is_due_and_not_before(bench: Workbench) -> None:
    received(bench, RequestKind.ERASURE, START)
    due = datetime(2026, 4, 1, 22, tzinfo=UTC)  # a month after 1 March, at the end of 1 April
    bench.now = due - timedelta(seconds=1)
    assert (counted(bench).requests, counted(bench).overdue, counted(bench).next_answer) == (1, 0, due)
    bench.now = due
    assert counted(bench).overdue == 1
    assert any("overdue" in one for one in duties_problems(counted(bench)))


def test_who_was_answered_waits_no_more(bench: Workbench) -> None:
    received(bench, RequestKind.ERASURE, START, answered_at=START + DAY)
    bench.later(90 * DAY)
    assert counted(bench) == NO_DUTIES


def test_what_was_granted_is_to_be_done_after_seven_days(bench: Workbench) -> None:
    received(bench, RequestKind.OBJECTION_TO_MARKETING, START, decided_at=START)
    bench.later(7 * DAY)
    assert counted(bench).to_be_gone == 0
    bench.later(DAY)
    assert counted(bench).to_be_gone == 1


def test_the_oldest_review_is_told_and_a_decided_one_is_not(bench: Workbench) -> None:
    with bench.store() as store:
        store.note_reviews("crm.leads", LEADS, [(("a",), START - 3 * DAY), (("b",), START - DAY)], "sales", START)
    assert (counted(bench).reviews, counted(bench).oldest_review) == (2, START - 3 * DAY)


def test_an_attestation_is_missing_bad_good_and_expired(bench: Workbench) -> None:
    file = bench.folder / "policies" / "made-up.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("rules:", ATTESTED), encoding="utf-8")
    told = [counted(bench).attestations]
    for result in (AttestationResult.NOT_MET, AttestationResult.MET):
        with bench.store() as store:
            store.attest(Attestation("mail.provider", result, "C-1", "s", START, START + DAY))
        told.append(counted(bench).attestations)
    bench.later(DAY)
    assert [*told, counted(bench).attestations] == [1, 1, 0, 1]


def test_undatable_records_are_told_after_thirty_days(bench: Workbench) -> None:
    with bench.store() as store:
        store.note_findings("crm.leads", "undatable", [("a",), ("b",)], START, whole=True)
        store.note_findings("crm.leads", "contested", [("c",)], START, whole=True)
    bench.later(30 * DAY)
    assert counted(bench) == NO_DUTIES
    bench.later(DAY)
    assert counted(bench).undatable == 2
    assert any("no provable date" in one for one in duties_problems(counted(bench)))


def test_a_hold_is_to_be_looked_at_once_its_day_is_over_unless_it_was_lifted(bench: Workbench) -> None:
    def placed(name: str, review_on: date, lifted_at: datetime | None = None) -> Hold:
        scope = Scope(system="crm")
        return Hold(name, HoldKind.LEGAL_CLAIM, scope, "C-1", "o", START, "s", review_on, lifted_at=lifted_at)

    with bench.store() as store:
        for hold in (placed("a", START.date()), placed("b", (START - DAY).date()), placed("c", date(2020, 1, 1), START - DAY)):
            store.place_hold(hold)
    assert counted(bench).holds == 1


def test_every_count_is_told_to_persons_and_to_programs() -> None:
    duties = Duties(1, START, 2, 3, 4, START, 5, 6, 7)
    text = "\n".join([*duties_problems(duties), *duties_text(duties, START)])
    assert list(duties_json(duties)) == [one.name for one in fields(Duties)]
    assert all(str(number) in text for number in range(1, 8))
