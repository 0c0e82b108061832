"""The program `retentiond`: its commands, and the one place where an error becomes words and an exit status."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, cast

import typer

from retentiond import __version__
from retentiond.cli.approve import approve
from retentiond.cli.attest import attest
from retentiond.cli.audit import audit
from retentiond.cli.check import check
from retentiond.cli.connectors import connectors
from retentiond.cli.crash import write_crash_report
from retentiond.cli.daemon import daemon
from retentiond.cli.demo.command import demo
from retentiond.cli.explain import explain
from retentiond.cli.hold import hold
from retentiond.cli.plan import plan
from retentiond.cli.policy import policy
from retentiond.cli.replay import replay
from retentiond.cli.request import request
from retentiond.cli.review import review
from retentiond.cli.run import run
from retentiond.cli.status import status
from retentiond.cli.suppression import suppression
from retentiond.cli.systems import systems
from retentiond.cli.task import task
from retentiond.cli.tax import tax
from retentiond.cli.terminal import note
from retentiond.cli.unblock import unblock
from retentiond.errors import RetentiondError

FAILED = 1
BUG = 3
INTERRUPTED = 130
UNWRITTEN = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT})
"""How the system says that a stream takes no more of our words."""

app = typer.Typer(
    name="retentiond",
    help="Enforces retention rules: deletes, blocks or anonymizes records when they are due, and proves it.",
    epilog="Exit status: 0 done; 1 something failed; 2 usage, settings or policy; 3 a bug; 4 refused by a guard or not "
    "approved; 5 the deletion log is not trustworthy; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"retentiond {__version__}\n")
        raise typer.Exit


@app.callback()
def retentiond(
    context: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The settings; otherwise $RETENTIOND_SETTINGS, or /etc/retentiond/retentiond.yaml."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Remember what every command needs."""
    del version
    context.obj = settings


SINGLE = (check, plan, run, daemon, explain, unblock, replay, attest, status, systems, connectors, demo)
GROUPS = {
    "approve": approve,
    "audit": audit,
    "hold": hold,
    "policy": policy,
    "request": request,
    "review": review,
    "suppression": suppression,
    "task": task,
    "tax": tax,
}
COMMANDS = frozenset({*GROUPS, *(command.__name__ for command in SINGLE)})
for command in SINGLE:
    app.command()(command)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


GARBAGE_AFTER = 20_000
"""How many new objects let Python look for cycles among them: a page of records makes thousands, and not one cycle."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words` name (those of the process where left out) and return its exit status.

    Nothing is raised: an expected error is told on stderr, a bug is told by its class and written to a report.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before we began, and the next file opened would get its number
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):  # a name in a system may hold what the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    gc.set_threshold(GARBAGE_AFTER)
    try:
        status = _run(sys.argv[1:] if words is None else words)
        sys.stdout.flush()
    except OSError as error:
        # What Python flushes at its end must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:  # the reader of our pipe went away; it knows that
            with suppress(OSError):
                note(f"Not all was written: {os.strerror(error.errno or 0).lower()}. What the command did is done.")
        return FAILED
    return status


def _run(words: Sequence[str]) -> int:
    try:
        app(list(words), prog_name="retentiond")
    except SystemExit as end:
        return cast("int", end.code or 0)
    except RetentiondError as error:
        note(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        note("Interrupted.")
        return INTERRUPTED
    except Exception as error:  # the one handler: whatever else arrives here is a bug, and is told as one
        if isinstance(error, OSError) and error.errno in UNWRITTEN:
            raise
        note(write_crash_report(error, next((word for word in words if word in COMMANDS), None)))
        return BUG
    return 0


if __name__ == "__main__":
    sys.exit(main())
