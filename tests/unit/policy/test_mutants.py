"""A key that is dropped, misspelt or written twice makes a policy fail to load, or select less. Never more, never earlier.

So does one that is called what another key is called, where the rule has cases: only they tell what was meant.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from retentiond.document import Loc, dotted, read
from retentiond.document.building import _allowed, _model_at
from retentiond.errors import ConfigurationError
from retentiond.model.decision import decide
from retentiond.model.policy import Policy
from retentiond.model.record import Action, Dates, Moment
from retentiond.model.rule import Rule
from retentiond.policy.load import load

ROOT = Path(__file__).parents[3]
SAMPLES = [*sorted((ROOT / "tests/data/policies").glob("*.yaml")), *sorted((ROOT / "policies/demo").glob("*.yaml"))]
BASES: tuple[Moment | None, ...] = (
    None,
    date(2024, 2, 29),
    date(2025, 9, 30),
    date(2025, 12, 31),
    datetime(2025, 1, 31, 4, 30, tzinfo=UTC),
    datetime(2025, 10, 26, 0, 30, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 30, tzinfo=UTC),
)
NEARBY = tuple(
    timedelta(**{unit: count}) for unit, count in (("microseconds", -1), ("hours", -7), ("days", -1), ("days", -5), ("days", -40))
)
"""How long before each moment at which the original selects a record a mutant is tried on it as well."""


def _keys(data: Any, loc: Loc = ()) -> Iterator[Loc]:
    for step, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if isinstance(data, dict):
            yield (*loc, step)
        yield from _keys(value, (*loc, step))


def _dropped(data: Any, loc: Loc) -> Any:
    mutant = deepcopy(data)
    _holder(mutant, loc).pop(loc[-1])
    return mutant


def _misspelt(data: Any, loc: Loc) -> Any:
    mutant = deepcopy(data)
    holder = _holder(mutant, loc)
    holder[f"{loc[-1]}s"] = holder.pop(loc[-1])
    return mutant


def _holder(data: Any, loc: Loc) -> Any:
    for step in loc[:-1]:
        data = data[step]
    return data


def _written(data: Any) -> str:
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(data, stream)
    return stream.getvalue()


def _twice(path: Path, loc: Loc) -> str:
    """The file's own text with one key written twice in flow style, the second time with another value."""
    data = deepcopy(read(path).data)
    _holder(data, loc)["TWICE"] = "another"
    return _written(data).replace("TWICE", str(loc[-1]))


def _loaded(text: str, folder: Path) -> Policy | None:
    file = folder / "mutant.yaml"
    file.write_text(text)
    try:
        return load(file)[0].policy
    except ConfigurationError as error:
        placed = all(problem.where.startswith(f"{file}:") for problem in error.problems)
        return None if placed and error.problems else pytest.fail(f"no place is told: {error}")


@cache
def _population(names: tuple[str, ...]) -> list[Dates]:
    return [dict(zip(names, values, strict=True)) for values in product(BASES, repeat=len(names))]


@cache
def _selected(path: Path) -> dict[str, list[tuple[Dates, tuple[tuple[datetime, Action | None, Action | None], ...]]]]:
    """What each rule does with a population of records, blocked and not, around each moment at which that changes."""
    policy = load(path)[0].policy
    return {
        rule.id: [(dates, _steps(rule, policy.zone, dates)) for dates in _population(tuple(sorted(rule.date_names)))]
        for rule in policy.rules
    }


def _steps(rule: Rule, zone: str, dates: Dates) -> tuple[tuple[datetime, Action | None, Action | None], ...]:
    late = datetime(2500, 1, 1, tzinfo=UTC)
    whole = decide(rule, zone, dates, False, late)
    turns = [end.end for end in whole.ends if end.end is not None] + [one for one in (whole.due_at, whole.block_at) if one]
    nows = {late, *turns, *(turn + shift for turn in turns for shift in NEARBY)}
    return tuple(
        (now, decide(rule, zone, dates, False, now).step, decide(rule, zone, dates, True, now).step) for now in sorted(nows)
    )


@cache
def _original(path: Path) -> dict[str, Rule]:
    return {rule.id: rule for rule in load(path)[0].policy.rules}


def _assert_selects_no_more(mutant: Policy, path: Path) -> None:
    original = _original(path)
    for rule in mutant.rules:
        before = original[rule.id]
        assert (rule.target, rule.approval, rule.limits) == (before.target, before.approval, before.limits)
        for dates, steps in _selected(path)[rule.id]:
            for now, free, blocked in steps:
                assert decide(rule, mutant.zone, dates, False, now).step in (None, free), (rule.id, dates, now)
                assert decide(rule, mutant.zone, dates, True, now).step in (None, blocked), (rule.id, dates, now)


ALL = [(path, loc) for path in SAMPLES for loc in _keys(read(path).data)]
IDS = [f"{path.parent.parent.name}/{path.stem}: {dotted(loc)}" for path, loc in ALL]


@pytest.mark.parametrize(("path", "loc"), ALL, ids=IDS)
def test_a_dropped_key_never_makes_a_rule_select_more_or_earlier(path: Path, loc: Loc, tmp_path: Path) -> None:
    mutant = _loaded(_written(_dropped(read(path).data, loc)), tmp_path)
    if mutant is not None:
        _assert_selects_no_more(mutant, path)


@pytest.mark.parametrize(("path", "loc"), ALL, ids=IDS)
def test_a_misspelt_key_is_refused(path: Path, loc: Loc, tmp_path: Path) -> None:
    assert _loaded(_written(_misspelt(read(path).data, loc)), tmp_path) is None


def _other_keys(path: Path, loc: Loc) -> list[str]:
    """What the key could be called instead, if it were meant for something else."""
    data = read(path).data
    model = _model_at(Policy, loc[:-1])
    return [] if model is None else [name for name in _allowed(model) if name not in _holder(data, loc)]


@pytest.mark.parametrize(("path", "loc"), ALL, ids=IDS)
def test_a_key_renamed_to_another_never_makes_a_rule_select_more_or_earlier(path: Path, loc: Loc, tmp_path: Path) -> None:
    for name in _other_keys(path, loc):
        mutant = deepcopy(read(path).data)
        holder = _holder(mutant, loc)
        holder[name] = holder.pop(loc[-1])
        policy = _loaded(_written(mutant), tmp_path)
        if policy is not None:
            _assert_selects_no_more(policy, path)


@pytest.mark.parametrize(("path", "loc"), ALL, ids=IDS)
def test_a_key_written_twice_is_refused(path: Path, loc: Loc, tmp_path: Path) -> None:
    assert _loaded(_twice(path, loc), tmp_path) is None


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_written_anew_is_the_same_policy(path: Path, tmp_path: Path) -> None:
    assert _loaded(_written(read(path).data), tmp_path) == load(path)[0].policy


def test_the_keys_that_may_be_dropped_are_only_those_that_never_loosen_a_rule(tmp_path: Path) -> None:
    droppable = {str(loc[-1]) for path, loc in ALL if _loaded(_written(_dropped(read(path).data, loc)), tmp_path) is not None}
    assert droppable == {
        "basis",  # of a rule or bound: told only
        "blocked",  # of a case
        "cases",
        "count_start_day",
        "delete_by",
        "else",
        "note",
        "notice",  # of a rule
        "optional",
        "received_on",  # of a case
        "settled_on",
    }


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_population_meets_every_rule_at_work(path: Path) -> None:
    for name, population in _selected(path).items():
        acting = [step for _, steps in population for _, free, _ in steps for step in [free] if step]
        assert acting, name
        assert any(step is None for _, steps in population for _, step, _ in steps), name
