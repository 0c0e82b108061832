"""What lies between two sets of policies, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TypedDict, cast

from rich.console import RenderableType

from retentiond.engine.difference import Difference, Moved
from retentiond.report.layout import lines
from retentiond.report.shown import counted, shown, stamp


class MovedJson(TypedDict):
    """How many records fare otherwise than before."""

    found: int
    newly_due: int
    no_longer_due: int
    newly_blocked: int
    newly_protected: int
    no_longer_protected: int
    earlier: int
    later: int


class DifferenceJson(TypedDict):
    """What lies between the versions of one rule."""

    rule: str
    kind: str
    what: list[str]
    moved: MovedJson | None
    trouble: str | None


class PolicyDiffJson(TypedDict):
    """What `policy diff --json` writes."""

    as_of: str
    rules: list[DifferenceJson]


def difference_json(found: Sequence[Difference], as_of: datetime) -> PolicyDiffJson:
    """The differences for a program; counts only, no record's key."""
    return {
        "as_of": stamp(as_of),
        "rules": [
            {
                "rule": one.rule,
                "kind": one.kind,
                "what": list(one.what),
                "moved": cast("MovedJson", asdict(one.moved)) if one.moved else None,
                "trouble": one.trouble,
            }
            for one in found
        ],
    }


def difference_text(found: Sequence[Difference]) -> Iterator[RenderableType]:
    """The differences for a person; rules that are the same are only counted."""
    same = 0
    for one in found:
        if one.kind == "same":
            same += 1
            continue
        yield f"{shown(one.rule)}: {one.kind}"
        for what in one.what:
            yield lines(shown(what))
        if one.moved:
            yield lines(_moved_text(one.moved))
        if one.trouble:
            yield lines(f"not compared with live data: {shown(one.trouble)}")
    yield f"Unchanged: {counted(same, 'rule')}."


def _moved_text(moved: Moved) -> str:
    figures = {name.replace("_", " "): number for name, number in asdict(moved).items() if name != "found" and number}
    told = ", ".join(f"{number:,} {name}" for name, number in figures.items()) or "none fares otherwise"
    return f"of {counted(moved.found, 'record')} found: {told}"
