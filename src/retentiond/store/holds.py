"""The register of holds. What a hold is about is sealed; an entry that cannot be read is an error, never an empty register."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from retentiond.errors import StateError
from retentiond.model.hold import Hold, HoldKind, Scope
from retentiond.model.subject import Subject
from retentiond.store.outbox import Entry, insert_entry
from retentiond.store.part import Part
from retentiond.store.tables import holds


class Holds(Part):
    """The part of the store that knows what is held."""

    def place_hold(self, hold: Hold, entry: Entry | None = None) -> None:
        """Keep a hold, and with it the entry that the deletion log is to take in; its id is given once."""
        with self._transaction() as connection:
            connection.execute(
                sa.insert(holds).values(
                    hold=hold.hold,
                    kind=hold.kind.value,
                    scope=self._seal.seal(_written(hold.scope), f"hold {hold.hold}"),
                    reason=hold.reason,
                    owner=hold.owner,
                    placed_at=hold.placed_at,
                    placed_by=hold.placed_by,
                    review_on=hold.review_on.isoformat(),
                    expires=hold.expires,
                    lifted_at=hold.lifted_at,
                )
            )
            insert_entry(connection, entry)

    def lift_hold(self, hold: str, at: datetime, entry: Entry | None = None) -> None:
        """Keep that a hold is lifted; raises `StateError` where it is unknown, or was lifted before."""
        self._change(holds.c.lifted_at.is_(None), hold, entry, lifted_at=at)

    def renew_hold(self, hold: str, review_on: date, expires: datetime | None, entry: Entry | None = None) -> None:
        """Keep when a hold that stands is to be looked at again, and when it ends by itself."""
        self._change(holds.c.lifted_at.is_(None), hold, entry, review_on=review_on.isoformat(), expires=expires)

    def holds(self) -> list[Hold]:
        """All holds, lifted ones included, oldest first; raises `StateError` where one cannot be opened or read."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(holds).order_by(holds.c.id)).mappings().all()
        return [self._hold(row) for row in rows]

    def _change(self, standing: sa.ColumnElement[bool], hold: str, entry: Entry | None, **values: Any) -> None:
        with self._transaction() as connection:
            changed = connection.execute(sa.update(holds).where(holds.c.hold == hold, standing).values(**values)).rowcount
            if changed != 1:
                raise StateError(f"The state database knows no hold {hold} that stands; was it restored or exchanged meanwhile?")
            insert_entry(connection, entry)

    def _hold(self, row: sa.RowMapping) -> Hold:
        opened = self._seal.open(bytes(row["scope"]), f"hold {row['hold']}")
        try:
            return Hold(
                hold=row["hold"],
                kind=HoldKind(row["kind"]),
                scope=_read(opened),
                reason=row["reason"],
                owner=row["owner"],
                placed_at=row["placed_at"],
                placed_by=row["placed_by"],
                review_on=date.fromisoformat(row["review_on"]),
                expires=row["expires"],
                lifted_at=row["lifted_at"],
            )
        except (ValueError, TypeError, KeyError):
            raise StateError("A hold in the state database cannot be read. Restore the database from a backup.") from None


def _written(scope: Scope) -> bytes:
    person, key = scope.person, scope.key
    told = {
        "system": scope.system,
        "dataset": scope.dataset,
        "rule": scope.rule,
        "key": None if key is None else list(key),
        "person": None if person is None else [person.kind, person.value],
        "fact": None if scope.fact is None else list(scope.fact),
        "date_name": scope.date_name,
        "since": None if scope.since is None else scope.since.isoformat(),
        "until": None if scope.until is None else scope.until.isoformat(),
    }
    return json.dumps(told).encode()


def _read(opened: bytes) -> Scope:
    told = json.loads(opened)
    return Scope(
        system=told["system"],
        dataset=told["dataset"],
        rule=told["rule"],
        key=None if told["key"] is None else tuple(told["key"]),
        person=None if told["person"] is None else Subject(*told["person"]),
        fact=None if told["fact"] is None else (told["fact"][0], told["fact"][1]),
        date_name=told["date_name"],
        since=None if told["since"] is None else date.fromisoformat(told["since"]),
        until=None if told["until"] is None else date.fromisoformat(told["until"]),
    )
