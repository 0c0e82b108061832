"""Digests of what decides, and of nothing else: what an approval binds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from retentiond.model.policy import Policy
from retentiond.model.rule import Rule
from retentiond.policy.loaded import LoadedPolicy

BOUNDS = ("block_after", "review_after", "keep_at_least", "delete_after", "delete_by")
DECIDES = {
    "id",
    "target",
    "starts",
    *BOUNDS,
    "requires",
    "holds",
    "ended_by",
    "suppress",
    "action",
    "limits",
    "approval",
}
TOLD_ONLY = {bound: {"basis"} for bound in BOUNDS}


def rule_digest(policy: Policy, rule: Rule, mapping_digest: str) -> str:
    """Return the digest (SHA-256, hex) of all that decides what the rule does to which records, and when.

    That is the zone, the rule without what is only told about it (names, law, notice, notes and cases), the letters of
    Art. 6(1) GDPR that it rests on, what the law's catalogue says about its class, and `mapping_digest`, which stands for how
    its data set is reached. Any other way to write the same has the same digest.
    """
    return digest_of(deciding(policy, rule), mapping_digest)


def digest_of(decides: Mapping[str, Any], mapping_digest: str) -> str:
    """Return the digest of what `deciding` returned, together with how the data set is reached."""
    return _digest({"retentiond": "rule 2", "mapping": mapping_digest, **decides})


def deciding(policy: Policy, rule: Rule) -> dict[str, Any]:
    """Return all that decides, as JSON has it, but how the data set is reached."""
    statute = rule.duty.statute if rule.duty else None
    return {
        "zone": policy.zone,
        "rule": rule.model_dump(mode="json", by_alias=True, include=DECIDES, exclude=TOLD_ONLY),
        "lawful": sorted(rule.lawful(policy.basis)),
        "law": statute.model_dump(mode="json", by_alias=True, include={"period", "counted", "guard", "shortened", "tax"})
        if statute
        else None,
    }


def policy_digest(policies: Sequence[LoadedPolicy]) -> str:
    """Return the digest (SHA-256, hex) of the policies' files, whatever their order and place."""
    return _digest({"retentiond": "policies 1", "files": sorted([one.policy.policy, one.file_digest] for one in policies)})


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
