"""What everything that a person writes in YAML is made of: names, text, and models that refuse unknown keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Written(BaseModel):
    """Something a person writes. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
"""A word that names something: letters, digits, dot, dash and underscore."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=100)]
"""The name of a policy or rule: small letters and digits, parted by dot, dash or underscore."""

Line = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
"""Text that is not empty."""


def tupled(value: object) -> object:
    """Take a list for a tuple, which a strict pydantic does not behind another validator."""
    return tuple(value) if isinstance(value, list) else value


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else tupled(value)


Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(_listed, json_schema_input_type=Name | list[Name]),
    Field(min_length=1),
]
"""One name, or a list of names."""


class Text(Written):
    """A designation in both languages."""

    de: Line
    en: Line
