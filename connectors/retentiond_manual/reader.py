"""Finds tasks, and opens the register for nothing but reading."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice

from retentiond.connector import Action, Cutoff, Finding, Presence, Reader, RecordRef, Target
from retentiond_manual.options import ManualConnection, ManualOptions
from retentiond_manual.register import file_of, read
from retentiond_manual.tasks import ref_of, tasks_of

PAGE = 200


class ManualReader(Reader):
    """Reads the register anew for each question."""

    def __init__(self, connection: ManualConnection, options: ManualOptions, target: Target) -> None:
        self._folder = connection.register_
        self._options = options
        self._target = target

    def preflight(self, action: Action) -> list[Finding]:
        """Look at the directory, and tell which tasks wait for their person."""
        del action
        refs = self._refs()
        findings: list[Finding] = []
        if self._folder.stat().st_mode & 0o077:
            findings.append(
                Finding(f"Others than its owner can reach the register of {self._target}; make its directory mode 0700.")
            )
        if not os.access(self._folder, os.W_OK | os.X_OK):
            what = f"The register of {self._target} cannot be written to; give its directory to retentiond's user."
            findings.append(Finding(what, of_rights=True))
        if self._options.recurs is None and not file_of(self._folder, self._target).exists():
            findings.append(Finding(f"Nobody ever entered a task of {self._target}: `retentiond task add`.", refuses=False))
        return [*findings, *self._waiting(refs)]

    def count(self) -> int:
        """How many tasks are not over."""
        return len(self._refs())

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Those before the cutoff, oldest first."""
        del awaiting
        due = [ref for ref in self._refs() if cutoff.admits(ref.dates)]
        yield from _pages(sorted(due, key=lambda ref: (str(ref.dates[cutoff.by]), ref.key)))

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Those that know none of `dates`."""
        yield from _pages([ref for ref in self._refs() if all(ref.dates.get(name) is None for name in dates)])

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """Whether each is not over yet: nothing is told here about the system that the task is about."""
        there = {ref.key for ref in self._refs()}
        return [Presence.PRESENT if ref.key in there else Presence.ABSENT for ref in refs]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The task under `key`."""
        return next((ref for ref in self._refs() if ref.key == key), None)

    def _refs(self) -> list[RecordRef]:
        tasks = tasks_of(read(self._folder, self._target), self._options)
        return [ref_of(key, kept, self._options) for key, kept in tasks.items()]

    def _waiting(self, refs: Sequence[RecordRef]) -> list[Finding]:
        waiting = [ref for ref in refs if not ref.facts["done"]]
        days = [str(day) for ref in waiting for day in ref.dates.values() if day is not None]
        if not waiting:
            return []
        what = (
            f"{len(waiting)} tasks of {self._target} are open for {self._options.owner}"
            if len(waiting) > 1
            else f"1 task of {self._target} is open for {self._options.owner}"
        )
        since = f", the first dated {min(days)}" if days else ""
        return [Finding(f"{what}{since}: {self._options.instructions}", refuses=False)]


def _pages(refs: Sequence[RecordRef]) -> Iterator[list[RecordRef]]:
    rest = iter(refs)
    while page := list(islice(rest, PAGE)):
        yield page
