# ruff: noqa: S101 - the kit asserts; that is what it is for
"""What the conformance kit needs to know of a system beside its connector: how to set it up, and the truth about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any, ClassVar

from retentiond.connector import (
    RULED,
    Action,
    Anonymizer,
    Answer,
    Blocker,
    ConnectionOptions,
    Connector,
    Cutoff,
    Deleter,
    Offer,
    Permit,
    Presence,
    Reader,
    Receipt,
    RecordRef,
    Subject,
    Target,
    TargetOptions,
    subject,
)

Key = tuple[str, ...]

NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
"""The moment of record number 0; each further record is a day younger."""


class Gap(StrEnum):
    """What a system may lack. A world names each gap with a reason, and the kit asserts that it really gapes."""

    DELETE = "delete"
    BLOCK = "block"
    ANONYMIZE = "anonymize"
    INSTANT = "instant"
    """No date of the data set is an instant."""
    DAY = "day"
    """No date of the data set is a plain date."""
    UNDATED = "undated"
    """Every record has a date."""
    WRITE_THROUGH = "write-through"
    """A reader has no session through which a write could be tried."""
    REFUSE = "refuse"
    """The system refuses no single record."""
    UNREACHABLE = "unreachable"
    """The system cannot be out of reach."""
    ODD_KEYS = "odd-keys"
    """Keys are the system's own, and never odd."""
    TYPED_KEYS = "typed-keys"
    """Nobody types keys of this system."""
    UNBLOCK = "unblock"
    """What is blocked stays so; says nothing where `block` is a gap, too."""
    ABOUT = "about"
    """No record tells whom it is about."""
    FACTS = "facts"
    """No record tells a fact."""
    CONTESTED = "contested"
    """No record can be held by two data sets."""
    RECEIPTS = "receipts"
    """Nothing in the system proves later what became of a batch whose answer was lost."""
    STUMBLE = "stumble"
    """The system is never too busy."""
    LOST_ANSWER = "lost-answer"
    """An answer cannot be lost on its way."""
    RIGHTS = "rights"
    """No right can be taken from the account."""
    HUGE = "huge"
    """A record has no room for megabytes."""


class World(ABC):
    """One data set of a real system, empty at first, and the truth about it from outside the connector.

    The truth has to come by another way than through the connector: a session of its own, the bare files.
    """

    target: ClassVar[Target] = Target("kit", "records")
    connector: Connector
    connection: Mapping[str, Any]
    """As the settings would say it."""
    options: Mapping[str, Any]
    """As the settings would say it, with every action prepared that is no gap."""
    beside: Sequence[Mapping[str, Any]] = ()
    """The options of the system's other data sets, as the settings would say them; `contest` may need one."""
    instant: str | None = None
    """The date of the data set that is an instant; None is the gap `instant`."""
    day: str | None = None
    """The date of the data set that is a plain date; None is the gap `day`."""
    gaps: Mapping[Gap, str] = {}
    """What this system lacks, each with the reason."""
    many: int = 8
    """How many records are more than two pages of `find`, and of `about`."""
    subject: str | None = None
    """The kind of identifier by which a person's records are found; None is the gap `about`."""
    ways: Sequence[str] = ("anna@person.example", "Anna@Person.Example", "  ANNA@PERSON.EXAMPLE\t", "ａnna＠person.example")
    """Ways to write the identifier of one person; `retentiond.connector.subject` makes one of them all."""
    others: Sequence[str] = (
        *("hanna@person.example", "anna@person.example.org", "ann@person.example", "anna", "@person.example"),
        *("ann_@person.example", "anna@person%", "%", "_", "*", "anna@person?example", "anná@person.example"),
        *("o'anna@person.example", '"anna"@person.example', "anna\\@person.example", "anna@person.example, berta@person.example"),
    )
    """Identifiers each of another person: parts of the first one, wildcards, quotes, other scripts."""

    @abstractmethod
    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        """Put a record there and return its key; keys of neighbouring numbers should be hard to tell apart.

        An aware datetime is its `instant`, a plain date its `day`, what is not given is unknown; None is for none known.
        `state` is PRESENT, BLOCKED or ANONYMIZED, and only ever one that the world's connector can bring about.
        """

    def put_many(self, moments: Sequence[datetime | date]) -> list[Key]:
        """Put one record for each moment, numbered from 0; override where one after the other is slow."""
        return [self.put(number, moment) for number, moment in enumerate(moments)]

    @abstractmethod
    def change(self, key: Key) -> None:
        """Change something that decides about the record and leave its key."""

    @abstractmethod
    def remove(self, key: Key) -> None:
        """Have somebody else take the record away."""

    @abstractmethod
    def all_keys(self) -> set[Key]:
        """The truth: the keys of all records, blocked and undated ones included."""

    @abstractmethod
    def content(self, key: Key) -> object:
        """The truth: everything of the record, byte by byte, comparable with `==`."""

    @abstractmethod
    def state(self, key: Key) -> Presence:
        """The truth: is it there, blocked, anonymized? Looked up in what an attacker would look at, not in a mere mark."""

    @abstractmethod
    def empty(self) -> None:
        """Take everything away."""

    def write_through(self, reader: Reader) -> bool:
        """Try hard to change a record through the reader's own session; True where the write got through."""
        raise NotImplementedError

    def refuse(self, key: Key) -> None:
        """Have the system refuse to change this record, for all actions, and leave its fingerprint."""
        raise NotImplementedError

    def unreachable(self) -> None:
        """Put the system out of reach until the world ends, or else have the connection lead nowhere."""
        raise NotImplementedError

    def put_odd(self, moment: datetime | date) -> list[Key]:
        """Put records under the oddest keys that the system admits: quotes, wildcards, spaces, other scripts."""
        raise NotImplementedError

    def typed(self, key: Key) -> str:
        """What a person types for this key."""
        raise NotImplementedError

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        """As `put`, and the record's field of the kind `subject` holds the text `person`, just as it is written."""
        raise NotImplementedError

    def change_person(self, key: Key, person: str) -> None:
        """Have somebody else write another identifier into the record, and nothing else."""
        raise NotImplementedError

    def change_fact(self, key: Key) -> None:
        """Have somebody else change a fact of the record, and nothing else."""
        raise NotImplementedError

    def contest(self, key: Key) -> None:
        """Have another data set of the system hold this record, too."""
        raise NotImplementedError

    def undo(self) -> None:
        """Have the system undo the next act, all of it and at its very end, and the connector be told of an error."""
        raise NotImplementedError

    def stumble(self) -> None:
        """Have the system put off the next request, being busy or in maintenance; then all is well again."""
        raise NotImplementedError

    def lose_answer(self) -> None:
        """Have the system do the next act, and the answer be lost: time runs out, or the connection breaks after the act."""
        raise NotImplementedError

    def lose_rights(self) -> None:
        """Take from the connector's account the right to read and to act, also from its open sessions, until the world ends."""
        raise NotImplementedError

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        """As `put`, and the record holds some megabytes."""
        raise NotImplementedError

    def forbidden(self) -> Sequence[str]:
        """Calls that reached the system and never may: those that would hit more than the records they are meant for."""
        return ()


_FACILITIES: dict[Gap, Callable[..., object]] = {
    Gap.WRITE_THROUGH: World.write_through,
    Gap.REFUSE: World.refuse,
    Gap.UNREACHABLE: World.unreachable,
    Gap.ODD_KEYS: World.put_odd,
    Gap.TYPED_KEYS: World.typed,
    Gap.CONTESTED: World.contest,
    Gap.STUMBLE: World.stumble,
    Gap.LOST_ANSWER: World.lose_answer,
    Gap.RIGHTS: World.lose_rights,
    Gap.HUGE: World.put_huge,
}
_NAMES = {facility: facility.__name__ for facility in _FACILITIES.values()}


@dataclass(frozen=True, slots=True)
class Bench:
    """A world with the questions that the kit asks of its connector."""

    world: World

    @property
    def connection(self) -> ConnectionOptions:
        """The validated options of the connection."""
        return self.world.connector.connection.model_validate(dict(self.world.connection))

    @property
    def options(self) -> TargetOptions:
        """The validated options of the data set, which know of the other ones of the system."""
        connector, connection = self.world.connector, self.connection
        alone, *others = (connector.options.model_validate(dict(told)) for told in (self.world.options, *self.world.beside))
        told = [(Target(self.world.target.system, f"other-{number}"), one) for number, one in enumerate(others)]
        known: TargetOptions = connector.beside(connection, alone, told)
        return known

    @property
    def offer(self) -> Offer:
        """What the data set offers."""
        return self.world.connector.offer(self.connection, self.options)

    def lacks(self, what: Gap | Action) -> bool:
        """True where the world declares this gap; fails where it is declared without reason, or not true."""
        gap = Gap(what.value)
        declared = gap in self.world.gaps
        offered = self._offered(gap)
        if declared:
            assert self.world.gaps[gap].strip(), f"the gap {gap} has no reason"
            assert not offered, f"the gap {gap} is declared, and the connector or its world does offer it"
        else:
            assert offered, f"neither offered nor declared as a gap: {gap}"
        return declared

    def _offered(self, gap: Gap) -> bool:
        world = self.world
        if gap in {Gap.DELETE, Gap.BLOCK, Gap.ANONYMIZE}:
            return Action(gap.value) in self.offer.actions
        if gap is Gap.UNBLOCK:
            return gap not in world.gaps  # only trying it tells: a promise of its own
        if gap is Gap.ABOUT:
            return bool(self.offer.subjects)
        if gap is Gap.FACTS:
            return bool(self.offer.facts)
        if gap is Gap.RECEIPTS:
            return all(self.receipts(action, "kit.0") is not None for action in self.offer.actions)
        if gap is Gap.INSTANT:
            return world.instant is not None
        if gap is Gap.DAY:
            return world.day is not None
        if gap is Gap.UNDATED:
            return self._holds_undated()
        facility = _FACILITIES[gap]
        return getattr(type(world), _NAMES[facility]) is not facility

    def _holds_undated(self) -> bool:
        try:
            key = self.world.put(99_999, None)
        except NotImplementedError:
            return False
        self.world.remove(key)
        return True

    def actions(self) -> list[Action]:
        """The actions that are no gap."""
        return [action for action in RULED if not self.lacks(action)]

    def reader(self) -> Reader:
        """An open reader."""
        return self.world.connector.reader(self.connection, self.options, self.world.target)

    @property
    def by(self) -> str:
        """The date that is asked for where any would do."""
        name = self.world.instant or self.world.day
        assert name is not None, "a world has an instant or a plain date"
        return name

    def moment(self, number: int) -> datetime | date:
        """The moment of record `number`: an instant, or a plain date where the data set has no instants."""
        at = NOON + timedelta(days=number)
        return at if self.world.instant is not None else at.date()

    def put(self, *numbers: int) -> list[Key]:
        """Put records, each a day younger than the one before."""
        return [self.world.put(number, self.moment(number)) for number in numbers]

    def before(self, moment: datetime | date) -> Cutoff:
        """The cutoff at `moment`, for the date of its kind."""
        if isinstance(moment, datetime):
            assert self.world.instant is not None
            return Cutoff(self.world.instant, moment, moment.date())
        assert self.world.day is not None
        return Cutoff(self.world.day, datetime(moment.year, moment.month, moment.day, tzinfo=UTC), moment)

    def everything(self) -> Cutoff:
        """A cutoff after all records of the kit."""
        return self.before(self.moment(4_000))

    def pages(self, cutoff: Cutoff | None = None, awaiting: Action = Action.DELETE) -> list[list[RecordRef]]:
        """What a new reader finds, page by page."""
        with self.reader() as reader:
            return [list(page) for page in reader.find(cutoff or self.everything(), awaiting)]

    def find(self, cutoff: Cutoff | None = None, awaiting: Action = Action.DELETE) -> list[RecordRef]:
        """What a new reader finds."""
        return [ref for page in self.pages(cutoff, awaiting) for ref in page]

    def undated(self) -> list[RecordRef]:
        """What a new reader tells as undated."""
        dates = [name for name in (self.world.instant, self.world.day) if name is not None]
        with self.reader() as reader:
            return [ref for page in reader.undated(dates) for ref in page]

    def refs(self, keys: Sequence[Key], awaiting: Action = Action.DELETE) -> list[RecordRef]:
        """The found records of these keys, in this order."""
        found = {ref.key: ref for ref in self.find(awaiting=awaiting)}
        assert set(keys) <= found.keys(), "a record that was put there and is due was not found"
        return [found[key] for key in keys]

    def person(self, text: str) -> Subject:
        """Whom `text` names, of the kind that the world tells."""
        assert self.world.subject is not None, "neither a kind of identifier nor the gap that there is none"
        person = subject(self.world.subject, text)
        assert person is not None, "the world names nobody"
        return person

    def about_pages(self, person: Subject) -> list[list[RecordRef]]:
        """What a new reader finds about a person, page by page."""
        with self.reader() as reader:
            return [list(page) for page in reader.about(person)]

    def about(self, person: Subject) -> list[RecordRef]:
        """What a new reader finds about a person."""
        return [ref for page in self.about_pages(person) for ref in page]

    def explained(self, key: Key) -> RecordRef:
        """What a new reader tells of the record under `key`, which is there."""
        with self.reader() as reader:
            ref = reader.explain(key)
        assert ref is not None, "a record that is there is not explained"
        return ref

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What a new reader sees of each."""
        with self.reader() as reader:
            return reader.present(refs)

    def permit(self, action: Action, refs: Sequence[RecordRef]) -> Permit:
        """The right to do that."""
        return Permit(f"kit.{next(_NUMBERS)}", action, self.world.target, refs)

    def act(self, action: Action, refs: Sequence[RecordRef], permit: Permit | None = None) -> list[Answer]:
        """Open the role, act, close it. A permit is minted unless one is given."""
        with self.role(action) as role:
            permit = permit or self.permit(action, refs)
            match role:
                case Deleter():
                    return role.delete(refs, permit)
                case Blocker() if action is Action.UNBLOCK:
                    return role.unblock(refs, permit)
                case Blocker():
                    return role.block(refs, permit)
                case Anonymizer():
                    return role.anonymize(refs, permit)

    def receipts(self, action: Action, batch: str, notes: Sequence[bytes] = ()) -> Sequence[Receipt] | None:
        """What a new role proves of a batch."""
        with self.role(action) as role:
            return role.receipts(batch, notes)

    def role(self, action: Action) -> Deleter | Blocker | Anonymizer:
        """The open role that does it."""
        connector, connection, options, target = self.world.connector, self.connection, self.options, self.world.target
        if action is Action.DELETE:
            assert connector.deleter is not None, "delete is offered and there is no deleter"
            return connector.deleter(connection, options, target)
        if action in {Action.BLOCK, Action.UNBLOCK}:
            assert connector.blocker is not None, "block is offered and there is no blocker"
            return connector.blocker(connection, options, target)
        assert connector.anonymizer is not None, "anonymize is offered and there is no anonymizer"
        return connector.anonymizer(connection, options, target)

    def snapshot(self) -> dict[Key, object]:
        """The truth about everything that is there."""
        return {key: self.world.content(key) for key in self.world.all_keys()}


_NUMBERS = count(1)
"""Each batch of the kit has an id of its own, as it has in a deletion log."""

REACHED = {
    Action.DELETE: Presence.ABSENT,
    Action.BLOCK: Presence.BLOCKED,
    Action.ANONYMIZE: Presence.ANONYMIZED,
    Action.UNBLOCK: Presence.PRESENT,
}
"""The state in which each action leaves a record."""
