"""Finds records behind Proton Bridge: a record is a message, whatever folders and labels show it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from retentiond.connector import ConnectorError
from retentiond_imap.conversation import conversing
from retentiond_imap.fetched import Message
from retentiond_imap.layout import Layout
from retentiond_imap.records import INTERNAL_ID, Copied, Dataset, Found, Key, Place, record
from retentiond_imap.session import Session

LABELS = "Labels/"
"""Below it labels are shown as folders."""


def scan(session: Session, dataset: Dataset, layout: Layout, before: datetime | None = None) -> list[Found]:
    """Every record of the data set, in no order; with `before` those alone that were received before it, and some more."""
    return [found for found in _everything(session, dataset, layout, before).values() if found.claimed]


def resolve(session: Session, dataset: Dataset, layout: Layout, keys: Iterable[Key], *, dated: bool = True) -> dict[Key, Found]:
    """What is there now under each key, claimed or not; what is gone from everywhere is left out."""
    del dated  # everything is read in any case
    there = _everything(session, dataset, layout, None)
    return {key: there[key] for key in keys if key in there}


def all_mail(layout: Layout, dataset: Dataset, where: str) -> str:
    """The folder that shows every message; raises `ConnectorError` where it is hidden."""
    name = layout.special("\\all")
    if name is None:
        raise ConnectorError(
            f"{where} shows no All Mail, so nobody could tell for {dataset.target} what is there and what is gone. "
            f"Switch it on in the settings of Proton Bridge.",
            "unsupported",
        )
    return name


def internal_id(message: Message, where: str) -> str:
    """Proton's name of the message; raises `ConnectorError` where it has none: then this is no Bridge."""
    told = message.headers.get(INTERNAL_ID.lower(), ())
    if len(told) != 1 or not told[0]:
        raise ConnectorError(
            f"{where} has a message without {INTERNAL_ID}, as Proton Bridge never has. Say flavour: plain for other servers.",
            "unsupported",
        )
    return told[0]


def _everything(session: Session, dataset: Dataset, layout: Layout, before: datetime | None) -> dict[Key, Found]:
    whole = all_mail(layout, dataset, session.where)
    before = None if dataset.options.converses else before
    messages: dict[str, Message] = {}
    places: dict[str, list[Place]] = {}
    marks: dict[str, set[str]] = {}
    # All Mail comes last: what is moved meanwhile is rather seen in it than nowhere.
    others = [one.name for one in layout.mailboxes if one.selectable and one.name != whole]
    for folder in (*others, whole):
        origin, blocked = origin_of(dataset, layout, folder)
        validity = session.examine(folder)
        for message in session.messages(session.between(None, before), dataset.headers):
            name = internal_id(message, session.where)
            messages[name] = message
            places.setdefault(name, []).append(Place(folder, origin, blocked, validity, message.uid))
            marks.setdefault(name, set()).update(message.marks)
            if folder.startswith(LABELS):
                marks[name].add(folder[len(LABELS) :].lower())
    copies = []
    for name, message in messages.items():
        own = tuple(places[name])
        shown = [place for place in own if place.folder != whole]
        aside = bool(shown) and all(place.blocked for place in shown)
        copies.append(Copied(message, own, frozenset(marks[name]), aside))
    if dataset.options.converses:
        copies = conversing(copies)
    return {(name,): record(dataset, (name,), [one]) for name, one in zip(messages, copies, strict=True)}


def origin_of(dataset: Dataset, layout: Layout, folder: str) -> tuple[str, bool]:
    """The folder that this one's messages were blocked out of, and True; or the folder itself, and False."""
    start = None if dataset.aside is None else f"{dataset.aside}{layout.delimiter}"
    return (folder[len(start) :], True) if start is not None and folder.startswith(start) else (folder, False)
