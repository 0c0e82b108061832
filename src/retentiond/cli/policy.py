"""`retentiond policy`: about the language of policies."""

from __future__ import annotations

import typer

from retentiond.cli.terminal import say_json
from retentiond.policy.schema import json_schema

policy = typer.Typer(no_args_is_help=True, help="About the language of policies.")


@policy.callback()
def _group() -> None:
    """About the language of policies."""


@policy.command("schema")
def schema() -> None:
    """Write the JSON Schema of a policy file, for an editor that completes and checks."""
    say_json(json_schema())
