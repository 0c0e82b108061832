"""The errors that are raised on purpose, by what somebody has to do about them.

A message is a finished sentence for a person: what happened, to what, and what to do.
It never holds a record's key, a name, an address, a secret or the text of a driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class RetentiondError(Exception):
    """Something expected went wrong; `exit_status` is what a command ends with."""

    exit_status: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a document a person wrote, and where."""

    where: str
    """`file:line:column`, or the file alone where no line can be told."""
    path: str
    """The place in the document, `rules[0].starts.at`; empty for the document as a whole."""
    what: str
    """What is wrong and what is allowed."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.path, self.what) if part)


class ConfigurationError(RetentiondError):
    """Settings, a policy or a command's words are wrong; nothing was read or changed."""

    exit_status = 2

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *map(str, self.problems)]) if problems else message)


class ConnectorError(RetentiondError):
    """A system could not be read, or refused; what was asked of it did not happen."""

    def __init__(self, message: str, code: str = "refused") -> None:
        """`code` is a word of the closed list `retentiond.model.record.FAILURE_CODES`."""
        self.code = code
        super().__init__(message)


class TransientConnectorError(ConnectorError):
    """The act surely did not happen and may be tried again; only the engine retries."""

    def __init__(self, message: str, code: str = "unavailable", retry_after: float | None = None) -> None:
        """`retry_after` is the wait in seconds that the system asked for; None where it asked for none."""
        self.retry_after = retry_after
        super().__init__(message, code)


class OutcomeUnknownError(ConnectorError):
    """The act was sent and nobody answered: it may have happened. Never retried; the engine looks."""

    def __init__(self, message: str, code: str = "timeout") -> None:
        super().__init__(message, code)


class GuardRefused(RetentiondError):
    """A guard, or a missing approval, forbids the act; nothing was changed."""

    exit_status = 4


class AuditError(RetentiondError):
    """The deletion log cannot be written, is not durable or does not verify; everything stops."""

    exit_status = 5


class StateError(RetentiondError):
    """The state directory or database cannot be used: full, read-only, unreachable or already in use."""


class PermitError(RetentiondError):
    """A connector was asked to act without a fitting permit. This is a bug, not a refusal."""

    exit_status = 3
