"""`retentiond connectors`: which kinds of system are known."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.cli.terminal import say, say_json
from retentiond.connector.registry import connectors as installed
from retentiond.report.systems import connectors_json, connectors_text


def connectors(json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False) -> None:
    """List the installed connectors. Tells what each can do; needs no settings."""
    if json:
        say_json(connectors_json(installed()))
    else:
        say(connectors_text(installed()))
