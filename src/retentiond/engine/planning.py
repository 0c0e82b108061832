"""The dry run: plans every step of every rule and stops there. Nothing in here can change a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from retentiond.connector.api import Finding, Reader
from retentiond.engine.planner import Handles, Noting, plan_step
from retentiond.engine.registers import Registers, Standing
from retentiond.engine.values import DueRecord, Progress, Status, StepPlan, StepResult
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.record import Action


def plan_rules(
    workplace: Workplace,
    registers: Registers,
    handles: Handles,
    now: datetime,
    *,
    only: Sequence[str] = (),
    keep: Callable[[Sequence[DueRecord]], None] = lambda _records: None,
    planned: Callable[[StepPlan], None] = lambda _plan: None,
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> tuple[StepResult, ...]:
    """Plan each step of the rules named (all where none is) as of `now` (aware UTC).

    `registers` are what persons and registers say.
    A system that cannot be read fails its own steps only; where only the right to act is missing, the plan is whole.
    `keep` is handed the due records, in order and some at a time, `planned` each finished plan.
    """
    results: list[StepResult] = []
    for assignment in workplace.at(now).chosen(only):
        standing = registers.for_rule(assignment)
        for action in standing.steps:
            result = _plan(standing, action, now, handles, Noting(due=keep), progress)
            results.append(result)
            if result.plan is not None:
                planned(result.plan)
    return tuple(results)


def _plan(
    standing: Standing,
    action: Action,
    now: datetime,
    handles: Handles,
    noting: Noting,
    progress: Callable[[Progress], None],
) -> StepResult:
    assignment = standing.assignment
    try:
        with assignment.target.reader() as reader:
            planned = plan_with(standing, action, reader, now, handles, noting, progress)
    except (ConnectorError, ConfigurationError) as error:
        return StepResult.of(assignment, action, Status.FAILED, None, str(error))
    whole = planned.plan is not None and all(one.of_rights for one in planned.plan.findings if one.refuses)
    return replace(planned, status=Status.PLANNED) if whole else planned


def plan_with(
    standing: Standing,
    action: Action,
    reader: Reader,
    now: datetime,
    handles: Handles,
    noting: Noting,
    progress: Callable[[Progress], None],
) -> StepResult:
    """Plan one step with a reader at hand: PLANNED, or REFUSED where the preflight found what must be mended first.

    Raises `ConnectorError` where the system cannot be read although its preflight saw nothing wrong.
    """
    assignment = standing.assignment
    findings = reader.preflight(action)
    refusing = _refusing(findings)
    try:
        findings += reader.coverage()
        plan = plan_step(standing, action, reader, now, handles, findings, noting, progress)
    except ConnectorError:
        if not refusing:
            raise
        return StepResult.of(assignment, action, Status.REFUSED, None, *refusing)
    return StepResult.of(assignment, action, Status.REFUSED if refusing else Status.PLANNED, plan, *refusing)


def _refusing(findings: Sequence[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.refuses]
