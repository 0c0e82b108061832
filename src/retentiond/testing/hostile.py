"""A connector built to hurt what surrounds it: keys that bite, errors that tell names, answers that make no sense.

Engine, log, reports and command line are tested with it: whatever it does, nothing in `CANARIES` may come out anywhere,
nothing may be said to be done that is not, and nothing may end as a bug of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from retentiond.connector import (
    Action,
    Answer,
    Connector,
    ConnectorError,
    Cutoff,
    Finding,
    How,
    OutcomeUnknownError,
    Presence,
    RecordRef,
    Subject,
    Target,
    TransientConnectorError,
)
from retentiond.testing.memory import (
    Key,
    MemoryBlocker,
    MemoryDataset,
    MemoryDeleter,
    MemoryReader,
    MemoryStore,
    memory_connector,
)

CANARIES = (
    "Erika-Kanarienvogel",
    "kanarienvogel@person.example",
    "+49-30-5550199",
    "DE02120300000000202051",
    "Schlüsselgeheimnis",
)
"""Made-up personal data, one of them in each hostile key, content and error text. None may show anywhere."""

KEYS: Mapping[str, Key] = {
    "terminal escapes": (f"\x1b[2J\x1b[31m{CANARIES[0]}\x1b]0;owned\x07",),
    "rich markup": (f"[bold red]{CANARIES[1]}[/] [link=file:///etc/passwd]here[/link]",),
    "a false line": (f"{CANARIES[2]}\n0 records are due\r\nconfirmed",),
    "sql": (f"'; DROP TABLE leaf; -- {CANARIES[3]}",),
    "format strings": (f"%s%n {{0.__class__}} ${{HOME}} {CANARIES[4]}",),
    "a path": (f"../../{CANARIES[0]}/../../etc/passwd",),
    "an option": (f"--yes={CANARIES[1]}",),
    "right to left": (f"\u202e{CANARIES[2]}\u202c\u200b",),
    "no character": (f"{CANARIES[3]}\0\ufeff\ud800",),
    "composed": (f"e\u0301 {CANARIES[4]}",),
    "precomposed": (f"\u00e9 {CANARIES[4]}",),
    "ten kilobytes": (CANARIES[0] + "x" * 10_000,),
    "two components": (CANARIES[1], CANARIES[2]),
    "one component like two": (f"{CANARIES[1]}/{CANARIES[2]}",),
    "empty": ("",),
    "no component": (),
    "blanks": (f"  {CANARIES[3]}  ",),
    "leading zeros": ("007",),
    "a number": ("7",),
}
"""Keys by what is nasty about them. Each is a key of its own: the log must tell them apart and show none."""

UNDATED: Key = (f"nobody knows when {CANARIES[0]}",)
"""The key of a record without a date, which has to stay whatever is said about it."""

PERSONS = frozenset({Subject("email", CANARIES[1]), Subject("phone", CANARIES[2].replace("-", ""))})
"""Whom all hostile records are about, normalized."""


class Mischief(StrEnum):
    """What a hostile connector does beside having hostile keys."""

    NONE = "none"
    TELLING_ERROR = "telling-error"
    """Searching, also for a person, fails, and the text of the error names a person."""
    TELLING_FINDING = "telling-finding"
    """Preflight and coverage warn, with markup and escapes in the sentence."""
    ODD_EXCEPTION = "odd-exception"
    """Searching raises what no connector may raise."""
    ODD_EXCEPTION_WHILE_ACTING = "odd-exception-while-acting"
    """Everything is done, and then comes an exception that no connector may raise."""
    FAILING_HALFWAY = "failing-halfway"
    """The search fails after its first page."""
    HUGE_COUNT = "huge-count"
    """There are more records than fit into eight bytes."""
    NEGATIVE_COUNT = "negative-count"
    TOO_FEW_ANSWERS = "too-few-answers"
    """Everything is done, and one answer is missing."""
    TOO_MANY_ANSWERS = "too-many-answers"
    UNKNOWN_CODE = "unknown-code"
    """The reason for a failure is none of the closed list, and names a person."""
    DONE_AND_NOBODY_SAYS_HOW = "done-without-how"
    TOO_FEW_PRESENCES = "too-few-presences"
    """The read-back answers for one record too few."""
    NEVER_ANSWERS = "never-answers"
    """Each act ends in doubt, and none took effect."""
    NEVER_READY = "never-ready"
    """Each act is put off, and the wait asked for is a year."""
    TWICE = "twice"
    """The search yields each page a second time."""
    UNDATED_FOUND = "undated-found"
    """Records without a date are found, as if they had one."""
    OTHERS_FOUND = "others-found"
    """The search for a person yields the records of everybody else, too."""
    SLOW = "slow"
    """`wait` is called before each page and each act."""


TELLING = f"\x1b[31m[bold]{CANARIES[0]} <{CANARIES[1]}> {CANARIES[3]}\nrefused"
"""What a hostile system says when something fails."""


def hostile_store(dataset: str, dates: Mapping[str, datetime]) -> MemoryStore:
    """A store with one record under each of `KEYS`, each a second younger than the one before, and `UNDATED` without a date.

    All are about `PERSONS`, and each has the fact `note`, a text that names somebody.
    """
    store = MemoryStore()

    def put(key: Key, dated: Mapping[str, datetime | None], canary: str) -> None:
        store.put(dataset, key, dated, f"content of {canary}", facts={"note": canary}, subjects=PERSONS)

    put(UNDATED, dict.fromkeys(dates), CANARIES[0])
    for number, key in enumerate(KEYS.values()):
        put(key, {name: moment + timedelta(seconds=number) for name, moment in dates.items()}, CANARIES[number % len(CANARIES)])
    return store


def hostile_connector(
    store: MemoryStore,
    mischief: Mischief = Mischief.NONE,
    *,
    name: str = "memory",
    wait: Callable[[], None] = lambda: None,
) -> Connector:
    """A connector that does this one mischief; in everything else it keeps its promises. `wait` is what `SLOW` does."""
    return replace(
        memory_connector(store, name=name),
        title=f"[red]{TELLING}",
        reader=lambda _connection, options, target: HostileReader(store, options, target, mischief, wait),
        deleter=lambda _connection, _options, target: HostileDeleter(store, target, mischief, wait),
        blocker=lambda _connection, _options, target: HostileBlocker(store, target, mischief, wait),
    )


class HostileReader(MemoryReader):
    """Finds records in memory, and does its mischief."""

    def __init__(
        self, store: MemoryStore, options: MemoryDataset, target: Target, mischief: Mischief, wait: Callable[[], None]
    ) -> None:
        super().__init__(store, options, target)
        self._mischief = mischief
        self._wait = wait

    def preflight(self, action: Action) -> list[Finding]:
        """Warns where it is told to."""
        return [*super().preflight(action), *self._telling()]

    def coverage(self) -> Sequence[Finding]:
        """Warns where it is told to."""
        return [*super().coverage(), *self._telling()]

    def count(self) -> int:
        """Right, unless told to lie."""
        lies = {Mischief.HUGE_COUNT: 2**70, Mischief.NEGATIVE_COUNT: -1}
        return lies.get(self._mischief, super().count())

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """What is before the cutoff, unless told otherwise."""
        yield from self._spoilt(lambda: super(HostileReader, self).find(cutoff, awaiting))
        if self._mischief is Mischief.UNDATED_FOUND:
            yield from self.undated([cutoff.by])

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """The records of a person, unless told otherwise."""
        yield from self._spoilt(lambda: super(HostileReader, self).about(person))
        if self._mischief is Mischief.OTHERS_FOUND:
            refs = [self._ref(key) for key in sorted(self._all())]
            yield [ref for ref in refs if person not in ref.subjects]

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each, less one where told so."""
        seen = super().present(refs)
        return seen[1:] if self._mischief is Mischief.TOO_FEW_PRESENCES else seen

    def _telling(self) -> list[Finding]:
        return [Finding(TELLING, refuses=False)] if self._mischief is Mischief.TELLING_FINDING else []

    def _spoilt(self, search: Callable[[], Iterator[Sequence[RecordRef]]]) -> Iterator[Sequence[RecordRef]]:
        if self._mischief is Mischief.TELLING_ERROR:
            raise ConnectorError(TELLING, "unavailable")
        if self._mischief is Mischief.ODD_EXCEPTION:
            raise KeyError(TELLING)
        for page in search():
            if self._mischief is Mischief.SLOW:
                self._wait()
            yield page
            if self._mischief is Mischief.TWICE:
                yield page
            if self._mischief is Mischief.FAILING_HALFWAY:
                raise ConnectorError(TELLING, "lost-connection")


class HostileDeleter(MemoryDeleter):
    """Deletes from memory, and does its mischief."""

    def __init__(self, store: MemoryStore, target: Target, mischief: Mischief, wait: Callable[[], None]) -> None:
        super().__init__(store, target)
        self._mischief = mischief
        self._wait = wait

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return _spoilt(self._mischief, self._wait, super()._delete, refs)


class HostileBlocker(MemoryBlocker):
    """Blocks and unblocks in memory, and does its mischief."""

    def __init__(self, store: MemoryStore, target: Target, mischief: Mischief, wait: Callable[[], None]) -> None:
        super().__init__(store, target)
        self._mischief = mischief
        self._wait = wait

    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return _spoilt(self._mischief, self._wait, super()._block, refs)

    def _unblock(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return _spoilt(self._mischief, self._wait, super()._unblock, refs)


def _spoilt(
    mischief: Mischief,
    wait: Callable[[], None],
    act: Callable[[Sequence[RecordRef]], list[Answer]],
    refs: Sequence[RecordRef],
) -> list[Answer]:
    match mischief:
        case Mischief.NEVER_ANSWERS:
            raise OutcomeUnknownError(TELLING)
        case Mischief.NEVER_READY:
            raise TransientConnectorError(TELLING, retry_after=366 * 86_400)
        case Mischief.UNKNOWN_CODE:
            return [Answer.failed(TELLING) for _ in refs]
        case Mischief.SLOW:
            wait()
        case _:
            pass
    answers = act(refs)
    match mischief:
        case Mischief.ODD_EXCEPTION_WHILE_ACTING:
            raise UnicodeDecodeError("utf-8", CANARIES[4].encode(), 0, 1, TELLING)
        case Mischief.TOO_FEW_ANSWERS:
            return answers[1:]
        case Mischief.TOO_MANY_ANSWERS:
            return [*answers, Answer.done(How.RESPONSE)]
        case Mischief.DONE_AND_NOBODY_SAYS_HOW:
            return [replace(answer, how=How.NONE) for answer in answers]
        case _:
            return answers
