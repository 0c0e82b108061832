"""The JSON Schema of a policy, for editors that help while one is written."""

from __future__ import annotations

from typing import Any

from retentiond.model.policy import Policy


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) that every policy which loads is valid against.

    It tells less than the loader: what several keys must be together only the loader knows.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Policy.model_json_schema(by_alias=True)}
