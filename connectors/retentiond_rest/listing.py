"""Reads a list to its end before anything is done with it, so that nothing is lost while it shrinks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from retentiond.connector import ConnectorError, TransientConnectorError
from retentiond_rest.places import Told, pointed
from retentiond_rest.requests import ListRequest, Pages
from retentiond_rest.session import Session
from retentiond_rest.templates import Values

MOST_PAGES = 100_000


@dataclass(slots=True)
class _Told:
    """What a list has told so far; of the items digests only."""

    count: int = 0
    distinct: set[bytes] = field(default_factory=set)
    followed: set[str | int] = field(default_factory=set)

    def add(self, items: list[Any]) -> None:
        """Count the items of a page."""
        self.count += len(items)
        self.distinct |= {hashlib.blake2b(json.dumps(item, sort_keys=True).encode(), digest_size=16).digest() for item in items}


def listed(session: Session, request: ListRequest, values: Values, parent: Any = None) -> Iterator[Told]:
    """Every record of a list, folders opened. Raises `ConnectorError` where an answer is no list, or cannot be whole."""
    if request.folders is None:
        yield from (Told(item, parent=parent) for item in _items(session, request, values))
        return
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        if folder.count("/") >= request.folders.deepest:
            raise ConnectorError(f"{session.target} has folders deeper than its manifest says (`deepest`).", "unreadable")
        for item in _items(session, request, {**values, "folder": folder}):
            name = pointed(item, request.folders.name)
            if not isinstance(name, str) or not name:
                raise ConnectorError(f"{session.target} lists something without a name.", "malformed")
            place = f"{folder}/{name}" if folder else name
            if request.folders.when.fits(item):
                waiting.append(place)
            else:
                yield Told(item, parent=parent, path={"folder": folder, "name": name, "whole": place})


def _items(session: Session, request: ListRequest, values: Values) -> Iterator[Any]:
    """All items, each page after the other; whoever asks has to take all of them before anything is done."""
    pages = request.pages
    query: dict[str, str | int] = dict([pages.size] if pages.size else [])
    told, totals = _Told(), set()
    path, last = None, None
    if pages.query is not None and pages.by in {"page", "offset"}:
        query[pages.query] = pages.first
    for _ in range(MOST_PAGES):
        answer = _asked(session, request, values, query, path)
        items = _unpacked(session, request, answer)
        if items and items == last:
            raise ConnectorError(f"The list of {session.target} gives the same page again, whichever is asked for.", "malformed")
        last = items
        told.add(items)
        yield from items
        if pages.total is not None:
            totals.add(_whole(session, pointed(answer, pages.total)))
            if max(totals) <= told.count:
                break
        following = _following(session, pages, answer, len(items), query)
        if following is None:
            break
        if following in told.followed:
            raise ConnectorError(f"The list of {session.target} runs in a circle.", "malformed")
        told.followed.add(following)
        if pages.by == "link":
            path = _within(session, following)
        elif pages.query is not None:
            query[pages.query] = following
    else:
        raise ConnectorError(f"The list of {session.target} has no end.", "malformed")
    if totals and totals != {len(told.distinct)}:
        raise TransientConnectorError(f"The list of {session.target} changed while it was read.", "unreadable")


def _asked(session: Session, request: ListRequest, values: Values, query: Mapping[str, str | int], path: str | None) -> Any:
    reply = session.ask(request, values, query=query, path=path, errors=False)
    if request.empty_when is not None and request.empty_when.fits(reply.json()):
        return None
    session.refuse_errors(reply, reads=True)
    return reply.json()


def _following(session: Session, pages: Pages, answer: Any, count: int, query: Mapping[str, str | int]) -> str | int | None:
    """What tells the next page; None where there is none."""
    if pages.by == "none":
        return None
    if pages.more is not None:
        more = pointed(answer, pages.more)
        if not isinstance(more, bool):
            raise ConnectorError(f"The list of {session.target} does not tell whether it goes on.", "malformed")
        if not more:
            return None
    if pages.by in {"cursor", "link"}:
        text = pointed(answer, pages.next or "")
        if text in (None, ""):
            if pages.more is not None:
                raise ConnectorError(f"The list of {session.target} goes on and does not tell where.", "malformed")
            return None
        if not isinstance(text, str | int):
            raise ConnectorError(f"The list of {session.target} goes on and does not tell where.", "malformed")
        return text
    if count == 0:  # a shorter page is none to end with: a server may give fewer than were asked for
        return None
    at = int(query[str(pages.query)])
    return at + 1 if pages.by == "page" else at + count


def _unpacked(session: Session, request: ListRequest, answer: Any) -> list[Any]:
    if answer is None and request.empty_when is not None:
        return []
    if request.unpack is not None:
        packed = pointed(answer, request.packed)
        try:
            answer = json.loads(base64.b64decode(packed, validate=True))
        except (TypeError, ValueError, binascii.Error):
            raise ConnectorError(f"The list of {session.target} cannot be unpacked.", "malformed") from None
    match pointed(answer, request.items):
        case list() as items:
            return items
        case dict() as items:
            return list(items.values())
        case _:
            raise ConnectorError(f"{session.target} answers with no list where its manifest says that one is.", "malformed")


def _whole(session: Session, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConnectorError(f"The list of {session.target} does not tell how long it is.", "malformed")
    return value


def _within(session: Session, link: str | int) -> str:
    """The path of a link that leads to the same system; with the credentials nobody is followed elsewhere."""
    base, there = urlsplit(session.connection.url), urlsplit(str(link))
    same = not there.netloc or (there.scheme, there.netloc) == (base.scheme, base.netloc)
    if not same or not there.path.startswith(f"{base.path}/"):
        raise ConnectorError(f"The list of {session.target} goes on at another system; it was not followed.", "malformed")
    path = there.path.removeprefix(base.path)
    return f"{path}?{there.query}" if there.query else path
