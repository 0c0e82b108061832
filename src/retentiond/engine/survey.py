"""Asks every system what can be done there now: reach, rights, clock, copies and attestations. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from retentiond.connector.api import Copy, Finding
from retentiond.connector.registry import BoundTarget
from retentiond.engine.reviewing import attested
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.policy import Attested, SystemInfo
from retentiond.model.record import Action, Target
from retentiond.model.search import steps
from retentiond.policy.load import in_force
from retentiond.store import Attestation, AttestationResult


@dataclass(frozen=True, slots=True)
class Permitted:
    """Whether one action could be done to a data set."""

    action: Action
    rules: tuple[str, ...]
    """The rules that ask for it; empty where none does."""
    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """True where nothing speaks against it."""
        return not any(finding.refuses for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What one data set said."""

    target: Target
    connector: str
    trouble: str | None
    """Why it could not be asked, a finished sentence; None where it answered."""
    records: int | None
    """How many records there are; None where it could not be asked."""
    ahead: timedelta | None
    """How far its own clock is ahead of ours; None where it has none that can be asked."""
    permitted: tuple[Permitted, ...]
    copies: tuple[Copy, ...]
    """What outlives a delete."""

    @property
    def refused(self) -> bool:
        """True where a rule could not do its work."""
        return self.trouble is not None or any(one.rules and not one.ready for one in self.permitted)


@dataclass(frozen=True, slots=True)
class SystemSurvey:
    """One system that settings or policies name."""

    name: str
    info: SystemInfo | None
    """Whose it is; None where no policy speaks of it."""
    datasets: tuple[Surveyed, ...]
    """Empty where the settings do not reach it."""
    attestations: tuple[tuple[Attested, Attestation | None], ...]
    """What has to be attested about it, each with the newest evidence."""

    @property
    def uncovered(self) -> bool:
        """True where a policy speaks of it, no data set reaches it and nobody has to attest anything about it."""
        return not self.datasets and not self.attestations

    def lapsed(self, now: datetime) -> bool:
        """True where an attestation is missing, has expired or says that what was expected is not so."""
        return any(
            last is None or last.expires <= now or last.result is not AttestationResult.MET for _, last in self.attestations
        )


def survey(
    workplace: Workplace, made: Sequence[Attestation], now: datetime, clock: Callable[[], datetime]
) -> Iterator[SystemSurvey]:
    """Ask one system after the other, in the order of their names; one that cannot be asked stops no other.

    `made` are the newest attestations; policies and evidence count as of `now` (aware UTC), with `clock` theirs are compared.
    """
    infos: dict[str, SystemInfo] = {}
    for loaded in in_force(workplace.policies, now):
        infos |= loaded.policy.systems
    newest = {one.rule: one for one in made}
    asked: dict[str, list[tuple[Attested, Attestation | None]]] = {}
    for name, (one, _zone) in sorted(attested(workplace, now).items()):
        asked.setdefault(one.system, []).append((one, newest.get(name)))
    wanted = _wanted(workplace, now)
    for name in sorted({*infos, *asked, *(target.system for target in workplace.targets)}):
        datasets = [
            _surveyed(bound, wanted.get(target, {}), clock)
            for target, bound in sorted(workplace.targets.items(), key=lambda item: str(item[0]))
            if target.system == name
        ]
        yield SystemSurvey(name, infos.get(name), tuple(datasets), tuple(asked.get(name, ())))


def preflight(bound: BoundTarget, action: Action) -> tuple[Finding, ...]:
    """What speaks against `action` there; that it cannot be asked is a finding, too."""
    try:
        with bound.reader() as reader:
            return tuple(reader.preflight(action))
    except (ConnectorError, ConfigurationError) as error:
        return (Finding(str(error)),)


def _wanted(workplace: Workplace, now: datetime) -> Mapping[Target, Mapping[Action, list[str]]]:
    wanted: dict[Target, dict[Action, list[str]]] = {}
    for assignment in workplace.at(now).assignments:
        for action in steps(assignment.rule):
            wanted.setdefault(assignment.target.target, {}).setdefault(action, []).append(assignment.rule.id)
    return wanted


def _surveyed(bound: BoundTarget, wanted: Mapping[Action, Sequence[str]], clock: Callable[[], datetime]) -> Surveyed:
    trouble, records, ahead = None, None, None
    actions = [*wanted, *sorted(bound.offer().actions - wanted.keys())]
    permitted: list[Permitted] = []
    try:
        with bound.reader() as reader:
            records, theirs = reader.count(), reader.now()
            ahead = None if theirs is None else theirs - clock()
        permitted = [Permitted(action, tuple(wanted.get(action, ())), preflight(bound, action)) for action in actions]
    except (ConnectorError, ConfigurationError) as error:
        trouble = str(error)
    return Surveyed(bound.target, bound.connector.name, trouble, records, ahead, tuple(permitted), bound.copies())
