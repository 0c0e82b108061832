"""Data sheets of the connectors, made of what the conformance kit found in this session.

`make sheets` writes the page. In a session that ran the whole kit on every case the page has to say what was found.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from retentiond.testing import ConformanceKit, World
from retentiond.testing.world import Bench

PAGE = Path(__file__).parents[2] / "docs/reference/data-sheets.md"

HEAD = """\
# Data sheets

What the conformance kit saw each connector do. `make sheets` makes this page, and the tests fail where it says something else.
A case is one way to set the connector up, or one server.
What a system gives no occasion to try is listed as lacking, with the reason.
The promises are told in [connectors/README.md](../../connectors/README.md).
"""


@dataclass(slots=True)
class Case:
    """What became of the kit on one case."""

    told: Mapping[str, Any]
    outcomes: dict[str, str] = field(default_factory=dict)


_seen: dict[str, dict[str, Case]] = defaultdict(dict)


def told_of(world: World, case: str) -> str:
    """What a sheet tells of a world beside the outcomes, as JSON."""
    bench = Bench(world)
    connector = world.connector
    return json.dumps(
        {
            "connector": connector.name,
            "title": connector.title,
            "extra": connector.extra,
            "batch": connector.batch_size,
            "case": case,
            "can": sorted(action.value for action in bench.offer.actions),
            "lacks": {gap.value: reason for gap, reason in world.gaps.items()},
        }
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what became of a promise."""
    for name, text in report.user_properties:
        if name != "sheet" or not (report.when == "call" or report.failed):
            continue
        told = json.loads(str(text))
        case = _seen[told["connector"]].setdefault(told["case"], Case(told))
        case.outcomes[report.location[2].split(".")[-1].split("[")[0]] = report.outcome


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything was tried: write the page, or see that it says the same."""
    if hasattr(session.config, "workerinput") or not _whole():
        return
    page = "".join(_page())
    if os.environ.get("DATA_SHEETS") == "write":
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        print(f"\n{PAGE.name} does not say what the conformance kit found. Run `make sheets`.")  # noqa: T201
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _whole() -> bool:
    promises = set(ConformanceKit.promises())
    shipped = {point.name for point in entry_points(group="retentiond.connectors")} - {"retentiond"}
    return shipped <= _seen.keys() and all(
        promises <= case.outcomes.keys() for cases in _seen.values() for case in cases.values()
    )


def _page() -> Iterator[str]:
    yield HEAD
    for name in sorted(_seen):
        cases = [_seen[name][case] for case in sorted(_seen[name])]
        told = cases[0].told
        yield f"\n## `{name}`\n\n{told['title']}.\n"
        driver = f"`pip install 'retentiond[{told['extra']}]'`" if told["extra"] else "none"
        yield f"Driver: {driver}. Records in one batch: {told['batch']:,} at the most.\n\n"
        yield "| case | can | promises kept |\n|---|---|---|\n"
        for case in cases:
            kept = sum(outcome == "passed" for outcome in case.outcomes.values())
            can = ", ".join(case.told["can"]) or "only read"
            yield f"| {case.told['case']} | {can} | {kept} of {len(case.outcomes)} |\n"
        yield from _lacking(cases)


def _lacking(cases: list[Case]) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for case in cases:
        for gap, reason in case.told["lacks"].items():
            reasons[gap, reason].append(case.told["case"])
    if not reasons:
        return
    yield "\n| lacks | in | because |\n|---|---|---|\n"
    for (gap, reason), where in sorted(reasons.items()):
        yield f"| {gap} | {'all cases' if len(where) == len(cases) else ', '.join(where)} | {reason} |\n"
