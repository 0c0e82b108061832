"""What persons do with tasks: add one, list them, say that one is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date

from retentiond.connector import ConfigurationError, Said, Target, Task, Tasks
from retentiond_manual.options import ManualConnection, ManualOptions
from retentiond_manual.register import Kept, Word, alone, read, write
from retentiond_manual.tasks import RECURRING, ref_of, said, tasks_of

LONGEST = 200
"""Letters of a task's key."""


class ManualTasks(Tasks):
    """The register of one data set in a person's hand."""

    def __init__(self, connection: ManualConnection, options: ManualOptions, target: Target) -> None:
        self._folder = connection.register_
        self._options = options
        self._target = target

    def tasks(self) -> Sequence[Task]:
        """Every task that is not over, in the order in which they were added."""
        options = self._options
        return [
            Task(ref_of(key, kept, options), options.owner, options.instructions, options.within, done=kept.word is not None)
            for key, kept in tasks_of(read(self._folder, self._target), options).items()
        ]

    def add(self, key: str, dates: Mapping[str, date]) -> None:
        """Enter one task."""
        options, target = self._options, self._target
        if unknown := sorted(dates.keys() - set(options.dates)):
            raise ConfigurationError(
                f"A task of {target} has no date {unknown[0]!r}; it can have: {', '.join(options.dates)}. Nothing was done."
            )
        if not dates:
            raise ConfigurationError(
                f"A task needs a date, or no rule can tell when it is due: `--date {options.dates[0]}=DAY`. Nothing was done."
            )
        if not key.strip() or len(key) > LONGEST or not key.isprintable() or key.startswith(RECURRING):
            raise ConfigurationError(
                f"A key is one line of up to {LONGEST} letters that does not begin with {RECURRING}. Nothing was done."
            )
        with alone(self._folder, target):
            register = read(self._folder, target)
            if key in register.tasks:
                raise ConfigurationError(f"There is such a task of {target} already. Nothing was done.")
            kept = Kept({name: dates.get(name) for name in options.dates})
            write(self._folder, target, replace(register, tasks={**register.tasks, key: kept}))

    def finish(self, key: str, word: Said) -> None:
        """Keep a person's word about one task."""
        with alone(self._folder, self._target):
            register = read(self._folder, self._target)
            kept = tasks_of(register, self._options).get(key)
            if kept is None or kept.word is not None:
                raise ConfigurationError(
                    f"There is no open task of {self._target} under that key; `retentiond task list` tells which there are. "
                    f"Nothing was done."
                )
            at = word.at.astimezone(UTC).isoformat(timespec="seconds")
            register = said(register, key, Word(at, word.by, word.evidence, word.document))
            write(self._folder, self._target, register)
