"""A version of a rule with all that decides, in a form that can be kept and read again, however the file changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from retentiond.model.policy import Policy
from retentiond.model.rule import Rule
from retentiond.policy.digest import DECIDES, TOLD_ONLY, deciding, digest_of


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one rule. Equal digests mean that they decide alike."""

    rule: Rule
    """Complete in what decides; what was only told about it may be missing."""
    zone: str
    lawful: frozenset[str]
    """The letters of Art. 6(1) GDPR that it rests on."""
    law: Mapping[str, Any] | None
    """What the law's catalogue said about its class, as JSON; None without a class."""
    mapping: str
    """Digest (hex) of how its data set is reached."""

    @property
    def digest(self) -> str:
        """The digest (hex) that an approval of it binds."""
        rule = self.rule.model_dump(mode="json", by_alias=True, include=DECIDES, exclude=TOLD_ONLY)
        return digest_of({"zone": self.zone, "rule": rule, "lawful": sorted(self.lawful), "law": self.law}, self.mapping)


def version_of(policy: Policy, rule: Rule, mapping_digest: str) -> Version:
    """Return the version of a policy's rule that is written there now."""
    decides = deciding(policy, rule)
    return Version(rule, policy.zone, frozenset(decides["lawful"]), decides["law"], mapping_digest)


def kept(version: Version) -> dict[str, Any]:
    """Return the version as JSON, without `mapping`; `read_version` reads it again."""
    written = version.rule.model_dump(mode="json", by_alias=True, include=DECIDES, exclude=TOLD_ONLY, exclude_unset=True)
    if limits := written.get("limits"):
        # A share is written in per cent, with six decimals at the most, and kept as a fraction.
        written["limits"] = {
            name: f"{value * 100:.6f}%" if name != "records" and value is not None else value for name, value in limits.items()
        }
    return {"zone": version.zone, "rule": written, "lawful": sorted(version.lawful), "law": version.law}


def read_version(text: Mapping[str, Any], mapping_digest: str) -> Version | None:
    """Read what `kept` made; None where this release cannot, since the language of rules changed, or it is no version at all."""
    try:
        untold = {"data_kind": {"de": "-", "en": "-"}, "categories": []}
        rule = Rule.model_validate(dict(text["rule"]) | untold)
        return Version(rule, text["zone"], frozenset(text["lawful"]), text["law"], mapping_digest)
    except (ValidationError, KeyError, TypeError, ValueError):
        return None
