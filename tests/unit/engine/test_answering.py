"""The answer to a request tells of every record of the person what becomes of it, why, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.workbench import START, Workbench, rule

from retentiond.audit import read_log
from retentiond.cli.terminal import say
from retentiond.engine.answering import Answer, Fate, answer
from retentiond.engine.evidence import log_place
from retentiond.engine.requesting import decide_request, open_request, request_of
from retentiond.errors import ConnectorError, StateError
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.policy import Role
from retentiond.model.request import RequestKind, RequestState
from retentiond.model.subject import Subject
from retentiond.report.answer import answer_json, answer_text
from retentiond.report.phrases import Lang

ANN = Subject("email", "ann-4711@canary.example")
DAY = timedelta(days=1)
LAW = "{period: P8Y, counted: calendar-year-end, class: none, basis: 'Section 147 AO'}"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, rule(), basis="Art. 6(1)(f) GDPR")


def put(bench: Workbench, *keys: str, created: datetime | None = START - 30 * DAY, person: Subject = ANN) -> None:
    for key in keys:
        bench.crm.put("leads", key, {"created": created}, subjects=[person])


def asked(bench: Workbench, kind: RequestKind = RequestKind.ERASURE, state: RequestState | None = None) -> str:
    with bench.store() as store:
        request = open_request(bench.workplace(), store, kind, (ANN,), bench.now, "C-1", "staff-1", (), bench.now)
        if state is not None:
            decide_request(store, request.request, state, "staff-1", bench.now)
    return request.request


def told(bench: Workbench, request: str) -> Answer:
    workplace = bench.workplace()
    registers = bench.registers()
    with bench.store() as store:
        found = request_of(store, request)
        try:
            with read_log(log_place(workplace.settings)) as log:
                return answer(workplace, store, registers, log, found, bench.now)
        except StateError:
            return answer(workplace, store, registers, None, found, bench.now)


def fates(of: Answer) -> list[Fate]:
    return [one.fate for one in of.records]


def test_what_was_deleted_is_told_from_the_log_and_what_vanished_is_not_claimed(bench: Workbench) -> None:
    put(bench, "a", "b")
    request = asked(bench, state=RequestState.GRANTED)
    del bench.crm.datasets["leads"]["b",]
    bench.approve()
    bench.run()
    answered = told(bench, request)
    assert sorted(fates(answered)) == [Fate.DELETED, Fate.VANISHED]
    (deleted,) = [one for one in answered.records if one.fate is Fate.DELETED]
    assert deleted.at == bench.now.replace(microsecond=0)


def test_the_deletion_of_an_earlier_record_under_the_same_key_is_not_taken_for_this_one(bench: Workbench) -> None:
    put(bench, "a", created=START - 500 * DAY)
    bench.approve()
    bench.run()
    bench.later(DAY)
    put(bench, "a", created=bench.now)
    request = asked(bench)
    del bench.crm.datasets["leads"]["a",]
    assert bench.said("a") == ["confirmed"]
    assert fates(told(bench, request)) == [Fate.VANISHED]


def test_what_is_granted_goes_by_the_next_run_and_what_is_open_only_stays_blocked(bench: Workbench) -> None:
    put(bench, "a")
    request = asked(bench)
    (record,) = told(bench, request).records
    assert (record.fate, record.to_block, record.at) == (Fate.GOES, True, datetime(2027, 1, 30, 23, tzinfo=UTC))
    with bench.store() as store:
        decide_request(store, request, RequestState.GRANTED, "staff-1", bench.now)
    (record,) = told(bench, request).records
    assert (record.fate, record.at, record.concerned) == (Fate.GOES, START, True)


def test_a_duty_is_told_with_its_paragraph_and_its_end(bench: Workbench) -> None:
    bench.write_rules(rule(duty=LAW, bounds="delete_after: keep_at_least"))
    put(bench, "a")
    (record,) = told(bench, asked(bench, state=RequestState.GRANTED)).records
    assert (record.fate, record.basis, record.to_block) == (Fate.DUTY, "Section 147 AO", True)
    assert record.at == datetime(2034, 12, 31, 23, tzinfo=UTC)


def test_a_hold_is_told_before_everything_else(bench: Workbench) -> None:
    put(bench, "a")
    request = asked(bench, state=RequestState.GRANTED)
    hold = Hold("h1", HoldKind.LEGAL_CLAIM, Scope(rule="crm.leads"), "C-9", "o", START, "s", START.date())
    with bench.store() as store:
        store.place_hold(hold)
    (record,) = told(bench, request).records
    assert (record.fate, record.at, [one.kind for one in record.suspensions]) == (Fate.HELD, None, [HoldKind.LEGAL_CLAIM])


def test_a_record_without_a_date_is_left_to_a_person(bench: Workbench) -> None:
    put(bench, "a", created=None)
    assert fates(told(bench, asked(bench, state=RequestState.GRANTED))) == [Fate.UNDATABLE]


def test_an_answer_that_is_not_whole_says_so_and_calls_nothing_gone(bench: Workbench) -> None:
    put(bench, "a")
    request = asked(bench, state=RequestState.GRANTED)
    bench.crm.unreachable = ConnectorError("No answer.", "unavailable")
    answered = told(bench, request)
    assert answered.records == ()
    assert "crm/leads" in map(str, answered.unreadable)
    assert "shop/orders" in map(str, answered.unknowing)


def test_nothing_of_another_person_is_told(bench: Workbench) -> None:
    put(bench, "a")
    put(bench, "b", "c", person=Subject("email", "bob@canary.example"))
    assert len(told(bench, asked(bench)).records) == 1


def test_whoever_else_holds_such_data_is_to_be_told(bench: Workbench) -> None:
    put(bench, "a")
    file = bench.folder / "policies" / "made-up.yaml"
    who = "systems:\n  crm: {holder: Cloud GmbH, role: processor, connector: memory}\nrules:"
    file.write_text(file.read_text(encoding="utf-8").replace("rules:", who), encoding="utf-8")
    answered = told(bench, asked(bench))
    assert [(one.system, one.holder, one.role) for one in answered.recipients] == [("crm", "Cloud GmbH", Role.PROCESSOR)]


@pytest.mark.parametrize("lang", list(Lang))
def test_the_answer_names_no_identifier_and_no_key_in_any_form(
    bench: Workbench, lang: Lang, capsys: pytest.CaptureFixture[str]
) -> None:
    put(bench, "key-4711", created=None)
    answered = told(bench, asked(bench))
    say(answer_text(answered, lang))
    shown = capsys.readouterr().out + str(answer_json(answered, lang)) + repr(answered)
    assert "4711" not in shown
    assert ("ein Mensch" if lang is Lang.DE else "a person") in shown


@pytest.mark.parametrize("lang", list(Lang))
@pytest.mark.parametrize("fate", list(Fate))
def test_every_fate_has_its_sentence_in_both_languages(
    bench: Workbench, fate: Fate, lang: Lang, capsys: pytest.CaptureFixture[str]
) -> None:
    put(bench, "a")
    answered = told(bench, asked(bench))
    record = replace(answered.records[0], fate=fate, at=START + DAY, basis="§ 1", to_block=False, blocked=True)
    say(answer_text(replace(answered, records=(record, record)), lang))
    text = capsys.readouterr().out
    assert "2 × " in text
    assert ("Er ist gesperrt." if lang is Lang.DE else "It is blocked.") in " ".join(text.split())
    assert "{" not in text
