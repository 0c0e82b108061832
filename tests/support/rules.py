"""Rules made up for tests: written as a person writes them, so that the model's own checks apply."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import strategies as st
from support.dates import day_terms, instants, moments, terms, whole_days

from retentiond.model.circumstances import Circumstances, ReviewDecision, ReviewWord, Suspension, Trigger
from retentiond.model.hold import HoldKind
from retentiond.model.law import CLASSES, NO_CLASS
from retentiond.model.record import Dates
from retentiond.model.rule import Rule
from retentiond.model.tax import TaxYear

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


@st.composite
def whole_rules(draw: st.DrawFn) -> Rule:
    """Any rule that lets records go, with everything that the language knows: statutes, holds, reviews, leads, requirements."""
    keys: dict[str, Any] = {"action": draw(st.sampled_from(["delete", "anonymize"]))}

    def bound(**more: Any) -> dict[str, Any]:
        start = draw(_starts())
        if "else" not in start and draw(st.booleans()):
            start["missing"] = "not-yet"
        return _bound(draw, start) | {"from": start} | more

    kinds = draw(
        st.lists(st.sampled_from(["keep_at_least", "delete_after", "delete_by", "review_after"]), min_size=1, unique=True)
    )
    if "keep_at_least" in kinds:
        keys["keep_at_least"] = bound(**{"class": draw(st.sampled_from([NO_CLASS, *CLASSES]))})
        keys["delete_after"] = "keep_at_least"
    if "delete_after" in kinds:
        keys["delete_after"] = bound()
    if "delete_by" in kinds:
        keys["delete_by"] = bound(**draw(st.sampled_from([{}, {"lead": "P7D"}, {"lead": "PT36H"}])))
    if "review_after" in kinds:
        keys.pop("delete_after", None)
        wait = draw(st.sampled_from(["none", {"block": "P30D", "delete": "P90D"}, {"block": "P0D", "delete": "P0D"}]))
        term = {"period": str(draw(whole_days)), "counted": draw(st.sampled_from(["day-end", "calendar-year-end"]))}
        keys["review_after"] = term | {"from": draw(_starts()), "owner": "privacy", "no_decision": wait}
    if draw(st.booleans()):
        keys["block_after"] = bound()
    if draw(st.booleans()):
        keys["requires"] = [{"fact": "closed", "is": True}]
    keys["holds"] = draw(
        st.lists(st.sampled_from([kind.value for kind in HoldKind if kind is not HoldKind.REQUEST]), unique=True)
    )
    if draw(st.booleans()) and not _of_tax_law(keys):
        del keys["holds"]
    return rule(**keys)


def _of_tax_law(keys: dict[str, Any]) -> bool:
    statute = CLASSES.get(keys.get("keep_at_least", {}).get("class", NO_CLASS))
    return statute is not None and statute.tax


_ends = st.one_of(st.none(), instants)
suspensions = st.builds(Suspension, st.sampled_from(HoldKind), _ends, st.just("hold-1"))
triggers = st.builds(Trigger, st.sampled_from(["erasure", "restriction"]), instants, st.just("request-1"))
_words = st.one_of(
    st.builds(ReviewDecision, st.sampled_from([ReviewWord.BLOCK, ReviewWord.DELETE]), instants),
    st.builds(ReviewDecision, st.just(ReviewWord.KEEP), instants, instants),
)
_days = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 12, 31))
tax_years = st.dictionaries(
    st.integers(1990, 2100), st.builds(TaxYear, st.just(0), *([st.one_of(st.none(), _days)] * 4)), max_size=4
).map(lambda years: {year: replace(one, year=year) for year, one in years.items()})
circumstances = st.builds(
    Circumstances,
    st.lists(suspensions, max_size=2).map(tuple),
    st.lists(triggers, max_size=2).map(tuple),
    st.lists(triggers, max_size=2).map(tuple),
    st.one_of(st.none(), _words),
    st.one_of(st.none(), tax_years),
    st.booleans(),
)
"""Anything that persons and registers can say about a record."""
