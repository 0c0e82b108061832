"""Every key of a manifest has its row in the reference, and no row is of a key that there is not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from retentiond_rest.manifest import Manifest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rest-manifest.md"


def models(kind: Any, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """The models that a manifest is made of, each once, and those that they inherit from."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind in seen or not kind.model_fields:
            return
        seen.add(kind)
        for parent in kind.__bases__:
            yield from models(parent, seen)
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation, seen)
        return
    for part in get_args(kind):
        yield from models(part, seen)


def test_the_reference_has_a_row_for_each_key_and_no_other() -> None:
    own = Counter(
        field.alias or name
        for model in models(Manifest, set())
        for name, field in model.model_fields.items()
        if name in model.__annotations__
    )
    told = Counter(re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == own


def test_no_row_of_the_reference_is_empty() -> None:
    assert re.findall(r"^\| `[a-z_]+` \|\s*(?:Needed\. )?\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == []
