"""The kit's world of the connector in memory: the pattern for the world of a real one."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime

from retentiond.connector import ConnectorError, How, OutcomeUnknownError, Presence, TransientConnectorError, subject
from retentiond.testing.memory import MemoryStore, When, memory_connector
from retentiond.testing.world import Gap, Key, World


class MemoryWorld(World):
    """Records in memory, with an instant and a plain date."""

    instant = "created"
    day = "due_on"
    subject = "email"

    def __init__(self) -> None:
        self.store = MemoryStore(proves=How.RECEIPT)
        self.connector = memory_connector(self.store)
        self.connection = {}
        self.gaps = {Gap.WRITE_THROUGH: "memory knows no sessions and no rights"}
        self.options = {"dates": ["created", "due_on"], "facts": ["open"], "subjects": ["email"]}

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        """A record under a key that begins like its neighbours'."""
        return self._put((f"r{number}",), moment, state)

    def put_odd(self, moment: datetime | date) -> list[Key]:
        """Keys of several components, of none that can be seen, and of none that can be written on a line."""
        odd: list[Key] = [("a", "b"), ("a/b",), ("",), ("%",), ("'; --",), ("line\nbreak",), ("\x1b[31mred",), ("Zoë 🚀",)]
        return [self._put(key, moment) for key in odd]

    def change(self, key: Key) -> None:
        """Something of the content that decides."""
        self.store.datasets["records"][key].version += 1

    def remove(self, key: Key) -> None:
        """Gone."""
        del self.store.datasets["records"][key]

    def all_keys(self) -> set[Key]:
        """What lies in the store."""
        return self.store.keys("records")

    def content(self, key: Key) -> object:
        """A copy of what lies in the store."""
        return deepcopy(self.store.get("records", key))

    def state(self, key: Key) -> Presence:
        """By its marks, and for anonymized by its content too."""
        stored = self.store.get("records", key)
        if stored is None:
            return Presence.ABSENT
        if stored.anonymized and not stored.content:
            return Presence.ANONYMIZED
        return Presence.BLOCKED if stored.blocked else Presence.PRESENT

    def empty(self) -> None:
        """No record, and none that is refused."""
        self.store.datasets.clear()
        self.store.refusing.clear()

    def refuse(self, key: Key) -> None:
        """As if something referred to it."""
        self.store.refusing.add(key)

    def unreachable(self) -> None:
        """As if the line was cut."""
        self.store.unreachable = ConnectorError("The store in memory is out of reach; it was told so.", "unavailable")

    def undo(self) -> None:
        """As if the line was cut just before the end."""
        self.store.disturb(When.UNDONE, TransientConnectorError("The store in memory undid it all; it was told so."))

    def stumble(self) -> None:
        """Busy once."""
        self.store.busy = 1

    def lose_answer(self) -> None:
        """As if the line was cut just after the end."""
        self.store.disturb(When.AFTER, OutcomeUnknownError("The store in memory gave no answer; it was told so."))

    def lose_rights(self) -> None:
        """As if the account was closed."""
        self.store.unreachable = ConnectorError("The store in memory denies it; it was told so.", "forbidden")

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        """With much content."""
        key = self.put(number, moment)
        self.store.datasets["records"][key].content = "x" * 4_000_000
        return key

    def typed(self, key: Key) -> str:
        """Components with slashes between them."""
        return "/".join(key)

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        """A record of whoever that is."""
        key = self.put(number, moment, state)
        self.change_person(key, person)
        return key

    def change_person(self, key: Key, person: str) -> None:
        """Somebody else, or nobody."""
        self.store.datasets["records"][key].subjects = {one for one in (subject("email", person),) if one is not None}

    def change_fact(self, key: Key) -> None:
        """Known from now on."""
        self.store.datasets["records"][key].facts["open"] = True

    def contest(self, key: Key) -> None:
        """By a mark: memory looks into no other data set."""
        self.store.datasets["records"][key].contested = True

    def _put(self, key: Key, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        name = self.instant if isinstance(moment, datetime) else self.day
        dates = {"created": None, "due_on": None} | ({} if moment is None else {name: moment})
        self.store.put("records", key, dates)
        stored = self.store.datasets["records"][key]
        stored.blocked = state is Presence.BLOCKED
        if state is Presence.ANONYMIZED:
            stored.anonymized, stored.content = True, ""
        return key
