"""`retentiond audit export`: the log for somebody who takes it home; and checking what was taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from retentiond.audit import verify_export
from retentiond.cli.session import moment_of, settings_of
from retentiond.cli.terminal import say
from retentiond.cli.verification import verified
from retentiond.daemon.clock import utc_now
from retentiond.engine.evidence import existing_store
from retentiond.engine.exporting import export as write
from retentiond.errors import ConfigurationError
from retentiond.report.shown import shown


def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it; must not exist.")],
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="Only entries from this moment on; of the others the hashes.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Only entries before this moment; of the others the hashes.")
    ] = None,
) -> None:
    """Write the log, with all that is needed to check it, into a folder for an auditor. Holds no personal data but staff ids."""
    settings, now = settings_of(context), utc_now()
    begin = None if since is None else moment_of(since, now, "--since")
    end = None if until is None else moment_of(until, now, "--until")
    told = verified(settings)
    with existing_store(settings) as store:
        found = write(settings, store, told, folder, now, begin, end)
    say([f"{folder} holds {found.entries:,} of {found.size:,} signed entries of {shown(settings.origin)}, and every hash."])
    if told.size > found.size:
        say([f"{told.size - found.size:,} entries came later and are not signed yet: `retentiond audit checkpoint`."])
    say([f"To check it, with nothing of retentiond: python3 {folder / 'verify.py'} {folder} --vkey KEY"])


def check_export(folder: Path, vkey: str | None, checkpoints: Sequence[Path]) -> bool:
    """Check an export, without settings or state, and write what was found; True where it is in order."""
    if vkey is None:
        raise ConfigurationError(
            "To check an export, give with --vkey the key that you got before: the one in it proves nothing."
        )
    words = [str(folder), "--vkey", vkey, *(word for file in checkpoints for word in ("--checkpoint", str(file)))]
    return verify_export.main(words) == 0
