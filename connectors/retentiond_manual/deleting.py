"""Closes tasks of which a person said that they are done; of others it says nothing but no."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Answer, Deleter, How, RecordRef, Target
from retentiond_manual.options import ManualConnection, ManualOptions
from retentiond_manual.register import alone, read, write
from retentiond_manual.tasks import ref_of, settled, tasks_of


class ManualDeleter(Deleter):
    """Takes tasks out of the register, all of a batch in one write."""

    def __init__(self, connection: ManualConnection, options: ManualOptions, target: Target) -> None:
        super().__init__(target)
        self._folder = connection.register_
        self._options = options

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        with alone(self._folder, self.target):
            before = register = read(self._folder, self.target)
            tasks = tasks_of(register, self._options)
            answers: list[Answer] = []
            for ref in refs:
                kept = tasks.get(ref.key[0]) if len(ref.key) == 1 else None
                if kept is None:
                    answers.append(Answer.not_found())
                elif ref_of(ref.key[0], kept, self._options).fingerprint != ref.fingerprint:
                    answers.append(Answer.changed())
                elif kept.word is None:  # no rule comes here that asks for the fact; if one does, nobody has said anything
                    answers.append(Answer.failed("refused"))
                else:
                    register = settled(register, ref.key[0])
                    del tasks[ref.key[0]]
                    answers.append(Answer.done(How.OPERATOR))
            if register is not before:
                write(self._folder, self.target, register)
        return answers
