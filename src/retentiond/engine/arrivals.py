"""Notices old records that came in bulk: a restore that nobody told of, or an import. Then a person has to look first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain, islice

from retentiond.audit import Act, LogPlace, open_past
from retentiond.engine.registers import Standing
from retentiond.engine.values import DueRecord, StepPlan
from retentiond.model.record import Action, OutcomeKind
from retentiond.settings import Guards
from retentiond.store import Store

LOOKED_AT = 10_000
"""So many records of a plan are looked at, the oldest first: among them are those that should have gone before."""

GONE = frozenset({OutcomeKind.CONFIRMED, OutcomeKind.PENDING_COPIES, OutcomeKind.ALREADY_ABSENT})
"""The outcomes after which a record does not become due again, unless it came back."""


def arrived(
    log: LogPlace,
    store: Store,
    standing: Standing,
    plan: StepPlan,
    due: Iterable[Sequence[DueRecord]],
    guards: Guards,
    now: datetime,
) -> list[str]:
    """Say why a person has to look at this plan first, as finished sentences; an empty list means that nobody has to.

    `due` are the plan's records. Raises `AuditError` where the log cannot be read.
    """
    if plan.due <= guards.arrivals_floor:
        return []
    records = list(islice(chain.from_iterable(due), LOOKED_AT))
    most = max(guards.arrivals_floor, int(guards.arrivals * len(records)))
    review = (
        f"If they are to go, save this plan and approve it: `retentiond plan --rule {plan.rule} -o FILE`, "
        f"`retentiond approve plan FILE --by STAFF-ID`."
    )
    seen = f"the {len(records):,} records of {plan.target} that were looked at"
    back = _came_back(log, plan, records)
    if back > most:
        told = (
            f"{back:,} of {seen} have been dealt with before, as the log tells: this looks like a restore, so nothing was done. "
            f"Say when the backup was made: `retentiond replay --system {plan.target.system} --since WHEN`. {review}"
        )
        return [told]
    late = _late(store, standing, plan, records, now)
    if late > most:
        told = (
            f"{late:,} of {seen} came since the last run, and were due before it: this looks like a restore or an import, so "
            f"nothing was done. {review}"
        )
        return [told]
    return []


def _came_back(log: LogPlace, plan: StepPlan, records: Sequence[DueRecord]) -> int:
    """How many of them the log says were dealt with before, just so."""
    refs = [record.ref for record in records]
    with open_past(log, plan.target, about=refs) as past:
        return sum(_again(acts, plan.action, record.due_at) for record, acts in zip(records, past.acts(refs), strict=True))


def _again(acts: Sequence[Act], action: Action, due_at: datetime) -> bool:
    """True where the record was dealt with so before. Without an identity its dates tell: what is new under a name is younger."""
    own = [act for act in acts if act.outcome in GONE and (act.same or (act.same is None and due_at <= act.concluded))]
    done = [act for act in own if act.action in (action, Action.DELETE)]
    return bool(done) and own[-1].action is not Action.UNBLOCK


def _late(store: Store, standing: Standing, plan: StepPlan, records: Sequence[DueRecord], now: datetime) -> int:
    """How many of them must have come since this step last did all there was to do: they were due then, and there are more.

    What a lifted hold or a corrected date made due was there all along, so it does not count.
    """
    last = store.last_whole(plan.rule, plan.rule_digest, plan.action)
    if last is None:
        return 0
    row, began = last
    stayed = row.population - (row.done if plan.action is Action.DELETE else 0)
    more = plan.population - stayed
    decisions = standing.deciding(now)([record.ref for record in records])
    since = [one.block_at if plan.action is Action.BLOCK else one.act_from for one in decisions]
    return min(more, sum(moment is not None and moment < began for moment in since))
