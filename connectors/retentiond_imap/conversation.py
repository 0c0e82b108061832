"""Puts conversations together: by their names for each other, and as young as their youngest message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from retentiond_imap.fetched import Message
from retentiond_imap.records import Copied

_NAME = re.compile(r"<[^<>\s]+>")
_HEADERS = ("message-id", "in-reply-to", "references")


def conversing(copies: Sequence[Copied], others: Sequence[Message] = ()) -> list[Copied]:
    """The messages, each told when the youngest of its conversation was received; `others` are read, and not given back.

    A conversation is all messages that name each other, or a common one, in Message-ID, In-Reply-To or References.
    Where the receipt of one is unknown so is the youngest.
    """
    above: dict[str, str] = {}

    def root(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    messages = [*(one.message for one in copies), *others]
    named = [_names(message) for message in messages]
    for names in named:
        for other in names[1:]:
            above[root(other)] = root(names[0])
    youngest: dict[str, datetime | None] = {}
    for message, names in zip(messages, named, strict=True):
        if names:
            top = root(names[0])
            known = youngest.get(top, message.received)
            youngest[top] = None if known is None or message.received is None else max(known, message.received)
    return [
        replace(one, youngest=youngest[root(names[0])] if names else one.message.received)
        for one, names in zip(copies, named, strict=False)
    ]


def _names(message: Message) -> list[str]:
    return [name for header in _HEADERS for value in message.headers.get(header, ()) for name in _NAME.findall(value)]
