"""What a data subject demands is recorded as a whole or not at all, counts from then on, and leaves a trace in the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reference import holidays
from support.workbench import LEADS, START, Workbench, rule

from retentiond.engine.evidence import open_evidence
from retentiond.engine.outbox import flush_outbox, try_to_flush
from retentiond.engine.requesting import (
    answer_due,
    answer_request,
    decide_request,
    gone_by,
    lift_request,
    open_request,
    remove_suppression,
    rules_reached,
    zones,
)
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject

ANN = Subject("email", "ann-4711@canary.example")
BOB = Subject("email", "bob@canary.example")
DAY = timedelta(days=1)
BERLIN = ["Europe/Berlin"]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path, rule(), basis="Art. 6(1)(f) GDPR")
    bench.crm.put("leads", "ann", {"created": START - 30 * DAY}, subjects=[ANN, Subject("customer", "1")])
    bench.crm.put("leads", "bob", {"created": START - 30 * DAY}, subjects=[BOB, Subject("customer", "2")])
    return bench


def opened(
    bench: Workbench,
    kind: RequestKind = RequestKind.ERASURE,
    *persons: Subject,
    received: datetime | None = None,
    case: str = "C-1",
    by: str = "staff-1",
    rules: tuple[str, ...] = (),
) -> Request:
    with bench.store() as store:
        return open_request(bench.workplace(), store, kind, persons or (ANN,), received or bench.now, case, by, rules, bench.now)


def kept(bench: Workbench) -> list[Request]:
    with bench.store() as store:
        return store.requests()


def decided(bench: Workbench, request: str, state: RequestState = RequestState.GRANTED) -> Request:
    with bench.store() as store:
        return decide_request(store, request, state, "staff-2", bench.now)


# --- opening


def test_an_erasure_is_open_and_an_objection_to_marketing_counts_at_once(bench: Workbench) -> None:
    assert opened(bench).state is RequestState.OPEN
    assert opened(bench, RequestKind.OBJECTION_TO_MARKETING).state is RequestState.GRANTED
    assert [one.persons for one in kept(bench)] == [frozenset({ANN})] * 2


def test_which_records_were_found_is_kept(bench: Workbench) -> None:
    request = opened(bench)
    with bench.store() as store:
        assert store.found_for(request.request) == [(LEADS, ("ann",))]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"received": START + timedelta(seconds=1)}, "future"),
        ({"case": "Ann Muster"}, "reference"),
        ({"by": "Ann Muster"}, "staff id"),
        ({"rules": ("nothing.such",)}, "no rule nothing.such"),
    ],
)
def test_bad_words_are_told_in_one_sentence_and_nothing_is_recorded(bench: Workbench, how: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        opened(bench, **how)  # type: ignore[arg-type]
    assert kept(bench) == []


@pytest.mark.parametrize("stranger", [Subject("email", "ann-4711@canary.exampl"), Subject("passport", "x1")])
def test_an_unknown_person_is_refused_without_being_repeated(bench: Workbench, stranger: Subject) -> None:
    with pytest.raises(ConfigurationError, match="No system holds a record") as refused:
        opened(bench, RequestKind.ERASURE, ANN, stranger)
    assert stranger.value not in str(refused.value)
    assert kept(bench) == []


def test_a_person_of_whom_nobody_can_say_whether_there_is_a_record_is_refused_with_the_reason(bench: Workbench) -> None:
    bench.crm.unreachable = ConnectorError("The CRM does not answer.", "unavailable")
    with pytest.raises(ConfigurationError, match="crm/leads, crm/letters could not be searched"):
        opened(bench)
    assert kept(bench) == []


def test_an_identifier_that_several_persons_share_is_refused_until_one_is_named(bench: Workbench) -> None:
    bench.crm.put("leads", "office", {"created": START}, subjects=[ANN, Subject("customer", "3")])
    with pytest.raises(ConfigurationError, match="different identifiers of kind customer") as refused:
        opened(bench)
    assert "4711" not in str(refused.value)
    assert kept(bench) == []
    assert opened(bench, RequestKind.ERASURE, Subject("customer", "3")).persons == {Subject("customer", "3")}


# --- deciding


def test_a_request_is_decided_once(bench: Workbench) -> None:
    request = opened(bench).request
    bench.later(DAY)
    assert decided(bench, request).decided_at == bench.now
    with pytest.raises(ConfigurationError, match="granted already"):
        decided(bench, request, RequestState.REFUSED)
    assert kept(bench)[0].state is RequestState.GRANTED


@pytest.mark.parametrize(
    "kind", [RequestKind.ACCESS, RequestKind.OBJECTION_TO_MARKETING, RequestKind.CONSENT_WITHDRAWN, RequestKind.PURPOSE_ENDED]
)
def test_nothing_is_decided_where_nothing_is_weighed(bench: Workbench, kind: RequestKind) -> None:
    request = opened(bench, kind)
    with pytest.raises(ConfigurationError, match="Nothing is to be decided"):
        decided(bench, request.request)
    assert kept(bench) == [request]


def test_a_request_nobody_knows_is_neither_decided_lifted_nor_answered(bench: Workbench) -> None:
    with bench.store() as store:
        for act in (lift_request, answer_request):
            with pytest.raises(ConfigurationError, match="There is no request 99"):
                act(store, "99", "staff-1", bench.now)
        with pytest.raises(ConfigurationError, match="There is no request 99"):
            decide_request(store, "99", RequestState.GRANTED, "staff-1", bench.now)


def test_what_was_lifted_has_no_effect_and_is_lifted_once(bench: Workbench) -> None:
    request = opened(bench, RequestKind.RESTRICTION).request
    assert bench.registers().for_rule(bench.workplace().assignments[0]).effects
    with bench.store() as store:
        lift_request(store, request, "staff-1", bench.now)
        with pytest.raises(ConfigurationError, match="no effect any more"):
            lift_request(store, request, "staff-1", bench.now)
    assert not bench.registers().for_rule(bench.workplace().assignments[0]).effects


def test_a_request_is_answered_once_and_not_before_it_is_decided(bench: Workbench) -> None:
    request = opened(bench).request
    with bench.store() as store, pytest.raises(ConfigurationError, match="not decided yet"):
        answer_request(store, request, "staff-1", bench.now)
    decided(bench, request)
    with bench.store() as store:
        assert answer_request(store, request, "staff-1", bench.now).answered_at == bench.now
        with pytest.raises(ConfigurationError, match="was answered on"):
            answer_request(store, request, "staff-1", bench.now)


def test_an_answered_access_holds_nothing_any_more(bench: Workbench) -> None:
    request = opened(bench, RequestKind.ACCESS).request
    assert bench.registers().for_rule(bench.workplace().assignments[0]).effects
    with bench.store() as store:
        answer_request(store, request, "staff-1", bench.now)
    assert not bench.registers().for_rule(bench.workplace().assignments[0]).effects


# --- the suppression list


def test_a_new_consent_removes_a_suppression_but_not_while_an_objection_stands(bench: Workbench) -> None:
    request = opened(bench, RequestKind.OBJECTION_TO_MARKETING).request
    with bench.store() as store:
        store.suppress(ANN, "C-1", bench.now)
        with pytest.raises(ConfigurationError, match=f"first `retentiond request lift {request}`") as refused:
            remove_suppression(store, ANN, "C-2", "staff-1", bench.now)
        assert "4711" not in str(refused.value)
        lift_request(store, request, "staff-1", bench.now)
        remove_suppression(store, ANN, "C-2", "staff-1", bench.now)
        assert store.suppressed(ANN) is None
        with pytest.raises(ConfigurationError, match="is not on the suppression list"):
            remove_suppression(store, ANN, "C-2", "staff-1", bench.now)


def test_an_objection_to_marketing_suppresses_at_once_what_the_rule_names_and_nobody_else(bench: Workbench) -> None:
    bench.write_rules(rule() + "    ended_by: [objection-to-marketing]\n    suppress: [email]\n")
    seen = []
    for kind in (RequestKind.ACCESS, RequestKind.ERASURE, RequestKind.OBJECTION_TO_MARKETING):
        opened(bench, kind, Subject("customer", "1"))
        with bench.store() as store:
            seen.append([store.suppressed(one) for one in (ANN, Subject("customer", "1"), BOB)])
    assert seen == [[None] * 3, [None] * 3, [START, None, None]]


def test_which_rules_a_request_reaches_follows_from_their_basis_and_their_words(bench: Workbench) -> None:
    reached = {
        kind: [one.rule.id for one in rules_reached(bench.workplace(), opened(bench, kind), bench.now)] for kind in RequestKind
    }
    assert [kind for kind, rules in reached.items() if not rules] == [
        RequestKind.OBJECTION_TO_MARKETING,
        RequestKind.CONSENT_WITHDRAWN,
        RequestKind.PURPOSE_ENDED,
    ]


# --- the trace


def test_each_word_leaves_one_entry_in_the_log_which_names_nobody(bench: Workbench) -> None:
    request = opened(bench).request
    decided(bench, request)
    with bench.store() as store:
        store.suppress(ANN, "C-1", bench.now)
        answer_request(store, request, "staff-1", bench.now)
        lift_request(store, request, "staff-1", bench.now)
        remove_suppression(store, ANN, "C-2", "staff-1", bench.now)
    with open_evidence(bench.workplace().settings, bench.now) as evidence:
        flush_outbox(evidence, bench.now)
    entries = bench.entries("approval")
    assert [(one.fields["subject"], one.fields["decision"]) for one in entries] == [
        (f"request {request}", "opened"),
        (f"request {request}", "granted"),
        (f"request {request}", "answered"),
        (f"request {request}", "lifted"),
        ("suppression C-2", "removed"),
    ]
    assert bench.problems() == ()
    state = bench.workplace().settings.state
    assert not [file for file in state.rglob("*") if file.is_file() and b"4711" in file.read_bytes()]


def test_a_request_counts_at_once_though_a_run_has_the_log_in_hand_which_then_takes_the_entry_in(bench: Workbench) -> None:
    settings = bench.workplace().settings
    with open_evidence(settings, bench.now):
        request = opened(bench).request
        assert not try_to_flush(settings, bench.now)
        assert bench.registers().for_rule(bench.workplace().assignments[0]).effects
        assert bench.entries("approval") == []
    assert try_to_flush(settings, bench.now)
    assert [one.fields["subject"] for one in bench.entries("approval")] == [f"request {request}"]


# --- deadlines


def _request(received: str, kind: RequestKind = RequestKind.ERASURE) -> Request:
    at = datetime.fromisoformat(received).astimezone(UTC)
    return Request("r", kind, frozenset({ANN}), at, RequestState.OPEN, "staff-1", "C-1")


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-11-24T10:00+01:00", "2026-12-25T00:00+01:00"),  # Christmas Eve is a working day
        ("2026-11-25T10:00+01:00", "2026-12-29T00:00+01:00"),  # Christmas, then a weekend
        ("2026-01-31T10:00+01:00", "2026-03-03T00:00+01:00"),  # 28 February is a Saturday
        ("2027-01-31T23:59+01:00", "2027-03-02T00:00+01:00"),  # 28 February is a Sunday
        ("2028-01-31T00:00+01:00", "2028-03-01T00:00+01:00"),  # 29 February, a Tuesday
        ("2026-03-03T10:00+01:00", "2026-04-08T00:00+02:00"),  # Good Friday to Easter Monday
        ("2026-05-04T10:00+02:00", "2026-06-06T00:00+02:00"),  # Corpus Christi, then Friday
        ("2026-12-01T00:30+01:00", "2027-01-05T00:00+01:00"),  # New Year's Day, a Friday
    ],
)
def test_the_answer_is_due_after_a_month_that_ends_on_a_working_day_of_hesse(received: str, due: str) -> None:
    assert answer_due(_request(received), BERLIN) == datetime.fromisoformat(due)


def _by_hand(received: datetime) -> datetime:
    """One month on, clamped, and on to the next working day; then midnight after it."""
    day = received.astimezone(ZoneInfo("Europe/Berlin")).date()
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    last = day
    for number in range(day.day, 0, -1):
        try:
            last = day.replace(year=year, month=month, day=number)
        except ValueError:
            continue
        break
    while last.weekday() >= 5 or last in holidays(last.year):
        last += DAY
    return datetime(last.year, last.month, last.day, tzinfo=ZoneInfo("Europe/Berlin")) + DAY


@given(st.integers(0, 20 * 365 * 24).map(lambda hours: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hours)))
def test_the_answer_is_never_due_before_a_month_is_over_or_on_a_day_off(received: datetime) -> None:
    assert answer_due(_request(received.isoformat()), BERLIN) == _by_hand(received)


def test_nobody_waits_for_an_answer_to_the_end_of_a_purpose(bench: Workbench) -> None:
    request = opened(bench, RequestKind.PURPOSE_ENDED)
    assert answer_due(request, zones(bench.workplace())) is None


def test_what_is_granted_is_to_be_done_within_seven_days_of_the_decision(bench: Workbench) -> None:
    request = opened(bench)
    assert gone_by(request, BERLIN) is None
    bench.later(20 * DAY)
    granted = decided(bench, request.request)
    assert gone_by(granted, BERLIN) == datetime(2026, 3, 29, 0, 0, tzinfo=UTC) - timedelta(hours=1)
    assert gone_by(opened(bench, RequestKind.RESTRICTION), BERLIN) is None
