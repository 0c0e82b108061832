from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from support.rules import rule, written

from retentiond.model.bound import Bound, StartSpec
from retentiond.model.policy import Policy
from retentiond.model.rule import Limits, Rule

DAYS = {"period": "P30D", "counted": "day-end"}
YEARS = {"period": "P8Y", "counted": "calendar-year-end"}
DUTY = {"class": "none"} | YEARS


def refusal(keys: dict[str, Any], model: type[Any] = Rule) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(keys)
    return "\n".join(one["msg"] for one in caught.value.errors())


def policy(**keys: Any) -> dict[str, Any]:
    return {
        "policy": "made-up",
        "title": {"de": "Erfunden", "en": "made up"},
        "purpose": "tests",
        "basis": ["a law"],
        "notice": "a promise",
        "zone": "Europe/Berlin",
        "valid_from": "2025-01-01",
        "rules": [written(starts="at", delete_after=DAYS)],
    } | keys


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"starts": "at"}, "nothing says when to delete"),
        ({"starts": "at", "action": "anonymize", "block_after": DAYS}, "nothing says when to anonymize"),
        ({"starts": "at", "keep_at_least": DUTY}, "`delete_after` is missing"),
        ({"starts": "at", "keep_at_least": DUTY, "delete_by": YEARS}, "`delete_after` is missing"),
        ({"starts": "at", "delete_after": "keep_at_least", "delete_by": DAYS}, "needs a duty in `keep_at_least`"),
        ({"starts": "at", "action": "block"}, "needs `block_after`"),
        ({"starts": "at", "action": "block", "block_after": DAYS, "delete_by": DAYS}, "a rule that only blocks has no"),
        ({"delete_after": DAYS}, "it is not said what `delete_after` counts from"),
        ({"delete_after": DAYS | {"from": "a"}, "delete_by": DAYS}, "it is not said what `delete_by` counts from"),
        ({"starts": "at", "delete_after": DAYS | {"from": "a"}}, "there is both `starts` and a `from`"),
        ({"starts": {"after_last_day": "at"}, "delete_by": {"period": "P1D", "counted": "exact"}}, "counted exact"),
        ({"starts": "at", "delete_after": DAYS, "cases": [{"starts": {"on": "2026-01-01"}, "due": "kept"}]}, "names `on`"),
    ],
)
def test_bounds_that_make_no_rule_are_refused(keys: dict[str, Any], said: str) -> None:
    assert said in refusal(written(**keys))


def test_a_duty_to_keep_is_never_left_unsaid() -> None:
    keys = written(starts="at", delete_after=DAYS)
    del keys["keep_at_least"]
    assert "`keep_at_least` is missing" in refusal(keys)


@pytest.mark.parametrize("key", ["transition", "review", "triggers", "start", "Starts", "keep_at_last"])
def test_what_this_version_does_not_know_is_refused(key: str) -> None:
    assert "Extra inputs are not permitted" in refusal(written(starts="at", delete_after=DAYS, **{key: []}))


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ({}, "write either `at`"),
        ({"at": "a", "after_last_day": "b"}, "write either `at`"),
        ({"at": ["a", "b"]}, "write `take: latest`"),
        ({"at": ["a", "a"], "take": "latest"}, "named twice"),
        ({"at": "a", "take": "latest"}, "belong to a list"),
        ({"at": "a", "optional": ["a"]}, "belong to a list"),
        ({"at": ["a", "b"], "take": "latest", "optional": ["c"]}, "names c"),
        ({"at": ["a", "b"], "take": "earliest"}, "'latest'"),
        ({"after_last_day": "a", "count_start_day": True}, "for events"),
        ({"at": "a", "else": {"at": "a", "plus": "P1D"}}, "was unknown already"),
        ({"at": "a", "else": {"at": "b", "plus": "PT1H"}}, "only years, months, weeks and days"),
        ({"at": "a", "else": {"at": "b"}}, "Field required"),
        ({"at": []}, "at least 1 item"),
    ],
)
def test_a_start_that_is_not_clear_is_refused(start: dict[str, Any], said: str) -> None:
    assert said in refusal(start, StartSpec)


def test_hours_are_counted_exactly_or_not_at_all() -> None:
    assert "can only be counted `exact`" in refusal({"period": "PT1H", "counted": "day-end"}, Bound)


def test_a_name_alone_is_a_start() -> None:
    one = rule(starts="at", delete_after=DAYS)
    assert one == rule(starts={"at": "at"}, delete_after=DAYS) == rule(starts={"at": ["at"]}, delete_after=DAYS)


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("100 %", 1.0), ("0.5%", 0.005)])
def test_a_share_is_written_as_a_percentage(text: str, share: float) -> None:
    assert Limits.model_validate({"records": 5, "share": text, "undatable": "default"}).share == pytest.approx(share)


@pytest.mark.parametrize("share", ["0%", "101%", "20", 20, 0, 0.2, 1.0, 1.5, "-5%", "1e2%", True, "٢٠%"])
def test_what_is_no_share_is_refused(share: object) -> None:
    assert "a share is a percentage" in refusal({"records": 5, "share": share, "undatable": "5%"}, Limits)


def test_limits_are_told_one_by_one_or_left_to_the_settings() -> None:
    assert rule(starts="at", delete_after=DAYS).limits is None
    assert Limits.model_validate({"records": "default", "share": "default", "undatable": "default"}) == Limits.model_construct(
        records=None, share=None, undatable=None
    )
    assert "Field required" in refusal({"records": 5, "share": "20%"}, Limits)
    assert "greater than 0" in refusal({"records": 0, "share": "20%", "undatable": "5%"}, Limits)


def test_a_case_is_read_with_its_offset() -> None:
    one = rule(
        starts="at", delete_after=DAYS, cases=[{"starts": "2026-01-01T00:30:00+01:00", "due": "2026-01-31T00:00:00+01:00"}]
    )
    assert one.cases[0].starts == datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert one.cases[0].due == datetime(2026, 1, 30, 23, tzinfo=UTC)
    assert one.case_dates(one.cases[0]) == {"at": one.cases[0].starts}


NOWHERE = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00+25:00"]
"""Moments whose offset leads out of the calendar, or is none."""


@pytest.mark.parametrize("value", ["2026-01-01T00:30:00", "2026-1-1", "20260101", 20260101, "2026-02-30", "soon", None, *NOWHERE])
def test_a_case_that_can_be_misread_is_refused(value: object) -> None:
    assert refusal(written(starts="at", delete_after=DAYS, cases=[{"starts": value, "due": "kept"}]))
    assert refusal(written(starts="at", delete_after=DAYS, cases=[{"starts": "2026-01-01", "due": value}]))


@pytest.mark.parametrize("value", ["2026-01-01", "kept", *NOWHERE])
def test_what_blocks_a_case_is_an_instant(value: str) -> None:
    """`kept` would be no word for "never blocked": it would leave that untested."""
    case = {"starts": "2026-01-01", "due": "kept", "blocked": value}
    assert "write an instant with its offset such as" in refusal(written(starts="at", delete_after=DAYS, cases=[case]))


def test_a_case_says_which_date_it_means_where_there_are_several() -> None:
    keys = written(
        delete_after=DAYS | {"from": "a"}, delete_by=DAYS | {"from": "b"}, cases=[{"starts": "2026-01-01", "due": "kept"}]
    )
    assert "must say which date is meant: `a`, `b`" in refusal(keys)
    keys["cases"] = [{"starts": {"a": "2026-01-01"}, "due": "kept"}]
    assert Rule.model_validate(keys).cases[0].starts == {"a": date(2026, 1, 1)}


@pytest.mark.parametrize(
    ("zone", "said"),
    [("Europe/Berlim", "did you mean Europe/Berlin?"), ("europe/berlin", "no such"), ("localtime", "no such"), ("", "no such")],
)
def test_a_zone_is_one_that_every_host_knows_by_that_name(zone: str, said: str) -> None:
    assert said in refusal(policy(zone=zone), Policy)


@pytest.mark.parametrize("key", ["policy", "title", "purpose", "basis", "notice", "zone", "rules"])
def test_a_policy_says_everything_about_itself(key: str) -> None:
    keys = policy()
    del keys[key]
    assert "Field required" in refusal(keys, Policy)


def test_two_rules_of_a_policy_have_two_names() -> None:
    one = written(starts="at", delete_after=DAYS)
    assert "two rules are named made.up" in refusal(policy(rules=[one, one]), Policy)


@pytest.mark.parametrize("name", ["", "Web", "web log", "web/log", "-web", "web.", "wéb", "web\n"])
def test_a_name_is_plain(name: str) -> None:
    assert refusal(policy(policy=name), Policy)
