"""The manifests of further vendors keep every promise of the kit, too, on the fakes that misbehave as they do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connectors.test_rest_conformance import FakeWorld
from support.vendors import brevo, bunny, formbricks, limesurvey, mailchimp
from support.vendors.fake import Fake
from support.webserver import Asked

from retentiond.connector import Presence
from retentiond.testing import ConformanceKit, Gap, World
from retentiond.testing.world import Key

ODD = ("%2e", " ", "a?b#c", "it's", "Zoë", "*", "...")


class RowWorld(FakeWorld):
    """A fake that holds one mapping for each record."""

    manifest: ClassVar[str]
    vendor: ClassVar[type[Fake]]
    secret_text: ClassVar[str]
    kind: ClassVar[str]
    values: ClassVar[dict[str, str]] = {}
    user: ClassVar[str] = ""
    deletes: ClassVar[str]
    """What the address of a delete looks like."""
    changed: ClassVar[tuple[str, Any]]
    person: ClassVar[str] = ""
    lacks: ClassVar[dict[Gap, str]] = {}

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        self.secret.write_text(self.secret_text)
        self.connection = {**self.connection, "manifest": self.manifest, "values": self.values, "user": self.user}
        self.connection["requests_per_minute"] = 1_000_000  # nobody waits here; the budget has a test of its own
        self.options = {"kind": self.kind}
        self.gaps = {
            Gap.BLOCK: "the vendor has nothing that keeps a record out of sight",
            Gap.ANONYMIZE: "the vendor's interface cannot take the person out of a record",
            Gap.DAY: "a record tells an instant",
            Gap.UNBLOCK: "nothing is blocked",
            Gap.CONTESTED: "a record is of one kind",
            Gap.RECEIPTS: "the vendor keeps no note of who deleted what",
            **self.lacks,
        }

    def held(self, key: Key) -> tuple[dict[Any, dict[str, Any]], Any]:
        """Where the record is, and under which key."""
        raise NotImplementedError

    def row(self, number: int, moment: datetime | None, person: str) -> Key:
        """Put it there."""
        raise NotImplementedError

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        return self.put_about(number, moment, f"somebody-{number}@example.org", state)

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        if state is not Presence.PRESENT or (moment is None and Gap.UNDATED in self.gaps):
            raise NotImplementedError
        assert moment is None or isinstance(moment, datetime)
        return self.row(number, moment, person)

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        key = self.put(number, moment)
        rows, name = self.held(key)
        rows[name]["notes"] = "x" * 4_000_000
        return key

    def change(self, key: Key) -> None:
        rows, name = self.held(key)
        rows[name][self.changed[0]] = self.changed[1]

    change_fact = change

    def change_person(self, key: Key, person: str) -> None:
        rows, name = self.held(key)
        rows[name][self.person] = person

    def remove(self, key: Key) -> None:
        rows, name = self.held(key)
        del rows[name]

    def content(self, key: Key) -> object:
        rows, name = self.held(key)
        return dict(rows.get(name, {}))

    def state(self, key: Key) -> Presence:
        rows, name = self.held(key)
        return Presence.PRESENT if name in rows else Presence.ABSENT

    def typed(self, key: Key) -> str:
        return "//".join(key)

    def allowed(self, asked: Asked) -> bool:
        return re.fullmatch(self.deletes, f"{asked.method} {asked.path}") is not None


def iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()


class FormbricksResponses(RowWorld):
    """Offsets over a total, and a record that is wrapped when it is asked for by its key."""

    instant, subject = "created", "email"
    manifest, vendor, secret_text, kind = "formbricks", formbricks.Formbricks, formbricks.KEY, "responses"
    values: ClassVar = {"survey": formbricks.SURVEY}
    deletes = r"DELETE /api/v2/management/responses/[^/]+"
    changed = ("finished", False)
    lacks: ClassVar = {Gap.UNDATED: "every answer was given at some time"}
    fake: formbricks.Formbricks

    def held(self, key: Key) -> tuple[dict[Any, dict[str, Any]], Any]:
        return self.fake.responses, key[0]

    def row(self, number: int, moment: datetime | None, person: str) -> Key:
        return self._put(f"r{number}", moment, person)

    def put_odd(self, moment: datetime | date) -> list[Key]:
        assert isinstance(moment, datetime)
        return [self._put(key, moment, "") for key in sorted(ODD)]

    def change_person(self, key: Key, person: str) -> None:
        self.fake.responses[key[0]]["contactAttributes"] = {"email": person}

    def all_keys(self) -> set[Key]:
        return {(key,) for key in self.fake.responses}

    def empty(self) -> None:
        self.fake.responses.clear()

    def _put(self, key: str, moment: datetime | None, person: str) -> Key:
        self.fake.put(key, iso(moment), person)
        return (key,)


class BrevoContacts(RowWorld):
    """Offsets over a total, and numbers for keys."""

    instant, subject = "created", "email"
    manifest, vendor, secret_text, kind = "brevo", brevo.Brevo, brevo.KEY, "contacts"
    deletes = r"DELETE /v3/contacts/\d+"
    changed, person = ("emailBlacklisted", True), "email"
    lacks: ClassVar = {Gap.UNDATED: "every contact was made at some time", Gap.ODD_KEYS: "its keys are its own numbers"}
    fake: brevo.Brevo

    def held(self, key: Key) -> tuple[dict[Any, dict[str, Any]], Any]:
        return self.fake.contacts, int(key[0])

    def row(self, number: int, moment: datetime | None, person: str) -> Key:
        self.fake.put(number + 1, iso(moment), person)
        self.fake.contacts[number + 1]["attributes"] = {}
        return (str(number + 1),)

    def all_keys(self) -> set[Key]:
        return {(str(key),) for key in self.fake.contacts}

    def empty(self) -> None:
        self.fake.contacts.clear()


class MailchimpMembers(RowWorld):
    """Parts of audiences, each listed for itself, with keys of two parts."""

    instant, subject = "opted_in", "email"
    manifest, vendor, secret_text, kind, user = "mailchimp", mailchimp.Mailchimp, mailchimp.KEY, "members", "any"
    deletes = r"POST /3.0/lists/[^/]+/members/[^/]+/actions/delete-permanent"
    changed, person = ("status", "unsubscribed"), "email_address"
    lacks: ClassVar = {Gap.ODD_KEYS: "its keys are digests"}
    fake: mailchimp.Mailchimp

    def held(self, key: Key) -> tuple[dict[Any, dict[str, Any]], Any]:
        return self.fake.lists[key[0]], key[1]

    def row(self, number: int, moment: datetime | None, person: str) -> Key:
        audience = "news" if number < 4000 else "offers"
        member = self.fake.put(audience, f"member-{number}", iso(moment))
        self.fake.lists[audience][member]["email_address"] = person
        return audience, member

    def refuse(self, key: Key) -> None:
        self.fake.refused.add(f"/{key[1]}/actions/delete-permanent")

    def all_keys(self) -> set[Key]:
        return {(audience, key) for audience, members in self.fake.lists.items() for key in members}

    def empty(self) -> None:
        self.fake.lists = {"news": {}, "offers": {}}


class LimeSurveyResponses(RowWorld):
    """Calls instead of addresses, a login, a wrapped list, errors with 200, and no request for one record."""

    instant = "submitted"
    manifest, vendor, secret_text, kind = "limesurvey", limesurvey.LimeSurvey, limesurvey.PASSWORD, "responses"
    user = limesurvey.USER
    values: ClassVar = {"survey": str(limesurvey.SURVEY), "zone": "Asia/Kathmandu"}
    deletes = r"POST /index.php/admin/remotecontrol"
    changed = ("startdate", "2021-05-05 05:05:05")
    lacks: ClassVar = {
        Gap.ODD_KEYS: "its keys are its own numbers",
        Gap.ABOUT: "whom an answer is about stands in questions that differ from survey to survey",
        Gap.FACTS: "nothing but its dates decides about an answer",
        Gap.REFUSE: "it refuses no single answer",
    }
    fake: limesurvey.LimeSurvey
    refuse = World.refuse
    put_huge = RowWorld.put_huge

    def held(self, key: Key) -> tuple[dict[Any, dict[str, Any]], Any]:
        return self.fake.responses, int(key[0])

    def row(self, number: int, moment: datetime | None, person: str) -> Key:
        del person
        told = None if moment is None else moment.astimezone(KATHMANDU).strftime("%Y-%m-%d %H:%M:%S")
        self.fake.put(number + 1, told)
        return (str(number + 1),)

    def all_keys(self) -> set[Key]:
        return {(str(key),) for key in self.fake.responses}

    def empty(self) -> None:
        self.fake.responses.clear()

    def lose_rights(self) -> None:
        self.fake.permitted = False


class BunnyFiles(RowWorld):
    """Folders within folders, keys that are paths, and a canary that is kept."""

    instant = "changed"
    manifest, vendor, secret_text, kind = "bunny-storage", bunny.Storage, bunny.PASSWORD, "files"
    values: ClassVar = {"zone": bunny.ZONE, "canary": "canary.txt"}
    deletes = rf"DELETE /{bunny.ZONE}/.*[^/]"
    changed = ("LastChanged", "2021-05-05T05:05:05.5")
    lacks: ClassVar = {
        Gap.ABOUT: "no file tells whom it is about",
        Gap.FACTS: "nothing but its date decides about a file",
        Gap.UNDATED: "every file was written at some time",
        Gap.HUGE: "a list tells of a file and does not hold it",
    }
    fake: bunny.Storage
    put_huge = World.put_huge

    def held(self, key: Key) -> tuple[dict[Any, dict[str, Any]], Any]:
        return self.fake.files, key[0]

    def row(self, number: int, moment: datetime | None, person: str) -> Key:
        del person
        return self._put(f"exports/{number % 3}/file{number}", moment)

    def put_odd(self, moment: datetime | date) -> list[Key]:
        assert isinstance(moment, datetime)
        return [self._put(key, moment) for key in sorted(ODD)]

    def refuse(self, key: Key) -> None:
        self.fake.refused.add(f"/{key[0]}")

    def all_keys(self) -> set[Key]:
        return {(path,) for path in self.fake.files if path != "canary.txt"}

    def empty(self) -> None:
        self.fake.files.clear()
        self.fake.put("canary.txt", "2019-01-01T00:00:00")

    def _put(self, key: str, moment: datetime | None) -> Key:
        assert moment is not None
        self.fake.put(key, moment.astimezone(UTC).replace(tzinfo=None).isoformat())
        return (key,)


KATHMANDU = datetime.strptime("+0545", "%z").tzinfo
WORLDS: list[type[RowWorld]] = [FormbricksResponses, BrevoContacts, MailchimpMembers, LimeSurveyResponses, BunnyFiles]


@pytest.fixture(params=WORLDS, ids=lambda kind: kind.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("retentiond_rest.reader.PAGE", 3)
    fake: Fake = request.param.vendor()
    with fake.served() as url:
        made: RowWorld = request.param(url, tmp_path)
        made.fake = fake
        made.empty()
        yield made


class TestVendors(ConformanceKit):
    pass
