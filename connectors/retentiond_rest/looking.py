"""Looks at records: all of them, or some by their keys. That nothing is there is only believed after something else was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from retentiond.connector import ConnectorError
from retentiond_rest.kinds import Kind
from retentiond_rest.listing import listed
from retentiond_rest.places import Told, pointed
from retentiond_rest.records import Seen, belongs, key_of, seen
from retentiond_rest.requests import GetRequest
from retentiond_rest.rows import rows
from retentiond_rest.session import Session

Key = tuple[str, ...]
Row = Mapping[str, Any]

FOUND = 200


def key_values(key: Key) -> dict[str, str]:
    """What the holes of a key are filled with."""
    return {"id": key[-1], "path": key[-1], **{f"key.{number}": part for number, part in enumerate(key)}}


def everything(session: Session, *, of_kind: bool = True) -> list[Seen]:
    """Every record of the data set, each once. Raises `ConnectorError` unless all of it was seen, and could be.

    Without `of_kind` also those that the system lists and the kind leaves out.
    """
    found: dict[Key, Seen] = {}
    if session.kind.is_settings:
        session.see()
        return []
    for told in _told(session):
        if not of_kind or belongs(session.kind, told):
            one = seen(session.kind, told, session.target)
            if not of_kind or not session.spared(one.ref.key):
                found.setdefault(one.ref.key, one)
    session.see()
    return list(found.values())


def looked(session: Session, keys: Iterable[Key], table: Mapping[str, Row] | None = None) -> Mapping[Key, Seen | None]:
    """Each of the records as it is now, of the kind or not any more; None where the system has none under that key.

    `table` is what `table_of` told a moment ago; it is read anew where it is left out.
    """
    get = session.kind.get
    if get is None:
        there = {one.ref.key: one for one in everything(session, of_kind=False)}
        return {key: there.get(key) for key in keys}
    table = table_of(session) if table is None else table
    found = {key: _got(session, get, key, table.get(key[-1], {})) for key in dict.fromkeys(keys)}
    if None in found.values():
        session.see()
    return {key: None if told is None else _same(session, told, key) for key, told in found.items()}


def sampled(session: Session) -> bool:
    """True where the first record of the list is told alike by the list and by its key, or there is none to compare.

    Where it is not every record would count as changed, and none would ever go.
    """
    if session.kind.list_ is None or session.kind.get is None:
        return True
    for _ in range(2):  # it may have changed in between, once
        told = next(iter(_told(session)), None)
        if told is None:
            return True
        listed_ = seen(session.kind, told, session.target)
        now = looked(session, [listed_.ref.key])[listed_.ref.key]
        if now is None or now.ref == listed_.ref:
            return True
    return False


def _same(session: Session, told: Told, key: Key) -> Seen:
    one = seen(session.kind, told, session.target)
    if one.ref.key != key:
        raise ConnectorError(f"{session.target} answers with another record than was asked for.", "malformed")
    return one


def _told(session: Session) -> Iterator[Told]:
    kind, get = session.kind, session.kind.get
    if kind.list_ is not None:
        yield from _listed(session, kind)
    elif get is not None:
        for name, row in table_of(session).items():
            told = _got(session, get, (name,), row)
            if told is not None:
                _same(session, told, (name,))
                yield told


def _listed(session: Session, kind: Kind) -> Iterator[Told]:
    if kind.list_ is None:
        raise ConnectorError(f"{session.target} is a part of what cannot be listed.", "unsupported")
    if kind.parent is None:
        yield from listed(session, kind.list_, {})
        return
    above = session.manifest.kinds[kind.parent]
    for parent in [told for told in _listed(session, above) if belongs(above, told)]:
        values = {"parent": key_of(above, parent, session.target)[-1]}
        yield from listed(session, kind.list_, values, parent.body)


def table_of(session: Session) -> Mapping[str, Row]:
    """The application's own table, of which only the columns are read that decide; empty where there is none."""
    ids = session.options.ids
    return {} if ids is None else rows(ids, session.target, session.kind.columns())


def _got(session: Session, get: GetRequest, key: Key, row: Row) -> Told | None:
    reply = session.ask(get, key_values(key), expect=(FOUND, *get.absent))
    if reply.status != FOUND:
        if not get.bare:
            reply.json()  # an error page of a proxy says nothing about the record
        return None
    if get.absent_when is not None and get.absent_when.fits(reply.json()):
        return None
    item = pointed(reply.json(), get.item)
    if item is None:
        raise ConnectorError(f"{session.target} answers without the record that its manifest says is there.", "malformed")
    folder, _, name = key[-1].rpartition("/")
    return Told(item, row, _parent(session.kind, key), {"folder": folder, "name": name, "whole": key[-1]})


def _parent(kind: Kind, key: Key) -> dict[str, str]:
    """What the key tells of the parent: a record that is asked for by its key brings no more of it along."""
    told = zip(kind.key, key, strict=False)
    return {place.removeprefix("parent:/"): part for place, part in told if place.startswith("parent:/")}
