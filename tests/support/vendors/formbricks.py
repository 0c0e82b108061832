"""A fake of Formbricks, which gives the deleted answer back in full and loses rows to whoever skips over a shrinking list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, parameters, told
from support.webserver import Answered, Asked

KEY = "fbk-canary"
SURVEY = "survey1"


@dataclass
class Formbricks(Fake):
    """The answers to one survey, and the files that were uploaded with them."""

    responses: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Name of a file to the answer it belongs to; those of questions that were taken out stay."""
    removed: frozenset[str] = frozenset()
    """Files of questions that the survey has no more."""
    most: int = 3

    def known(self, asked: Asked) -> bool:
        return asked.headers.get("x-api-key") == KEY

    def problem(self, status: int) -> Answered:
        return told({"error": {"code": status, "message": "Erika Canaria"}}, status)

    def routes(self) -> Mapping[str, Handler]:
        one = "([^/]+)"
        return {
            f"GET /api/v1/management/surveys/{one}": lambda _, key: (
                told({"data": {"id": key}}) if key == SURVEY and "sight" not in self.lost else self.problem(404)
            ),
            "GET /api/v2/management/responses": self._list,
            f"GET /api/v2/management/responses/{one}": lambda _, key: self._get(key),
            f"DELETE /api/v2/management/responses/{one}": lambda _, key: self._delete(key),
        }

    def put(self, key: str, created: str, email: str = "", *, finished: bool = True) -> None:
        """An answer."""
        self.responses[key] = {
            "id": key,
            "createdAt": created,
            "updatedAt": created,
            "finished": finished,
            "surveyId": SURVEY,
            "data": {"q1": "I, Erika Canaria, liked it"},
            "contactAttributes": {"email": email},
            "meta": {"ipAddress": "192.0.2.17"},
        }

    def _list(self, asked: Asked) -> Answered:
        told_ = parameters(asked)
        rows = [row for row in self.responses.values() if row["surveyId"] == told_.get("surveyId", row["surveyId"])]
        rows = [] if "sight" in self.lost else sorted(rows, key=lambda row: (row["createdAt"], row["id"]))
        skip, limit = int(told_.get("skip", 0)), min(int(told_.get("limit", 50)), self.most)
        return told({"data": rows[skip : skip + limit], "meta": {"total": len(rows), "limit": limit, "offset": skip}})

    def _get(self, key: str) -> Answered:
        known = key in self.responses and "sight" not in self.lost
        return told({"data": self.responses[key]}) if known else self.problem(404)

    def _delete(self, key: str) -> Answered:
        if key not in self.responses:
            return self.problem(404)
        self.files = {name: whose for name, whose in self.files.items() if whose != key or name in self.removed}
        return told({"data": self.responses.pop(key)})
