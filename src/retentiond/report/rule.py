"""A rule in a person's words: its bounds, with what they start from and the law behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from retentiond.model.bound import Stage, StartSpec
from retentiond.model.period import Counted
from retentiond.model.rule import Rule
from retentiond.report.shown import shown

BOUNDS: Mapping[Stage, str] = {
    Stage.BLOCK_AFTER: "block after",
    Stage.REVIEW_AFTER: "review after",
    Stage.KEEP_AT_LEAST: "keep at least",
    Stage.DELETE_AFTER: "go after",
    Stage.DELETE_BY: "gone by",
}

COUNTED: Mapping[Counted, str] = {
    Counted.EXACT: "to the second",
    Counted.DAY_END: "in full days",
    Counted.DAY_END_WORKDAY: "in full days, to the next working day",
    Counted.CALENDAR_YEAR_END: "from the end of the calendar year",
    Counted.CALENDAR_YEAR_END_WORKDAY: "from the end of the calendar year, to the next working day",
}


def bounds_text(rule: Rule) -> Iterator[str]:
    """One sentence without a full stop for each bound of the rule."""
    for stage, bound in rule.bounds:
        basis = f" ({shown(bound.basis)})" if bound.basis else ""
        yield f"{BOUNDS[stage]} {bound.period} {_start(rule.start_of(bound))}, counted {COUNTED[bound.counted]}{basis}"


def _start(start: StartSpec) -> str:
    names = ", ".join(start.names)
    from_ = f"from the latest of {names}" if len(start.names) > 1 else f"from {names}"
    from_ = f"from the last day {names}" if start.inclusive_end and len(start.names) == 1 else from_
    return f"{from_}, else {start.else_.at} plus {start.else_.plus}" if start.else_ else from_
