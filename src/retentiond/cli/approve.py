"""`retentiond approve`: a named person allows a rule's version, a plan, or the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retentiond.cli.session import regular_file, settings_of
from retentiond.cli.terminal import say
from retentiond.cli.verification import refuse_untrustworthy
from retentiond.daemon.clock import read_clock, utc_now
from retentiond.engine.approval import approve_clock, approve_plan, approve_removal, approve_rules
from retentiond.engine.clearance import clearance, removals, waits_for, words_of
from retentiond.engine.evidence import open_evidence
from retentiond.engine.workplace import read_workplace
from retentiond.errors import ConfigurationError
from retentiond.report.shown import moment, shown

By = Annotated[str, typer.Option("--by", metavar="STAFF-ID", help="Who approves: a staff id rather than a name; it is logged.")]

approve = typer.Typer(no_args_is_help=True, help="Allow a rule's version, a plan, or the clock.")


@approve.command("rule")
def rule(
    context: typer.Context,
    by: By,
    rules: Annotated[list[str] | None, typer.Argument(metavar="RULE...", show_default=False, help="The rules.")] = None,
    all_rules: Annotated[bool, typer.Option("--all", help="All rules of all policies.")] = False,
) -> None:
    """Allow the present version of rules to act. A change of a rule, or of its data set's settings, needs a new word."""
    if bool(rules) == all_rules:
        raise ConfigurationError("Name the rules to approve, or say --all.")
    settings = settings_of(context)
    workplace = read_workplace(settings)
    names = rules or [assignment.rule.id for assignment in workplace.assignments]
    workplace.chosen(names)
    now, cool_off = utc_now(), settings.guards.cool_off
    with open_evidence(settings, now) as evidence:
        refuse_untrustworthy(evidence)
        for approval in approve_rules(workplace, evidence, names, by, now):
            words = words_of(evidence.store.approvals(), evidence.store.versions(), None)
            version = f"Rule {shown(approval.name)}, version {approval.digest[:16]}"
            say([f"{version}, is approved by {shown(approval.by)}."])
            found = clearance(words, workplace.at(now).chosen([approval.name])[0], now, cool_off)
            if not found.in_force:
                say([waits_for(approval.name, found)])


@approve.command("removal")
def removal(
    context: typer.Context, by: By, rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule that was removed.")]
) -> None:
    """Say that a rule in force may be gone. Two persons and the cool-off are needed, like for any loosening."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    now = utc_now()
    with open_evidence(settings, now) as evidence:
        refuse_untrustworthy(evidence)
        approval = approve_removal(workplace, evidence, rule, by, now)
        say([f"The removal of rule {shown(approval.name)} is approved by {shown(approval.by)}."])
        words = words_of(evidence.store.approvals(), evidence.store.versions(), None)
        present = [one.rule.id for one in workplace.at(now).assignments]
        say(
            [
                waits_for(rule, one.found, removed=True)
                for one in removals(words, present, now, settings.guards.cool_off)
                if one.rule == rule
            ]
        )


@approve.command("plan")
def plan(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan made by `retentiond plan -o FILE`.")],
    by: By,
) -> None:
    """Allow exactly the records a plan names, as long as none of them changes."""
    regular_file(file, "FILE")
    settings = settings_of(context)
    workplace = read_workplace(settings)
    now = utc_now()
    with open_evidence(settings, now) as evidence:
        refuse_untrustworthy(evidence)
        for approval in approve_plan(workplace, evidence, file, by, now):
            until = f" until {moment(approval.expires)}" if approval.expires else ""
            say([f"Plan {approval.digest[:16]} ({shown(approval.name)}) is approved by {shown(approval.by)}{until}."])


@approve.command("clock")
def clock(context: typer.Context, by: By) -> None:
    """Say that the machine's clock is right although it jumped."""
    settings = settings_of(context)
    reading = read_clock()
    with open_evidence(settings, reading.at) as evidence:
        refuse_untrustworthy(evidence)
        approval = approve_clock(evidence, reading, by)
    until = f" until {moment(approval.expires)}" if approval.expires else ""
    say([f"The clock ({moment(reading.at)}) is approved by {shown(approval.by)}{until}."])
