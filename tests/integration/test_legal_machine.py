"""A company's life at random: records, holds, requests, runs and a clock that is set – and what must never be."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.workbench import Workbench
from support.workbench import rule as written

from retentiond.model.circumstances import ReviewDecision, ReviewWord
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.record import Action, OutcomeKind
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject, subject

MINIMUM, OWN, CAP = 60, 90, 200
"""Days: a duty to keep letters, our own period for leads, and the cap of both."""

PERSONS = tuple(one for one in (subject("email", f"p{number}@example.org") for number in range(3)) if one is not None)

RULES = (
    written(
        "crm.leads",
        bounds=f"""delete_after: {{period: P{OWN}D, counted: day-end}}
    delete_by: {{period: P{CAP}D, counted: day-end}}
    ended_by: [objection-to-marketing]
    suppress: email""",
    ),
    written(
        "crm.letters",
        dataset="letters",
        starts="written",
        duty=f"{{class: none, period: P{MINIMUM}D, counted: day-end}}",
        bounds="delete_after: keep_at_least\n    holds: [legal-claim, authority-order]",
    ),
)

DEMANDED = (RequestKind.ERASURE, RequestKind.RESTRICTION, RequestKind.OBJECTION_TO_MARKETING, RequestKind.ACCESS)
SUSPENDING = (RequestKind.RESTRICTION, RequestKind.ACCESS)

RULE_OF = {"leads": "crm.leads", "letters": "crm.letters"}
REACHES = {"leads": tuple(HoldKind), "letters": (HoldKind.LEGAL_CLAIM, HoldKind.AUTHORITY_ORDER)}


@dataclass(slots=True)
class Known:
    """What the test itself knows of a record."""

    dataset: str
    person: Subject
    born: datetime | None


@dataclass(slots=True)
class Placed:
    """What the test itself knows of a hold."""

    scope: Scope
    kind: HoldKind
    open: bool = True

    def reaches(self, key: str, known: Known) -> bool:
        scope = self.scope
        return (
            self.kind in REACHES[known.dataset]
            and scope.dataset in (None, known.dataset)
            and scope.rule in (None, RULE_OF[known.dataset])
            and scope.key in (None, (key,))
            and scope.person in (None, known.person)
        )


@dataclass(slots=True)
class Demand:
    """What the test itself knows of a request."""

    kind: RequestKind
    person: Subject
    state: RequestState
    at: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))


class Company(RuleBasedStateMachine):
    """Does one thing after another, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.bench = Workbench(self.folder, *RULES, basis="Art. 6(1)(f) GDPR")
        self.known: dict[str, Known] = {}
        self.holds: dict[str, Placed] = {}
        self.demands: dict[str, Demand] = {}
        self.number = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        self.bench.approve()

    def _next(self) -> str:
        self.number += 1
        return f"n{self.number}"

    @rule(
        dataset=st.sampled_from(["leads", "letters"]),
        person=st.sampled_from(PERSONS),
        age=st.one_of(st.none(), st.integers(0, 260), st.sampled_from([MINIMUM, MINIMUM + 1, OWN + 1, CAP + 1])),
    )
    def record(self, dataset: str, person: Subject, age: int | None) -> None:
        key, born = self._next(), None if age is None else self.bench.now - timedelta(days=age)
        name = "created" if dataset == "leads" else "written"
        self.bench.crm.put(dataset, key, {name: born}, subjects={person})
        self.known[key] = Known(dataset, person, born)

    @rule(data=st.data(), kind=st.sampled_from([HoldKind.LEGAL_CLAIM, HoldKind.AUTHORITY_ORDER, HoldKind.INCIDENT]))
    def place(self, data: st.DataObject, kind: HoldKind) -> None:
        scopes = [Scope(system="crm"), Scope(rule="crm.letters"), *(Scope(person=person) for person in PERSONS)]
        scopes += [Scope("crm", known.dataset, key=(key,)) for key, known in self.known.items()]
        scope, number = data.draw(st.sampled_from(scopes)), self._next()
        hold = Hold(number, kind, scope, "case-1", "staff-1", self.bench.now, "staff-1", self.bench.now.date())
        with self.bench.store() as store:
            store.place_hold(hold)
        self.holds[number] = Placed(scope, kind)

    @precondition(lambda self: any(one.open for one in self.holds.values()))
    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([number for number, one in self.holds.items() if one.open]))
        with self.bench.store() as store:
            store.lift_hold(number, self.bench.now)
        self.holds[number].open = False

    @rule(
        kind=st.sampled_from(
            [RequestKind.ERASURE, RequestKind.RESTRICTION, RequestKind.OBJECTION_TO_MARKETING, RequestKind.ACCESS]
        ),
        person=st.sampled_from(PERSONS),
        granted=st.booleans(),
    )
    def demand(self, kind: RequestKind, person: Subject, granted: bool) -> None:
        at_once = kind is RequestKind.OBJECTION_TO_MARKETING or (kind is RequestKind.ERASURE and granted)
        state = RequestState.GRANTED if at_once else RequestState.OPEN
        number = self._next()
        with self.bench.store() as store:
            store.open_request(Request(number, kind, frozenset({person}), self.bench.now, state, "staff-1", "case-1"))
        self.demands[number] = Demand(kind, person, state, self.bench.now)

    @precondition(lambda self: any(one.state is RequestState.OPEN for one in self.demands.values()))
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([n for n, one in self.demands.items() if one.state is RequestState.OPEN]))
        with self.bench.store() as store:
            store.decide_request(number, RequestState.REFUSED, self.bench.now, "staff-1")
        self.demands[number].state = RequestState.REFUSED

    @rule(days=st.sampled_from([0.01, 1, 7, 30, 61, 120]))
    def later(self, days: float) -> None:
        self.bench.later(timedelta(days=days))

    @rule(days=st.sampled_from([1, 40, 400]))
    def clock_is_set_back(self, days: int) -> None:
        """Nobody says that it is right; then the next run is made by a clock nobody believes, and it is set right again."""
        self.run()
        before = self._there()
        self.bench.now -= timedelta(days=days)
        report = self.bench.run()
        assert self._there() == before, "something was done by a clock that had been set back"
        assert report.exit_status != 0
        self.bench.now += timedelta(days=days)
        self.bench.approve_clock()

    @rule()
    def run(self) -> None:
        before, was_blocked = self._there(), self._blocked()
        self.bench.approve_clock()
        report = self.bench.run()
        assert not report.bugs
        now = self.bench.now
        for key in before - self._there():
            self._may_go(key, now)
        for key in self._there():
            self._must_be_there(key, now)
        for key in self._blocked() - was_blocked:
            assert self._blockers(key), f"{key} was blocked for no reason"
        for step in report.steps:
            assert step.action in (Action.DELETE, Action.BLOCK)
            assert not step.outcomes.get(OutcomeKind.UNVERIFIED)

    def _there(self) -> set[str]:
        return {key[0] for dataset in ("leads", "letters") for key in self.bench.crm.keys(dataset)}

    def _blocked(self) -> set[str]:
        stored = {key: self.bench.crm.get(known.dataset, key) for key, known in self.known.items()}
        return {key for key, one in stored.items() if one is not None and one.blocked}

    def _held(self, key: str) -> bool:
        known = self.known[key]
        by_request = any(
            one.person == known.person and one.state is RequestState.OPEN and one.kind in SUSPENDING
            for one in self.demands.values()
        )
        return by_request or any(one.open and one.reaches(key, known) for one in self.holds.values())

    def _ended(self, key: str) -> bool:
        """True where a request ended the purpose."""
        known = self.known[key]
        return any(
            one.person == known.person
            and one.state is RequestState.GRANTED
            and (one.kind is RequestKind.ERASURE or (one.kind is RequestKind.OBJECTION_TO_MARKETING and known.dataset == "leads"))
            for one in self.demands.values()
        )

    def _blockers(self, key: str) -> bool:
        known = self.known[key]
        demanded = any(one.person == known.person and one.state is not RequestState.REFUSED for one in self.demands.values())
        return demanded or self._held(key)

    def _may_go(self, key: str, now: datetime) -> None:
        known = self.known[key]
        assert known.born is not None, "it went though nobody knows when it began"
        assert not self._held(key), "it went though it was held"
        age = now - known.born
        if known.dataset == "letters":
            assert age > timedelta(days=MINIMUM), "it went before its minimum"
        else:
            assert self._ended(key) or age > timedelta(days=OWN), "it went before its time and nothing had ended it"
        if known.dataset == "leads" and self._ended(key):
            with self.bench.store() as store:
                assert store.suppressed(known.person) is not None, "it went before the objection was remembered"

    def _must_be_there(self, key: str, now: datetime) -> None:
        """Still there: then it is undated, held, or not due."""
        known = self.known[key]
        if known.born is None or self._held(key):
            return
        age = now - known.born
        limit = timedelta(days=(MINIMUM if known.dataset == "letters" else OWN) + 2)
        due = age > limit or (known.dataset == "leads" and self._ended(key))
        assert not due, "it should be gone"

    @invariant()
    def nothing_of_a_stranger_is_gone(self) -> None:
        assert self._there() <= set(self.known)


Company.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink such a life takes longer than to read it
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestCompany = Company.TestCase


def test_a_word_to_keep_outlives_a_run(tmp_path: Path) -> None:
    """The queue of reviews, once round: up for review, kept, up again, gone without a word."""
    review = "{period: P30D, counted: day-end, owner: sales, no_decision: {block: P30D, delete: P90D}}"
    bench = Workbench(tmp_path, written(bounds=f"review_after: {review}"))
    bench.lead("a", 31)
    bench.approve()
    bench.run()
    with bench.store() as store:
        (item,) = store.reviews()
        until = bench.now + timedelta(days=100)
        store.decide_review(item.id, ReviewDecision(ReviewWord.KEEP, bench.now, until), "staff-1", None)
    bench.later(timedelta(days=99))
    bench.approve_clock()
    bench.run()
    assert bench.leads() == {"a"}
    bench.later(timedelta(days=1 + 90))
    bench.approve_clock()
    bench.run()
    assert bench.leads() == set()
