"""Finds records on an ordinary server: a record is a message in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from retentiond.connector import ConnectorError, TransientConnectorError
from retentiond_imap.claims import matches
from retentiond_imap.conversation import conversing
from retentiond_imap.layout import Layout, Spot
from retentiond_imap.records import Copied, Dataset, Found, Key, Place, named, record, stamp
from retentiond_imap.session import Session

FIELDS = 3
"""Folder, name and moment of receipt make a key."""


def scan(session: Session, dataset: Dataset, layout: Layout, before: datetime | None = None) -> list[Found]:
    """Every record of the data set, in no order; with `before` those alone that were received before it, and some more."""
    groups: dict[Key, list[Copied]] = {}
    for one in _all(session, dataset, layout, before):
        groups.setdefault(key_of(one), []).append(one)
    return [found for key, copies in groups.items() if (found := record(dataset, key, copies)).claimed]


def resolve(session: Session, dataset: Dataset, layout: Layout, keys: Iterable[Key], *, dated: bool = True) -> dict[Key, Found]:
    """What is there now under each key, claimed or not; what is gone is left out. Without `dated` conversations are not read."""
    wanted = {key for key in keys if len(key) == FIELDS}
    groups: dict[Key, list[Copied]] = {}
    if dated and dataset.options.converses:
        for one in _all(session, dataset, layout, None):
            if key_of(one) in wanted:
                groups.setdefault(key_of(one), []).append(one)
        return {key: record(dataset, key, copies) for key, copies in groups.items()}
    for origin in sorted({key[0] for key in wanted}):
        first, last = _span([key for key in wanted if key[0] == origin])
        for spot in layout.of(origin):
            for one in _in(session, dataset, spot, first, last):
                if key_of(one) in wanted:
                    groups.setdefault(key_of(one), []).append(one)
    return {key: record(dataset, key, copies) for key, copies in groups.items()}


def elsewhere(session: Session, dataset: Dataset, layout: Layout, keys: Sequence[Key]) -> set[Key]:
    """Those of the keys whose message, gone from its folder, lies in another one: somebody moved it."""
    wanted = {key[1:]: key for key in keys if len(key) == FIELDS}
    if not wanted:
        return set()
    first, last = _span(keys)
    moved = set()
    for one in layout.mailboxes:
        if not one.selectable or "\\all" in one.marks:
            continue
        try:
            there = _in(session, dataset, Spot(one.name, one.name, blocked=False), first, last)
        except TransientConnectorError:
            raise
        except ConnectorError:
            continue  # a folder that is none of ours to read says nothing, and stops nothing
        names = {key_of(copied)[1:] for copied in there}
        moved |= {key for name, key in wanted.items() if name in names and key[0] != one.name}
    return moved


def key_of(one: Copied) -> Key:
    """The folder it came from, its name, and when it was received: what stays when it is moved aside and back."""
    return (one.places[0].origin, named(one.message), stamp(one.message.received))


def _all(session: Session, dataset: Dataset, layout: Layout, before: datetime | None) -> list[Copied]:
    """Every message in the folders of the data set, with its conversation where a date asks for it."""
    if not dataset.options.converses:
        return [one for spot in layout.spots for one in _in(session, dataset, spot, None, before)]
    own = [one for spot in layout.spots for one in _in(session, dataset, spot, None, None)]
    read = {spot.name for spot in layout.spots}
    others = []
    for one in layout.mailboxes:
        if one.selectable and one.name not in read and matches(dataset.options.answers, one.name):
            others += [copied.message for copied in _in(session, dataset, Spot(one.name, one.name, blocked=False), None, None)]
    return conversing(own, others)


def _in(session: Session, dataset: Dataset, spot: Spot, first: datetime | None, last: datetime | None) -> list[Copied]:
    validity = session.examine(spot.name)
    return [
        Copied(
            message,
            (Place(spot.name, spot.origin, spot.blocked, validity, message.uid),),
            message.marks,
            spot.blocked,
        )
        for message in session.messages(session.between(first, last), dataset.headers)
    ]


def _span(keys: Sequence[Key]) -> tuple[datetime | None, datetime | None]:
    """The first and last moment of receipt; None where one is unknown, so that everything is looked through."""
    moments = []
    for key in keys:
        try:
            moments.append(datetime.strptime(key[-1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC))
        except ValueError:
            return None, None
    return (min(moments), max(moments)) if moments else (None, None)
