"""What a restore brought back and what was done about it: counts for each data set, never a record's key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

from rich.console import RenderableType

from retentiond.engine.redoing import ReplayReport
from retentiond.engine.replay import ReplayPlan, Returned
from retentiond.engine.values import StepResult
from retentiond.report.layout import lines, table
from retentiond.report.run import ReconciledJson, reconciled_json, reconciled_text
from retentiond.report.shown import counted, moment, shown, stamp
from retentiond.report.words import DONE, OUTCOMES, REASONS, STATUSES


class ReturnedJson(TypedDict):
    """What a restore brought back in one data set."""

    dataset: str
    examined: int
    again: dict[str, int]
    strangers: int
    undecidable: int
    kept: dict[str, int]
    lost: int
    known_since: str | None
    findings: list[str]


class RedoneJson(TypedDict):
    """What was done again in one step."""

    rule: str
    dataset: str
    action: str
    status: str
    outcomes: dict[str, int]
    rows: int
    reasons: list[str]


class ReplayJson(TypedDict):
    """What `replay --json` writes."""

    system: str
    backup_at: str
    as_of: str
    digest: str
    datasets: list[ReturnedJson]
    status: str
    reconciled: list[ReconciledJson]
    steps: list[RedoneJson]


def replay_json(plan: ReplayPlan, report: ReplayReport | None) -> ReplayJson:
    """Plan and result for a program; `report` is None where only the plan was asked for."""
    return {
        "system": plan.system,
        "backup_at": stamp(plan.backup_at),
        "as_of": stamp(plan.as_of),
        "digest": plan.digest,
        "datasets": [_returned_json(one) for one in plan.datasets],
        "status": report.status.value if report else "planned",
        "reconciled": [reconciled_json(one) for one in report.reconciled] if report else [],
        "steps": [_redone_json(one) for one in report.steps] if report else [],
    }


def replay_text(plan: ReplayPlan, report: ReplayReport | None, objections: Sequence[str] = ()) -> Iterator[RenderableType]:
    """Plan and result for a person; `objections` are what stands against carrying the plan out as it is."""
    if report is not None:
        for batch in report.reconciled:
            yield from reconciled_text(batch)
    yield f"{shown(plan.system)}, restored as of {moment(plan.backup_at)}: what came back of what had been dealt with since."
    yield ""
    grid = table("data set", "records", "to do again", "strangers", "cannot tell", "kept", right=(1, 2, 3, 4, 5))
    for one in plan.datasets:
        figures = (one.examined, one.acts, one.strangers, one.undecidable, sum(one.kept.values()))
        grid.add_row(shown(one.target.dataset), *(f"{figure:,}" for figure in figures))
    yield grid
    for one in plan.datasets:
        yield from map(lines, _remarks(one))
    yield from map(lines, objections)
    yield ""
    if report is not None:
        yield from _done_text(report)
    elif plan.counts.get("again"):
        yield "Nothing was done. To do it: the same command with `--go --by STAFF-ID`."
    else:
        yield "There is nothing to do again."


def _remarks(one: Returned) -> Iterator[str]:
    name = shown(one.target.dataset)
    for action, number in one.again.items():
        yield f"{name}: {counted(number, 'record')} to be {DONE[action]} again."
    if one.strangers:
        yield f"{name}: {counted(one.strangers, 'record')} under a key that was dealt with, and not the same; left alone."
    if one.undecidable:
        yield (
            f"{name}: of {counted(one.undecidable, 'record')} nobody can tell whether they are the same, because no "
            f"`identity` was declared in the settings when they were dealt with; left alone. Look at them by hand."
        )
    for reason, number in one.kept.items():
        yield f"{name}: {counted(number, 'act')} not to be repeated now: {REASONS[reason]}."
    if one.lost:
        yield f"{name}: of {counted(one.lost, 'outcome')} the log cannot tell which record they are about; their key is gone."
    if one.known_since:
        yield f"{name}: what was done between the backup and {moment(one.known_since)} the log does not tell any more."
    yield from map(shown, one.findings)


def _done_text(report: ReplayReport) -> Iterator[RenderableType]:
    for step in report.steps:
        place = f"{shown(step.target.dataset)}, {step.action} by {shown(step.rule)}" if step.rule else shown(step.target.dataset)
        yield f"{place}: {STATUSES[step.status]}"
        yield from (lines(f"{number:,} {OUTCOMES[outcome]}") for outcome, number in step.outcomes.items())
        yield from (lines(shown(reason)) for reason in step.reasons)
    if not report.steps:
        yield "There was nothing to do again."


def _returned_json(one: Returned) -> ReturnedJson:
    return {
        "dataset": one.target.dataset,
        "examined": one.examined,
        "again": {action.value: number for action, number in one.again.items()},
        "strangers": one.strangers,
        "undecidable": one.undecidable,
        "kept": {reason.value: number for reason, number in one.kept.items()},
        "lost": one.lost,
        "known_since": stamp(one.known_since) if one.known_since else None,
        "findings": list(one.findings),
    }


def _redone_json(step: StepResult) -> RedoneJson:
    return {
        "rule": step.rule,
        "dataset": step.target.dataset,
        "action": step.action.value,
        "status": step.status.value,
        "outcomes": {outcome.value: number for outcome, number in step.outcomes.items()},
        "rows": step.rows,
        "reasons": list(step.reasons),
    }
