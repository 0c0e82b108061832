"""A fake of OpenAI: what an application stored, listed by cursors, and deleted as carelessly as documented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.vendors.fake import Fake, Handler, parameters, told
from support.webserver import Answered, Asked

KEY = "sk-canary"


@dataclass
class OpenAI(Fake):
    """Files, vector stores, chat completions, responses and conversations with their items."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)
    within: dict[str, list[str]] = field(default_factory=dict)
    """The files of each vector store."""
    chats: dict[str, dict[str, Any]] = field(default_factory=dict)
    responses: dict[str, dict[str, Any]] = field(default_factory=dict)
    conversations: dict[str, dict[str, Any]] = field(default_factory=dict)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The items of each conversation; they outlive it."""
    retention: str = "zero_data_retention"
    project_retention: str = "organization_default"
    most: int = 3
    """No page has more, whatever is asked for."""

    def known(self, asked: Asked) -> bool:
        return asked.headers.get("authorization") == f"Bearer {KEY}"

    def problem(self, status: int) -> Answered:
        return told({"error": {"message": "for Erika Canaria", "type": "invalid_request_error", "code": "x"}}, status)

    def routes(self) -> Mapping[str, Handler]:
        one = "([^/]+)"
        return {
            "GET /v1/files": lambda asked: self._listed(asked, self.files),
            f"GET /v1/files/{one}": lambda _, key: self._one(self.files, key),
            f"DELETE /v1/files/{one}": lambda _, key: self._delete_file(key),
            "GET /v1/vector_stores": lambda asked: self._listed(asked, self.stores),
            f"GET /v1/vector_stores/{one}": lambda _, key: self._one(self.stores, key),
            f"DELETE /v1/vector_stores/{one}": lambda _, key: self._deleted(self.stores, key, "vector_store.deleted"),
            f"GET /v1/vector_stores/{one}/files": self._inside,
            f"GET /v1/vector_stores/{one}/files/{one}": lambda _, store, key: self._one(self._files_of(store), key),
            f"DELETE /v1/vector_stores/{one}/files/{one}": self._take_out,
            "GET /v1/chat/completions": lambda asked: self._listed(asked, self.chats, "asc"),
            f"GET /v1/chat/completions/{one}": lambda _, key: self._one(self.chats, key),
            f"DELETE /v1/chat/completions/{one}": lambda _, key: self._deleted(self.chats, key, "chat.completion.deleted"),
            f"GET /v1/responses/{one}": lambda _, key: self._one(self.responses, key),
            f"DELETE /v1/responses/{one}": lambda _, key: self._deleted(self.responses, key, "response"),
            f"GET /v1/conversations/{one}": lambda _, key: self._one(self.conversations, key),
            f"DELETE /v1/conversations/{one}": lambda _, key: self._deleted(self.conversations, key, "conversation.deleted"),
            f"GET /v1/conversations/{one}/items": self._items,
            f"DELETE /v1/conversations/{one}/items/{one}": self._delete_item,
            f"GET /v1/organization/projects/{one}/data_retention": lambda _, _project: told(
                {"object": "project.data_retention", "type": self.project_retention}
            ),
            "GET /v1/organization/data_retention": lambda _: told(
                {"object": "organization.data_retention", "type": self.retention}
            ),
        }

    def put_file(self, key: str, created: int, purpose: str = "assistants") -> None:
        """As if it had been uploaded."""
        self.files[key] = {
            "id": key,
            "object": "file",
            "bytes": 12,
            "created_at": created,
            "filename": "Erika Canaria.txt",
            "purpose": purpose,
            "status": "processed",
        }

    def put_store(self, key: str, created: int, *files: str) -> None:
        """A vector store with these files."""
        counts = {"in_progress": 0, "completed": len(files), "failed": 0, "cancelled": 0, "total": len(files)}
        self.stores[key] = {
            "id": key,
            "object": "vector_store",
            "created_at": created,
            "last_active_at": created,
            "name": "Erika",
            "usage_bytes": 1,
            "file_counts": counts,
            "status": "completed",
            "metadata": {},
        }
        self.within[key] = list(files)

    def put_response(self, key: str, created: int) -> None:
        """A stored response."""
        self.responses[key] = {
            "id": key,
            "object": "response",
            "created_at": created,
            "model": "gpt-x",
            "status": "completed",
            "output": [],
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
        }

    def put_conversation(self, key: str, created: int, *texts: str) -> None:
        """A conversation with an item for each text."""
        self.conversations[key] = {"id": key, "object": "conversation", "created_at": created, "metadata": {}}
        self.items[key] = [
            {
                "id": f"msg_{key}_{number}",
                "type": "message",
                "role": "user",
                "status": "completed",
                "content": [{"type": "input_text", "text": text}],
            }
            for number, text in enumerate(texts)
        ]

    def put_chat(self, key: str, created: int) -> None:
        """A stored chat completion."""
        self.chats[key] = {"id": key, "object": "chat.completion", "created": created, "model": "gpt-x", "choices": []}

    def _listed(self, asked: Asked, held: Mapping[str, dict[str, Any]], order: str = "desc") -> Answered:
        if "sight" in self.lost:
            held = {}
        told_ = parameters(asked)
        stamp = "created" if held is self.chats else "created_at"
        rows = sorted(held.values(), key=lambda row: (row.get(stamp, 0), row["id"]), reverse=told_.get("order", order) == "desc")
        if (after := told_.get("after")) is not None:
            places = [number for number, row in enumerate(rows) if row["id"] == after]
            if not places:
                return self.problem(400)  # the cursor was deleted
            rows = rows[places[0] + 1 :]
        page = rows[: min(int(told_.get("limit", 20)), self.most)]
        return told(
            {
                "object": "list",
                "data": page,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
                "has_more": len(page) < len(rows),
            }
        )

    def _one(self, held: Mapping[str, dict[str, Any]], key: str) -> Answered:
        return told(held[key]) if key in held and "sight" not in self.lost else self.problem(404)

    def _deleted(self, held: dict[str, dict[str, Any]], key: str, kind: str) -> Answered:
        if key not in held or "sight" in self.lost:
            return self.problem(404)
        del held[key]
        return told({"id": key, "object": kind, "deleted": True})

    def _delete_file(self, key: str) -> Answered:
        for files in self.within.values():
            files[:] = [one for one in files if one != key]
        return self._deleted(self.files, key, "file")

    def _files_of(self, store: str) -> dict[str, dict[str, Any]]:
        return {
            key: {
                "id": key,
                "object": "vector_store.file",
                "created_at": self.files[key]["created_at"],
                "vector_store_id": store,
                "usage_bytes": 1,
                "status": "completed",
                "last_error": None,
            }
            for key in (self.within[store] if store in self.stores else ())
        }

    def _inside(self, asked: Asked, store: str) -> Answered:
        return self._listed(asked, self._files_of(store)) if store in self.stores else self.problem(404)

    def _take_out(self, _: Asked, store: str, key: str) -> Answered:
        if key not in self._files_of(store):
            return self.problem(404)
        self.within[store].remove(key)  # the file itself stays
        return told({"id": key, "object": "vector_store.file.deleted", "deleted": True})

    def _items(self, asked: Asked, key: str) -> Answered:
        if key not in self.conversations:
            return self.problem(404)  # whatever is left of them can be listed no more
        return self._listed(asked, {item["id"]: item for item in self.items[key]})

    def _delete_item(self, _: Asked, key: str, item: str) -> Answered:
        if key not in self.conversations or item not in {one["id"] for one in self.items[key]}:
            return self.problem(404)
        self.items[key] = [one for one in self.items[key] if one["id"] != item]
        return told(self.conversations[key])
