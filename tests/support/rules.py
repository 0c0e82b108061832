"""Rules made up for tests: written as a person writes them, so that the model's own checks apply."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from support.dates import day_terms, moments, terms, whole_days

from retentiond.model.record import Dates
from retentiond.model.rule import Rule

NAMES = ("opened", "closed", "paid")


def rule(**keys: Any) -> Rule:
    """A rule that deletes; `keys` are those of the YAML."""
    return Rule.model_validate(written(**keys))


def written(**keys: Any) -> dict[str, Any]:
    """The keys of a rule as they come from YAML."""
    plain: dict[str, Any] = {
        "id": "made.up",
        "data_kind": {"de": "Erfundenes", "en": "things made up"},
        "categories": [],
        "target": {"system": "somewhere", "dataset": "things"},
        "action": "delete",
        "limits": "default",
        "approval": "rule",
    }
    if keys.get("action") != "block":
        plain["keep_at_least"] = "none"
    if isinstance(duty := keys.get("keep_at_least"), dict) and "derived_from" not in duty:
        keys["keep_at_least"] = {"class": "none"} | duty
    return plain | keys


@st.composite
def _starts(draw: st.DrawFn) -> dict[str, Any]:
    several = draw(st.permutations(NAMES))[: draw(st.integers(1, 2))]
    start: dict[str, Any] = {draw(st.sampled_from(["at", "at", "after_last_day"])): several if len(several) > 1 else several[0]}
    if len(several) > 1:
        start["take"] = "latest"
        start["optional"] = draw(st.lists(st.sampled_from(several), unique=True))
    elif "at" in start and draw(st.booleans()):
        start["count_start_day"] = True
    if draw(st.booleans()):
        others = [name for name in NAMES if name not in several]
        start["else"] = {"at": draw(st.sampled_from(others)), "plus": str(draw(whole_days))}
    return start


def _bound(draw: st.DrawFn, start: dict[str, Any]) -> dict[str, Any]:
    term = draw(day_terms if "after_last_day" in start or "count_start_day" in start else terms)
    return {"period": str(term.period), "counted": term.counted.value}


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Any rule: every action, every combination of bounds, one start for all or one for each."""
    action = draw(st.sampled_from(["delete", "delete", "anonymize", "block"]))
    shared = draw(_starts()) if draw(st.booleans()) else None

    def bound() -> dict[str, Any]:
        start = shared or draw(_starts())
        made = _bound(draw, start)
        return made if shared else made | {"from": start}

    keys: dict[str, Any] = {"action": action}
    if shared:
        keys["starts"] = shared
    if action == "block":
        return rule(**keys, block_after=bound())
    kinds = draw(st.lists(st.sampled_from(["keep_at_least", "delete_after", "delete_by"]), min_size=1, unique=True))
    keys |= {kind: bound() for kind in kinds}
    if "keep_at_least" in kinds and "delete_after" not in kinds:
        keys["delete_after"] = "keep_at_least"
    if draw(st.booleans()):
        keys["block_after"] = bound()
    return rule(**keys)


dates: st.SearchStrategy[Dates] = st.fixed_dictionaries({name: st.one_of(st.none(), moments, moments) for name in NAMES})
