"""What data subjects demanded, and what came of it. The persons are sealed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from retentiond.errors import StateError
from retentiond.model.record import Target
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject
from retentiond.store.outbox import Entry, insert_entry
from retentiond.store.part import Part
from retentiond.store.tables import requests

Found = tuple[Target, tuple[str, ...]]
"""A record by its data set and key. Personal data: never shown or logged."""


class Requests(Part):
    """The part of the store that knows the requests."""

    def open_request(self, request: Request, found: Sequence[Found] = (), entry: Entry | None = None) -> None:
        """Keep a request, which records were `found` for it, and the entry for the deletion log; its id is given once."""
        records = json.dumps([[target.system, target.dataset, *key] for target, key in found]).encode()
        persons = json.dumps([[one.kind, one.value] for one in sorted(request.persons)]).encode()
        with self._transaction() as connection:
            connection.execute(
                sa.insert(requests).values(
                    request=request.request,
                    kind=request.kind.value,
                    persons=self._seal.seal(persons, f"request {request.request}"),
                    received_at=request.received_at,
                    state=request.state.value,
                    by=request.by,
                    case_ref=request.case,
                    decided_at=request.decided_at,
                    decided_by=request.decided_by,
                    answered_at=request.answered_at,
                    rules=None if request.rules is None else sorted(request.rules),
                    found=self._seal.seal(records, f"found {request.request}"),
                )
            )
            insert_entry(connection, entry)

    def decide_request(self, request: str, state: RequestState, at: datetime, by: str, entry: Entry | None = None) -> None:
        """Keep what was decided about a request, in place of an earlier decision; raises `StateError` where it is unknown."""
        self._set(request, entry, state=state.value, decided_at=at, decided_by=by)

    def answer_request(self, request: str, at: datetime, entry: Entry | None = None) -> None:
        """Keep when the person was answered; raises `StateError` where the request is unknown."""
        self._set(request, entry, answered_at=at)

    def found_for(self, request: str) -> list[Found]:
        """The records that were found when the request was recorded: none where it is unknown."""
        wanted = sa.select(requests.c.found).where(requests.c.request == request)
        with self._transaction() as connection:
            blobs = connection.execute(wanted).scalars().all()
        opened = [self._seal.open(bytes(blob), f"found {request}") for blob in blobs]
        return [(Target(system, dataset), tuple(key)) for one in opened for system, dataset, *key in json.loads(one)]

    def requests(self) -> list[Request]:
        """All requests, in the order they were recorded; raises `StateError` where one cannot be opened."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(requests).order_by(requests.c.id)).mappings().all()
        return [self._request(row) for row in rows]

    def request_mark(self, request: str) -> str:
        """What stands for the request in the deletion log beside its id (hex)."""
        return self._seal.mark("request", request).hex()

    def demands(self) -> tuple[int, datetime | None]:
        """How many requests there are, and when the newest decision was made: differs after anything that asks for a run."""
        query = sa.select(sa.func.count(), sa.func.max(requests.c.decided_at)).select_from(requests)
        with self._transaction() as connection:
            count, decided = connection.execute(query).one()
        return count, decided

    def unanswered(self) -> int:
        """How many requests still wait for an answer."""
        query = sa.select(sa.func.count()).select_from(requests).where(requests.c.answered_at.is_(None))
        with self._transaction() as connection:
            return connection.execute(query).scalar_one()

    def remove_request(self, request: Request) -> bool:
        """Forget a request, if it stands there just so; True where it did."""
        row = requests.c
        gone = sa.delete(requests).where(
            row.request == request.request,
            row.state == request.state.value,
            row.answered_at == request.answered_at,
            row.decided_at.is_not_distinct_from(request.decided_at),
        )
        with self._transaction() as connection:
            return connection.execute(gone).rowcount == 1

    def _set(self, request: str, entry: Entry | None, **values: object) -> None:
        with self._transaction() as connection:
            if connection.execute(sa.update(requests).where(requests.c.request == request).values(**values)).rowcount != 1:
                raise StateError(f"The state database knows no request {request}; was it restored or exchanged meanwhile?")
            insert_entry(connection, entry)

    def _request(self, row: sa.RowMapping) -> Request:
        opened = self._seal.open(bytes(row["persons"]), f"request {row['request']}")
        try:
            persons = frozenset(Subject(kind, value) for kind, value in json.loads(opened))
            return Request(
                request=row["request"],
                kind=RequestKind(row["kind"]),
                persons=persons,
                received_at=row["received_at"],
                state=RequestState(row["state"]),
                by=row["by"],
                case=row["case_ref"],
                decided_at=row["decided_at"],
                decided_by=row["decided_by"],
                answered_at=row["answered_at"],
                rules=None if row["rules"] is None else frozenset(row["rules"]),
            )
        except (ValueError, TypeError):
            raise StateError("A request in the state database cannot be read. Restore the database from a backup.") from None
