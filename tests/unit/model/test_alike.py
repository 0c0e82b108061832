"""Deciding about many records at once says of each what deciding about it alone says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.dates import ZONES, instants, moments, whole_days, zones
from support.rules import NAMES, circumstances, rule, rules, whole_rules
from whenever import Date, Instant

from retentiond.model import alike
from retentiond.model.alike import Alike, counts_days, whole_day
from retentiond.model.circumstances import PLAIN, Circumstances, ReviewDecision, ReviewWord, Trigger
from retentiond.model.decision import Decision, decide
from retentiond.model.due import as_instant, midnight
from retentiond.model.record import RecordRef
from retentiond.model.rule import Rule

DAY = timedelta(days=1)
LATE = datetime(9990, 1, 1, tzinfo=UTC)
_CLOCKS = [datetime(1980, 1, 1, tzinfo=UTC), datetime(1970, 12, 31, 23, 30, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)]


@st.composite
def counted_by_days(draw: st.DrawFn) -> Rule:
    """Rules that the short way is for; those made up at random seldom are."""
    start = draw(
        st.sampled_from(
            [
                "opened",
                {"at": "closed", "count_start_day": True},
                {"after_last_day": "paid"},
                {"at": "closed", "missing": "not-yet"},
                {"at": ["opened", "closed"], "take": "latest", "optional": ["closed"]},
            ]
        )
    )
    counted = st.sampled_from(["day-end", "day-end-next-workday", "calendar-year-end", "calendar-year-end-next-workday"])

    def bound(**more: Any) -> dict[str, Any]:
        return {"period": str(draw(whole_days)), "counted": draw(counted)} | more

    keys: dict[str, Any] = {"starts": start, "delete_after": bound(), "action": draw(st.sampled_from(["delete", "anonymize"]))}
    if draw(st.booleans()):
        keys["keep_at_least"] = bound(**{"class": draw(st.sampled_from(["none", "voucher"]))})
        keys["holds"] = draw(st.sampled_from([[], ["tax-hold", "tax-audit"], ["legal-claim"]]))
    if draw(st.booleans()):
        keys["delete_by"] = bound(**draw(st.sampled_from([{}, {"lead": "P7D"}])))
    if draw(st.booleans()):
        keys["block_after"] = bound()
    if draw(st.booleans()):
        keys["review_after"] = {"period": "P1M", "counted": "day-end", "owner": "privacy", "no_decision": "none"}
        keys.pop("delete_after")
    if draw(st.integers(0, 2)) == 0:
        keys["requires"] = [{"fact": "closed", "is": True}]
    return rule(**keys)


def _shifted(ref: RecordRef, by: timedelta) -> RecordRef:
    dates = {name: one + by if isinstance(one, datetime) else one for name, one in ref.dates.items()}
    return replace(ref, dates=dates)


@st.composite
def many(draw: st.DrawFn) -> list[RecordRef]:
    """Records that are alike but for one thing at the most."""
    moment = draw(moments | st.sampled_from(_CLOCKS) | instants)
    others = st.just(moment) | st.just(moment) | st.none() | moments
    first = RecordRef(("1",), {name: draw(others) for name in NAMES}, facts={"closed": True}, blocked=draw(st.booleans()))
    turns = st.sampled_from(
        [
            lambda ref: ref,
            lambda ref: replace(ref, blocked=not ref.blocked),
            lambda ref: replace(ref, contested=True),
            lambda ref: replace(ref, facts={"closed": "yes"}),
            lambda ref: _shifted(ref, timedelta(seconds=1)),
            lambda ref: _shifted(ref, timedelta(hours=draw(st.integers(-26, 26)))),
            lambda ref: replace(ref, dates=dict.fromkeys(NAMES)),
        ]
    )
    return [first, *(turn(first) for turn in draw(st.lists(turns, min_size=2, max_size=10)))]


reviewed = st.builds(
    Circumstances,
    review=st.builds(ReviewDecision, st.sampled_from(ReviewWord), instants, instants) | st.none(),
    restrictions=st.builds(Trigger, st.just("restriction"), instants, st.just("request-1")).map(lambda one: (one,)) | st.just(()),
)


def one_by_one(law: Rule, zone: str, now: datetime, refs: list[RecordRef], told: list[Circumstances]) -> list[Decision]:
    """The definition."""
    return [
        replace(
            decide(law, zone, ref.dates, ref.blocked, now, facts=ref.facts, contested=ref.contested, circumstances=said), ends=()
        )
        for ref, said in zip(refs, told, strict=True)
    ]


@st.composite
def nows(draw: st.DrawFn, law: Rule, zone: str, refs: list[RecordRef], told: list[Circumstances]) -> datetime:
    """Any moment, but mostly one at which something about one of the records changes."""
    at = draw(st.integers(0, len(refs) - 1))
    one = decide(law, zone, refs[at].dates, False, LATE, facts={"closed": True}, circumstances=told[at])
    turns = [
        turn
        for turn in (one.due_at, one.block_at, one.act_from, one.review_at)
        if turn is not None and DAY < LATE - turn < LATE - datetime(1, 1, 3, tzinfo=UTC)
    ]
    near = st.builds(lambda turn, shift: turn + shift, st.sampled_from(turns), st.timedeltas(-DAY, DAY) | st.just(0 * DAY))
    now: datetime = draw(near if len(turns) > 0 and draw(st.integers(0, 7)) > 0 else instants)
    return now


@settings(max_examples=200)
@given(st.data(), rules() | whole_rules() | counted_by_days() | counted_by_days(), zones, many())
def test_many_are_decided_about_like_each_alone(data: st.DataObject, law: Rule, zone: str, refs: list[RecordRef]) -> None:
    other = data.draw(circumstances | reviewed)
    told = [PLAIN if data.draw(st.booleans()) else other for _ in refs]
    now = data.draw(nows(law, zone, refs, told))
    queue = iter(told)
    found = Alike(law, zone, now).decide(refs, lambda _ref: next(queue))
    assert found == one_by_one(law, zone, now, refs, told)


@given(st.data(), counted_by_days(), zones, many(), many())
def test_what_is_remembered_from_one_page_holds_for_the_next(
    data: st.DataObject, law: Rule, zone: str, first: list[RecordRef], second: list[RecordRef]
) -> None:
    now = data.draw(nows(law, zone, first, [PLAIN] * len(first)))
    deciding = Alike(law, zone, now)
    for refs in (first, second, first):
        assert deciding.decide(refs, lambda _ref: PLAIN) == one_by_one(law, zone, now, refs, [PLAIN] * len(refs))


def test_a_word_about_one_record_is_none_about_its_twin() -> None:
    law = rule(
        starts="opened",
        review_after={"period": "P1M", "counted": "day-end", "owner": "privacy", "no_decision": "none"},
    )
    now, twin = datetime(2024, 1, 20, tzinfo=UTC), RecordRef(("1",), {"opened": datetime(2020, 5, 5, tzinfo=UTC)})
    words = [PLAIN, Circumstances(review=ReviewDecision(ReviewWord.DELETE, now - DAY)), PLAIN]
    queue = iter(words)
    found = Alike(law, "UTC", now).decide([twin] * 3, lambda _ref: next(queue))
    assert found == one_by_one(law, "UTC", now, [twin] * 3, words)
    assert [one.step for one in found] == [None, law.action, None]


def test_memory_stays_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "MOST", 3)
    law = rule(starts="opened", delete_after={"period": "P1Y", "counted": "day-end"})
    deciding, first = Alike(law, "Europe/Berlin", datetime(2024, 1, 20, 12, tzinfo=UTC)), datetime(2023, 1, 10, 12, tzinfo=UTC)
    refs = [RecordRef((str(n),), {"opened": first + n * DAY}) for n in range(20)]
    found = deciding.decide(refs, lambda _ref: PLAIN)
    assert found == one_by_one(law, "Europe/Berlin", datetime(2024, 1, 20, 12, tzinfo=UTC), refs, [PLAIN] * 20)
    assert len(deciding._decided) <= 3
    assert len(deciding._stretches) <= 3


@given(instants, st.sampled_from([*ZONES, "America/St_Johns", "America/Havana", "Africa/Cairo"]), st.floats(0, 1))
@example(datetime(2006, 10, 29, 2, 30, 30, tzinfo=UTC), "America/St_Johns", 0.02)  # one minute after midnight the clock goes back
def test_a_whole_day_is_one_local_day_from_its_first_moment_to_its_last(moment: datetime, zone: str, part: float) -> None:
    found = whole_day(moment, zone)
    if found is None:
        return
    low, high, day = found
    inside = low + (high - low - timedelta(microseconds=1)) * part
    assert low <= moment < high
    for one in (low, inside, high - timedelta(microseconds=1)):
        assert Instant(one).to_tz(zone).date().to_stdlib() == day
    assert as_instant(day, zone) == low == midnight(Date(day), zone)


@pytest.mark.parametrize(
    ("keys", "by_days"),
    [
        ({"starts": "opened", "delete_after": {"period": "P1M", "counted": "day-end"}}, True),
        ({"starts": "opened", "delete_after": {"period": "P1M", "counted": "exact"}}, False),
        (
            {
                "starts": {"at": "opened", "else": {"at": "closed", "plus": "P1D"}},
                "delete_after": {"period": "P1M", "counted": "day-end"},
            },
            False,
        ),
    ],
)
def test_only_rules_that_count_by_days_take_the_short_way(keys: dict[str, Any], by_days: bool) -> None:
    assert counts_days(rule(**keys)) is by_days
