"""The holds as a list: those whose review is over first. No record's key and no identifier of a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TypedDict

from rich.console import RenderableType

from retentiond.engine.holding import stands
from retentiond.model.hold import Hold, Scope
from retentiond.report.layout import table
from retentiond.report.shown import moment, shown, stamp


class HoldJson(TypedDict):
    """One hold."""

    hold: str
    kind: str
    system: str | None
    dataset: str | None
    rule: str | None
    record: bool
    person: str | None
    fact: str | None
    date: str | None
    since: str | None
    until: str | None
    reason: str
    owner: str
    placed_at: str
    placed_by: str
    review_on: str
    review_over: bool
    expires: str | None
    lifted_at: str | None
    stands: bool


class HoldsJson(TypedDict):
    """What `hold list --json` writes."""

    holds: list[HoldJson]


def review_over(hold: Hold, now: datetime) -> bool:
    """True where the hold stands and the day is over on which somebody had to look whether it is still needed."""
    return stands(hold, now) and hold.review_on < now.astimezone(UTC).date()


def holds_json(holds: Sequence[Hold], now: datetime) -> HoldsJson:
    """The holds for a program."""
    return {"holds": [_json(hold, now) for hold in _in_order(holds, now)]}


def holds_text(holds: Sequence[Hold], now: datetime) -> Iterator[RenderableType]:
    """The holds for a person."""
    if not holds:
        yield "There are no holds."
        return
    grid = table("hold", "kind", "holds", "file", "owner", "review by", "ends")
    for hold in _in_order(holds, now):
        late = " OVER" if review_over(hold, now) else ""
        grid.add_row(
            hold.hold,
            hold.kind.value,
            shown(", ".join(_parts(hold.scope))),
            shown(hold.reason),
            shown(hold.owner),
            f"{hold.review_on}{late}",
            _end(hold, now),
        )
    yield grid


def _in_order(holds: Sequence[Hold], now: datetime) -> list[Hold]:
    return sorted(holds, key=lambda hold: (not review_over(hold, now), not stands(hold, now), hold.review_on, hold.placed_at))


def _end(hold: Hold, now: datetime) -> str:
    if hold.end is None:
        return "when it is lifted"
    if stands(hold, now):
        return moment(hold.end)
    return f"{'lifted' if hold.end == hold.lifted_at else 'over since'} {moment(hold.end)}"


def _parts(scope: Scope) -> Iterator[str]:
    if scope.system is not None:
        yield f"{scope.system}/{scope.dataset}" if scope.dataset is not None else scope.system
    if scope.rule is not None:
        yield f"rule {scope.rule}"
    if scope.key is not None:
        yield "one record"
    if scope.person is not None:
        yield f"a person ({scope.person.kind})"
    if scope.fact is not None:
        yield f"by {scope.fact[0]}"
    if scope.date_name is not None:
        yield f"{scope.date_name} {scope.since or '…'} to {scope.until or '…'}"


def _json(hold: Hold, now: datetime) -> HoldJson:
    scope = hold.scope
    return {
        "hold": hold.hold,
        "kind": hold.kind.value,
        "system": scope.system,
        "dataset": scope.dataset,
        "rule": scope.rule,
        "record": scope.key is not None,
        "person": scope.person.kind if scope.person else None,
        "fact": scope.fact[0] if scope.fact else None,
        "date": scope.date_name,
        "since": _day(scope.since),
        "until": _day(scope.until),
        "reason": hold.reason,
        "owner": hold.owner,
        "placed_at": stamp(hold.placed_at),
        "placed_by": hold.placed_by,
        "review_on": hold.review_on.isoformat(),
        "review_over": review_over(hold, now),
        "expires": stamp(hold.expires) if hold.expires else None,
        "lifted_at": stamp(hold.lifted_at) if hold.lifted_at else None,
        "stands": stands(hold, now),
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
