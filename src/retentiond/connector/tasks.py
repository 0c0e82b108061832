"""The role of a connector whose records are tasks of persons: what nobody but a person can delete."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Self

from retentiond.model.period import RetentionPeriod
from retentiond.model.record import RecordRef


@dataclass(frozen=True, slots=True)
class Task:
    """One task that is not over."""

    ref: RecordRef
    """The task as a record: the data set's rule says when it is due."""
    owner: str
    """Who has to do it: a role, not a name."""
    instructions: str
    within: RetentionPeriod
    """How long after it became due it is overdue."""
    done: bool
    """True where a person said that it is done; the next run closes it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A person's word that a task is done."""

    at: datetime
    """When they said so (aware UTC)."""
    by: str
    """The person's staff id."""
    evidence: str = field(repr=False)
    """Where the evidence is on file; no name."""
    document: str | None = None
    """SHA-256 (hex) of the document it rests on."""


class Tasks(ABC):
    """The tasks of one data set in persons' hands. Used as a context manager; `close` ends its session."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - not every role has a session to end
        """End the session; harmless when repeated."""

    @abstractmethod
    def tasks(self) -> Sequence[Task]:
        """Every task that is not over. Raises `ConnectorError` where they cannot be read: empty means none."""

    @abstractmethod
    def add(self, key: str, dates: Mapping[str, date]) -> None:
        """Enter a task, durably; raises `ConfigurationError`, and changes nothing, where it cannot be one."""

    @abstractmethod
    def finish(self, key: str, word: Said) -> None:
        """Keep a person's word about an open task, durably; raises `ConfigurationError` where there is no such one."""
