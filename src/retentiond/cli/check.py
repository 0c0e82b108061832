"""`retentiond check`: are settings, policies and systems fit to run?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from retentiond.cli.session import settings_of
from retentiond.cli.terminal import note, say
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.report.shown import counted, shown


def check(
    context: typer.Context,
    live: Annotated[bool, typer.Option("--live", help="Also ask every system whether each rule's actions could be done.")] = False,
) -> None:
    """Check settings, policies and their cases; with --live also ask every system. Changes nothing."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    problems = [*_cases(workplace)]
    if problems:
        raise ConfigurationError("The policies load, but do not do what their cases say.", problems)
    refusing = _ask_systems(workplace) if live else 0
    rules = counted(len(workplace.assignments), "rule")
    policies = f"{len(workplace.policies)} {'policy' if len(workplace.policies) == 1 else 'policies'}"
    say([f"Settings, {policies} and {rules} are in order; the policies' {_case_count(workplace)} cases hold."])
    if live:
        say(["Every system can be reached and can do what its rules ask." if not refusing else f"{refusing} findings refuse to run."])
    if refusing:
        raise typer.Exit(1)


def _ask_systems(workplace: Workplace) -> int:
    """Tell each finding, and how many of them refuse."""
    refusing = 0
    for assignment in workplace.assignments:
        for action in assignment.steps:
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
