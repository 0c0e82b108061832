"""Everything that settings and policies say, joined and checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from retentiond.connector.api import Connector
from retentiond.connector.registry import BoundTarget, bind, connectors
from retentiond.engine.assignment import Assignment, assign
from retentiond.engine.own import with_own
from retentiond.errors import ConfigurationError, Problem
from retentiond.model.record import Target
from retentiond.policy.digest import policy_digest
from retentiond.policy.load import in_force, load
from retentiond.policy.loaded import LoadedPolicy
from retentiond.settings import Settings


@dataclass(frozen=True, slots=True)
class Workplace:
    """What is to be done, where, and by which means; a value, replaced as a whole when policies are read again."""

    settings: Settings
    policies: tuple[LoadedPolicy, ...]
    assignments: tuple[Assignment, ...]
    targets: Mapping[Target, BoundTarget]
    digest: str
    """Digest (hex) over all policies."""

    def at(self, now: datetime) -> Workplace:
        """The same with those versions of the policies that count at `now` (aware UTC)."""
        counting = in_force(self.policies, now)
        return replace(self, assignments=tuple(one for one in self.assignments if one.policy in counting))

    def chosen(self, only: Sequence[str]) -> tuple[Assignment, ...]:
        """The assignments of the rules named, all of them where none is; raise `ConfigurationError` for an unknown name."""
        known = {assignment.rule.id for assignment in self.assignments}
        unknown = [name for name in only if name not in known]
        if unknown:
            raise ConfigurationError(f"There is no rule {', '.join(unknown)}; the rules are: {', '.join(sorted(known))}.")
        return tuple(assignment for assignment in self.assignments if not only or assignment.rule.id in only)


def read_workplace(settings: Settings, available: Mapping[str, Connector] | None = None) -> Workplace:
    """Read the policies and join them to the systems; raise `ConfigurationError` with all problems of both at once.

    `available` are the connectors by name; those installed where it is left out.
    """
    problems: list[Problem] = []
    targets: Mapping[Target, BoundTarget] = {}
    policies: tuple[LoadedPolicy, ...] = ()
    try:
        known = with_own(connectors() if available is None else available, settings)
        targets = bind(settings.systems, known, settings.document)
    except ConfigurationError as error:
        problems += _problems(error)
    try:
        policies = load(settings.policies)
    except ConfigurationError as error:
        problems += _problems(error)
    if problems:
        raise ConfigurationError("Settings or policies are wrong; nothing was done.", problems)
    return Workplace(settings, policies, assign(policies, targets), targets, policy_digest(policies))


def _problems(error: ConfigurationError) -> Sequence[Problem]:
    return error.problems or [Problem("", "", str(error))]
