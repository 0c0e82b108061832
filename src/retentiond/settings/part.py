"""What the parts of the settings are made of: models that refuse unknown keys, places, numbers and spans."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_SPAN = re.compile(r"P(?:([0-9]{1,4})D)?(?:T([0-9]{1,5})H)?")


class Part(BaseModel):
    """One part of the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


def whole(value: object) -> object:
    """`value`, unless it is true or false, which pydantic would read as 1 or 0 and so switch a limit to one record."""
    if isinstance(value, bool):
        raise ValueError("a whole number is wanted here, not true or false")  # noqa: TRY004 - pydantic reports only ValueError
    return value


def _path(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("a path is wanted here; the text is empty")
    return value


def _span(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    # Whole days and hours only: what a month is would have to be said by a calendar.
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not (found := timedelta(days=int(match[1] or 0), hours=int(match[2] or 0))):
        raise ValueError("a span is written in ISO 8601 days or hours, at least one hour, for example P7D or PT12H")
    return found


Span = Annotated[timedelta, BeforeValidator(_span)]
"""Written as `P7D` or `PT12H`."""

Count = Annotated[int, BeforeValidator(whole), Field(gt=0)]
Place = Annotated[Path, BeforeValidator(_path)]
