"""Finds what a restore brought back: records that the log tells were dealt with, and that are as they were before."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from retentiond.audit import Act, LogPlace, Past, open_past
from retentiond.connector.api import Reader
from retentiond.connector.registry import BoundTarget
from retentiond.engine.registers import Registers, Standing
from retentiond.engine.values import Progress
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.model.bound import Stage
from retentiond.model.decision import Decision, Reason, Verdict
from retentiond.model.record import RULED, Action, Cutoff, Presence, RecordRef, Target

END = Cutoff("", datetime(9999, 12, 30, tzinfo=UTC), date(9999, 12, 30))
"""Every record with a date that can be true is before it."""

EVERY = 1000
"""How many records pass between two words about progress."""


@dataclass(frozen=True, slots=True)
class Again:
    """One record to which something is to be done again."""

    ref: RecordRef
    act: Act
    """What was done to it before."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a restore brought back in one data set, as far as it can be told."""

    target: Target
    examined: int = 0
    """How many records were looked at: all there are."""
    again: Mapping[Action, int] = field(default_factory=Counter)
    """How many are to be dealt with again, by what is to be done."""
    strangers: int = 0
    """Others, that lie under a key of which the log tells; left alone."""
    undecidable: int = 0
    """Nobody can tell whether they are the same, because the data set declares no identity; left alone."""
    kept: Mapping[Reason, int] = field(default_factory=Counter)
    """Those that were dealt with before and must stay now, by the reason."""
    lost: int = 0
    """Of so many outcomes the log cannot tell which record they are about: the key of their epoch is gone."""
    known_since: datetime | None = None
    """From when on (aware UTC) the log tells what was done, where that is after the backup; None where it tells of all."""
    findings: tuple[str, ...] = ()
    """Finished sentences: why nothing can be done there."""

    @property
    def acts(self) -> int:
        """How many acts there are to do."""
        return sum(self.again.values())

    @property
    def counts(self) -> dict[str, int]:
        """The figures as they stand in the deletion log."""
        kept = sum(self.kept.values())
        return {"again": self.acts, "strangers": self.strangers, "undecidable": self.undecidable, "held": kept}


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What is to be done again after a restore."""

    system: str
    backup_at: datetime
    """The moment of the backup (aware UTC)."""
    as_of: datetime
    datasets: tuple[Returned, ...]
    digest: str
    """Digest (hex) over each act that is to be done again: the entry by which it was done, and the record as it is now."""

    @property
    def counts(self) -> dict[str, int]:
        """The figures of all data sets together."""
        total: Counter[str] = Counter()
        for one in self.datasets:
            total.update(one.counts)
        return dict(total)


def places(workplace: Workplace, system: str, datasets: Sequence[str]) -> list[BoundTarget]:
    """The data sets meant, all of the system's where none is named; raises `ConfigurationError` for one that is not known."""
    there = [bound for target, bound in workplace.targets.items() if target.system == system]
    if not there:
        known = ", ".join(sorted({target.system for target in workplace.targets}))
        raise ConfigurationError(f"The settings know no system of that name; known are: {known}. Nothing was done.")
    unknown = [name for name in datasets if name not in {bound.target.dataset for bound in there}]
    if unknown:
        known = ", ".join(sorted(bound.target.dataset for bound in there))
        raise ConfigurationError(f"The system {system} has no data set of that name; it has: {known}. Nothing was done.")
    return [bound for bound in there if not datasets or bound.target.dataset in datasets]


def plan_replay(
    workplace: Workplace,
    registers: Registers,
    log: LogPlace,
    system: str,
    backup_at: datetime,
    now: datetime,
    *,
    datasets: Sequence[str] = (),
    keep: Callable[[Standing, Again], None] = lambda _standing, _again: None,
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> ReplayPlan:
    """Look at every record of the system, and say what is to be done again that was done at `backup_at` or later.

    Changes nothing. Moments are aware UTC; `keep` is handed each act that is to be done again. A data set that cannot be read,
    or that no rule governs, has a finding. Raises `ConfigurationError` for an unknown system or data set.
    """
    if backup_at > now:
        raise ConfigurationError("The moment of the backup lies ahead. Say with `--since` when it was made. Nothing was done.")
    digest = hashlib.sha256(f"replay {system} {backup_at.isoformat()}".encode())
    governing = {one.target.target: one for one in workplace.at(now).assignments}
    found = []
    for bound in places(workplace, system, datasets):
        assignment = governing.get(bound.target)
        if assignment is None:
            found.append(_ungoverned(bound.target, log, backup_at))
            continue
        standing = registers.for_rule(assignment)

        def take(again: Again, standing: Standing = standing) -> None:
            about = (again.act.action, again.act.index, again.ref.fingerprint)
            digest.update(" ".join(map(str, about)).encode())
            keep(standing, again)

        try:
            with bound.reader() as reader, open_past(log, bound.target, backup_at) as past:
                found.append(_look(standing, reader, past, backup_at, now, take, progress))
        except ConnectorError as error:
            found.append(Returned(bound.target, findings=(str(error),)))
    return ReplayPlan(system, backup_at, now, tuple(found), digest.hexdigest())


def _ungoverned(target: Target, log: LogPlace, backup_at: datetime) -> Returned:
    """Of a data set without a rule nobody can say what must be kept; that matters only where something had been done there."""
    with open_past(log, target, backup_at) as past:
        if past.empty:
            return Returned(target)
    return Returned(target, findings=(f"No rule governs {target} any more, so nothing is done there. Restore its rule.",))


def _look(
    standing: Standing,
    reader: Reader,
    past: Past,
    backup_at: datetime,
    now: datetime,
    take: Callable[[Again], None],
    progress: Callable[[Progress], None],
) -> Returned:
    target = standing.assignment.target.target
    examined = strangers = undecidable = 0
    again: Counter[Action] = Counter()
    kept: Counter[Reason] = Counter()
    population = reader.count()
    for page in everything(reader, standing.assignment.target.offer().dates - standing.assignment.target.offer().computed):
        told = Progress(standing.assignment.rule.id, target, Action.DELETE, "plan", examined, population)
        progress(told)
        examined += len(page)
        known = [(ref, acts) for ref, acts in zip(page, past.acts(page), strict=True) if acts]
        seen = _seen(reader, [ref for ref, _ in known], target)
        for (ref, acts), presence in zip(known, seen, strict=True):
            own = [act for act in acts if act.same]
            if not own:
                undecidable += any(act.same is None for act in acts)
                strangers += all(act.same is False for act in acts)
                continue
            for act in missing(own, blocked=ref.blocked, presence=presence):
                reason = hindrance(standing.decide(ref, now), act.action, now)
                if reason is None:
                    again[act.action] += 1
                    take(Again(ref, act))
                else:
                    kept[reason] += 1
    known_since = past.begins if past.begins is not None and past.begins > backup_at else None
    findings = [one.what for action in again if action in RULED for one in reader.preflight(action) if one.refuses]
    return Returned(target, examined, again, strangers, undecidable, kept, past.lost, known_since, tuple(dict.fromkeys(findings)))


def _seen(reader: Reader, refs: Sequence[RecordRef], target: Target) -> Sequence[Presence]:
    seen = reader.present(refs) if refs else []
    if len(seen) != len(refs):
        raise ConnectorError(f"The connector of {target} did not answer for every record; this is a defect of it.", "malformed")
    return seen


def everything(reader: Reader, dates: frozenset[str]) -> Iterator[Sequence[RecordRef]]:
    """Every record, in pages, each once. Left out are those of which each date is past all that can be true."""
    names = sorted(dates)
    for number, name in enumerate(names):
        for page in reader.find(Cutoff(name, END.before, END.before_date), Action.DELETE):
            earlier = [Cutoff(other, END.before, END.before_date) for other in names[:number]]
            yield [ref for ref in page if not any(one.admits(ref.dates) for one in earlier)]
    yield from reader.undated(names)


def missing(acts: Sequence[Act], *, blocked: bool, presence: Presence) -> list[Act]:
    """Of what was done to a record, oldest first, what it lacks now: in the order in which it is to be done again."""
    last = {act.action: act for act in acts}
    if presence is Presence.ABSENT:
        return []
    if Action.DELETE in last:
        return [last[Action.DELETE]]
    turns = [act for act in acts if act.action in (Action.BLOCK, Action.UNBLOCK)]
    wanted = []
    # What is anonymized has nothing left that blocking would hide.
    if turns and presence is not Presence.ANONYMIZED and blocked is (turns[-1].action is Action.UNBLOCK):
        wanted.append(turns[-1])
    if Action.ANONYMIZE in last and presence is not Presence.ANONYMIZED:
        wanted.append(last[Action.ANONYMIZE])
    return wanted


def hindrance(decision: Decision, action: Action, now: datetime) -> Reason | None:
    """Why what was done once must not be done again now; None where nothing is in the way.

    That the rule does not ask for it now is no reason: the act was lawful then. A hold, an open request, a duty to keep, a
    fact that is required and a date that became unknown are.
    """
    if decision.reason is Reason.CONTESTED:
        return Reason.CONTESTED
    if action is Action.UNBLOCK:
        to_be_blocked = decision.block_at is not None and decision.block_at <= now
        return Reason.ALREADY_BLOCKED if to_be_blocked else None
    if action is Action.BLOCK:
        return None
    if decision.verdict is Verdict.UNDATABLE:
        return decision.reason
    if any(one.end is None or one.end > now for one in decision.suspensions):
        return Reason.HELD
    if any(one.stage is Stage.KEEP_AT_LEAST and (one.end is None or one.end > now) for one in decision.ends):
        return Reason.DUTY_RUNNING
    return Reason.REQUIREMENT if decision.unmet else None
