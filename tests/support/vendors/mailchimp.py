"""A fake of Mailchimp, whose DELETE of a member deletes nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, parameters, told
from support.webserver import Answered, Asked

KEY = "canary-us1"


def hashed(email: str) -> str:
    """What Mailchimp calls a member."""
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


@dataclass
class Mailchimp(Fake):
    """Members, of one audience each."""

    lists: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    most: int = 3

    def known(self, asked: Asked) -> bool:
        scheme, _, text = asked.headers.get("authorization", "").partition(" ")
        return scheme == "Basic" and base64.b64decode(text).decode().partition(":")[2] == KEY

    def problem(self, status: int) -> Answered:
        return told({"type": "about:blank", "title": "Erika Canaria", "status": status, "detail": "", "instance": "x"}, status)

    def routes(self) -> Mapping[str, Handler]:
        one, member = "([^/]+)", "/3.0/lists/([^/]+)/members/([^/]+)"
        return {
            "GET /3.0/": lambda _: told({"account_id": "acc", "account_name": "Balanced"}),
            "GET /3.0/lists": lambda asked: self._page(
                asked, "lists", [{"id": name, "name": name, "date_created": "2019-01-01T00:00:00+00:00"} for name in self.lists]
            ),
            f"GET /3.0/lists/{one}/members": lambda asked, name: self._page(asked, "members", list(self.lists[name].values())),
            f"GET {member}": lambda _, name, key: self._get(name, key),
            f"DELETE {member}": lambda _, name, key: self._archive(name, key),
            f"POST {member}/actions/delete-permanent": lambda _, name, key: self._delete(name, key),
        }

    def put(self, name: str, email: str, opted_in: str, status: str = "subscribed") -> str:
        """A member, and what Mailchimp calls it."""
        key = hashed(email)
        self.lists.setdefault(name, {})[key] = {
            "id": key,
            "email_address": email,
            "status": status,
            "timestamp_opt": opted_in,
            "last_changed": opted_in,
            "list_id": name,
        }
        return key

    def _page(self, asked: Asked, name: str, rows: list[dict[str, Any]]) -> Answered:
        offset, count = int(parameters(asked).get("offset", 0)), min(int(parameters(asked).get("count", 10)), self.most)
        return told({name: rows[offset : offset + count], "total_items": len(rows)})

    def _get(self, name: str, key: str) -> Answered:
        return told(self.lists[name][key]) if key in self.lists.get(name, {}) else self.problem(404)

    def _archive(self, name: str, key: str) -> Answered:
        if key not in self.lists.get(name, {}):
            return self.problem(404)
        self.lists[name][key]["status"] = "archived"
        return Answered(204)

    def _delete(self, name: str, key: str) -> Answered:
        return Answered(204) if self.lists.get(name, {}).pop(key, None) else self.problem(404)
