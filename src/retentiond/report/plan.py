"""The dry-run report: what would be done, what is kept and why, what cannot be dated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from rich.console import RenderableType

from retentiond.anchor import Coverage
from retentiond.connector.api import Copy
from retentiond.engine.assignment import Assignment
from retentiond.engine.values import Status, StepPlan, StepResult
from retentiond.engine.workplace import Workplace
from retentiond.report.anchors import CoverageJson, coverage_json, coverage_text
from retentiond.report.layout import lines, table
from retentiond.report.rule import bounds_text
from retentiond.report.shown import counted, day_or_moment, moment, shown, span, stamp
from retentiond.report.words import DONE, STATUSES, why_kept

SAMPLES = 5
"""How many undatable records of a rule are named to a person at the terminal."""


class CopyJson(TypedDict):
    """A kind of copy that outlives the act."""

    name: str
    lives_seconds: float | None


class FindingJson(TypedDict):
    """What a preflight noticed."""

    what: str
    refuses: bool


class StepJson(TypedDict):
    """One step of one rule in a plan."""

    policy: str | None
    rule: str
    rule_digest: str
    system: str
    dataset: str
    action: str
    status: str
    approved: bool | None
    population: int | None
    due: int | None
    past_cap: int | None
    kept: dict[str, int]
    undatable: int | None
    oldest_due: str | None
    latest_due: str | None
    plan_digest: str | None
    copies: list[CopyJson]
    findings: list[FindingJson]
    reasons: list[str]


class TotalsJson(TypedDict):
    """The sums over all steps that could be planned."""

    due: int
    past_cap: int
    undatable: int


class PlanJson(TypedDict):
    """What `plan --json` writes."""

    as_of: str
    steps: list[StepJson]
    totals: TotalsJson
    anchors: CoverageJson | None


@dataclass(frozen=True, slots=True)
class PlanReport:
    """A dry run and what is known of its approvals."""

    as_of: datetime
    steps: Sequence[StepResult]
    approved: Collection[str] | None
    """Digests of the rule versions that may act; None where the state could not be asked."""
    workplace: Workplace
    covered: Coverage | None = None
    """How far anchors cover the deletion log; None where there is none yet."""

    def approval(self, step: StepResult) -> bool | None:
        """True where this version of the rule may act; None where nobody knows."""
        return None if self.approved is None else step.rule_digest in self.approved


def plan_json(report: PlanReport) -> PlanJson:
    """The report for a program. Holds counts and digests; no record's key."""
    plans = [step.plan for step in report.steps if step.plan]
    return {
        "as_of": stamp(report.as_of),
        "steps": [step_json(step, approved=report.approval(step)) for step in report.steps],
        "totals": {
            "due": sum(plan.due for plan in plans),
            "past_cap": sum(plan.past_cap for plan in plans),
            "undatable": sum(undatable_by_target(plans).values()),
        },
        "anchors": coverage_json(report.covered) if report.covered else None,
    }


def step_json(step: StepResult, *, approved: bool | None) -> StepJson:
    """One step for a program."""
    plan = step.plan
    return {
        "policy": plan.policy if plan else None,
        "rule": step.rule,
        "rule_digest": step.rule_digest,
        "system": step.target.system,
        "dataset": step.target.dataset,
        "action": step.action.value,
        "status": step.status.value,
        "approved": approved,
        "population": plan.population if plan else None,
        "due": plan.due if plan else None,
        "past_cap": plan.past_cap if plan else None,
        "kept": {str(code): number for code, number in plan.kept.items()} if plan else {},
        "undatable": plan.undatable if plan else None,
        "oldest_due": stamp(plan.oldest_due) if plan and plan.oldest_due else None,
        "latest_due": stamp(plan.latest_due) if plan and plan.latest_due else None,
        "plan_digest": plan.digest if plan else None,
        "copies": [_copy_json(copy) for copy in plan.copies] if plan else [],
        "findings": [{"what": finding.what, "refuses": finding.refuses} for finding in plan.findings] if plan else [],
        "reasons": list(step.reasons),
    }


def plan_text(report: PlanReport, *, samples: bool) -> Iterator[RenderableType]:
    """The report for a person; `samples` names some undatable records, which is for the terminal only."""
    plans = [step.plan for step in report.steps if step.plan]
    yield f"Dry run as of {moment(report.as_of)}. Nothing was changed."
    yield ""
    yield overview(report)
    for assignment in report.workplace.assignments:
        steps = [step for step in report.steps if step.rule == assignment.rule.id]
        if steps:
            yield ""
            yield from _rule_text(assignment, steps, report.approval(steps[0]), samples=samples)
    yield ""
    due, past = sum(plan.due for plan in plans), sum(plan.past_cap for plan in plans)
    undatable = sum(undatable_by_target(plans).values())
    yield f"Total: {due:,} due, of them {past:,} past the promised maximum; {undatable:,} undatable, never acted on."
    if report.covered:
        yield "The deletion log:"
        yield from coverage_text(report.covered)


def overview(report: PlanReport) -> RenderableType:
    """One line for each step."""
    grid = table("rule", "would", "records", "due", "past max", "kept", "undatable", "mode", right=(2, 3, 4, 5, 6))
    for step in report.steps:
        plan = step.plan
        figures = (
            [plan.population, plan.due, plan.past_cap, sum(plan.kept.values()), plan.undatable]
            if plan
            else [None, None, None, None, None]
        )
        cells = ["-" if figure is None else f"{figure:,}" for figure in figures]
        grid.add_row(shown(step.rule), step.action.value, *cells, _mode(step, report.approval(step)))
    return grid


def undatable_by_target(plans: Sequence[StepPlan]) -> dict[str, int]:
    """How many undatable records each data set holds; the steps of one rule see the same ones."""
    return {str(plan.target): max(other.undatable for other in plans if other.target == plan.target) for plan in plans}


def _mode(step: StepResult, approved: bool | None) -> str:
    if step.plan is None or step.status is not Status.PLANNED:
        return STATUSES[step.status]
    if step.reasons:
        return "may not act"
    return {None: "unknown", True: "enforced", False: "report only"}[approved]


def _rule_text(
    assignment: Assignment, steps: Sequence[StepResult], approved: bool | None, *, samples: bool
) -> Iterator[RenderableType]:
    yield f"{shown(assignment.rule.id)}, on {shown(str(assignment.target.target))}"
    for bound in bounds_text(assignment.rule):
        yield lines(bound)
    for step in steps:
        yield from _step_text(step, assignment.zone)
    plans = [step.plan for step in steps if step.plan]
    if plans:
        yield from _undatable_text(max(plans, key=lambda plan: plan.undatable), samples=samples)
    told = {reason for step in steps for reason in step.reasons}
    for finding in dict.fromkeys(finding.what for plan in plans for finding in plan.findings):
        if finding not in told:
            yield lines(f"noticed: {shown(finding)}")
    if approved is False and any(plan.due for plan in plans):
        yield lines("report only: nobody has approved this version of the rule, so a run does nothing for it")


def _step_text(step: StepResult, zone: str) -> Iterator[RenderableType]:
    plan = step.plan
    if plan is None:
        yield lines(f"to be {DONE[step.action]}: {STATUSES[step.status]}")
    else:
        yield lines(_due_text(plan, zone))
    for reason in step.reasons:
        yield lines(shown(reason), depth=2)
    if plan is None:
        return
    for code, number in sorted(plan.kept.items(), key=lambda item: -item[1]):
        yield lines(f"kept: {number:,}, because {why_kept(code, plan.action)}", depth=2)
    if plan.due:
        for copy in plan.copies:
            lives = "nobody has said how long" if copy.lives is None else f"for up to {span(copy.lives)}"
            yield lines(f"a copy survives: {shown(copy.name)}, {lives}", depth=2)


def _due_text(plan: StepPlan, zone: str) -> str:
    if not plan.due or plan.oldest_due is None or plan.latest_due is None:
        return f"to be {DONE[plan.action]}: none of {counted(plan.population, 'record')}"
    since = f"since {moment(plan.oldest_due, zone)}"
    if plan.latest_due != plan.oldest_due:
        since = f"the oldest {since}, the latest since {moment(plan.latest_due, zone)}"
    past = f"; {plan.past_cap:,} past the promised maximum" if plan.past_cap else ""
    share = f"{plan.due:,} of {counted(plan.population, 'record')} ({plan.due / plan.population:.1%})"
    return f"to be {DONE[plan.action]}: {share}, {since}{past}"


def _undatable_text(plan: StepPlan, *, samples: bool) -> Iterator[RenderableType]:
    if not plan.undatable:
        return
    yield lines(f"undatable: {plan.undatable:,} without a provable date, never acted on")
    if samples:
        for ref in plan.undatable_samples[:SAMPLES]:
            dates = ", ".join(f"{shown(name)} {day_or_moment(at) if at else 'unknown'}" for name, at in ref.dates.items())
            yield lines(f"{shown(' / '.join(ref.key))} ({dates})", depth=2)


def _copy_json(copy: Copy) -> CopyJson:
    return {"name": copy.name, "lives_seconds": None if copy.lives is None else copy.lives.total_seconds()}
