"""`retentiond attest`: evidence about data that no connector reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retentiond.cli.registering import day_of, hand_on
from retentiond.cli.session import settings_of
from retentiond.cli.terminal import say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import existing_store, open_store_of
from retentiond.engine.reviewing import attest as attest_rule
from retentiond.engine.reviewing import attested
from retentiond.engine.workplace import read_workplace
from retentiond.errors import ConfigurationError
from retentiond.report.reviews import attestations_json, attestations_text
from retentiond.report.shown import moment
from retentiond.store import AttestationResult


def attest(
    context: typer.Context,
    rule: Annotated[str | None, typer.Argument(metavar="RULE", show_default=False, help="What is attested.")] = None,
    result: Annotated[AttestationResult | None, typer.Option("--result", help="Whether it is as the policy expects.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="REFERENCE", help="Where the evidence is on file; no name.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="STAFF-ID", help="Who attests: a staff id rather than a name; it is logged.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="DATE", help="The day on which it was so; today where left out.")
    ] = None,
    document: Annotated[
        Path | None, typer.Option("--document", metavar="FILE", help="What it rests on; only its digest is recorded.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List what has to be attested, with the newest evidence.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --list: write JSON instead of text.")] = False,
) -> None:
    """Record evidence about data that no connector reaches. It is good for as long as its policy says."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    if list_:
        asked = {name: one for name, (one, _) in attested(workplace, now).items()}
        with existing_store(settings) as store:
            made = store.attestations() if store else []
        if json:
            say_json(attestations_json(asked, made, now))
        else:
            say(attestations_text(asked, made, now))
        return
    if rule is None or result is None or reference is None or by is None:
        raise ConfigurationError("Say RULE, --result, --reference and --by; or --list to see what has to be attested.")
    with open_store_of(settings) as store:
        day = None if at is None else day_of(at, "--at")
        done = attest_rule(workplace, store, rule, result, reference, by, now, at=day, document=document)
    hand_on(settings, now)
    say([f"{rule} is attested as {result}; the evidence is good until {moment(done.expires)}."])
