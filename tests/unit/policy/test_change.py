"""Tighter is only what never lets a record go that would have stayed, or earlier."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.dates import instants, zones
from support.rules import circumstances, dates, rule, rules, whole_rules

from retentiond.model.bound import Stage
from retentiond.model.circumstances import PLAIN, Circumstances
from retentiond.model.decision import Decision, Reason, decide
from retentiond.model.hold import HoldKind
from retentiond.model.period import Counted, RetentionPeriod
from retentiond.model.record import Action, Dates
from retentiond.model.rule import Rule
from retentiond.policy.change import ChangeKind, change
from retentiond.policy.version import Version, kept, read_version

YEAR = {"period": "P1Y", "counted": "day-end"}
BASE: dict[str, Any] = {
    "starts": "closed",
    "block_after": {"period": "P1D", "counted": "day-end"},
    "keep_at_least": {"class": "none"} | YEAR,
    "delete_after": {"period": "P2Y", "counted": "day-end"},
    "delete_by": {"period": "P3Y", "counted": "day-end", "lead": "P7D"},
    "holds": ["legal-claim"],
    "ended_by": ["purpose-ended"],
    "requires": [],
    "limits": {"records": 100, "share": "20%", "undatable": "default"},
}


def version(made: Rule, zone: str = "Europe/Berlin", lawful: str = "f", mapping: str = "mapping") -> Version:
    statute = made.duty.statute if made.duty else None
    return Version(made, zone, frozenset(lawful), statute.model_dump(mode="json", by_alias=True) if statute else None, mapping)


def base(**keys: Any) -> Version:
    merged = {name: value for name, value in (BASE | keys).items() if value is not ...}
    return version(rule(**merged))


TIGHTER: list[dict[str, Any]] = [
    {"keep_at_least": {"class": "none", "period": "P2Y", "counted": "day-end"}},
    {"keep_at_least": {"class": "none", "period": "P1Y", "counted": "calendar-year-end"}},
    {"keep_at_least": {"class": "voucher"} | YEAR, "holds": ["legal-claim", "tax-hold", "tax-audit"]},
    {"delete_after": {"period": "P2Y1D", "counted": "day-end"}},
    {"delete_by": {"period": "P4Y", "counted": "day-end", "lead": "P7D"}},
    {"delete_by": {"period": "P3Y", "counted": "day-end"}},
    {"delete_by": {"period": "P3Y", "counted": "day-end", "lead": "PT24H"}},
    {"delete_by": ...},
    {"block_after": {"period": "P2D", "counted": "day-end"}},
    {"block_after": ...},
    {"holds": ["legal-claim", "incident"]},
    {"holds": ...},
    {"requires": [{"fact": "paid", "is": True}]},
    {"ended_by": []},
    {"limits": {"records": 99, "share": "20%", "undatable": "default"}},
    {"limits": {"records": 100, "share": "19.5%", "undatable": "default"}},
    {"approval": "plan"},
    {"delete_after": ..., "review_after": YEAR | {"owner": "privacy", "no_decision": "none"}},
]
LOOSER: list[dict[str, Any]] = [
    {"id": "another"},
    {"target": {"system": "somewhere", "dataset": "others"}},
    {"action": "anonymize"},
    {"starts": "opened"},
    {"starts": {"at": "closed", "else": {"at": "opened", "plus": "P1D"}}},
    {"keep_at_least": "none"},
    {"keep_at_least": {"class": "none", "period": "P11M", "counted": "day-end"}},
    {"keep_at_least": {"class": "none", "period": "P365D", "counted": "day-end"}},
    {"delete_after": {"period": "P23M", "counted": "day-end"}},
    {"delete_after": {"period": "P2Y", "counted": "exact"}},
    {"delete_after": "keep_at_least"},
    {"delete_by": {"period": "P2Y", "counted": "day-end", "lead": "P7D"}},
    {"delete_by": {"period": "P3Y", "counted": "day-end", "lead": "P8D"}},
    {"block_after": {"period": "P0D", "counted": "day-end"}},
    {"holds": []},
    {"ended_by": ["purpose-ended", "objection-to-marketing"]},
    {"limits": "default"},
    {"limits": {"records": 101, "share": "20%", "undatable": "default"}},
    {"limits": {"records": 100, "share": "20%", "undatable": "50%"}},
    {"delete_by": {"period": "P4Y", "counted": "day-end"}, "keep_at_least": "none"},
]


def _named(keys: dict[str, Any]) -> str:
    return "-".join(f"{name}={value}" for name, value in keys.items())


@pytest.mark.parametrize("keys", TIGHTER, ids=_named)
def test_what_lets_fewer_go_or_later_is_tighter_and_its_reverse_looser(keys: dict[str, Any]) -> None:
    made = change(base(), base(**keys))
    assert (made.kind, made.what != ()) == (ChangeKind.TIGHTER, True)
    assert change(base(**keys), base()).kind is ChangeKind.LOOSER


@pytest.mark.parametrize("keys", LOOSER, ids=_named)
def test_what_is_not_provably_tighter_is_looser(keys: dict[str, Any]) -> None:
    made = change(base(), base(**keys))
    assert made.kind is ChangeKind.LOOSER
    assert all(what.endswith(".") for what in made.what)


@pytest.mark.parametrize(
    ("zone", "lawful", "mapping", "kind"),
    [
        ("UTC", "f", "mapping", ChangeKind.LOOSER),
        ("Europe/Berlin", "f", "another", ChangeKind.LOOSER),
        ("Europe/Berlin", "a", "mapping", ChangeKind.LOOSER),
        ("Europe/Berlin", "fa", "mapping", ChangeKind.LOOSER),
        ("Europe/Berlin", "f", "mapping", ChangeKind.SAME),
    ],
)
def test_zone_basis_and_mapping_decide_too(zone: str, lawful: str, mapping: str, kind: ChangeKind) -> None:
    made = base().rule
    assert change(version(made), version(made, zone, lawful, mapping)).kind is kind


def test_what_is_only_told_about_a_rule_is_no_change() -> None:
    assert change(base(), base(note="other", basis=["Art. 6(1)(f) GDPR"], categories=["master-data"])).kind is ChangeKind.SAME


def test_holds_that_no_register_is_asked_about_are_fewer_than_those_it_is_asked_about() -> None:
    """`holds` that is left out takes every hold that was placed, and leaves the register of tax years alone."""
    assert change(base(holds=["tax-hold"]), base(holds=...)).kind is ChangeKind.LOOSER


def test_a_duty_added_beside_a_cap_alone_is_looser_for_it_would_end_the_purpose() -> None:
    cap = rule(starts="closed", delete_by={"period": "P3Y", "counted": "day-end"})
    duty = rule(
        starts="closed",
        keep_at_least=YEAR,
        delete_after="keep_at_least",
        delete_by={"period": "P3Y", "counted": "day-end"},
    )
    assert change(version(cap), version(duty)).kind is ChangeKind.LOOSER


@given(st.one_of(whole_rules(), rules()), zones)
def test_a_version_that_was_kept_is_read_again_as_it_was(made: Rule, zone: str) -> None:
    first = version(made, zone)
    again = read_version(kept(first), "mapping")
    assert again is not None
    assert again.digest == first.digest


def test_what_is_no_version_is_not_read() -> None:
    assert read_version({}, "mapping") is None
    assert read_version(kept(base()) | {"rule": {"id": "made.up"}}, "mapping") is None


@st.composite
def _changed(draw: st.DrawFn, made: Rule) -> Rule:
    """The rule with a few of its keys changed, mostly so that it becomes tighter."""
    keys: dict[str, Any] = kept(version(made))["rule"]
    keys = {name: value for name, value in keys.items() if name not in ("id", "target", "action")}
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from([*(stage.value for stage in Stage), *(stage.value for stage in Stage), "holds", "requires"]))
        written = keys.get(name)
        if name == "holds":
            kinds = [kind.value for kind in HoldKind if kind is not HoldKind.REQUEST]
            keys[name] = draw(st.one_of(st.none(), st.lists(st.sampled_from(kinds), unique=True)))
        elif name == "requires":
            keys[name] = draw(st.sampled_from([None, [{"fact": "closed", "is": True}]]))
        elif not isinstance(written, dict):
            other = next(one for one in map(keys.get, Stage) if isinstance(one, dict))
            keys[name] = {part: other[part] for part in ("period", "counted", "from") if other.get(part) is not None}
            keys[name] |= {"class": "none"} if name == "keep_at_least" else {}
            keys[name] |= {"owner": "privacy", "no_decision": "none"} if name == "review_after" else {}
        else:
            what = draw(st.sampled_from(["longer", "longer", "counted", "removed", "class", "lead", "waits"]))
            if what == "removed" and sum(isinstance(keys.get(one), dict) for one in Stage) > 1:
                keys.pop(name)
            elif what == "longer":
                keys[name] = written | {"period": _longer(written["period"], draw(st.sampled_from(["Y", "D", "D", "-"])))}
            elif what == "counted":
                keys[name] = written | {"counted": draw(st.sampled_from(list(Counted))).value}
            elif what == "class" and name == "keep_at_least":
                keys[name] = written | {"class": draw(st.sampled_from(["none", "voucher"]))}
            elif what == "lead" and name == "delete_by":
                keys[name] = written | {"lead": draw(st.sampled_from([None, "P1D", "P9D"]))}
            elif what == "waits" and name == "review_after":
                keys[name] = written | {"no_decision": draw(st.sampled_from(["none", {"block": "P99D", "delete": "P99D"}]))}
    if keys.get("keep_at_least") is None:
        keys["keep_at_least"] = "none"
    if keys.get("delete_after") is None:
        keys.pop("delete_after", None)
        if keys["keep_at_least"] != "none" and not keys.get("review_after"):
            keys["delete_after"] = "keep_at_least"
    try:
        return rule(**{name: value for name, value in keys.items() if value is not None}, action=made.action.value)
    except ValidationError:
        return made  # no rule is like that


def _longer(period: str, by: str) -> str:
    read = RetentionPeriod.parse(period)
    return str(
        {"Y": replace(read, years=read.years + 1), "D": replace(read, days=read.days + 1)}.get(by, RetentionPeriod(days=1))
    )


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Rule, Rule]:
    made = draw(st.one_of(whole_rules(), rules()))
    return made, draw(_changed(made))


def _acts(decision: Decision) -> str:
    return "" if decision.step is None else "block" if decision.step is Action.BLOCK else "go"


@settings(max_examples=600)
@given(_pairs(), zones, dates, st.one_of(st.just(PLAIN), circumstances), instants, st.booleans(), st.sampled_from([True, None]))
def test_what_is_called_tighter_never_acts_where_the_old_version_did_not(
    pair: tuple[Rule, Rule],
    zone: str,
    known: Dates,
    around: Circumstances,
    moment: datetime,
    blocked: bool,
    closed: bool | None,
) -> None:
    """Tried at every moment at which either version, or one of its bounds, comes to something."""
    old, new = pair
    kind = change(version(old, zone), version(new, zone)).kind
    event(kind.value)
    if kind is ChangeKind.LOOSER:
        return
    if old.review_after is None and new.review_after is not None:
        around = replace(around, review=None)
    facts = {} if closed is None else {"closed": closed}

    def at(one: Rule, now: datetime) -> Decision:
        return decide(one, zone, known, blocked, now, facts=facts, circumstances=around)

    decided = [at(one, moment) for one in pair]
    turns = {moment, *(one.end for found in decided for one in found.ends)}
    turns |= {turn for found in decided for turn in (found.due_at, found.block_at, found.act_from, found.review_at)}
    for turn in turns:
        for now in (turn, turn + timedelta(days=1)) if turn is not None and turn.year < 9000 else ():
            was, is_ = at(old, now), at(new, now)
            if _acts(is_) == "go":
                assert _acts(was) == "go"
            elif _acts(is_) == "block":
                assert _acts(was) or was.reason in (Reason.GUARDED, Reason.REQUIREMENT)
