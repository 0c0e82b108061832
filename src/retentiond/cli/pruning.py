"""`retentiond audit prune`, `audit rotate`, `audit shred` and `audit generation`: what goes of the deletion log itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retentiond.audit import begin_generation
from retentiond.cli.approve import By
from retentiond.cli.session import settings_of
from retentiond.cli.terminal import say, say_json
from retentiond.cli.verification import refuse_untrustworthy
from retentiond.daemon.clock import utc_now
from retentiond.engine.approval import staff_id
from retentiond.engine.evidence import log_place, open_evidence
from retentiond.engine.pruning import own_rule, prunable, prune_plan, shreddable_from
from retentiond.engine.pruning import prune as carry_out
from retentiond.engine.workplace import read_workplace
from retentiond.errors import ConfigurationError, GuardRefused
from retentiond.report.proof import prunable_json, prunable_text
from retentiond.report.shown import moment, shown


def prune(
    context: typer.Context,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="DIGEST", help="Let go what this plan, which was shown before, names.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="STAFF-ID", help="Who allows it: a staff id; it is logged.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Show what goes of the log by its own rule, or let it go. The hashes stay, and every proof with them."""
    if (plan is None) != (by is None):
        raise ConfigurationError("To let go what a plan names, give both: --plan DIGEST --by STAFF-ID.")
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    with open_evidence(settings, now) as evidence:
        refuse_untrustworthy(evidence)
        assignment = own_rule(workplace, now)
        found = prunable(evidence, evidence.log.verify(), assignment, now)
        digest = prune_plan(assignment, found, evidence.log.size, now).digest
        if plan is not None and by is not None:
            found = carry_out(workplace, evidence, plan, by, now)
    if json:
        say_json(prunable_json(assignment.rule.id, digest, found, pruned=plan is not None))
    else:
        say(prunable_text(assignment.rule.id, digest, found, pruned=plan is not None))


def rotate(context: typer.Context) -> None:
    """Begin a new epoch: from now on records are found by handles under a new key. Done by itself once a year."""
    settings, now = settings_of(context), utc_now()
    with open_evidence(settings, now) as evidence:
        refuse_untrustworthy(evidence)
        kid = evidence.log.rotate(now)
        evidence.log.checkpoint(now)
        say([f"Epoch {kid} began. Back its key up, apart from the log: {evidence.log.keys_folder}."])


def shred(
    context: typer.Context,
    epoch: Annotated[str, typer.Argument(metavar="EPOCH", help="The epoch, such as 2026-1.")],
    by: By,
    new_kek: Annotated[
        Path | None,
        typer.Option("--new-kek", metavar="FILE", help="32 random bytes: the wrapping key to come, where it is a credential."),
    ] = None,
    unneeded: Annotated[
        bool, typer.Option("--no-backup-needs-it", help="Say that no backup that can be restored is as old as the epoch.")
    ] = False,
) -> None:
    """Destroy the key of an epoch, and all that finds its records. Cannot be undone; what is proven stays proven."""
    settings, now = settings_of(context), utc_now()
    workplace, staff = read_workplace(settings), staff_id(by)
    fresh = _read(new_kek) if new_kek is not None else None
    with open_evidence(settings, now) as evidence:
        refuse_untrustworthy(evidence)
        since, unknown = shreddable_from(workplace, evidence.log, epoch)
        if since is not None and not unneeded and (since > now or unknown):
            why = (
                f"a backup may need it until {moment(since)}"
                if since > now
                else f"nobody told of backups of {', '.join(unknown)}"
            )
            raise GuardRefused(
                f"The epoch {epoch} was not shredded: {why}, and a replay after a restore needs its key. Wait, or say "
                f"--no-backup-needs-it."
            )
        decision = "no backup needs it" if unneeded else "approved"
        evidence.log.event("approval", now, subject=f"shred {epoch}", digest="", decision=decision, by=staff)
        evidence.log.shred(epoch, now, fresh)
    say([f"Epoch {epoch} is shredded: no record of its time can be found or opened any more."])
    if fresh is not None:
        say(["Now exchange the credential retentiond-kek for the new wrapping key, and destroy the old one and its copies."])


def generation(context: typer.Context, by: By) -> None:
    """Put aside a log that is lost or was rolled back, and begin another under a new `origin`, which tells what it follows."""
    settings, now, staff = settings_of(context), utc_now(), staff_id(by)
    folder = begin_generation(log_place(settings))
    with open_evidence(settings, now) as evidence:
        evidence.log.event("approval", now, subject="generation", digest="", decision="approved", by=staff)
        evidence.log.checkpoint(now)
    say(
        [
            f"A new log named {shown(settings.origin)} has begun; the one before is kept in {folder}.",
            "Every rule has to be approved again.",
        ]
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}).") from None
