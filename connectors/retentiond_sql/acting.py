"""One batch, one transaction: look again under lock, change what is unchanged, leave alone what is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from retentiond.connector import Action, Answer, ConnectorError, OutcomeUnknownError, Permit, RecordRef, Target
from retentiond_sql.connect import open_engine
from retentiond_sql.fence import Fence
from retentiond_sql.fitting import read_layout
from retentiond_sql.layout import Layout, Row
from retentiond_sql.options import SqlConnection, SqlDataset
from retentiond_sql.parts import PartTable, read_parts
from retentiond_sql.preflight import dangers
from retentiond_sql.proof import Proof
from retentiond_sql.rows import Key, fetch
from retentiond_sql.session import Session, UndoneError
from retentiond_sql.swift import compares
from retentiond_sql.trouble import Trouble, trouble_of

_PER_RECORD = frozenset({Trouble.REFERENCED, Trouble.CONSTRAINT, Trouble.REFUSED})
"""Troubles that one record may have while the others have none."""


Done = TypeVar("Done")


class RefusedError(Exception):
    """The database did not do to every record what it was told; `code` is a word of the list of failure codes."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Scene:
    """What an act works with."""

    connection: sa.Connection
    layout: Layout
    parts: tuple[PartTable, ...]


Records = dict[Key, list[Row]]
"""Records about to be changed, with their rows."""

Act = Callable[[Scene, Records], dict[Key, Answer]]
"""Changes exactly these records; raises `RefusedError`, or what the driver raises, where not all of them went through."""


class Actor:
    """A session that does one kind of act on one data set."""

    def __init__(
        self,
        options: SqlConnection,
        dataset: SqlDataset,
        target: Target,
        action: Action,
        act: Act,
        done: Callable[[Row], bool] = lambda _row: False,
        extra: Sequence[str] = (),
        swiftly: Callable[[Scene, Sequence[RecordRef]], dict[Key, Answer]] | None = None,
    ) -> None:
        """`done` tells a row that already is as wished; `extra` are columns that the act needs to see.

        `swiftly` does what the database can tell by itself to be unchanged, where it can, and answers for that; all others
        are then looked at here.
        """
        self._options = options
        self._dataset = dataset
        self._target = target
        self._action = action
        self._act = act
        self._done = done
        self._extra = extra
        self._swiftly = swiftly
        self._known: tuple[Layout, tuple[PartTable, ...]] | None = None
        self._session = Session(open_engine(options, writes=True), target, Fence(options, dataset))
        self.proof = Proof(options, self._session, target)
        """What is left of each act to prove it, and found again."""

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def on(self, refs: Sequence[RecordRef], permit: Permit | None) -> list[Answer]:
        """Act on exactly these records; one answer each, in order. Each part that is committed leaves a proof of its own."""
        try:
            with self._session.changing() as connection:
                answers = self._batch(connection, refs)
                self.proof.leave(connection, permit, refs, answers)
                return answers
        except UndoneError as undone:
            # A constraint that is only checked at the end, or a trigger that ends the transaction.
            if len(refs) == 1:
                return [Answer.failed(undone.code)]
            half = len(refs) // 2
            answers = self.on(refs[:half], permit)
            return answers + self._rest(refs[half:], permit)

    def _rest(self, refs: Sequence[RecordRef], permit: Permit | None) -> list[Answer]:
        """Act on what is left of a batch of which some is committed: "nothing happened" can no longer be said of all of it."""
        try:
            return self.on(refs, permit)
        except OutcomeUnknownError:
            raise
        except ConnectorError as error:
            return [Answer.failed(error.code)] * len(refs)

    def _batch(self, connection: sa.Connection, refs: Sequence[RecordRef]) -> list[Answer]:
        if connection.dialect.name == "postgresql":
            connection.execute(_DURABLE)
        scene = Scene(connection, *self._layout(connection))
        answers = self._simple(scene, refs)
        others = [ref for ref in refs if ref.key not in answers]
        if others:
            answers |= self._looked_at(scene, others)
        return [answers[ref.key] for ref in refs]

    def _simple(self, scene: Scene, refs: Sequence[RecordRef]) -> dict[Key, Answer]:
        """Do what is simple; nothing where that meets any trouble that one of the records may have."""
        swiftly = self._swiftly
        if swiftly is None or scene.parts or not compares(scene.connection, scene.layout):
            return {}
        savepoint = scene.connection.begin_nested()
        try:
            answers = self._act_whole(scene, lambda: swiftly(scene, refs))
            savepoint.commit()
        except RefusedError as refused:
            code = refused.code
        except sa.exc.DBAPIError as error:
            trouble = trouble_of(error)
            if trouble not in _PER_RECORD:
                raise
            code = trouble.value
        else:
            return answers
        _go_back(savepoint, code)
        return {}

    def _looked_at(self, scene: Scene, refs: Sequence[RecordRef]) -> dict[Key, Answer]:
        """Look again under lock, and act on what is unchanged."""
        found = fetch(scene.connection, scene.layout, [ref.key for ref in refs], lock=True, extra=self._extra)
        answers: dict[Key, Answer] = {}
        records: Records = {}
        for ref in refs:
            rows = found.get(ref.key, [])
            if not rows or all(self._done(row) for row in rows):
                answers[ref.key] = Answer.not_found()
            elif any(row.ref.fingerprint != ref.fingerprint for row in rows):
                answers[ref.key] = Answer.changed()
            elif any(row.moved is other.moved for n, row in enumerate(rows) for other in rows[:n]):
                answers[ref.key] = Answer.failed("unsupported")  # two rows in one table: the key tells nothing apart
            else:
                records[ref.key] = rows
        return answers | self._settle_referring(scene, records)

    def _settle_referring(self, scene: Scene, records: Records) -> dict[Key, Answer]:
        """Settle, and again what was only kept by records that went after it: MariaDB asks row by row, parents first."""
        answers = self._settle(scene, records)
        while True:
            kept = {key: records[key] for key in reversed(records) if answers[key].code == Trouble.REFERENCED}
            if not kept or len(kept) == len(records):
                return answers
            records = kept
            answers |= self._settle(scene, records)

    def _settle(self, scene: Scene, records: Records) -> dict[Key, Answer]:
        """Act on all of them, or on ever smaller halves where one of them stands in the way of the others."""
        if not records:
            return {}
        # Not as a context manager: an error of going back would cover up the one that matters.
        savepoint = scene.connection.begin_nested()
        try:
            answers = self._act_whole(scene, lambda: self._act(scene, records))
            savepoint.commit()
        except RefusedError as refused:
            code = refused.code
        except sa.exc.DBAPIError as error:
            trouble = trouble_of(error)
            if trouble not in _PER_RECORD:
                raise
            code = trouble.value
        else:
            return answers
        _go_back(savepoint, code)
        keys = list(records)
        if len(keys) == 1:
            return {keys[0]: Answer.failed(code)}
        half = len(keys) // 2
        halves = ({key: records[key] for key in some} for some in (keys[:half], keys[half:]))
        return {key: answer for some in halves for key, answer in self._settle(scene, some).items()}

    def _act_whole(self, scene: Scene, act: Callable[[], Done]) -> Done:
        """Act; then what is only to be checked at the end is checked, while it can still be told whose fault it is."""
        if scene.layout.dialect != "postgresql":
            return act()
        scene.connection.execute(_CHECK_LATER)
        answers = act()
        scene.connection.execute(_CHECK_NOW)
        return answers

    def _layout(self, connection: sa.Connection) -> tuple[Layout, tuple[PartTable, ...]]:
        if self._known is None:
            layout = read_layout(connection, self._dataset, self._target)
            parts = read_parts(connection, self._dataset.parts, layout.table, self._target)
            # The preflight has seen this already; but the schema may have changed since, and a cascade undoes nothing.
            found = dangers(connection, layout, parts, self._action)
            if found:
                raise ConnectorError(" ".join(finding.what for finding in found), "refused")
            self._known = layout, parts
        return self._known


def _go_back(savepoint: sa.NestedTransaction, code: str) -> None:
    """Undo what was done since; raises `UndoneError` where there is nothing left to go back to."""
    try:
        savepoint.rollback()
    except sa.exc.DBAPIError as error:
        if trouble_of(error) is not Trouble.REFUSED:
            raise
        # The whole transaction is undone, and our locks are gone with it: what was looked at is out of date.
        raise UndoneError(code) from None


# Only where it is weaker: `remote_apply` and the like stay.
_DURABLE = sa.text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)
# Where two tables refer to each other, no order of deleting would do otherwise.
_CHECK_LATER = sa.text("SET CONSTRAINTS ALL DEFERRED")
_CHECK_NOW = sa.text("SET CONSTRAINTS ALL IMMEDIATE")
