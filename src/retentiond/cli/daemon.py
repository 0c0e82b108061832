"""`retentiond daemon`: the service."""

from __future__ import annotations

import typer

from retentiond.cli.session import settings_file
from retentiond.daemon.service import serve


def daemon(context: typer.Context) -> None:
    """Run on the schedule of the settings until told to stop. SIGHUP reads settings and policies again."""
    raise typer.Exit(serve(settings_file(context)))
