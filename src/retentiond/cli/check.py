"""`retentiond check`: whether settings, policies and systems are fit to run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from retentiond.cli.session import settings_of
from retentiond.cli.terminal import note, say
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.decision import steps
from retentiond.report.shown import counted, shown


def check(
    context: typer.Context,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask every system whether each rule's actions could be done.")
    ] = False,
) -> None:
    """Check settings, policies and their cases. With --live, also ask every system. Changes nothing."""
    settings = settings_of(context)
    for warning in settings.warnings():
        note(warning)
    workplace = read_workplace(settings)
    say(_in_order(workplace))
    if live and _ask_systems(workplace):
        raise typer.Exit(1)


def _in_order(workplace: Workplace) -> Iterator[str]:
    policies, rules = len(workplace.policies), len(workplace.assignments)
    cases = sum(len(assignment.rule.cases) for assignment in workplace.assignments)
    kinds = f"{policies:,} {'policy' if policies == 1 else 'policies'}"
    yield f"In order: the settings, {kinds}, {counted(rules, 'rule')} and {counted(cases, 'case')}."
    idle = sorted(str(target) for target in workplace.targets.keys() - {one.target.target for one in workplace.assignments})
    if idle:
        yield f"No rule governs {shown(', '.join(idle))}: nothing there is ever deleted, blocked or anonymized."


def _ask_systems(workplace: Workplace) -> int:
    """Tell each finding, and how many of them refuse."""
    refusing = 0
    for assignment in workplace.assignments:
        for action in steps(assignment.rule):
            place = f"{assignment.rule.id}: {assignment.target.target}, {action}"
            try:
                with assignment.target.reader() as reader:
                    findings = [(finding.what, finding.refuses) for finding in reader.preflight(action)]
            except (ConnectorError, ConfigurationError) as error:
                findings = [(str(error), True)]
            for what, refuses in findings:
                note(f"{place}: {shown(what)}")
                refusing += refuses
            say([f"{shown(place)}: {'refused' if any(refuses for _, refuses in findings) else 'ready'}"])
    return refusing
