"""Every key of a policy is explained where policies are explained, and the law's catalogue is shown as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from retentiond.model.law import LAW
from retentiond.policy.schema import json_schema

PAGE = (Path(__file__).parents[2] / "policies/README.md").read_text(encoding="utf-8")


def _keys(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", {}))
        for value in schema.values():
            found |= _keys(value)
    elif isinstance(schema, list):
        for value in schema:
            found |= _keys(value)
    return found


def test_every_key_of_the_schema_is_explained() -> None:
    keys = _keys(json_schema())
    assert {"valid_from", "derived_from", "four_eyes", "lead", "expect"} <= keys
    assert {key for key in keys if not re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`|\b{key}: ", PAGE)} == set()


def test_the_catalogue_is_shown_as_it_is() -> None:
    assert f"`{LAW.catalogue}`, as of {LAW.as_of}" in PAGE
    for name, law in LAW.classes.items():
        assert re.search(rf"^\| `{name}` \| .* \| {law.period} {law.counted}.*{re.escape(law.basis[0])}", PAGE, re.MULTILINE), (
            name
        )
    for source in LAW.sources:
        assert f"| {source.what} | {source.as_of} | {source.where} |" in PAGE
