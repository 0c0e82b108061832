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
    Target,
    TransientConnectorError,
)
from retentiond.testing.memory import Key, MemoryDataset, MemoryDeleter, MemoryReader, MemoryStore, memory_connector

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


class Mischief(StrEnum):
    """What a hostile connector does beside having hostile keys."""

    NONE = "none"
    TELLING_ERROR = "telling-error"
    """Searching fails, and the text of the error names a person."""
    TELLING_FINDING = "telling-finding"
    """The preflight warns, with markup and escapes in its sentence."""
    ODD_EXCEPTION = "odd-exception"
    """Searching raises what no connector may raise."""
    ODD_EXCEPTION_WHILE_ACTING = "odd-exception-while-acting"
    """Everything is deleted, and then comes an exception that no connector may raise."""
    FAILING_HALFWAY = "failing-halfway"
    """The search fails after its first page."""
    HUGE_COUNT = "huge-count"
    """There are more records than fit into eight bytes."""
    NEGATIVE_COUNT = "negative-count"
    TOO_FEW_ANSWERS = "too-few-answers"
    """Everything is deleted, and one answer is missing."""
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
    SLOW = "slow"
    """`wait` is called before each page and each act."""


TELLING = f"\x1b[31m[bold]{CANARIES[0]} <{CANARIES[1]}> {CANARIES[3]}\nrefused"
"""What a hostile system says when something fails."""


def hostile_store(dataset: str, dates: Mapping[str, datetime]) -> MemoryStore:
    """A store with one record under each of `KEYS`, each a second younger than the one before, and `UNDATED` without a date."""
    store = MemoryStore()
    store.put(dataset, UNDATED, dict.fromkeys(dates), f"content of {CANARIES[0]}")
    for number, key in enumerate(KEYS.values()):
        later = {name: moment + timedelta(seconds=number) for name, moment in dates.items()}
        store.put(dataset, key, later, f"content of {CANARIES[number % len(CANARIES)]}")
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
        telling = [Finding(TELLING, refuses=False)] if self._mischief is Mischief.TELLING_FINDING else []
        return [*super().preflight(action), *telling]

    def count(self) -> int:
        """Right, unless told to lie."""
        lies = {Mischief.HUGE_COUNT: 2**70, Mischief.NEGATIVE_COUNT: -1}
        return lies.get(self._mischief, super().count())

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """What is before the cutoff, unless told otherwise."""
        if self._mischief is Mischief.TELLING_ERROR:
            raise ConnectorError(TELLING, "unavailable")
        if self._mischief is Mischief.ODD_EXCEPTION:
            raise KeyError(TELLING)
        for page in super().find(cutoff, awaiting):
            if self._mischief is Mischief.SLOW:
                self._wait()
            yield page
            if self._mischief is Mischief.TWICE:
                yield page
            if self._mischief is Mischief.FAILING_HALFWAY:
                raise ConnectorError(TELLING, "lost-connection")
        if self._mischief is Mischief.UNDATED_FOUND:
            yield from self.undated([cutoff.by])

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each, less one where told so."""
        seen = super().present(refs)
        return seen[1:] if self._mischief is Mischief.TOO_FEW_PRESENCES else seen


class HostileDeleter(MemoryDeleter):
    """Deletes from memory, and does its mischief."""

    def __init__(self, store: MemoryStore, target: Target, mischief: Mischief, wait: Callable[[], None]) -> None:
        super().__init__(store, target)
        self._mischief = mischief
        self._wait = wait

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        match self._mischief:
            case Mischief.NEVER_ANSWERS:
                raise OutcomeUnknownError(TELLING)
            case Mischief.NEVER_READY:
                raise TransientConnectorError(TELLING, retry_after=366 * 86_400)
            case Mischief.UNKNOWN_CODE:
                return [Answer.failed(TELLING) for _ in refs]
            case Mischief.SLOW:
                self._wait()
            case _:
                pass
        answers = super()._delete(refs)
        match self._mischief:
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
