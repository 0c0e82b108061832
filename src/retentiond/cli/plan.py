"""`retentiond plan`: the dry run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from retentiond.audit import ephemeral_handles
from retentiond.cli.session import moment_of, regular_file, settings_of
from retentiond.cli.state import approved_digests, covered, registers_of
from retentiond.cli.terminal import note, progress_bars, say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import open_evidence
from retentiond.engine.planfile import write_plan_file
from retentiond.engine.planning import plan_rules
from retentiond.engine.registers import read_registers
from retentiond.engine.values import Status, StepResult
from retentiond.engine.workplace import read_workplace
from retentiond.report.plan import PlanReport, plan_json, plan_text

Rules = Annotated[list[str] | None, typer.Option("--rule", metavar="RULE", help="Only this rule; may be given more than once.")]


def plan(
    context: typer.Context,
    rule: Rules = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="WHEN", help="Plan for this moment (ISO 8601; a day alone begins in UTC).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also keep the plan in FILE, to be approved.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Show what would be done, and change nothing. Tells what is due, what is kept and why, and what cannot be dated."""
    if output is not None:
        regular_file(output, "--output")
    settings = settings_of(context)
    workplace = read_workplace(settings)
    now = utc_now()
    moment = moment_of(as_of, now)
    only = rule or []
    if output is not None:
        with open_evidence(settings, now) as evidence, progress_bars() as progress:
            registers = read_registers(evidence.store, [one.rule.id for one in workplace.assignments])
            steps = write_plan_file(output, workplace, registers, evidence.log, moment, only=only, progress=progress)
    else:
        with progress_bars() as progress:
            registers = registers_of(settings, workplace)
            steps = plan_rules(workplace, registers, ephemeral_handles(), moment, only=only, progress=progress)
    report = PlanReport(moment, steps, approved_digests(settings, workplace, now), workplace, covered(settings))
    if json:
        say_json(plan_json(report))
    else:
        say(plan_text(report, samples=sys.stdout.isatty()))
    if output is not None:
        note(f"The plan is in {output}. If it is right: retentiond approve plan {output} --by STAFF-ID")
    raise typer.Exit(_exit_status(steps))


def _exit_status(steps: tuple[StepResult, ...]) -> int:
    statuses = {step.status for step in steps}
    return 1 if Status.FAILED in statuses else 4 if Status.REFUSED in statuses else 0
