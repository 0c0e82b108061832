"""A policy: one file of rules for one activity, with whose systems it speaks of and what has to be attested."""

from __future__ import annotations

import difflib
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Self

from pydantic import Field, field_validator, model_validator
from whenever import available_timezones

from retentiond.model.period import RetentionPeriod
from retentiond.model.rule import Rule
from retentiond.model.written import Identifier, Line, Name, Text, Written


@cache
def _zones() -> frozenset[str]:
    # What these mean the host decides, so they are no zones of a policy.
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


class Role(StrEnum):
    """What whoever keeps the data is in law."""

    OWN = "own"
    """The company itself."""
    PROCESSOR = "processor"
    """Bound by its instructions (Art. 28 GDPR)."""
    CONTROLLER = "controller"
    """Responsible on its own; can be told, not instructed (Art. 19 GDPR)."""


class SystemInfo(Written):
    """Whose system it is that a policy speaks of."""

    holder: Line
    """Who keeps the data there."""
    role: Role
    connector: Name
    """The connector that reaches it, also where it is not installed yet."""


class Attested(Written):
    """Data that no connector reaches: a person, or the vendor, has to attest again and again that it goes in time."""

    id: Identifier
    data_kind: Text
    categories: tuple[Name, ...]
    system: Name
    every: RetentionPeriod
    """How long an attestation is good for."""
    expect: dict[Name, Line] = Field(min_length=1)
    """What has to be attested, in words."""
    basis: tuple[Line, ...] = ()
    notice: Line | None = None
    note: Line | None = None


class Policy(Written):
    """One file of rules for one activity."""

    policy: Identifier
    title: Text
    purpose: Line
    basis: tuple[Line, ...] = Field(min_length=1)
    notice: Line
    """The published promise, word for word."""
    valid_from: date
    """The first day, in `zone`, on which this version of the policy counts; of several versions the newest such one does."""
    systems: dict[Name, SystemInfo] = Field(default_factory=dict)
    """Whose systems the rules speak of; with any, every one of them."""
    attestations: tuple[Attested, ...] = ()
    zone: str = Field(description="the IANA time zone in which days and years are counted, such as Europe/Berlin")
    """The IANA time zone in which days and years are counted."""
    rules: tuple[Rule, ...] = Field(min_length=1)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in _zones():
            close = difflib.get_close_matches(zone, _zones(), n=1)
            raise ValueError(f"there is no such time zone; {f'did you mean {close[0]}?' if close else 'one is Europe/Berlin'}")
        return zone

    @model_validator(mode="after")
    def _once(self) -> Self:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id in seen:
                raise ValueError(f"two rules are named {rule.id}; a name is given once")
            seen.add(rule.id)
        for attested in self.attestations:
            if attested.id in seen:
                raise ValueError(f"two rules are named {attested.id}; a name is given once")
            seen.add(attested.id)
        named = {rule.target.system for rule in self.rules} | {attested.system for attested in self.attestations}
        if strangers := sorted(named - self.systems.keys()) if self.systems or self.attestations else []:
            raise ValueError(f"`systems` does not say whose {', '.join(strangers)} is")
        return self
