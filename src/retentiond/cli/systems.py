"""`retentiond systems`: what is configured, what can be done there, and what each system says now."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.cli.session import settings_of
from retentiond.cli.terminal import say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import existing_store
from retentiond.engine.survey import survey
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.report.systems import live_json, live_text, systems_json, systems_text
from retentiond.settings import Settings


def systems(
    context: typer.Context,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask every system: reach, rights, clock, copies, attestations.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """List the configured data sets. With connector, dates, actions and the rules that govern them; --live asks the systems."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    if live:
        if not _ask(settings, workplace, json=json):
            raise typer.Exit(1)
    elif json:
        say_json(systems_json(workplace))
    else:
        say(systems_text(workplace))


def _ask(settings: Settings, workplace: Workplace, *, json: bool) -> bool:
    """Tell what each system says as soon as it has said it; True where all rules could do their work and all evidence is good."""
    now = utc_now()
    with existing_store(settings) as store:
        made = store.attestations() if store else []
    told = []
    for one in survey(workplace, made, now, utc_now):
        told.append(one)
        if not json:
            say(live_text(one, now))
    if json:
        say_json(live_json(told, now))
    return not any(one.uncovered or one.lapsed(now) or any(data.refused for data in one.datasets) for one in told)
