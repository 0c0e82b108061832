"""Each key of each shipped rule, dropped: the policy no longer loads, or lets no record go that stayed before, nor earlier."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from retentiond.document import read
from retentiond.errors import ConfigurationError
from retentiond.model.circumstances import Circumstances, Suspension
from retentiond.model.decision import decide
from retentiond.model.hold import HoldKind
from retentiond.model.policy import Policy
from retentiond.model.record import Action, Dates, Fact, Moment
from retentiond.model.rule import Rule
from retentiond.policy.cases import check_cases
from retentiond.policy.load import load

SHIPPED = Path(__file__).parents[3] / "policies/balanced-bytes"
BASES: tuple[Moment | None, ...] = (None, date(2024, 2, 29), datetime(2013, 12, 31, 23, 30, tzinfo=UTC))
NEARBY = (timedelta(), timedelta(days=-1), timedelta(days=-8), timedelta(days=-40))
HELD = tuple(Circumstances((Suspension(kind, None, "h"),), tax_years={}) for kind in HoldKind)
TOLD = (Circumstances(tax_years={}), *HELD)


def _keys(data: Any, loc: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for step, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if isinstance(data, dict):
            yield (*loc, step)
        yield from _keys(value, (*loc, step))


def _dropped(data: dict[str, Any], loc: tuple[str | int, ...]) -> dict[str, Any]:
    mutant: Any = deepcopy(data)
    holder = mutant
    for step in loc[:-1]:
        holder = holder[step]
    holder.pop(loc[-1])
    return mutant  # type: ignore[no-any-return]


def _loaded(data: dict[str, Any]) -> Policy | None:
    try:
        policy = Policy.model_validate_json(json.dumps(data), strict=True)
    except ValidationError:
        return None
    return None if check_cases(policy, str) else policy


def _population(rule: Rule, facts: tuple[str, ...]) -> Iterator[tuple[Dates, Mapping[str, Fact]]]:
    names = sorted(rule.date_names)
    for values in product(BASES, repeat=len(names)):
        for told in (dict.fromkeys(facts, True), dict.fromkeys(facts)) if facts else ({},):
            yield dict(zip(names, values, strict=True)), told


def _goes(rule: Rule, zone: str, dates: Dates, facts: Mapping[str, Fact], now: datetime, told: Circumstances) -> Action | None:
    return decide(rule, zone, dates, False, now, facts=facts, circumstances=told).step


def _looser(old: Rule, new: Rule, zone: str) -> str | None:
    facts = tuple(one.fact for one in old.requires or ())
    for dates, told_facts in _population(old, facts):
        known = {name: dates.get(name) for name in new.date_names}
        whole = decide(new, zone, known, False, datetime(2500, 1, 1, tzinfo=UTC), facts=told_facts)
        turns = {one for one in (whole.act_from, whole.block_at, datetime(2300, 1, 1, tzinfo=UTC)) if one is not None}
        for now in {turn + shift for turn in turns if turn.year < 2400 for shift in NEARBY}:
            for told in TOLD:
                after = _goes(new, zone, known, told_facts, now, told)
                if after not in (None, Action.BLOCK) and _goes(old, zone, dates, told_facts, now, told) is not after:
                    return f"{dates} {told_facts} goes at {now} with {told.suspensions}"
    return None


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_key_of_a_shipped_rule_can_be_lost_unnoticed(path: Path) -> None:
    whole: Any = read(path).data
    resolved = {rule.id: rule for one in load(SHIPPED) for rule in one.policy.rules}
    tried = 0
    for number, rule in enumerate(whole["rules"]):
        if "derived_from" in str(rule.get("keep_at_least", "")):
            continue  # its duty is another rule's, whose keys are tried there
        for loc in _keys(rule):
            if loc[0] in {"cases", "data_kind", "basis", "notice", "note"}:
                continue  # told only; but a case that is lost takes its test along
            tried += 1
            alone = {**whole, "rules": [_dropped(rule, loc)], "attestations": []}
            policy = _loaded(alone)
            if policy is not None:
                wrong = _looser(resolved[rule["id"]], policy.rules[0], policy.zone)
                assert wrong is None, f"rules[{number}] without {'.'.join(map(str, loc))}: {wrong}"
    assert tried > 0


def test_the_folder_loads() -> None:
    try:
        assert len(load(SHIPPED)) == 12
    except ConfigurationError as error:
        pytest.fail(str(error))
