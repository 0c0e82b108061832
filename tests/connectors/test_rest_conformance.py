"""The connector `rest` keeps every promise of the kit, by manifests of different shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from support.vendors.crm import KEY as CRM_KEY
from support.vendors.crm import Crm
from support.vendors.fake import Fake
from support.vendors.listmonk import TOKEN, USER, Listmonk
from support.vendors.openai import KEY as OPENAI_KEY
from support.vendors.openai import OpenAI
from support.webserver import Asked

from retentiond.connector import Presence, Reader
from retentiond.testing import ConformanceKit, Gap, World
from retentiond.testing.world import Key
from retentiond_rest import connector
from retentiond_rest.requests import Act

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "describe-a-rest-system.md"


class FakeWorld(World):
    """A fake of a vendor, which is looked into past the connector."""

    fake: Fake

    def __init__(self, url: str, folder: Path) -> None:
        self.connector = connector
        self.secret = folder / "secret"
        self.connection = {"url": url, "secret": {"file": str(self.secret)}}

    def write_through(self, reader: Reader) -> bool:
        before = len(self.acts())
        with pytest.raises(Exception, match="A reader of"):
            reader._session.ask(Act(method="DELETE", path="/v1/files/x", accept=(200,)), {})  # type: ignore[attr-defined]
        return len(self.acts()) != before

    def acts(self) -> list[Asked]:
        return [asked for asked in self.fake.seen if self.fake.acts(asked)]

    def stumble(self) -> None:
        self.fake.stumbling = 1

    def lose_answer(self) -> None:
        self.fake.losing = True

    def lose_rights(self) -> None:
        self.fake.lost = frozenset({"rights"})

    def unreachable(self) -> None:
        self.fake.page = "<html>Erika Canaria, your session has ended</html>"

    def refuse(self, key: Key) -> None:
        self.fake.refused.add("/" + quote(key[-1], safe=""))

    def typed(self, key: Key) -> str:
        return key[0]

    def forbidden(self) -> Sequence[str]:
        return [f"{asked.method} {asked.path}" for asked in self.acts() if not self.allowed(asked)]

    def allowed(self, asked: Asked) -> bool:
        raise NotImplementedError


class OpenAIFiles(FakeWorld):
    """Lists by cursor, seconds since 1970, and a canary that is kept."""

    instant = "created"
    fake: OpenAI

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        self.gaps = {
            Gap.BLOCK: "a file at OpenAI can only be kept or deleted",
            Gap.ANONYMIZE: "a file at OpenAI cannot be changed",
            Gap.DAY: "a file tells an instant",
            Gap.UNDATED: "every file was uploaded at some time",
            Gap.UNBLOCK: "nothing is blocked",
            Gap.ABOUT: "no file tells whom it is about",
            Gap.CONTESTED: "a file is of one purpose",
            Gap.RECEIPTS: "OpenAI keeps no note of who deleted what",
            Gap.HUGE: "a list tells of a file and does not hold it",
        }
        self.secret.write_text(f"{OPENAI_KEY}\n")
        self.connection = {**self.connection, "manifest": "openai", "values": {"canary": "file-canary"}}
        self.options = {"kind": "files"}

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        if moment is None or state is not Presence.PRESENT:
            raise NotImplementedError
        return self._put(f"file-{number}", moment)

    def put_odd(self, moment: datetime | date) -> list[Key]:
        return [self._put(key, moment) for key in sorted(("%2e", " ", "file-1/content", "a?b#c", "it's", "Zoë", "*", "..."))]

    def change(self, key: Key) -> None:
        self.fake.files[key[0]]["purpose"] = "vision"

    change_fact = change

    def remove(self, key: Key) -> None:
        del self.fake.files[key[0]]

    def all_keys(self) -> set[Key]:
        return {(key,) for key in self.fake.files if key != "file-canary"}

    def content(self, key: Key) -> object:
        return dict(self.fake.files.get(key[0], {}))

    def state(self, key: Key) -> Presence:
        return Presence.PRESENT if key[0] in self.fake.files else Presence.ABSENT

    def empty(self) -> None:
        self.fake.files.clear()
        self.fake.put_file("file-canary", 1)

    def allowed(self, asked: Asked) -> bool:
        return asked.method == "DELETE" and re.fullmatch(r"/v1/files/[^/]+", asked.path) is not None

    def _put(self, key: str, moment: datetime | date) -> Key:
        assert isinstance(moment, datetime)
        self.fake.put_file(key, int(moment.timestamp()))
        return (key,)


class CrmLeads(FakeWorld):
    """The manifest of the how-to: lists by links, an accepted delete that is waited for, and every action."""

    instant = "created"
    day = "closed_on"
    subject = "email"
    fake: Crm

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        self.gaps = {
            Gap.CONTESTED: "a lead is of one kind",
            Gap.RECEIPTS: "this CRM keeps no note of who deleted what",
        }
        (folder / "crm.yaml").write_text(manifest_of_the_page())
        self.secret.write_text(KEYS[Crm])
        self.connection = {**self.connection, "manifest": str(folder / "crm.yaml")}
        self.options = {"kind": "leads"}

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        return self._put(f"lead-{number:05}", moment, state=state)

    def put_odd(self, moment: datetime | date) -> list[Key]:
        return [self._put(key, moment) for key in sorted(("%2e", " ", "a/b", "a?b#c", "it's", "two\nlines", "Zoë", "*", "..."))]

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        return self._put(f"lead-{number:05}", moment, person, state)

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        key = self.put(number, moment)
        self.fake.leads[key[0]]["notes"] = "x" * 4_000_000
        return key

    def change(self, key: Key) -> None:
        self.fake.leads[key[0]]["stage"] = "lost"

    change_fact = change

    def change_person(self, key: Key, person: str) -> None:
        self.fake.leads[key[0]]["email"] = person

    def remove(self, key: Key) -> None:
        del self.fake.leads[key[0]]

    def all_keys(self) -> set[Key]:
        return {(key,) for key in self.fake.leads}

    def content(self, key: Key) -> object:
        return dict(self.fake.leads.get(key[0], {}))

    def state(self, key: Key) -> Presence:
        lead = self.fake.leads.get(key[0])
        if lead is None:
            return Presence.ABSENT
        if not lead["name"] and not lead["email"]:
            return Presence.ANONYMIZED
        return Presence.BLOCKED if lead["state"] == "locked" else Presence.PRESENT

    def empty(self) -> None:
        self.fake.leads.clear()

    def allowed(self, asked: Asked) -> bool:
        return re.fullmatch(r"/api/leads/[^/]+", asked.path) is not None

    def _put(self, key: str, moment: datetime | date | None, person: str = "", state: Presence = Presence.PRESENT) -> Key:
        word = {Presence.PRESENT: "open", Presence.BLOCKED: "locked", Presence.ANONYMIZED: "anonymous"}[state]
        told = None if moment is None else moment.isoformat()
        instant, day = (told, None) if isinstance(moment, datetime) else (None, told)
        self.fake.put(key, instant, person, word, day)
        return (key,)


class ListmonkSubscribers(FakeWorld):
    """Pages by number, keys that are numbers, persons, and a delete that says done where nobody was."""

    instant = "created"
    subject = "email"
    fake: Listmonk

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        self.gaps = {
            Gap.BLOCK: "a blocklisted subscriber is out of the mailings, and not out of sight",
            Gap.ANONYMIZE: "a subscriber is an address",
            Gap.DAY: "a subscriber tells an instant",
            Gap.UNDATED: "a row of its table has a date",
            Gap.UNBLOCK: "nothing is blocked",
            Gap.ODD_KEYS: "its keys are its own numbers",
            Gap.CONTESTED: "a subscriber is of one kind",
            Gap.RECEIPTS: "listmonk keeps no note of who deleted what",
        }
        self.secret.write_text(KEYS[Listmonk])
        self.connection = {**self.connection, "manifest": "listmonk", "user": USER, "values": {"canary": "999999"}}
        self.options = {"kind": "subscribers"}

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        return self.put_about(number, moment, f"somebody-{number}@example.org", state)

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        if not isinstance(moment, datetime) or state is not Presence.PRESENT:
            raise NotImplementedError
        self.fake.put(number + 1, moment.isoformat(), person)
        return (str(number + 1),)

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        key = self.put(number, moment)
        self.fake.subscribers[int(key[0])]["attribs"] = {"notes": "x" * 4_000_000}
        return key

    def change(self, key: Key) -> None:
        self.fake.subscribers[int(key[0])]["status"] = "blocklisted"

    change_fact = change

    def change_person(self, key: Key, person: str) -> None:
        self.fake.subscribers[int(key[0])]["email"] = person

    def remove(self, key: Key) -> None:
        del self.fake.subscribers[int(key[0])]

    def all_keys(self) -> set[Key]:
        return {(str(key),) for key in self.fake.subscribers if key != 999_999}

    def content(self, key: Key) -> object:
        return dict(self.fake.subscribers.get(int(key[0]), {}))

    def state(self, key: Key) -> Presence:
        return Presence.PRESENT if int(key[0]) in self.fake.subscribers else Presence.ABSENT

    def empty(self) -> None:
        self.fake.subscribers.clear()
        self.fake.put(999_999, "2001-01-01T00:00:00Z", "canary@example.org")

    def allowed(self, asked: Asked) -> bool:
        return asked.method == "DELETE" and re.fullmatch(r"/api/subscribers/\d+", asked.path) is not None


KEYS: dict[type[Fake], str] = {OpenAI: OPENAI_KEY, Crm: CRM_KEY, Listmonk: TOKEN}
WORLDS: dict[type[FakeWorld], type[Fake]] = {OpenAIFiles: OpenAI, CrmLeads: Crm, ListmonkSubscribers: Listmonk}


def manifest_of_the_page() -> str:
    found = re.search(r"^```yaml file=crm.yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(params=WORLDS, ids=lambda kind: kind.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("retentiond_rest.reader.PAGE", 3)
    fake = WORLDS[request.param]()
    with fake.served() as url:
        made: FakeWorld = request.param(url, tmp_path)
        made.fake = fake
        made.empty()
        yield made


class TestRest(ConformanceKit):
    pass
