"""Lets only what somebody vouched for into a message.

A message is an event's name and fields from a closed list. Everything else is withheld: the text of an exception that
is not ours, the value of a field nobody looked at. So no personal data can get in by accident.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import MutableMapping
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Any

from retentiond.errors import ConnectorError, RetentiondError

Event = MutableMapping[str, Any]

WITHHELD = "(withheld)"
"""Stands where something was said that nobody vouched for."""

LONGEST = 4_000
"""How many characters of one value are shown."""

SAFE_FIELDS = frozenset(
    {
        # what was done to what
        "action", "approval", "batch", "connector", "dataset", "phase", "policy", "rule", "run", "status", "system", "target",
        "trigger", "types",
        # how much
        "attempt", "attempts", "changed", "done", "due", "exit_status", "failed", "kept", "open_batches", "overdue", "past_cap",
        "pid", "population", "records", "resolved", "rows", "rules", "running", "seconds", "size", "steps", "undatable",
        "unresolved",
        # when
        "again", "as_of", "at", "every", "last_success", "missed", "next", "next_run", "schedule", "since", "timestamp", "until",
        "zone",
        # which version
        "digest", "plan_digest", "policy_digest", "root", "rule_digest", "version",
        # what went wrong: `message` and `reason` are sentences of ours, which by contract hold no personal data
        "code", "error", "level", "logger", "message", "reason", "signal", "where",
    }
)  # fmt: skip
"""The fields whose values are shown; a new one is added here when somebody has made sure what can stand in it."""

_EVENT = re.compile(r"[a-z][a-z -]{0,79}")


def tell_exception(_logger: Any, _method: str, event: Event) -> Event:
    """Replace `exc_info` by the exception's class, where it was raised, and its text only where it is one of ours."""
    info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    exception = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(exception, BaseException):
        event["error"] = type(exception).__name__
        event["where"] = _where(exception.__traceback__)
        if isinstance(exception, ConnectorError):
            event["code"] = exception.code
        if isinstance(exception, RetentiondError):
            event["message"] = str(exception)
    return event


def withhold(_logger: Any, _method: str, event: Event) -> Event:
    """Replace every value that nobody vouched for."""
    name = event.pop("event", None)
    safe: Event = {"event": name if isinstance(name, str) and _EVENT.fullmatch(name) else WITHHELD}
    for field, value in event.items():
        if field in SAFE_FIELDS:
            safe[field] = _plain(value)
        else:
            # The field's own name may have been made of data as well.
            safe["withheld"] = safe.get("withheld", 0) + 1
    return safe


def _where(trace: TracebackType | None) -> str:
    """The way to the exception as files and lines: no source text, no values."""
    frames = [(frame.f_code.co_filename.rpartition("/")[2], line) for frame, line in traceback.walk_tb(trace)]
    return " > ".join(f"{file}:{line}" for file, line in frames[-8:])


def _plain(value: Any) -> str | int | float | bool | None:
    match value:
        case Enum():
            return _plain(value.value)
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case str():
            return value if len(value) <= LONGEST else value[:LONGEST] + "…"
        case _:
            return WITHHELD
