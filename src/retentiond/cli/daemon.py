"""`retentiond daemon`: the service."""

from __future__ import annotations

import typer

from retentiond.cli.session import settings_file


def daemon(context: typer.Context) -> None:
    """Run on the schedule of the settings until told to stop. SIGHUP reads settings and policies again."""
    from retentiond.daemon.service import serve  # noqa: PLC0415 - no other command has to wait for the scheduler to load

    raise typer.Exit(serve(settings_file(context)))
