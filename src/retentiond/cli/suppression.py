"""`retentiond suppression`: who must not be contacted again."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.cli.registering import By, hand_on, person_of, waiting
from retentiond.cli.session import settings_of
from retentiond.cli.terminal import say
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import existing_store, open_store_of
from retentiond.engine.requesting import remove_suppression
from retentiond.report.shown import moment

Person = Annotated[str, typer.Argument(metavar="KIND:IDENTIFIER", help="The identifier, such as email:ann@example.org.")]

suppression = typer.Typer(no_args_is_help=True, help="Who must not be contacted again.")


@suppression.command("check")
def check(context: typer.Context, person: Person) -> None:
    """Tell whether an identifier is on the suppression list. Status 0 where it is, 1 where it is not."""
    settings = settings_of(context)
    asked = person_of(person)
    with existing_store(settings) as store:
        since = store.suppressed(asked) if store else None
    say([f"This {asked.kind} is suppressed since {moment(since)}." if since else f"This {asked.kind} is not suppressed."])
    raise typer.Exit(0 if since else 1)


@suppression.command("remove")
def remove(
    context: typer.Context,
    person: Person,
    by: By,
    case: Annotated[str, typer.Option("--case", metavar="REFERENCE", help="Where the new consent is on file; no name.")],
) -> None:
    """Take an identifier off the suppression list, because the person consented anew."""
    settings, now = settings_of(context), utc_now()
    asked = person_of(person)
    with open_store_of(settings) as store:
        remove_suppression(store, asked, case, by, now, waiting)
    hand_on(settings, now)
    say([f"This {asked.kind} is not suppressed any more."])
