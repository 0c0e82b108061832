"""What the settings say about a journal and about one data set in it; each option is shown with an example in the README."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from retentiond.connector import Action, ConnectionOptions, Offer, TargetOptions
from retentiond.connector.written import CopyOption, Directory


def _stream(text: str) -> str:
    if not text or re.search(r"[/@\x00-\x1f]", text):
        raise ValueError("must be the beginning of a journal's name, such as system, user-1000 or remote-*")
    return text


Stream = Annotated[str, AfterValidator(_stream)]


class JournaldConnection(ConnectionOptions):
    """Where the journal is, and what journald was told."""

    root: Directory = "/var/log/journal"
    """Journals lie in it, or in directories directly below it."""
    config: tuple[Directory, ...] = ("/usr/lib/systemd", "/run/systemd", "/etc/systemd")
    """Where journald.conf and journald.conf.d lie, the last one counting most. None of them for journals of other machines."""


class JournaldOptions(TargetOptions):
    """Which journals make up the data set."""

    streams: tuple[Stream, ...] = Field(default=("*",), min_length=1)
    """What stands before the @ in a journal's name; * and ? are wildcards."""
    span_hours: int = Field(default=25, ge=1, le=24 * 366)
    """A file that spans more tells no `first_entry`, so that no rule by it takes entries that are much younger."""
    copies: tuple[CopyOption, ...] = ()


FIRST, LAST = "first_entry", "last_entry"
"""The dates of a journal file: those of its oldest and of its youngest entry."""


def offer(_connection: JournaldConnection, _options: JournaldOptions) -> Offer:
    """What every journal can do."""
    return Offer(frozenset({FIRST, LAST}), frozenset({Action.DELETE}))
