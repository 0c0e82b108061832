"""`retentiond policy`: the language of policies, and what lies between two sets of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retentiond.cli.session import settings_of
from retentiond.cli.terminal import say, say_json
from retentiond.connector.registry import bind, connectors
from retentiond.daemon.clock import utc_now
from retentiond.engine.difference import differences, live_differences
from retentiond.engine.evidence import existing_store
from retentiond.engine.own import with_own
from retentiond.engine.registers import Registers, read_registers
from retentiond.policy.load import load, newest
from retentiond.policy.schema import json_schema
from retentiond.report.difference import difference_json, difference_text
from retentiond.report.notice import notice_markdown
from retentiond.report.phrases import Lang

policy = typer.Typer(no_args_is_help=True, help="The language of policies, and what lies between two sets of them.")


@policy.callback()
def _group() -> None:
    """The language of policies, and what lies between two sets of them."""


@policy.command("schema")
def schema() -> None:
    """Write the JSON Schema of a policy file, for an editor that completes and checks."""
    say_json(json_schema())


@policy.command("table")
def table(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A policy file, or a folder of them.")],
    lang: Annotated[Lang, typer.Option("--lang", help="The language of the table.")] = Lang.EN,
) -> None:
    """Write the published promises and the rules side by side, in Markdown. Needs no settings."""
    for line in notice_markdown(load(path), lang):
        typer.echo(line)


@policy.command("diff")
def diff(
    context: typer.Context,
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A policy file, or a folder of them.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same, changed.")],
    no_live: Annotated[bool, typer.Option("--no-live", help="Compare the texts alone; needs no settings and no system.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Tell what NEW changes about OLD, rule by rule, and which records fare otherwise. Changes nothing."""
    now = utc_now()
    was, is_ = (newest(load(path)) for path in (old, new))
    if no_live:
        found = differences(was, is_)
    else:
        settings = settings_of(context)
        rules = {rule.id for one in (*was, *is_) for rule in one.policy.rules}
        with existing_store(settings) as store:
            registers = read_registers(store, sorted(rules)) if store else Registers()
        targets = bind(settings.systems, with_own(connectors(), settings), settings.document)
        found = live_differences(was, is_, targets, registers, now)
    if json:
        say_json(difference_json(found, now))
    else:
        say(difference_text(found))
    raise typer.Exit(1 if any(one.trouble for one in found) else 0)
