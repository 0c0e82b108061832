from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from retentiond.document import read
from retentiond.policy.schema import json_schema

SAMPLES = sorted((Path(__file__).parents[2] / "data/policies").glob("*.yaml"))


def problems(data: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(json_schema()).iter_errors(data)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_loads_is_valid(path: Path) -> None:
    assert problems(read(path).data) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("holds", ["for ever"]),
        ("action", "destroy"),
        ("approval", "nobody"),
        ("keep_at_least", "never"),
        ("delete_by", {"period": "14D", "counted": "exact"}),
        ("delete_by", {"period": "P14D", "counted": "roughly"}),
        ("limits", {"records": 5}),
        ("starts", {"on": "entry"}),
        ("categories", "name"),
    ],
)
def test_what_the_schema_can_tell_is_invalid(key: str, value: object) -> None:
    data = read(SAMPLES[-1]).data
    data["rules"][0][key] = value
    assert problems(data)


def test_every_key_is_explained_or_has_a_telling_title() -> None:
    properties = json_schema()["$defs"]["Rule"]["properties"]
    assert {"starts", "keep_at_least", "delete_after", "delete_by", "limits", "approval"} <= set(properties)
    assert "else" in json_schema()["$defs"]["StartSpec"]["properties"]
    assert "from" in json_schema()["$defs"]["Bound"]["properties"]
