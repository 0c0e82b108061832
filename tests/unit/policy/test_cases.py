from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from support.dates import zones
from support.rules import rules

from retentiond.document import dotted
from retentiond.errors import ConfigurationError
from retentiond.model.policy import Policy
from retentiond.model.rule import Rule
from retentiond.model.written import Text
from retentiond.policy import cases
from retentiond.policy.cases import check_cases
from retentiond.policy.load import load

SAMPLES = Path(__file__).parents[2] / "data/policies"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "due: 2035-01-01T00:00:00+01:00",
            "due: 2036-01-01T00:00:00+01:00",
            "the case says due at 2036-01-01T00:00:00+01:00, the rule says at 2035-01-01T00:00:00+01:00",
        ),
        ("due: 2035-01-01T00:00:00+01:00", "due: kept", "the case says due kept, the rule says at 2035-01-01T00:00:00+01:00"),
        (
            "blocked: 2028-01-01T00:00:00+01:00",
            "blocked: 2027-01-01T00:00:00+01:00",
            "the case says blocked at 2027-01-01T00:00:00+01:00, the rule says at 2028-01-01T00:00:00+01:00",
        ),
        (
            "{received_on: 2026-01-02}, due: kept",
            "{received_on: 2026-01-02}, due: 2035-01-01T00:00:00+01:00",
            "the rule says kept, undatable",
        ),
    ],
)
def test_a_case_that_does_not_come_out_is_told_with_its_place(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = (SAMPLES / "accounting.yaml").read_text()
    assert old in text
    (tmp_path / "accounting.yaml").write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError, match="nothing was done") as refused:
        load(tmp_path)
    (problem,) = refused.value.problems
    assert said in problem.what
    assert problem.path.startswith("rules[0].cases[")
    assert problem.where.startswith(f"{tmp_path}/accounting.yaml:")


@given(rules(), zones)
def test_generated_cases_find_nothing_wrong_with_any_rule(rule: Rule, zone: str) -> None:
    told = Text(de="x", en="x")
    policy = Policy(
        policy="made-up", title=told, purpose="x", basis=("x",), notice="x", zone=zone, valid_from=date(2025, 1, 1), rules=(rule,)
    )
    assert check_cases(policy, dotted) == []


def test_generated_cases_tell_when_a_search_would_miss_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "searches", lambda *_: ())
    with pytest.raises(ConfigurationError) as refused:
        load(SAMPLES / "web-hosting.yaml")
    assert any("no search finds what is due for delete" in problem.what for problem in refused.value.problems)
