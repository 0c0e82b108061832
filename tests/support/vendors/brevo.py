"""A fake of Brevo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, parameters, told
from support.webserver import Answered, Asked

KEY = "xkeysib-canary"


@dataclass
class Brevo(Fake):
    """Contacts; an objection is one of their fields."""

    contacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    most: int = 3

    def known(self, asked: Asked) -> bool:
        return asked.headers.get("api-key") == KEY

    def problem(self, status: int) -> Answered:
        return told({"code": "document_not_found", "message": "Erika Canaria"}, status)

    def routes(self) -> Mapping[str, Handler]:
        return {
            "GET /v3/account": lambda _: told({"email": "office@example.org"}),
            "GET /v3/contacts": self._list,
            "GET /v3/contacts/([^/]+)": self._get,
            "DELETE /v3/contacts/([^/]+)": self._delete,
        }

    def put(self, key: int, created: str, email: str, *, objected: bool = False) -> None:
        """A contact."""
        self.contacts[key] = {
            "id": key,
            "email": email,
            "emailBlacklisted": objected,
            "smsBlacklisted": False,
            "createdAt": created,
            "modifiedAt": created,
            "listIds": [1],
            "attributes": {"SMS": "+4930123456"},
        }

    def _list(self, asked: Asked) -> Answered:
        offset, limit = int(parameters(asked).get("offset", 0)), min(int(parameters(asked).get("limit", 50)), self.most)
        rows = list(self.contacts.values())
        return told({"contacts": rows[offset : offset + limit], "count": len(rows)})

    def _which(self, asked: Asked, key: str) -> int | None:
        """The contact; without the type of its identifier a number would be taken for a mail address or a phone number."""
        if parameters(asked).get("identifierType") != "contact_id":
            return None
        return int(key) if key.isdigit() and int(key) in self.contacts else None

    def _get(self, asked: Asked, key: str) -> Answered:
        number = self._which(asked, key)
        return self.problem(404) if number is None else told(self.contacts[number])

    def _delete(self, asked: Asked, key: str) -> Answered:
        number = self._which(asked, key)
        if number is None:
            return self.problem(404)
        del self.contacts[number]
        return Answered(204)
