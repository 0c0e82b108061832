"""What the settings say about tasks; each option is shown with an example in the README."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from retentiond.connector import Action, ConnectionOptions, Offer, RetentionPeriod, TargetOptions

DONE = "done"
"""The fact that a person said that a task is done."""


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 2:  # noqa: PLR2004 - "/" alone is one part
        raise ValueError("must be the absolute path of a directory below /, without ..")
    return path


def _whole_days(period: RetentionPeriod) -> RetentionPeriod:
    if period.elapsed_seconds:
        raise ValueError("is counted in days, months or years, such as P14D")
    return period


def _dated(name: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name) is None:
        raise ValueError("must be a word such as due_on: small letters, digits, _ and -")
    return name


Days = Annotated[RetentionPeriod, AfterValidator(_whole_days)]
DateName = Annotated[str, AfterValidator(_dated)]


class ManualConnection(ConnectionOptions):
    """Where the register of tasks is."""

    register_: Annotated[Path, AfterValidator(_absolute)] = Field(alias="register")
    """A directory for nothing else, on a local file system, mode 0700."""


class Recurrence(BaseModel):
    """A task that comes again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: date
    """The date of the first one."""
    every: Days
    """After which time the next one comes, counted from the first."""

    @model_validator(mode="after")
    def _moves(self) -> Recurrence:
        if not self.every.shortest_days > 0:
            raise ValueError("`every` must be at least a day")
        return self


class ManualOptions(TargetOptions):
    """Whose tasks these are, and what is to be done."""

    owner: str = Field(min_length=1, max_length=80)
    """Who has to do it: a role, not a name."""
    instructions: str = Field(min_length=1, max_length=2000)
    """What to do."""
    within: Days
    """How long after a task became due it is overdue."""
    dates: tuple[DateName, ...] = Field(default=("due_on",), min_length=1)
    """The dates that a task may have; a recurring one has the first of them."""
    recurs: Recurrence | None = None


def offer(_connection: ManualConnection, options: ManualOptions) -> Offer:
    """What the data set can do, told from the settings alone."""
    fact = frozenset({DONE})
    return Offer(frozenset(options.dates), frozenset({Action.DELETE}), facts=fact, demands=fact)
