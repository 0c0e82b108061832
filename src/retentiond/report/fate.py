"""What is stored about one record's fate: the governing rule, each bound, the verdict, what the log says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from rich.console import RenderableType

from retentiond.engine.assignment import Assignment
from retentiond.engine.values import Fate
from retentiond.model.decision import BoundEnd, Decision
from retentiond.model.record import Moment
from retentiond.report.layout import lines
from retentiond.report.log import Trace, TraceJson, trace_json, trace_text
from retentiond.report.rule import bounds_text
from retentiond.report.shown import day_or_moment, moment, shown, stamp
from retentiond.report.words import REASONS, VERDICTS


class BoundJson(TypedDict):
    """One bound of the rule, for this record."""

    stage: str
    dates: list[str]
    start: str | None
    end: str | None
    basis: str | None


class FateJson(TypedDict):
    """What one rule says about the record."""

    policy: str
    rule: str
    found: bool
    blocked: bool | None
    dates: dict[str, str | None]
    verdict: str | None
    reason: str | None
    due_at: str | None
    block_at: str | None
    step: str | None
    bounds: list[BoundJson]


class ExplainJson(TypedDict):
    """What `explain --json` writes."""

    system: str
    dataset: str
    as_of: str
    fates: list[FateJson]
    log: list[TraceJson]
    log_note: str | None


def explain_json(fates: Sequence[Fate], as_of: datetime, log: Sequence[Trace], log_note: str | None) -> ExplainJson:
    """The fate for a program; without the record's key, which the caller knows."""
    return {
        "system": fates[0].target.system,
        "dataset": fates[0].target.dataset,
        "as_of": stamp(as_of),
        "fates": [_fate_json(fate) for fate in fates],
        "log": [trace_json(one) for one in log],
        "log_note": log_note,
    }


def explain_text(
    fates: Sequence[Fate], rules: Mapping[str, Assignment], key: str, as_of: datetime, log: Sequence[Trace], log_note: str | None
) -> Iterator[RenderableType]:
    """The fate for the person who named the record by `key`; `rules` are those of the fates, by their ids."""
    yield f"Record {shown(key)} of {shown(str(fates[0].target))}, as of {moment(as_of)}"
    for fate in fates:
        yield ""
        yield from _fate_text(fate, rules[fate.rule])
    yield ""
    if log_note:
        yield f"Deletion log: {shown(log_note)}"
    elif not log:
        yield "Deletion log: no entry about a record under this key."
    else:
        yield "Deletion log:"
        for one in log:
            yield lines(trace_text(one))


def _fate_text(fate: Fate, assignment: Assignment) -> Iterator[RenderableType]:
    zone = assignment.zone
    yield f"Rule {shown(fate.rule)} of policy {shown(fate.policy)}"
    if fate.ref is None or fate.decision is None:
        yield lines("The system holds no record under this key now.")
        return
    for name, at in sorted(fate.ref.dates.items()):
        yield lines(f"{shown(name)}: {_when(at, zone)}")
    if fate.ref.rows > 1:
        yield lines(f"{fate.ref.rows:,} rows, lines or parts belong to it")
    yield lines(f"blocked now: {'yes' if fate.ref.blocked else 'no'}")
    for bound, end in zip(bounds_text(assignment.rule), fate.decision.ends, strict=True):
        yield lines(bound)
        yield lines(f"starts {_when(end.start, zone)}, ends {_when(end.end, zone)}", depth=2)
    yield lines(_verdict_text(fate.decision, zone))


def _when(value: Moment | None, zone: str) -> str:
    if value is None:
        return "unknown"
    return moment(value, zone) if isinstance(value, datetime) else value.isoformat()


def _verdict_text(decision: Decision, zone: str) -> str:
    parts = [f"{VERDICTS[decision.verdict]} ({REASONS[decision.reason]})."]
    if decision.block_at:
        parts.append(f"To be blocked from {moment(decision.block_at, zone)}.")
    if decision.due_at:
        parts.append(f"Due {moment(decision.due_at, zone)}.")
    parts.append(f"The rule's step for it now: {decision.step}." if decision.step else "The rule leaves it alone now.")
    return " ".join(parts)


def _fate_json(fate: Fate) -> FateJson:
    ref, decision = fate.ref, fate.decision
    return {
        "policy": fate.policy,
        "rule": fate.rule,
        "found": ref is not None,
        "blocked": ref.blocked if ref else None,
        "dates": {name: day_or_moment(at) if at else None for name, at in ref.dates.items()} if ref else {},
        "verdict": decision.verdict.value if decision else None,
        "reason": decision.reason.value if decision else None,
        "due_at": stamp(decision.due_at) if decision and decision.due_at else None,
        "block_at": stamp(decision.block_at) if decision and decision.block_at else None,
        "step": decision.step.value if decision and decision.step else None,
        "bounds": [_bound_json(end) for end in decision.ends] if decision else [],
    }


def _bound_json(end: BoundEnd) -> BoundJson:
    return {
        "stage": end.stage.value,
        "dates": list(end.date_names),
        "start": day_or_moment(end.start) if end.start else None,
        "end": stamp(end.end) if end.end else None,
        "basis": end.basis,
    }
