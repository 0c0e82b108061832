"""A fake of meetergo, which lists the bookings of one user, and cancels loudly what others would call deleting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, parameters, told
from support.webserver import Answered, Asked

KEY, USER = "ak_live:1:canary", "user-1"


@dataclass
class Meetergo(Fake):
    """Appointments."""

    appointments: list[dict[str, Any]] = field(default_factory=list)
    most: int = 3

    def known(self, asked: Asked) -> bool:
        return asked.headers.get("authorization") == f"Bearer {KEY}" and asked.headers.get("x-meetergo-api-user-id") == USER

    def routes(self) -> Mapping[str, Handler]:
        return {"GET /v4/appointment/paginated": self._list}

    def put(self, key: str, end: str, email: str, cancelled: str | None = None) -> None:
        """An appointment."""
        cancel = None if cancelled is None else {"actionAt": cancelled, "reason": "ill"}
        self.appointments.append(
            {
                "id": key,
                "start": end,
                "end": end,
                "isCancelled": cancelled is not None,
                "cancel": cancel,
                "attendees": [{"email": email, "name": "Erika"}, {"email": "host@example.org"}],
                "createdAt": end,
                "updatedAt": end,
            }
        )

    def _list(self, asked: Asked) -> Answered:
        page, limit = int(parameters(asked).get("page", 1)), min(int(parameters(asked).get("limit", 100)), self.most)
        rows = self.appointments[(page - 1) * limit : page * limit]
        return told({"appointments": rows, "total": len(self.appointments)})
