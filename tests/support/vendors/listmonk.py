"""A fake of listmonk, which answers a delete alike whether there was anybody or not."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, parameters, told
from support.webserver import Answered, Asked

USER, TOKEN = "api", "token-canary"


@dataclass
class Listmonk(Fake):
    """Subscribers."""

    subscribers: dict[int, dict[str, Any]] = field(default_factory=dict)
    most: int = 3

    def known(self, asked: Asked) -> bool:
        basic = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        return asked.headers.get("authorization") in {f"Basic {basic}", f"token {USER}:{TOKEN}"}

    def routes(self) -> Mapping[str, Handler]:
        return {
            "GET /api/health": lambda _: told({"data": True}),
            "GET /api/subscribers": self._list,
            r"DELETE /api/subscribers/(\d+)": lambda _, key: self._delete(key),
            "DELETE /api/maintenance/subscribers/blocklisted": lambda _: told({"data": {"count": 1}}),
        }

    def put(self, key: int, created: str | None, email: str, status: str = "enabled") -> None:
        """A subscriber."""
        self.subscribers[key] = {
            "id": key,
            "created_at": created,
            "updated_at": created,
            "uuid": f"5e91dda1-1c16-467d-9bf9-{key:012}",
            "email": email,
            "name": "Erika Canaria",
            "attribs": {},
            "status": status,
            "lists": [],
        }

    def _list(self, asked: Asked) -> Answered:
        told_ = parameters(asked)
        rows = sorted(self.subscribers.values(), key=lambda row: (row["created_at"], row["id"]))
        if told_.get("query"):
            match = re.fullmatch(r"subscribers\.(id|email)\s*=\s*'?([^']*)'?", told_["query"])
            if match is None:
                return told({"message": "error preparing the query"}, 400)
            rows = [row for row in rows if str(row[match[1]]) == match[2]]
        if "sight" in self.lost:
            rows = []
        page, size = int(told_.get("page", 1)), min(int(told_.get("per_page", 20)), self.most)
        results = rows[(page - 1) * size : page * size]
        return told({"data": {"results": results, "total": len(rows), "per_page": size, "page": page}})

    def _delete(self, key: str) -> Answered:
        self.subscribers.pop(int(key), None)
        return told({"data": True})
