"""Where a value stands in what a system told of a record: JSON pointers, and nothing cleverer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator

_PLACE = re.compile(r"(?:(?:row|parent|path):)?(?:/[^/]*)*")


def _is_place(text: str) -> str:
    if _PLACE.fullmatch(text) is None:
        raise ValueError("must be a place such as /created_at, row:/closed_at, parent:/id or path:/name")
    return text


Place = Annotated[str, AfterValidator(_is_place)]
"""`/a/0/b` in the record itself; `row:` in the row of the application's own table, `parent:` in the record it belongs to, and
`path:/folder`, `path:/name` in where it lies."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that is told of one record. Its content: it goes into no message and no log."""

    body: Any = field(repr=False)
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parent: Any = field(default=None, repr=False)
    path: Mapping[str, str] = field(default_factory=dict, repr=False)

    def at(self, place: str) -> Any:
        """What stands at the place; None where nothing does."""
        origin, colon, pointer = place.partition(":") if not place.startswith("/") else ("", "", place)
        if not colon:
            return pointed(self.body, pointer or origin)
        return pointed({"row": self.row, "parent": self.parent, "path": self.path}[origin], pointer)


def pointed(value: Any, pointer: str) -> Any:
    """What a JSON pointer leads to; None where it leads nowhere. The empty one leads to all of it, `*` to each item of a list."""
    steps = pointer.split("/")[1:]
    for number, step in enumerate(steps):
        if step == "*" and isinstance(value, list):
            rest = "".join(f"/{one}" for one in steps[number + 1 :])
            return [pointed(inner, rest) for inner in value]
        step = step.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - as RFC 6901 writes a slash and a tilde
        match value:
            case dict():
                value = value.get(step)
            case list() if step.isascii() and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            case _:
                return None
    return value
