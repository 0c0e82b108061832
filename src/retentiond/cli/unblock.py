"""`retentiond unblock`: gives a blocked record back to normal work."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.cli.session import settings_of, target_of
from retentiond.cli.terminal import say
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import open_evidence
from retentiond.engine.unblocking import unblock as unblock_record
from retentiond.engine.workplace import read_workplace
from retentiond.model.record import OutcomeKind
from retentiond.report.shown import shown
from retentiond.report.words import OUTCOMES


def unblock(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="SYSTEM/DATASET", help="The data set.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The record's key, as the connector writes it.")],
    by: Annotated[str, typer.Option("--by", metavar="STAFF-ID", help="Who asks: a staff id rather than a name; it is logged.")],
) -> None:
    """Give a blocked record back to normal work. Refused while a rule or a request has it blocked."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    target = target_of(dataset)
    now = utc_now()
    with open_evidence(settings, now) as evidence:
        done = unblock_record(workplace, evidence, target, key, by, now, utc_now)
    outcome = next(iter(done.outcomes), None)
    told = OUTCOMES[outcome] if outcome else " ".join(done.reasons)
    say([f"Record of {shown(str(target))}: {told}."])
    raise typer.Exit(0 if outcome is OutcomeKind.CONFIRMED else 1)
