"""What the commands share that change a register: how days and persons are written, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated

import typer

from retentiond.cli.terminal import note
from retentiond.engine.evidence import existing_store
from retentiond.engine.outbox import try_to_flush
from retentiond.errors import ConfigurationError
from retentiond.model.subject import Subject, subject_of
from retentiond.settings import Settings
from retentiond.store import Store

By = Annotated[str, typer.Option("--by", metavar="STAFF-ID", help="Who says so: a staff id rather than a name; it is logged.")]


def day_of(text: str, option: str) -> date:
    """The day that the `option` names; raises `ConfigurationError` for anything but an ISO 8601 date."""
    try:
        if len(text) == len("2027-01-31"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ConfigurationError(f"The day after {option} is none. Write it as 2027-01-31. Nothing was done.")


def person_of(text: str) -> Subject:
    """Read KIND:IDENTIFIER; raises `ConfigurationError`, which does not repeat it, for any other form."""
    person = subject_of(text)
    if person is None:
        raise ConfigurationError("Name the person as KIND:IDENTIFIER, such as email:ann@example.org. Nothing was done.")
    return person


def waiting() -> None:
    """Say why it takes so long."""
    note("Waiting until the run in hand is done with its batch.")


def hand_on(settings: Settings, now: datetime) -> None:
    """Have the deletion log take in what was just said, or say who will."""
    if not try_to_flush(settings, now):
        note("The deletion log is in use, or cannot be opened now; the run in hand, or the next one, writes the entry.")


@contextmanager
def known_store(settings: Settings, what: str) -> Iterator[Store]:
    """The store, where there is one; raises `ConfigurationError` where `what` (`holds`) cannot be in it yet."""
    with existing_store(settings) as store:
        if store is None:
            raise ConfigurationError(f"There are no {what} yet. Nothing was done.")
        yield store
