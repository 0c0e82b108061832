"""The roles a connector fills, and what each of them promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self, final

from pydantic import BaseModel, ConfigDict

from retentiond.connector.permit import Permit
from retentiond.connector.tasks import Tasks
from retentiond.errors import ConnectorError, OutcomeUnknownError
from retentiond.model.record import CLAIMS, FAILURE_CODES, Action, Cutoff, How, Presence, RecordRef, Target
from retentiond.model.subject import Subject

MOST_ROWS = 2**53
"""So many rows no record has."""


class ConnectionOptions(BaseModel):
    """What the settings say about reaching one system; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetOptions(BaseModel):
    """What the settings say about one data set of a system; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answered(StrEnum):
    """What the store said about one record it was asked to change."""

    DONE = "done"
    NOT_FOUND = "not-found"
    CHANGED = "changed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """The store's answer for one record. No outcome yet: that is what the engine makes of it after reading back."""

    said: Answered
    how: How = How.NONE
    code: str | None = None
    rows: int | None = None

    @classmethod
    def done(cls, how: How, rows: int | None = None) -> Answer:
        """The store acknowledged the act; `how` tells by what, `rows` how many rows went where more than one.

        `How.OPERATOR` is a person's word that it is done where we cannot look: nothing is told as confirmed because of it.
        """
        return cls(Answered.DONE, how, rows=rows)

    @classmethod
    def not_found(cls) -> Answer:
        """There is no such record (any more), or it is already in the wished state."""
        return cls(Answered.NOT_FOUND, How.NOT_FOUND)

    @classmethod
    def changed(cls) -> Answer:
        """What decided about the record differs from what was found; it was left alone."""
        return cls(Answered.CHANGED)

    @classmethod
    def failed(cls, code: str) -> Answer:
        """The act surely did not happen; `code` is a word of `FAILURE_CODES`."""
        return cls(Answered.FAILED, code=code)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the store proves about some records of a batch: the act and this were committed together, or neither was."""

    count: int
    """How many records the whole batch has, as its permit said."""
    items: str
    """The digest (hex) over the whole batch, as its permit said."""
    answers: Mapping[int, Answer]
    """What became of records, by their number in the batch; done is known by `receipt`, `xid` or `stored-answer`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a preflight noticed."""

    what: str
    """A finished sentence that says where it is and what to do; no personal data."""
    refuses: bool = True
    """True where the data set must not be acted on until it is mended."""
    of_rights: bool = False
    """True where nothing but the right to act is missing: a dry run needs none, and is whole."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A kind of copy that outlives the connector's delete."""

    name: str
    """What it is: trash, old versions, write-ahead log, backups."""
    lives: timedelta | None
    """How long at the longest after the delete; None where nobody has said."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a data set can do, told from the settings alone, without asking the system."""

    dates: frozenset[str]
    """The dates that a rule may start from."""
    actions: frozenset[Action]
    """The actions that its options prepare; `UNBLOCK` is none of them: it comes with the blocker, where it can be undone."""
    facts: frozenset[str] = frozenset()
    """The facts that a rule may ask for."""
    subjects: frozenset[str] = frozenset()
    """The kinds of identifiers by which a person's records are found (`Reader.about`)."""
    computed: frozenset[str] = frozenset()
    """Those of `dates` that are worked out from other records: they decide, but no search can be led by them."""
    attests: frozenset[str] = frozenset()
    """The names of the settings that its attestor tells; empty where it tells none."""
    demands: frozenset[str] = frozenset()
    """Those of `facts` that every rule about the data set has to require as true, or nothing could be said to be gone."""


@dataclass(frozen=True, slots=True)
class Attested:
    """One setting of a vendor as the vendor tells it now."""

    name: str
    """A name of `Offer.attests`; what a policy expects is told under the same one."""
    value: str
    """`on`, `off`, a duration of ISO 8601, a whole number, or a word of the vendor. No secret and nothing personal."""


class Attestor(ABC):
    """Reads how a vendor's settings stand, and cannot change anything.

    Used as a context manager; `close` ends its session.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - not every attestor has a session to end
        """End the session; harmless when repeated."""

    @abstractmethod
    def attest(self) -> Sequence[Attested]:
        """The settings of `Offer.attests`, asked anew, each at most once.

        What the vendor does not tell is left out, which counts as not met: never told as `off`, and no default of ours.
        Raises `ConnectorError` where the vendor cannot be asked or may not be (`TransientConnectorError` where another try
        may help): then nothing is attested.
        """


class Reader(ABC):
    """Finds records, and cannot change anything: its session has no right, and no method, to write.

    Used as a context manager; `close` ends its session. Where a page cannot be read every method raises
    `ConnectorError` (`TransientConnectorError` where another try may help): an empty answer means empty.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - not every reader has a session to end
        """End the session; harmless when repeated."""

    @abstractmethod
    def preflight(self, action: Action) -> list[Finding]:
        """Look whether the system is reachable and `action` could be done: schema, rights, traps. Changes nothing."""

    @abstractmethod
    def count(self) -> int:
        """How many records the data set holds, blocked and undated ones included, deleted ones not."""

    @abstractmethod
    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Yield, in pages, each record once whose `cutoff.by` is known and strictly before the cutoff, oldest first.

        Left out are blocked records for `block`, and anonymized ones for both `anonymize` and `block`, which has nothing left
        to hide of them; for `delete` none are.
        Stays correct while found records are being acted on. Dates are aware UTC, or plain dates.
        """

    @abstractmethod
    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Yield, in pages, each record for which none of `dates` is known. An unreadable date is an unknown one."""

    @abstractmethod
    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each record now, in the order asked. Asks the store anew, never a memory of it."""

    @abstractmethod
    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The record under `key` as it is now; None where there is none."""

    def about(self, person: Subject) -> Iterator[Sequence[RecordRef]]:
        """Yield, in pages, each record whose `subjects` hold exactly `person`, blocked and undated ones included.

        Never by a part of an identifier. Raises `ConnectorError` (`unsupported`) where the data set knows no such kind.
        """
        raise ConnectorError(f"This data set cannot be searched by {person.kind}.", "unsupported")

    def coverage(self) -> Sequence[Finding]:
        """Findings about what no data set of the settings, or more than one, claims of the place this one lies in."""
        return ()

    def now(self) -> datetime | None:
        """The system's own clock, aware UTC; None where it has none that can be asked."""
        return None


class _Acting:
    """What all acting roles share: a target, that nothing happens without a permit, and what is left of an act to prove it."""

    permit: Permit | None = None
    """The permit for what is being done: what a receipt of it has to tell. None before the first act."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session; harmless when repeated."""

    def receipts(self, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
        """What the store proves of an earlier batch; None where it keeps nothing that could, or where that cannot be told.

        Each is of a part that was committed by itself; what none of them tells as done, this batch did not do. `notes` is what
        the batch's permit was told to note, in order. No earlier session of ours is at work any more when this one is open.
        """
        del batch, notes
        return None

    def left_over(self, log: str) -> Sequence[str]:
        """The batches of the deletion log named `log` of which the store still keeps receipts, here or for other data sets."""
        del log
        return ()

    def forget(self, batches: Sequence[str]) -> None:
        """Remove the receipts of just these batches; called once the deletion log tells what became of them."""

    def _spend(self, action: Action, refs: Sequence[RecordRef], permit: Permit) -> None:
        permit.spend(action, self.target, refs)
        self.permit = permit

    def _checked(self, refs: Sequence[RecordRef], answers: list[Answer]) -> list[Answer]:
        if len(answers) != len(refs):
            raise OutcomeUnknownError(
                f"The connector of {self.target} answered for {len(answers)} of {len(refs)} records; "
                f"this is a defect of the connector, and nobody knows what it did.",
                "malformed",
            )
        if not all(makes_sense(answer) for answer in answers):
            raise OutcomeUnknownError(
                f"The connector of {self.target} gave an answer that makes no sense; "
                f"this is a defect of the connector, and nobody knows what it did.",
                "malformed",
            )
        return answers


def makes_sense(answer: Answer) -> bool:
    """True where the log could take what the engine makes of it; what it could not take would stop everything else, too."""
    if answer.rows is not None and not 0 <= answer.rows < MOST_ROWS:
        return False
    match answer.said:
        case Answered.DONE:
            return answer.how in CLAIMS or answer.how is How.OPERATOR
        case Answered.FAILED:
            return answer.code in FAILURE_CODES
        case Answered.NOT_FOUND | Answered.CHANGED:
            return True


class Deleter(_Acting, ABC):
    """Deletes records. Implement `_delete`; callers use `delete`."""

    @final
    def delete(self, refs: Sequence[RecordRef], permit: Permit) -> list[Answer]:
        """Spend the permit and delete exactly `refs`; one answer per record, in order."""
        self._spend(Action.DELETE, refs, permit)
        return self._checked(refs, self._delete(refs))

    @abstractmethod
    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        """Delete exactly `refs`, all their declared parts included, durably.

        A record whose fingerprint differs is left alone (`Answer.changed`); one that is gone is `Answer.not_found`;
        one the store refuses is `Answer.failed` and does not stop the others. Raise `TransientConnectorError` only
        where surely nothing of the batch happened, `OutcomeUnknownError` where that cannot be told. Never retries.
        """


class Blocker(_Acting, ABC):
    """Blocks records: keeps them, out of reach of normal work. Implement `_block`."""

    @final
    def block(self, refs: Sequence[RecordRef], permit: Permit) -> list[Answer]:
        """Spend the permit and block exactly `refs`; one answer per record, in order."""
        self._spend(Action.BLOCK, refs, permit)
        return self._checked(refs, self._block(refs))

    @final
    def unblock(self, refs: Sequence[RecordRef], permit: Permit) -> list[Answer]:
        """Spend the permit and give exactly `refs` back to normal work; one answer per record, in order."""
        self._spend(Action.UNBLOCK, refs, permit)
        return self._checked(refs, self._unblock(refs))

    @abstractmethod
    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        """Block exactly `refs`; the same promises as `Deleter._delete`. Already blocked is `Answer.not_found`."""

    def _unblock(self, refs: Sequence[RecordRef]) -> list[Answer]:
        """Unblock exactly `refs`; the same promises. Not blocked is `Answer.not_found`. Left out where it cannot be undone."""
        return [Answer.failed("unsupported")] * len(refs)


class Anonymizer(_Acting, ABC):
    """Anonymizes records. Implement `_anonymize`."""

    @final
    def anonymize(self, refs: Sequence[RecordRef], permit: Permit) -> list[Answer]:
        """Spend the permit and anonymize exactly `refs`; one answer per record, in order."""
        self._spend(Action.ANONYMIZE, refs, permit)
        return self._checked(refs, self._anonymize(refs))

    @abstractmethod
    def _anonymize(self, refs: Sequence[RecordRef]) -> list[Answer]:
        """Anonymize exactly `refs`; the same promises as `Deleter._delete`. Already anonymized is `Answer.not_found`."""


@dataclass(frozen=True, slots=True)
class Connector:
    """One kind of system: its options, and which roles it fills. What it cannot do it leaves None.

    The options are typed loosely here because each connector brings its own; the registry validates
    them with `connection` and `options` before it calls a role.
    """

    name: str
    title: str
    connection: type[ConnectionOptions]
    options: type[TargetOptions]
    offer: Callable[[Any, Any], Offer]
    """(connection, options) -> what this data set can do."""
    reader: Callable[[Any, Any, Target], Reader]
    """(connection, options, target) -> an open reader; raises `ConnectorError` where the system cannot be reached."""
    deleter: Callable[[Any, Any, Target], Deleter] | None = None
    blocker: Callable[[Any, Any, Target], Blocker] | None = None
    anonymizer: Callable[[Any, Any, Target], Anonymizer] | None = None
    attestor: Callable[[Any, Any, Target], Attestor] | None = None
    """(connection, options, target) -> an open attestor; asked for only where the data set's `Offer.attests` names something."""
    tasks: Callable[[Any, Any, Target], Tasks] | None = None
    """(connection, options, target) -> the data set's tasks, where its records are tasks of persons."""
    copies: Callable[[Any, Any], Sequence[Copy]] = lambda _connection, _options: ()
    """(connection, options) -> the copies that outlive a delete here."""
    beside: Callable[[Any, Any, Sequence[tuple[Target, Any]]], Any] = lambda _connection, options, _others: options
    """(connection, options, the other data sets of the system) -> options that know of them, to notice contested records."""
    key: Callable[[str], tuple[str, ...]] = lambda text: (text,)
    """What a person types for a record's key -> its components."""
    batch_size: int = 1000
    """How many records one call of a role takes at the most."""
    extra: str | None = None
    """The extra of the distribution that brings the driver; None where none is needed."""
