"""How far anchors cover the deletion log, and what became of a checkpoint: one place, so that every report says the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from rich.console import RenderableType

from retentiond.anchor import Coverage
from retentiond.engine.anchoring import Anchoring
from retentiond.report.layout import lines
from retentiond.report.shown import moment, shown, stamp

UNANCHORED = (
    "Without an anchor the log shows accidents and edits by whoever lacks its key; whoever has the key could roll it back or "
    "write another."
)
"""What the log promises by itself."""


class CoverageJson(TypedDict):
    """How far anchors cover the log."""

    anchored: bool
    covered: int
    at: str | None
    types: list[str]
    since: int
    promise: str


class HandedJson(TypedDict):
    """What one anchor did with a checkpoint."""

    type: str
    size: int
    taken: bool
    contradicts: bool
    trouble: str | None


class AnchoringJson(TypedDict):
    """What `audit anchor --json` writes."""

    handed: list[HandedJson]
    anchors: CoverageJson


def coverage_json(found: Coverage) -> CoverageJson:
    """How far the log is anchored, for a program."""
    return {
        "anchored": found.covered > 0,
        "covered": found.covered,
        "at": stamp(found.at) if found.at else None,
        "types": list(found.types),
        "since": found.since,
        "promise": _promise(found),
    }


def coverage_text(found: Coverage) -> Iterator[RenderableType]:
    """How far the log is anchored, for a person."""
    if found.at is None:
        yield lines(f"anchored: nothing; no checkpoint was handed to anybody outside, {_entries(found.size)}")
    else:
        types = ", ".join(map(shown, found.types))
        yield lines(
            f"anchored: covered up to entry {found.covered - 1:,}, anchored {moment(found.at)} by {types}; "
            f"{_entries(found.since)} since"
        )
    yield lines(_promise(found), depth=2)


def anchoring_json(anchoring: Anchoring) -> AnchoringJson:
    """What became of a checkpoint, for a program."""
    return {"handed": handed_json(anchoring), "anchors": coverage_json(anchoring.coverage)}


def handed_json(anchoring: Anchoring) -> list[HandedJson]:
    """What each anchor did, for a program."""
    return [
        {
            "type": one.type,
            "size": one.size,
            "taken": one.trouble is None,
            "contradicts": one.contradicts,
            "trouble": one.trouble,
        }
        for one in anchoring.handed
    ]


def anchoring_text(anchoring: Anchoring) -> Iterator[RenderableType]:
    """What became of a checkpoint, for a person; the trouble first."""
    for trouble in anchoring.troubles:
        yield lines(shown(trouble), depth=0)
    yield from coverage_text(anchoring.coverage)


def _promise(found: Coverage) -> str:
    if found.at is None:
        return UNANCHORED
    return (
        "What is anchored nobody changes unnoticed by whoever holds the anchor, not even with the key; "
        "what came since could still be rewritten with it."
    )


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"
