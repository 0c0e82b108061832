"""Anonymizes records: replaces what tells of a person, and marks the record as done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from retentiond.connector import Action, Anonymizer, Answer, ConfigurationError, How, RecordRef, Target
from retentiond_sql.acting import Act, Actor, Records, RefusedError, Scene
from retentiond_sql.deleting import take_parts
from retentiond_sql.layout import Row
from retentiond_sql.options import Anonymize, SqlConnection, SqlDataset
from retentiond_sql.proving import Proving
from retentiond_sql.rows import Key
from retentiond_sql.strategies import UnreadableValueError, for_all, made_from_value
from retentiond_sql.updating import look_again, update_rows


class SqlAnonymizer(Proving, Anonymizer):
    """Anonymizes rows of one table, in the way that the data set's `anonymize` says."""

    def __init__(self, connection: SqlConnection, dataset: SqlDataset, target: Target) -> None:
        super().__init__(target)
        options = dataset.anonymize
        if options is None:
            raise ConfigurationError(
                f"The data set {target} says nothing under `anonymize`, so its records cannot be anonymized."
            )
        each = {name: made for name, strategy in options.columns.items() if (made := made_from_value(strategy)) is not None}
        same: dict[str, Any] = {name: for_all(strategy) for name, strategy in options.columns.items() if name not in each}
        act = anonymizing(options, same, each)
        self._actor = Actor(connection, dataset, target, Action.ANONYMIZE, act, _done, tuple(each))

    def close(self) -> None:
        """End the session; harmless when repeated."""
        self._actor.close()

    def _anonymize(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._actor.on(refs, self.permit)


def _done(row: Row) -> bool:
    return row.anonymized


def anonymizing(options: Anonymize, same: Mapping[str, Any], each: Mapping[str, Callable[[Any], Any]]) -> Act:
    """Make the act that sets `same` in all rows, and in each row what `each` makes of the old value."""

    def act(scene: Scene, records: Records) -> dict[Key, Answer]:
        counts = take_parts(scene, records) if options.parts == "delete" else {}
        rows = [row for some in records.values() for row in some]
        fixed = {**same, **options.marker}
        if not each:
            update_rows(scene, rows, fixed)
        for row in rows if each else ():
            update_rows(scene, [row], fixed | _made(scene, row, each))
        look_again(scene, rows, _done)
        return {key: Answer.done(How.ROWCOUNT, 1 + counts[key] if counts.get(key) else None) for key in records}

    return act


def _made(scene: Scene, row: Row, each: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for (name, make), old in zip(each.items(), row.extra, strict=True):
        try:
            values[name] = None if old is None else make(old)
        except UnreadableValueError:
            # Whatever it is, it must not stay; where it cannot be emptied the record is left whole, and told of.
            if not scene.layout.table.columns[name].nullable:
                raise RefusedError("unsupported") from None
            values[name] = None
    return values
