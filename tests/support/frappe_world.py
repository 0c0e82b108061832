"""Leads of a Frappe site for the conformance kit; the truth about them comes out of its very tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from support.frappe_site import FrappeSite
from support.webserver import Answered

from retentiond.connector import ConnectorError, Presence, Reader
from retentiond.testing import Gap, World
from retentiond.testing.world import Key
from retentiond_frappe import connector
from retentiond_frappe.reader import FrappeReader

LEAD = "CRM Lead"
MASKED = {"first_name": "Anon", "last_name": "", "lead_name": "Anon", "email": "", "mobile_no": None, "lost_notes": ""}
ODD = ("it's", 'say "hi"', "100%", "a_b", "a/b", "ends/", ".", "..", "Zoë", "a?b#c&d+e", "back\\slash", "-rf", "tab\there", "[x]")


class LeadWorld(World):
    """Leads with a date of their own for the instant and the day, a comment each, and a check field that blocks."""

    instant = "contacted_at"
    day = "ended_on"
    subject = "email"
    many = 8
    gaps: Mapping[Gap, str] = {
        Gap.RECEIPTS: "a site keeps no note of who did it in the act, and REST has no key for a repeated call"
    }

    def __init__(self, site: FrappeSite, url: str) -> None:
        self.site = site
        self.zone = ZoneInfo(site.zone)
        self.connector = connector
        self.connection: dict[str, Any] = {
            "url": url,
            "site": "crm.localhost",
            "key": "manager",
            "secret": {"environment": "KIT_FRAPPE_SECRET"},
            "administrator": {"key": "admin", "secret": {"environment": "KIT_FRAPPE_SECRET"}},
            "settle_seconds": 5,
        }
        self.options: dict[str, Any] = {
            "doctype": LEAD,
            "only": {"converted": 0},
            "dates": {"contacted_at": {"field": "custom_contacted_at"}, "ended_on": {"field": "custom_ended_on", "day": True}},
            "facts": {"archived": {"field": "custom_archived"}},
            "subjects": {"email": ["email"]},
            "mail_by_address": True,
            "block": {"field": "custom_blocked"},
            "anonymize": {"fields": {**MASKED, "mobile_no": ""}},
        }
        self.beside = [{"doctype": LEAD, "only": {"custom_other": 1}, "dates": {"created_at": {"field": "creation"}}}]

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        return self._put(f"CRM-LEAD-2026-{number}", moment, state)

    def put_odd(self, moment: datetime | date) -> list[Key]:
        return [self._put(name, moment) for name in ODD]

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        key = self.put(number, moment)
        self._row(key)["lost_notes"] = "word " * 600_000
        return key

    def put_about(self, number: int, moment: datetime | date | None, person: str, state: Presence = Presence.PRESENT) -> Key:
        key = self.put(number, moment, state)
        self.change_person(key, person)
        return key

    def change(self, key: Key) -> None:
        self._row(key)["custom_contacted_at"] = "2015-05-05 05:05:05"

    def change_person(self, key: Key, person: str) -> None:
        self._row(key)["email"] = person

    def change_fact(self, key: Key) -> None:
        row = self._row(key)
        row["custom_archived"] = 1 - row["custom_archived"]

    def contest(self, key: Key) -> None:
        self._row(key)["custom_other"] = 1

    def remove(self, key: Key) -> None:
        with self.site.lock:
            self.site.tables[LEAD].pop(key[0], None)
            for name, one in list(self.site.tables["Comment"].items()):
                if one["reference_name"] == key[0]:
                    del self.site.tables["Comment"][name]

    def all_keys(self) -> set[Key]:
        with self.site.lock:
            copies = self.site.tables["Deleted Document"].values()
            return {(name,) for name in self.site.tables[LEAD]} | {
                (str(one["deleted_name"]),) for one in copies if one["deleted_doctype"] == LEAD
            }

    def content(self, key: Key) -> object:
        with self.site.lock:
            row = self.site.tables[LEAD].get(key[0], {})
            comments = [dict(one) for one in self.site.tables["Comment"].values() if one["reference_name"] == key[0]]
            return {field: value for field, value in row.items() if field != "modified"}, comments

    def state(self, key: Key) -> Presence:
        with self.site.lock:
            row = self.site.tables[LEAD].get(key[0])
            old = any(
                one["docname"] == key[0] and "custom_blocked" not in one["data"] for one in self.site.tables["Version"].values()
            )
            if row is None:
                return Presence.PRESENT if key in self.all_keys() or old else Presence.ABSENT
            if not row["email"] and row["first_name"] == "Anon" and not old:
                return Presence.ANONYMIZED
            return Presence.BLOCKED if row["custom_blocked"] else Presence.PRESENT

    def empty(self) -> None:
        with self.site.lock:
            self.site.empty()

    def write_through(self, reader: Reader) -> bool:
        assert isinstance(reader, FrappeReader)
        names = list(self.site.tables[LEAD])
        tries: list[Callable[[], object]] = [
            lambda: reader._site.delete(LEAD, names[0]),
            lambda: reader._site.save(LEAD, names[0], {"first_name": "Eve"}),
            lambda: reader._site.call("frappe.client.delete", doctype=LEAD, name=names[0]),
        ]
        through = 0
        for one in tries:
            try:
                one()
                through += 1
            except ConnectorError:
                continue
        return through > 0

    def refuse(self, key: Key) -> None:
        self.site.refused.add((LEAD, key[0]))
        self.site.put("FCRM Note", None, reference_doctype=LEAD, reference_docname=key[0])
        self.site.put("CRM Deal", None, lead=key[0])

    def unreachable(self) -> None:
        self.site.down = True

    def typed(self, key: Key) -> str:
        return key[0]

    def stumble(self) -> None:
        self.site.next.append(Answered(429, b"{}", headers={"Retry-After": "7"}))

    def lose_answer(self) -> None:
        self.site.lose = True

    def lose_rights(self) -> None:
        self.site.roles = {token: set() for token in self.site.roles}

    def forbidden(self) -> list[str]:
        return list(self.site.forbidden)

    def _put(self, name: str, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        at = day = None
        if isinstance(moment, datetime):
            at = moment.astimezone(self.zone).replace(tzinfo=None).isoformat(" ")
        elif moment is not None:
            day = moment.isoformat()
        person = {"first_name": "Anna", "last_name": "Muster", "lead_name": "Anna Muster", "email": f"person-{name}@x.example"}
        if state is Presence.ANONYMIZED:
            person = {field: value for field, value in MASKED.items() if isinstance(value, str)}
        told: dict[str, Any] = {**person, "custom_contacted_at": at, "custom_ended_on": day, "status": "New", "converted": 0}
        told |= {"custom_archived": 0, "custom_blocked": int(state is Presence.BLOCKED), "custom_other": 0}
        with self.site.lock:
            self.site.put(LEAD, name, **told)
            if state is Presence.PRESENT:
                self.site.put(
                    "Comment", None, comment_type="Comment", content="met her", reference_doctype=LEAD, reference_name=name
                )
        return (name,)

    def _row(self, key: Key) -> dict[str, Any]:
        return self.site.tables[LEAD][key[0]]
