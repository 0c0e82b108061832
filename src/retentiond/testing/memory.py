"""A system in memory with a connector of its own: the pattern for a real one, and the project's own test bed.

Everything that can go wrong in a real system can be made to go wrong here: `MemoryStore.disturb`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum

from retentiond.connector import (
    RULED,
    Action,
    Anonymizer,
    Answer,
    Answered,
    Attested,
    Attestor,
    Blocker,
    ConnectionOptions,
    Connector,
    ConnectorError,
    Copy,
    Cutoff,
    Dates,
    Deleter,
    Fact,
    Finding,
    How,
    Moment,
    Offer,
    Permit,
    Presence,
    Reader,
    Receipt,
    RecordRef,
    Subject,
    Target,
    TargetOptions,
    TransientConnectorError,
    receipt_of,
)

Key = tuple[str, ...]


@dataclass(slots=True)
class Stored:
    """One record as it lies in the store."""

    dates: dict[str, Moment | None]
    content: str = "content"
    version: int = 1
    """Counts changes of the content that decide."""
    born: int = 0
    """Tells it from whatever lay under its key before, or will."""
    blocked: bool = False
    anonymized: bool = False
    facts: dict[str, Fact] = field(default_factory=dict)
    subjects: set[Subject] = field(default_factory=set)
    """Whom it is about, each normalized by `subject`."""
    contested: bool = False
    """Another data set holds it, too."""


class When(StrEnum):
    """At which point of an act a disturbance strikes."""

    BEFORE = "before"
    """Nothing happened yet."""
    AFTER = "after"
    """Everything happened, and nobody is told."""
    HALF = "half"
    """The first half of the batch happened."""
    UNDONE = "undone"
    """Everything happened, and was undone again as a whole at the very end."""


@dataclass(slots=True)
class MemoryStore:
    """What a server would keep: data sets of records, a clock, and faults that were asked for."""

    datasets: dict[str, dict[Key, Stored]] = field(default_factory=dict)
    clock: datetime | None = None
    """What the system says when asked for the time (aware UTC); None for a system without a clock."""
    refusing: set[Key] = field(default_factory=set)
    """Records that it refuses to change."""
    undying: set[Key] = field(default_factory=set)
    """Records whose deletion it acknowledges, and which are there all the same."""
    unreachable: ConnectorError | None = None
    """Raised by everything that is asked while set."""
    unreadable: bool = False
    """Read-backs fail while set."""
    coverage_findings: list[Finding] = field(default_factory=list)
    """What `coverage` tells."""
    acts: int = 0
    """How many batches it was asked to change."""
    proves: How | None = None
    """By what it proves acts later: `receipt`, or `stored-answer` as an interface does that is given a key for each batch."""
    receipts: list[tuple[str, str, Receipt]] = field(default_factory=list)
    """The receipts it keeps, each with the name of the log and the batch."""
    settings: dict[str, str] = field(default_factory=dict)
    """How its vendor's settings stand; what is not there it does not tell."""
    busy: int = 0
    """So many of the next questions and acts are put off."""
    before_act: Callable[[Sequence[RecordRef]], None] | None = None
    """Called once, just before the next act: for what others do in between."""
    _disturbances: list[tuple[When, Exception]] = field(default_factory=list)
    _births: int = 0

    def put(
        self,
        dataset: str,
        key: Key | str,
        dates: Mapping[str, Moment | None],
        content: str = "content",
        *,
        facts: Mapping[str, Fact] | None = None,
        subjects: Iterable[Subject] = (),
        contested: bool = False,
    ) -> None:
        """Put a record there, or another one under its key."""
        self._births += 1
        self.datasets.setdefault(dataset, {})[_key(key)] = Stored(
            dict(dates), content, born=self._births, facts=dict(facts or {}), subjects=set(subjects), contested=contested
        )

    def get(self, dataset: str, key: Key | str) -> Stored | None:
        """The record under `key` as it lies there; None where there is none."""
        return self.datasets.get(dataset, {}).get(_key(key))

    def keys(self, dataset: str) -> set[Key]:
        """The keys of all records there."""
        return set(self.datasets.get(dataset, {}))

    def disturb(self, when: When, error: Exception) -> None:
        """Have the next act end with `error`; several of these strike one after the other."""
        self._disturbances.append((when, error))

    def disturbed(self, role: Remembering, one: Callable[[RecordRef], Answer], refs: Sequence[RecordRef]) -> list[Answer]:
        """Do to each what `one` does, and have the role prove it, unless something that was asked for comes in between."""

        def act(some: Sequence[RecordRef]) -> list[Answer]:
            answers = [one(ref) for ref in some]
            role.prove(some, answers)
            return answers

        self.acts += 1
        meanwhile, self.before_act = self.before_act, None
        if meanwhile is not None:
            meanwhile(refs)
        self.check()
        if not self._disturbances:
            return act(refs)
        when, error = self._disturbances.pop(0)
        before = deepcopy(self.datasets), list(self.receipts)
        if when is not When.BEFORE:
            act(refs[: len(refs) // 2] if when is When.HALF else refs)
        if when is When.UNDONE:
            self.datasets, self.receipts = before
        raise error

    def check(self) -> None:
        """Raise what `unreachable` says, or that the store is busy."""
        if self.busy:
            self.busy -= 1
            raise TransientConnectorError("The store in memory is busy; it was told so.")
        if self.unreachable is not None:
            raise self.unreachable


def _key(key: Key | str) -> Key:
    return (key,) if isinstance(key, str) else key


class MemoryConnection(ConnectionOptions):
    """Nothing is needed to reach memory."""


class MemoryDataset(TargetOptions):
    """One data set in memory."""

    dates: tuple[str, ...]
    """The dates that its records may have."""
    computed: tuple[str, ...] = ()
    """Those of `dates` that no search can be led by."""
    facts: tuple[str, ...] = ()
    """The facts that its records tell; one that a record does not have is unknown."""
    subjects: tuple[str, ...] = ()
    """The kinds of identifiers that its records tell."""
    actions: tuple[Action, ...] = RULED
    copies: tuple[str, ...] = ()
    """Copies that outlive a delete; nobody knows for how long."""
    attests: tuple[str, ...] = ()
    """The vendor's settings that it tells."""
    identity: bool = True
    """Whether its records tell themselves from others that lay under their keys."""
    page: int = 3
    """How many records a page holds: few, so that tests cross its borders."""


def memory_connector(store: MemoryStore, *, name: str = "memory", batch_size: int = 1000) -> Connector:
    """The connector of one store in memory."""
    return Connector(
        name=name,
        title="Records in memory, for tests",
        connection=MemoryConnection,
        options=MemoryDataset,
        offer=lambda _connection, options: Offer(
            *map(
                frozenset,
                (options.dates, options.actions, options.facts, options.subjects, options.computed, options.attests),
            )
        ),
        reader=lambda _connection, options, target: MemoryReader(store, options, target),
        deleter=lambda _connection, _options, target: MemoryDeleter(store, target),
        blocker=lambda _connection, _options, target: MemoryBlocker(store, target),
        anonymizer=lambda _connection, _options, target: MemoryAnonymizer(store, target),
        attestor=lambda _connection, options, _target: MemoryAttestor(store, options),
        copies=lambda _connection, options: [Copy(one, None) for one in options.copies],
        key=lambda text: tuple(text.split("/")),
        batch_size=batch_size,
    )


class MemoryReader(Reader):
    """Finds records in memory."""

    def __init__(self, store: MemoryStore, options: MemoryDataset, target: Target) -> None:
        store.check()
        self._store = store
        self._options = options
        self._dataset = target.dataset

    def preflight(self, action: Action) -> list[Finding]:
        """Nothing can be amiss in memory but the store itself."""
        del action
        self._store.check()
        return []

    def count(self) -> int:
        """How many records there are."""
        return len(self._all())

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Those before the cutoff, oldest first."""
        if cutoff.by in self._options.computed:
            raise ConnectorError(f"No search in memory can be led by {cutoff.by}: it is worked out.", "unsupported")
        last: tuple[datetime, Key] | None = None
        while True:
            found = sorted(
                (_order(moment), key)
                for key, stored in self._all().items()
                if cutoff.admits(stored.dates)
                and not _in_state(stored, awaiting)
                and (moment := stored.dates[cutoff.by]) is not None
            )
            page = [one for one in found if last is None or one > last][: self._options.page]
            if not page:
                return
            last = page[-1]
            yield [self._ref(key) for _, key in page]

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Those that know none of `dates`."""
        return self._pages(key for key, stored in self._all().items() if all(stored.dates.get(name) is None for name in dates))

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each."""
        if self._store.unreadable:
            raise ConnectorError("The store in memory cannot be read; it was told so.", "unreadable")
        return [_presence(self._all().get(ref.key)) for ref in refs]

    def explain(self, key: Key) -> RecordRef | None:
        """The record under `key`."""
        return self._ref(key) if key in self._all() else None

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """Those whose subjects hold exactly `person`: equal to it, and never like it."""
        if person.kind not in self._options.subjects:
            return super().about(person)
        return self._pages(key for key, stored in self._all().items() if person in stored.subjects)

    def coverage(self) -> Sequence[Finding]:
        """What the store was told to tell."""
        self._store.check()
        return tuple(self._store.coverage_findings)

    def now(self) -> datetime | None:
        """The store's own clock."""
        return self._store.clock

    def _all(self) -> dict[Key, Stored]:
        self._store.check()
        return self._store.datasets.get(self._dataset, {})

    def _pages(self, keys: Iterable[Key]) -> Iterator[Sequence[RecordRef]]:
        found = sorted(keys)
        return (
            [self._ref(key) for key in found[at : at + self._options.page]] for at in range(0, len(found), self._options.page)
        )

    def _ref(self, key: Key) -> RecordRef:
        stored = self._all()[key]
        dates: Dates = {name: stored.dates.get(name) for name in self._options.dates}
        return RecordRef(
            key,
            dates,
            fingerprint(stored),
            (str(stored.born),) if self._options.identity else (),
            blocked=stored.blocked,
            facts={name: stored.facts.get(name) for name in self._options.facts},
            subjects=frozenset(one for one in stored.subjects if one.kind in self._options.subjects),
            contested=stored.contested,
        )


class MemoryAttestor(Attestor):
    """Tells the settings of the store's vendor."""

    def __init__(self, store: MemoryStore, options: MemoryDataset) -> None:
        store.check()
        self._store = store
        self._names = options.attests

    def attest(self) -> Sequence[Attested]:
        """Those that the data set is to tell, as far as the store has them."""
        self._store.check()
        return [Attested(name, self._store.settings[name]) for name in self._names if name in self._store.settings]


class Remembering:
    """What proves acts in memory: to be inherited beside a role."""

    _store: MemoryStore
    permit: Permit | None

    def prove(self, refs: Sequence[RecordRef], answers: Sequence[Answer]) -> None:
        """Keep a receipt, together with the act."""
        if self.permit is not None and self._store.proves is not None and refs:
            self._store.receipts.append((self.permit.log, self.permit.batch, receipt_of(self.permit, refs, answers)))

    def receipts(self, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
        """Those of the batch, by what the store is said to prove acts by."""
        del notes
        self._store.check()
        how = self._store.proves
        return None if how is None else [known_by(receipt, how) for _, one, receipt in self._store.receipts if one == batch]

    def left_over(self, log: str) -> Sequence[str]:
        """The batches of which the store keeps receipts."""
        self._store.check()
        return list(dict.fromkeys(batch for owner, batch, _ in self._store.receipts if owner == log))

    def forget(self, batches: Sequence[str]) -> None:
        """Drop just these."""
        self._store.check()
        self._store.receipts = [one for one in self._store.receipts if one[1] not in batches]


def known_by(receipt: Receipt, how: How) -> Receipt:
    """The receipt, with what it tells as done known by `how`."""
    answers = {
        number: replace(answer, how=how) if answer.said is Answered.DONE else answer for number, answer in receipt.answers.items()
    }
    return replace(receipt, answers=answers)


class MemoryDeleter(Remembering, Deleter):
    """Deletes from memory."""

    def __init__(self, store: MemoryStore, target: Target) -> None:
        super().__init__(target)
        store.check()
        self._store = store

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._store.disturbed(self, self._one, refs)

    def _one(self, ref: RecordRef) -> Answer:
        records = self._store.datasets.get(self.target.dataset, {})
        hindrance = _hindrance(self._store, records, ref)
        if hindrance is not None:
            return hindrance
        if ref.key not in self._store.undying:
            del records[ref.key]
        return Answer.done(How.RETURNING)


class MemoryBlocker(Remembering, Blocker):
    """Blocks in memory, and unblocks."""

    def __init__(self, store: MemoryStore, target: Target) -> None:
        super().__init__(target)
        store.check()
        self._store = store

    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._store.disturbed(self, self._one, refs)

    def _unblock(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._store.disturbed(self, self._back, refs)

    def _one(self, ref: RecordRef) -> Answer:
        return self._turned(ref, blocked=True)

    def _back(self, ref: RecordRef) -> Answer:
        return self._turned(ref, blocked=False)

    def _turned(self, ref: RecordRef, *, blocked: bool) -> Answer:
        records = self._store.datasets.get(self.target.dataset, {})
        hindrance = _hindrance(self._store, records, ref)
        if hindrance is not None:
            return hindrance
        if records[ref.key].blocked is blocked:
            return Answer.not_found()
        records[ref.key].blocked = blocked
        return Answer.done(How.RETURNING)


class MemoryAnonymizer(Remembering, Anonymizer):
    """Anonymizes in memory."""

    def __init__(self, store: MemoryStore, target: Target) -> None:
        super().__init__(target)
        store.check()
        self._store = store

    def _anonymize(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return self._store.disturbed(self, self._one, refs)

    def _one(self, ref: RecordRef) -> Answer:
        records = self._store.datasets.get(self.target.dataset, {})
        hindrance = _hindrance(self._store, records, ref)
        if hindrance is not None:
            return hindrance
        if records[ref.key].anonymized:
            return Answer.not_found()
        records[ref.key].anonymized = True
        records[ref.key].content = ""
        return Answer.done(How.RETURNING)


def fingerprint(stored: Stored) -> str:
    """The digest of all that decides about a record; neither blocking nor anonymizing changes it."""
    deciding = (
        sorted((name, str(moment)) for name, moment in stored.dates.items()),
        sorted(stored.facts.items()),
        sorted((one.kind, one.value) for one in stored.subjects),
        stored.contested,
        stored.version,
    )
    return hashlib.sha256(repr(deciding).encode()).hexdigest()


def _hindrance(store: MemoryStore, records: Mapping[Key, Stored], ref: RecordRef) -> Answer | None:
    """Why a record is not changed; None where nothing is in the way."""
    stored = records.get(ref.key)
    if stored is None:
        return Answer.not_found()
    if fingerprint(stored) != ref.fingerprint:
        return Answer.changed()
    if ref.key in store.refusing:
        return Answer.failed("referenced")
    return None


def _in_state(stored: Stored, action: Action) -> bool:
    return action is not Action.DELETE and (stored.anonymized or (action is Action.BLOCK and stored.blocked))


def _presence(stored: Stored | None) -> Presence:
    if stored is None:
        return Presence.ABSENT
    if stored.anonymized:
        return Presence.ANONYMIZED
    return Presence.BLOCKED if stored.blocked else Presence.PRESENT


def _order(moment: date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)
