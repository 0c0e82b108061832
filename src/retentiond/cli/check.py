"""`retentiond check`: whether settings, policies and systems are fit to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from retentiond.cli.session import settings_of
from retentiond.cli.terminal import note, say
from retentiond.engine.survey import preflight
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.errors import ConfigurationError
from retentiond.model.decision import steps
from retentiond.policy.lint import lint
from retentiond.policy.load import load
from retentiond.policy.loaded import LoadedPolicy
from retentiond.report.shown import counted, shown


def check(
    context: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="A policy or a folder of them: only that is checked, without settings.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask every system whether each rule's actions could be done.")
    ] = False,
) -> None:
    """Check settings, policies and their cases. With --live, also ask every system. Changes nothing."""
    if path is not None:
        if live:
            raise ConfigurationError("--live needs the settings, so it cannot go with a PATH. Leave one of them out.")
        say(_policies_in_order(load(path)))
        return
    settings = settings_of(context)
    for warning in settings.warnings():
        note(warning)
    workplace = read_workplace(settings)
    say(_in_order(workplace))
    say(_findings(workplace.policies))
    if live and _ask_systems(workplace):
        raise typer.Exit(1)


def _policies_in_order(policies: Sequence[LoadedPolicy]) -> Iterator[str]:
    yield from _findings(policies)
    rules = sum(len(one.policy.rules) for one in policies)
    attested = sum(len(one.policy.attestations) for one in policies)
    number = len({one.policy.policy for one in policies})
    activities = f"{number:,} {'activity' if number == 1 else 'activities'}"
    yield f"In order: {activities}, {counted(rules, 'rule')} and {counted(attested, 'attestation')}."


def _findings(policies: Sequence[LoadedPolicy]) -> Iterator[str]:
    for one in policies:
        for found in lint(one.policy):
            rule = one.policy.rules[found.rule]
            yield f"{one.where(rule)}: {rule.id}: {shown(str(found))}"


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
            findings = preflight(assignment.target, action)
            for finding in findings:
                note(f"{place}: {shown(finding.what)}")
                refusing += finding.refuses
            say([f"{shown(place)}: {'refused' if any(finding.refuses for finding in findings) else 'ready'}"])
    return refusing
