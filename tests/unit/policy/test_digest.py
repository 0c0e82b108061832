from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.rules import written

from retentiond.model.policy import Policy
from retentiond.policy.digest import policy_digest, rule_digest
from retentiond.policy.loaded import LoadedPolicy

DAYS = {"period": "P30D", "counted": "day-end"}
BASE: dict[str, Any] = {
    "starts": {"at": "closed"},
    "block_after": {"period": "P1D", "counted": "day-end"},
    "keep_at_least": {"class": "none"} | DAYS,
    "delete_after": DAYS,
    "delete_by": {"period": "P1Y", "counted": "day-end"},
}


def digest(keys: dict[str, Any], zone: str = "Europe/Berlin", mapping: str = "mapping", **more: Any) -> str:
    policy = Policy.model_validate(
        {
            "policy": "made-up",
            "title": {"de": "x", "en": "x"},
            "purpose": "x",
            "basis": ["x"],
            "notice": "x",
            "zone": zone,
            "valid_from": "2025-01-01",
        }
        | {"rules": [written(**keys)]}
        | more
    )
    return rule_digest(policy, policy.rules[0], mapping)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "another"},
        {"starts": {"at": "opened"}},
        {"starts": {"after_last_day": "closed"}},
        {"starts": {"at": "closed", "count_start_day": True}},
        {"starts": {"at": "closed", "else": {"at": "opened", "plus": "P1D"}}},
        {"block_after": {"period": "P2D", "counted": "day-end"}},
        {"keep_at_least": {"class": "none"} | DAYS | {"counted": "calendar-year-end"}},
        {"keep_at_least": "none"},
        {"delete_after": DAYS | {"period": "P31D"}},
        {"delete_after": "keep_at_least"},
        {"delete_by": {"period": "P1Y", "counted": "day-end-next-workday"}},
        {"action": "anonymize"},
        {"limits": {"records": 5, "share": "default", "undatable": "default"}},
        {"limits": {"records": "default", "share": "20%", "undatable": "default"}},
        {"approval": "plan"},
        {"target": {"system": "somewhere", "dataset": "others"}},
    ],
    ids=str,
)
def test_whatever_decides_changes_the_digest(change: dict[str, Any]) -> None:
    assert digest(BASE | change) != digest(BASE)


def test_the_zone_and_the_way_to_the_data_change_the_digest() -> None:
    assert len({digest(BASE), digest(BASE, zone="UTC"), digest(BASE, mapping="other")}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"data_kind": {"de": "anders", "en": "other"}},
        {"categories": ["name"]},
        {"note": "a note"},
        {"notice": "a promise"},
        {"basis": ["a law"]},
        {"cases": [{"starts": "2026-01-01", "due": "kept"}]},
        {"keep_at_least": {"class": "none"} | DAYS | {"basis": "a law"}},
        {"starts": "closed"},
        {"starts": {"at": ["closed"]}},
        {"delete_by": {"period": "P0Y12M", "counted": "day-end"} | {"period": "P1Y"}},
    ],
    ids=str,
)
def test_what_is_only_told_or_written_otherwise_does_not(change: dict[str, Any]) -> None:
    assert digest(BASE | change) == digest(BASE)
    assert digest(BASE, title={"de": "y", "en": "y"}) == digest(BASE)


def test_the_digest_of_a_known_rule_stays_the_same() -> None:
    """Approvals in the field are bound to it: should this fail, every rule has to be approved anew."""
    assert digest(BASE) == "71165131f5475ffa1aa48e1a2db0916eb5025dc94cbfafd4ce6d4d37ac0dbe10"


def test_the_digest_of_policies_knows_their_files_and_not_their_order() -> None:
    policy = Policy.model_validate(
        {
            "policy": "made-up",
            "title": {"de": "x", "en": "x"},
            "purpose": "x",
            "basis": ["x"],
            "notice": "x",
            "zone": "UTC",
            "valid_from": "2025-01-01",
        }
        | {"rules": [written(**BASE)]}
    )
    one, other = LoadedPolicy(policy, Path("a"), "11"), LoadedPolicy(policy, Path("b"), "22")
    assert policy_digest([one, other]) == policy_digest([other, one]) != policy_digest([one])
    assert policy_digest([one]) == policy_digest([LoadedPolicy(policy, Path("elsewhere"), "11")])
