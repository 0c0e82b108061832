"""Texts with holes such as `{id}`: filled with one value each, encoded for where they stand, and never computed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from retentiond.connector import ConnectorError

_HOLE = re.compile(r"\{([^{}]*)\}")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
WHOLE = "int:"
"""`{int:NAME}` takes a whole number only; a body's text that is nothing else becomes one."""
DEEP = frozenset({"folder", "path"})
"""Holes that stand for several steps of a path, each encoded by itself."""

Values = Mapping[str, str]
"""What the holes are filled with, by their names."""


def holes(template: Any) -> set[str]:
    """The names of all holes in a text, or in the texts of a body."""
    match template:
        case str():
            return {name.removeprefix(WHOLE) for name in _HOLE.findall(template)}
        case dict():
            return {name for inner in template.values() for name in holes(inner)}
        case list() | tuple():
            return {name for inner in template for name in holes(inner)}
        case _:
            return set()


def filled(template: str, values: Values) -> str:
    """The text with its holes filled, as they are."""
    return _HOLE.sub(lambda hole: _text(hole[1], values), template)


def filled_path(template: str, values: Values) -> str:
    """The path with its holes filled and percent-encoded.

    Raises `ConnectorError` (`unsupported`) where a value is no step of a path: an empty one, `.` and `..` would make
    the request one for something else.
    """

    def encoded(hole: re.Match[str]) -> str:
        name = hole[1]
        steps = values[name].split("/") if name in DEEP else [values[name]]
        if name == "folder" and steps == [""]:
            return ""
        if any(step in {"", ".", ".."} for step in steps):
            raise ConnectorError("The key of a record is no step of an address; nothing was asked.", "unsupported")
        text = "/".join(quote(step, safe="") for step in steps)
        return f"{text}/" if name == "folder" else text

    return _HOLE.sub(encoded, template)


def filled_data(template: Any, values: Values) -> Any:
    """The body with the holes of its texts filled."""
    match template:
        case str():
            return _value(template, values)
        case dict():
            return {key: filled_data(inner, values) for key, inner in template.items()}
        case list() | tuple():
            return [filled_data(inner, values) for inner in template]
        case _:
            return template


def _value(template: str, values: Values) -> str | int:
    hole = _HOLE.fullmatch(template)
    if hole is None or not hole[1].startswith(WHOLE):
        return filled(template, values)
    return int(_text(hole[1], values))


def _text(name: str, values: Values) -> str:
    text = values[name.removeprefix(WHOLE)]
    if name.startswith(WHOLE) and _INTEGER.fullmatch(text) is None:
        raise ConnectorError("The key of a record is no whole number; nothing was asked.", "unsupported")
    return text
