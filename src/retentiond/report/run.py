"""What a run did: doubts resolved, each step with its outcomes, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from rich.console import RenderableType

from retentiond.engine.values import Reconciled, RunReport, Status, StepResult
from retentiond.model.record import OutcomeKind
from retentiond.report.anchors import CoverageJson, HandedJson, anchoring_text, coverage_json, handed_json
from retentiond.report.layout import lines, table
from retentiond.report.shown import counted, moment, shown, stamp
from retentiond.report.words import DONE, OUTCOMES, STATUSES
from retentiond.store import AttestationResult


class RunStepJson(TypedDict):
    """One step of a run."""

    rule: str
    rule_digest: str
    system: str
    dataset: str
    action: str
    status: str
    population: int | None
    due: int | None
    past_cap: int | None
    kept: dict[str, int]
    undatable: int | None
    plan_digest: str | None
    outcomes: dict[str, int]
    rows: int
    reasons: list[str]


class ReconciledJson(TypedDict):
    """What was found out about a batch that a crash had interrupted."""

    batch: str
    system: str
    dataset: str
    action: str
    outcomes: dict[str, int]
    unresolved: str | None


class AskedJson(TypedDict):
    """What a vendor said about one attestation."""

    rule: str
    system: str
    result: str | None
    problems: list[str]


class RunJson(TypedDict):
    """What `run --json` writes."""

    run: str
    trigger: str
    as_of: str
    started_at: str
    ended_at: str
    status: str
    exit_status: int
    reconciled: list[ReconciledJson]
    steps: list[RunStepJson]
    handed: list[HandedJson]
    anchors: CoverageJson | None
    asked: list[AskedJson]


def run_json(report: RunReport) -> RunJson:
    """The report for a program. Holds counts and digests; no record's key."""
    return {
        "run": report.run,
        "trigger": report.trigger,
        "as_of": stamp(report.as_of),
        "started_at": stamp(report.started_at),
        "ended_at": stamp(report.ended_at),
        "status": report.status.value,
        "exit_status": report.exit_status,
        "reconciled": [reconciled_json(one) for one in report.reconciled],
        "steps": [_step_json(step) for step in report.steps],
        "handed": handed_json(report.anchoring) if report.anchoring else [],
        "anchors": coverage_json(report.anchoring.coverage) if report.anchoring else None,
        "asked": [
            {
                "rule": one.rule,
                "system": one.system,
                "result": one.result.value if one.result else None,
                "problems": list(one.problems),
            }
            for one in report.asked
        ],
    }


def run_text(report: RunReport) -> Iterator[RenderableType]:
    """The report for a person."""
    for one in report.reconciled:
        yield from reconciled_text(one)
    if report.reconciled:
        yield ""
    grid = table("rule", "action", "due", "done", "other", "kept", "undatable", "status", right=(2, 3, 4, 5, 6))
    for step in report.steps:
        plan = step.plan
        due, kept, undatable = (plan.due, sum(plan.kept.values()), plan.undatable) if plan else (None, None, None)
        other = sum(step.outcomes.values()) - step.done
        cells = ["-" if figure is None else f"{figure:,}" for figure in (due, step.done, other, kept, undatable)]
        grid.add_row(shown(step.rule), step.action.value, *cells, STATUSES[step.status])
    yield grid
    for step in report.steps:
        yield from _step_text(step)
    unapproved = {step.rule for step in report.steps if step.status is Status.REPORT}
    if unapproved:
        yield ""
        yield lines(f"{counted(len(unapproved), 'rule')} only reported: nobody has approved the present version.", depth=0)
    answered = [one for one in report.asked if one.result or one.problems]
    if answered:
        met = sum(one.result is AttestationResult.MET for one in answered)
        yield ""
        yield f"Settings of vendors: {met:,} of {counted(len(answered), 'attestation')} met."
        yield from (lines(shown(problem)) for one in answered for problem in one.problems)
    yield ""
    yield _last_line(report)
    if report.anchoring:
        yield from anchoring_text(report.anchoring)
    yield from _next_commands(report)


def _step_text(step: StepResult) -> Iterator[RenderableType]:
    """What the table does not tell; that a rule is not approved is told once for all of them."""
    kinds = [(kind, number) for kind, number in step.outcomes.items() if number]
    reasons = () if step.status is Status.REPORT else step.reasons
    if not (kinds or reasons):
        return
    yield ""
    yield f"{shown(step.rule)}: {step.action} in {shown(str(step.target))}"
    for kind, number in sorted(kinds, key=lambda item: -item[1]):
        yield lines(f"{number:,} {DONE[step.action] + ', ' if kind in _OURS else ''}{OUTCOMES[kind]}")
    if step.rows > step.done:
        yield lines(f"{step.rows:,} rows, lines or parts in all")
    for reason in reasons:
        yield lines(shown(reason))


_OURS = frozenset({OutcomeKind.CONFIRMED, OutcomeKind.PENDING_COPIES})


def _last_line(report: RunReport) -> str:
    done = sum(step.done for step in report.steps)
    due = sum(step.plan.due for step in report.steps if step.plan)
    took = (report.ended_at - report.started_at).total_seconds()
    words = {
        Status.DONE: "done" if due else "nothing was due",
        Status.REPORT: "refused for want of approval",
        Status.AWAITING: "a plan, or a changed rule, awaits approval",
        Status.REFUSED: "a guard refused",
    }
    return (
        f"Run {report.run}, {moment(report.ended_at)}, {took:.1f} s: {words.get(report.status, STATUSES[report.status])}; "
        f"{done:,} of {counted(due, 'due record')} dealt with."
    )


def _next_commands(report: RunReport) -> Iterator[str]:
    unapproved = sorted({step.rule for step in report.steps if step.status is Status.REPORT})
    awaiting = sorted({step.rule for step in report.steps if step.status is Status.AWAITING and not step.rule_awaits})
    if unapproved or awaiting:
        yield "Next:"
    if unapproved:
        yield f"  retentiond approve rule {' '.join(map(shown, unapproved))} --by STAFF-ID"
    for rule in awaiting:
        yield f"  retentiond plan --rule {shown(rule)} -o plan.txt"
        yield "  retentiond approve plan plan.txt --by STAFF-ID"


def reconciled_text(one: Reconciled) -> Iterator[RenderableType]:
    """What was found out about an interrupted batch, for a person."""
    yield f"Interrupted batch {one.batch} ({shown(str(one.target))}, {one.action}) was looked up:"
    if one.unresolved:
        yield lines(shown(one.unresolved))
    for kind, number in one.outcomes.items():
        yield lines(f"{number:,} {DONE[one.action] + ', ' if kind in _OURS else ''}{OUTCOMES[kind]}")


def reconciled_json(one: Reconciled) -> ReconciledJson:
    """The same for a program."""
    return {
        "batch": one.batch,
        "system": one.target.system,
        "dataset": one.target.dataset,
        "action": one.action.value,
        "outcomes": {kind.value: number for kind, number in one.outcomes.items()},
        "unresolved": one.unresolved,
    }


def _step_json(step: StepResult) -> RunStepJson:
    plan = step.plan
    return {
        "rule": step.rule,
        "rule_digest": step.rule_digest,
        "system": step.target.system,
        "dataset": step.target.dataset,
        "action": step.action.value,
        "status": step.status.value,
        "population": plan.population if plan else None,
        "due": plan.due if plan else None,
        "past_cap": plan.past_cap if plan else None,
        "kept": {str(code): number for code, number in plan.kept.items()} if plan else {},
        "undatable": plan.undatable if plan else None,
        "plan_digest": plan.digest if plan else None,
        "outcomes": {kind.value: number for kind, number in step.outcomes.items()},
        "rows": step.rows,
        "reasons": list(step.reasons),
    }
