"""`retentiond tax`: the register of tax years, on which hangs how long documents matter for a tax that is still open."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from retentiond.cli.registering import By, day_of, hand_on, waiting
from retentiond.cli.session import settings_of
from retentiond.cli.terminal import say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import existing_store, open_store_of
from retentiond.engine.holding import set_tax_year
from retentiond.engine.workplace import read_workplace
from retentiond.report.taxes import tax_json, tax_text

NOTHING = "none"
"""What takes a day back that was entered."""

tax = typer.Typer(no_args_is_help=True, help="The register of tax years.")


@tax.command("list")
def list_(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """List the tax years. Also those that rules need and nobody entered: they count as never filed."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    with existing_store(settings) as store:
        years = store.tax_years() if store else {}
    if json:
        say_json(tax_json(workplace, years, now))
    else:
        say(tax_text(workplace, years, now))


@tax.command("set")
def set_(
    context: typer.Context,
    year: Annotated[int, typer.Argument(metavar="YEAR", help="The calendar year.")],
    by: By,
    filed_on: Annotated[
        str | None, typer.Option("--filed-on", metavar="DAY", help="When the year's last return was filed.")
    ] = None,
    closed_on: Annotated[
        str | None, typer.Option("--closed-on", metavar="DAY", help="After which day nothing of it matters any more.")
    ] = None,
    audit_since: Annotated[str | None, typer.Option("--audit-since", metavar="DAY", help="When an audit of it began.")] = None,
    audit_until: Annotated[str | None, typer.Option("--audit-until", metavar="DAY", help="When that audit was over.")] = None,
) -> None:
    """Enter what is known of a tax year. What is left out stays as it was; `none` takes a day back."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    given = {"filed_on": filed_on, "closed_on": closed_on, "audit_since": audit_since, "audit_until": audit_until}
    days = {name: _day(text, f"--{name.replace('_', '-')}") for name, text in given.items() if text is not None}
    with open_store_of(settings) as store:
        told = set_tax_year(workplace, store, year, days, by, now, waiting)
    hand_on(settings, now)
    say([f"Tax year {told.year} is entered; `retentiond tax list` shows until when it is open."])


def _day(text: str, option: str) -> date | None:
    return None if text == NOTHING else day_of(text, option)
