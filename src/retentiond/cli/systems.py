"""`retentiond systems`: what is configured, and what can be done there."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.cli.session import settings_of
from retentiond.cli.terminal import say, say_json
from retentiond.engine.workplace import read_workplace
from retentiond.report.systems import systems_json, systems_text


def systems(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """List the configured data sets. With connector, dates, actions and the rules that govern them; asks no system."""
    workplace = read_workplace(settings_of(context))
    if json:
        say_json(systems_json(workplace))
    else:
        say(systems_text(workplace))
