"""A plan made by pages is the plan that deciding about one record after the other gives."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.workbench import START, Workbench, rule

from retentiond.audit import ephemeral_handles
from retentiond.connector.api import Reader
from retentiond.engine.planner import Noting, plan_digest, plan_step
from retentiond.engine.registers import Registers, Standing
from retentiond.engine.values import OTHER_STEP, DueRecord
from retentiond.model.decision import Reason, Verdict, searches, undatable_dates
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.record import Action, RecordRef
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject

HANDLES = ephemeral_handles()
SOMEBODY = Subject("email", "somebody@example.org")
DAY = timedelta(days=1)

BOUNDS = (
    "delete_after: {period: P1Y, counted: day-end}",
    "delete_after: {period: P1Y, counted: exact}",
    "delete_after: {period: P3M, counted: day-end}\n    delete_by: {period: P1Y, counted: calendar-year-end}",
    "block_after: {period: P1M, counted: day-end}\n    delete_after: {period: P1Y, counted: day-end}",
)
# The two bounds start from dates of their own, so that there are two searches.
APART = (
    "delete_after: {period: P3M, counted: day-end, from: closed}\n    delete_by: {period: P1Y, counted: day-end, from: created}"
)
STARTS = ("created", "{at: [created, closed], take: latest, optional: [closed]}")


def governed(standing: Standing, reader: Reader, action: Action, now: datetime) -> Iterator[RecordRef]:
    """Each record that the plan has to decide about, in its order."""
    seen: set[tuple[str, ...]] = set()
    for ref in standing.named(reader):
        seen.add(ref.key)
        yield ref
    assignment = standing.assignment
    for page in reader.undated(undatable_dates(assignment.rule)):
        yield from (ref for ref in page if ref.key not in seen)
    passes = searches(assignment.rule, assignment.zone, action, now, suspended=standing.interrupted)
    for number, cutoff in enumerate(passes):
        for page in reader.find(cutoff, action):
            for ref in page:
                if ref.key not in seen and not any(earlier.admits(ref.dates) for earlier in passes[:number]):
                    yield ref


def one_by_one(standing: Standing, reader: Reader, action: Action, now: datetime) -> dict[str, Any]:
    """The definition: `Standing.decide` about one record after the other."""
    target = standing.assignment.target.target
    digest, kept = hashlib.sha256(), Counter[str]()
    due: list[DueRecord] = []
    past_cap = undatable = 0
    for ref in governed(standing, reader, action, now):
        decision = standing.decide(ref, now)
        moment = decision.block_at if action is Action.BLOCK else decision.due_at
        if decision.step is action and moment is not None:
            due.append(DueRecord(ref, moment))
            past_cap += decision.verdict is Verdict.MUST_BE_GONE
            digest.update(HANDLES.handle(target, ref.key) + HANDLES.fingerprint(target, ref))
        elif decision.verdict is Verdict.UNDATABLE:
            undatable += 1
        else:
            kept[OTHER_STEP if decision.step else decision.reason] += 1
    unexamined = reader.count() - undatable - len(due) - kept.total()
    kept[Reason.NOT_DUE] += max(unexamined, 0)
    return {
        "due": due,
        "past_cap": past_cap,
        "undatable": undatable,
        "kept": +kept,
        "oldest_due": min((one.due_at for one in due), default=None),
        "latest_due": max((one.due_at for one in due), default=None),
        "digest": plan_digest(standing.assignment.digest, action, target, digest),
    }


_days_old = st.integers(0, 900) | st.integers(362, 368) | st.integers(600, 900) | st.none()
_leads = st.lists(
    st.tuples(_days_old, _days_old, st.integers(0, 24), st.booleans(), st.booleans(), st.sampled_from([False] * 7 + [True])),
    min_size=2,
    max_size=12,
)
_scopes = st.sampled_from(
    [
        Scope(person=SOMEBODY),
        Scope(system="crm", dataset="leads", key=("lead-1",)),
        Scope(rule="crm.leads"),
        Scope(date_name="created", since=(START - 600 * DAY).date(), until=(START - 365 * DAY).date()),
    ]
)
_holds = st.lists(st.builds(lambda scope: Hold("h", HoldKind.LEGAL_CLAIM, scope, "C", "o", START, "s", START.date()), _scopes))
_requests = st.lists(
    st.builds(
        lambda kind, state: Request("r", kind, frozenset({SOMEBODY}), START - DAY, state, "s", "C"),
        st.sampled_from([RequestKind.ERASURE, RequestKind.ERASURE, RequestKind.RESTRICTION, RequestKind.ACCESS]),
        st.sampled_from([RequestState.OPEN, RequestState.GRANTED]),
    ),
    max_size=1,
)


def _rule(bounds: str, starts: str) -> str:
    written = rule(bounds=bounds, starts=starts)
    return written if starts else written.replace("    starts: \n", "")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*product(BOUNDS, STARTS), (APART, "")]), _leads, st.just([]) | _holds, _requests)
def test_a_plan_by_pages_is_the_plan_record_by_record(
    how: tuple[str, str], leads: list[Any], holds: list[Hold], requests: list[Request]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(Path(folder), _rule(*how))
        for number, (created, closed, hours, blocked, is_somebody, contested) in enumerate(leads):
            dates = {
                name: None if age is None else START - age * DAY - timedelta(hours=hours)
                for name, age in (("created", created), ("closed", closed))
            }
            somebody = [SOMEBODY] if is_somebody else []
            bench.crm.put("leads", f"lead-{number}", dates, subjects=somebody, contested=contested)
            stored = bench.crm.get("leads", f"lead-{number}")
            assert stored is not None
            stored.blocked = blocked
        (assignment,) = bench.workplace().at(START).chosen([])
        standing = Registers(tuple(holds), {}, tuple(requests)).for_rule(assignment)
        for action in standing.steps:
            due: list[DueRecord] = []
            with assignment.target.reader() as reader:
                plan = plan_step(standing, action, reader, START, HANDLES, noting=Noting(due=due.extend))
                expected = one_by_one(standing, reader, action, START)
            found = {name: due if name == "due" else getattr(plan, name) for name in expected}
            assert found | {"kept": +Counter(plan.kept)} == expected
            assert plan.due == len(due)
