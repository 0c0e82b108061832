"""The requests of data subjects as a list: deadlines, the overdue ones first. No identifier of a person."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TypedDict

from rich.console import RenderableType

from retentiond.engine.requesting import answer_due, gone_by
from retentiond.model.request import Request
from retentiond.report.layout import table
from retentiond.report.shown import moment, shown, stamp


class RequestJson(TypedDict):
    """One request."""

    request: str
    kind: str
    state: str
    received_at: str
    case: str
    by: str
    rules: list[str] | None
    identifiers: dict[str, int]
    decided_at: str | None
    decided_by: str | None
    answered_at: str | None
    answer_due: str | None
    overdue: bool
    gone_by: str | None


class RequestsJson(TypedDict):
    """What `request list --json` writes."""

    requests: list[RequestJson]


def in_order(requests: Sequence[Request], zones: Collection[str]) -> list[Request]:
    """Those to be answered first, the most urgent before the others; then the rest, the newest first."""

    def urgency(request: Request) -> tuple[bool, float]:
        due = answer_due(request, zones)
        return (due is None, due.timestamp() if due else -request.received_at.timestamp())

    return sorted(requests, key=urgency)


def request_json(request: Request, zones: Collection[str], now: datetime) -> RequestJson:
    """One request for a program."""
    due, gone = answer_due(request, zones), gone_by(request, zones)
    kinds = [person.kind for person in request.persons]
    return {
        "request": request.request,
        "kind": request.kind.value,
        "state": request.state.value,
        "received_at": stamp(request.received_at),
        "case": request.case,
        "by": request.by,
        "rules": sorted(request.rules) if request.rules is not None else None,
        "identifiers": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "decided_at": stamp(request.decided_at) if request.decided_at else None,
        "decided_by": request.decided_by,
        "answered_at": stamp(request.answered_at) if request.answered_at else None,
        "answer_due": stamp(due) if due else None,
        "overdue": due is not None and due <= now,
        "gone_by": stamp(gone) if gone else None,
    }


def requests_text(requests: Sequence[Request], zones: Collection[str], now: datetime) -> Iterator[RenderableType]:
    """The list for a person."""
    if not requests:
        yield "There are no requests."
        return
    zone = min(zones)
    grid = table("request", "kind", "state", "received", "answer by", "to be done by", "file")
    for request in in_order(requests, zones):
        due, gone = answer_due(request, zones), gone_by(request, zones)
        late = " OVERDUE" if due is not None and due <= now else ""
        answer = f"{moment(due, zone)}{late}" if due else "answered" if request.answered_at else "-"
        grid.add_row(
            request.request,
            request.kind.value,
            request.state.value,
            moment(request.received_at, zone),
            answer,
            moment(gone, zone) if gone else "-",
            shown(request.case),
        )
    yield grid
