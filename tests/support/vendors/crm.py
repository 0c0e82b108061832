"""A fake of a small CRM that nobody sells: the one of the how-to, which lists by links and deletes in its own time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, parameters, sent, told
from support.webserver import Answered, Asked

KEY = "key-canary"


@dataclass
class Crm(Fake):
    """Leads, each with a state; an error can come with a status of success."""

    leads: dict[str, dict[str, Any]] = field(default_factory=dict)
    leaving: dict[str, int] = field(default_factory=dict)
    """Leads on their way out, and how many looks it takes yet."""
    patience: int = 0
    """So many looks a delete takes."""
    inside: str = ""
    """An error that is answered with 200."""
    most: int = 3

    def known(self, asked: Asked) -> bool:
        return asked.headers.get("authorization") == f"Bearer {KEY}"

    def problem(self, status: int) -> Answered:
        return told({"error": "Erika Canaria is not for you"}, status)

    def routes(self) -> Mapping[str, Handler]:
        one = "([^/]+)"
        return {
            "GET /api/me": lambda _: told({"name": "retentiond", "may": [] if "sight" in self.lost else ["leads"]}),
            "GET /api/leads": self._list,
            f"GET /api/leads/{one}": lambda _, key: self._get(key),
            f"DELETE /api/leads/{one}": lambda _, key: self._delete(key),
            f"PATCH /api/leads/{one}": self._patch,
            f"GET /api/leads/{one}/removal": lambda _, key: self._removal(key),
        }

    def put(self, key: str, created: str | None, email: str = "", state: str = "open", day: str | None = None) -> None:
        """A lead."""
        name = "" if state == "anonymous" else "Erika Canaria"
        self.leads[key] = {
            "id": key,
            "created": created,
            "closed_on": day,
            "name": name,
            "email": email,
            "state": state,
            "stage": "won",
        }

    def _list(self, asked: Asked) -> Answered:
        if self.inside:
            return told({"error": self.inside})
        keys = [] if "sight" in self.lost else sorted(self.leads)
        after = int(parameters(asked).get("from", 0))
        page = [self.leads[key] for key in keys[after : after + self.most]]
        following = f"/api/leads?from={after + self.most}" if after + self.most < len(keys) else None
        return told({"leads": page, "next": following})

    def _get(self, key: str) -> Answered:
        return told({"lead": self.leads[key]}) if key in self.leads and "sight" not in self.lost else self.problem(404)

    def _delete(self, key: str) -> Answered:
        if key not in self.leads:
            return self.problem(404)
        self.leaving[key] = self.patience
        return told({"state": "accepted"}, 202)

    def _removal(self, key: str) -> Answered:
        if key not in self.leaving:
            return self.problem(404)
        self.leaving[key] -= 1
        if self.leaving[key] > 0:
            return told({"state": "running"})
        self.leads.pop(key, None)
        return told({"state": "done"})

    def _patch(self, asked: Asked, key: str) -> Answered:
        if key not in self.leads:
            return self.problem(404)
        self.leads[key] |= sent(asked)
        return told({"lead": self.leads[key]})
