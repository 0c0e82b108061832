"""Every setting is in the reference with its true default, and the reference names none that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from retentiond.settings import Settings

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(?P<path>[\w.]+)` \| (?P<default>[^|]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)


def _leaves(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting's path with its default."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        named = f"{before}{name}"
        if get_origin(field.annotation) is tuple:
            yield named, field.default
            yield from _branches(field, f"{named}.")
        elif inner is None:
            yield named, field.get_default(call_default_factory=True, validated_data={})
        elif get_origin(field.annotation) is dict:
            yield named, field.default
            yield from _leaves(inner, f"{named}.NAME.")
        else:
            yield from _leaves(inner, f"{named}.")


def _branches(field: FieldInfo, before: str) -> Iterator[tuple[str, Any]]:
    """The settings of each kind that may stand in a list, under the kind's name; a secret is written the same everywhere."""
    kinds = get_args(get_args(get_args(field.annotation)[0])[0])
    assert len(kinds) > 1
    for kind in kinds:
        for name, inner in kind.model_fields.items():
            if name != "type":
                yield f"{before}{get_args(kind.model_fields['type'].annotation)[0]}.{name}", inner.default


def _shown(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if value in ({}, ()):
        return "empty"
    if isinstance(value, timedelta):
        return f"`P{value.days}D`"
    return f"`{value:.0%}`" if isinstance(value, float) else f"`{value}`"


def _documented() -> dict[str, str]:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    rows = [(match["path"], match["default"]) for match in ROW.finditer(text)]
    assert len(rows) == len(dict(rows)), "a setting stands in the reference twice"
    return dict(rows)


def test_every_setting_is_documented_with_its_default_and_no_other() -> None:
    assert _documented() == {path: _shown(default) for path, default in _leaves(Settings)}


def test_the_glossary_is_in_order_and_names_nothing_twice() -> None:
    words = re.findall(r"^\| \*\*([^*]+)\*\*", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert words == sorted(set(words), key=lambda word: word.replace("-", "").replace(" ", ""))
