"""How values that many connectors ask for are written in the settings: zones, directories, spans of days, surviving copies."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class OptionPart(BaseModel):
    """Some options that belong together; unknown keys are refused, and no error repeats what was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no IANA time zone such as Europe/Berlin") from None
    return zone


def _absolute(text: str) -> str:
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or "\0" in text:  # noqa: PLR2004 - "/" alone is one part
        raise ValueError("must be the absolute path of a directory below /, without ..")
    return str(path)


def _life(value: object) -> object:
    if value == "unknown":
        return None
    match = re.fullmatch(r"P(\d{1,5})D", value, re.ASCII) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a number of days such as P14D, or unknown where nobody knows")
    return timedelta(days=int(match[1]))


Zone = Annotated[str, AfterValidator(_known_zone)]
"""An IANA time zone."""
Directory = Annotated[str, AfterValidator(_absolute)]
"""The absolute path of a directory that is not the root of everything."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
"""What rules call a date or a fact."""
Life = Annotated[timedelta | None, BeforeValidator(_life)]
"""`P14D`, or None for `unknown`."""


class CopyOption(OptionPart):
    """A copy of the data that outlives a delete here."""

    name: str = Field(min_length=1)
    lives: Life
    """How long at the longest; None where nobody knows."""
