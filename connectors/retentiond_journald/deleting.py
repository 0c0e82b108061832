"""Deletes archived journal files, each looked at once more just before."""

from __future__ import annotations

import os
from collections.abc import Sequence

from retentiond.connector import Answer, ConnectorError, Deleter, How, OutcomeUnknownError, RecordRef, Target
from retentiond_journald.options import JournaldConnection, JournaldOptions
from retentiond_journald.records import found_in
from retentiond_journald.tree import Place, Tree, code_of, place_of, regular


class JournaldDeleter(Deleter):
    """Deletes journal files that journald is done with. A file that is still written to is left alone."""

    def __init__(self, connection: JournaldConnection, options: JournaldOptions, target: Target) -> None:
        super().__init__(target)
        self._options = options
        self._tree = Tree(connection.root, options.streams, target)

    def close(self) -> None:
        """Give the handle back."""
        self._tree.close()

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        answers: list[Answer] = []
        for ref in refs:
            place = place_of(ref.key)
            if place is None or not self._tree.holds(place):
                answers.append(Answer.not_found())
                continue
            try:
                answers.append(self._one(place, ref))
            except FileNotFoundError:
                answers.append(self._gone(place, answers))
            except OSError as error:
                answers.append(Answer.failed(code_of(error)))
        return answers

    def _one(self, place: Place, ref: RecordRef) -> Answer:
        with self._tree.file(place) as (above, handle):
            found = found_in(place, handle, self._options)
            state = os.fstat(handle)
            if found.journal is not None and not found.done_with:
                return Answer.failed("refused")
            if found.ref.fingerprint != ref.fingerprint or found.journal is None:
                return Answer.changed()
            if not regular(state) or state.st_nlink != 1:
                return Answer.failed("unsupported")
            if not os.path.samestat(os.stat(place.name, dir_fd=above, follow_symlinks=False), state):
                return Answer.changed()
            os.unlink(place.name, dir_fd=above)
            try:
                os.fsync(above)
            except OSError as error:
                raise OutcomeUnknownError(
                    f"A journal of {self.target} was deleted, but the disk did not confirm it (code {error.errno}); look at the "
                    f"state of that disk.",
                    code_of(error),
                ) from None
            return Answer.done(How.UNLINK) if os.fstat(handle).st_nlink == 0 else Answer.failed("refused")

    def _gone(self, place: Place, answers: Sequence[Answer]) -> Answer:
        """What to say of a file that is not there: that it is gone, or that nobody can tell."""
        try:
            there = self._tree.exists(place)
        except ConnectorError as error:
            if not answers:
                raise
            return Answer.failed(error.code)
        return Answer.changed() if there else Answer.not_found()
