"""How single values are written in the settings of files: zones, directories, patterns, names, numbers of days."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict


class OptionPart(BaseModel):
    """Some options that belong together; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


def _relative(text: str) -> str:
    if not text or text.startswith("/") or "\0" in text or {"", ".", ".."} & set(text.split("/")):
        raise ValueError("must be a pattern relative to the root, such as **/access.log*, without empty parts, . and ..")
    return text


def word(name: str) -> str:
    """The name of a date or fact as rules write it; raises ValueError where it is none."""
    if re.fullmatch(r"[a-z][a-z0-9_-]*", name) is None:
        raise ValueError("must be a word such as entry: small letters, digits, _ and -")
    return name


def days(value: object) -> object:
    """`P14D` as a span of time, None for `unknown`; raises ValueError for anything else."""
    if value == "unknown":
        return None
    match = re.fullmatch(r"P(\d{1,5})D", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a number of days such as P14D, or unknown where nobody knows")
    return timedelta(days=int(match[1]))


Zone = Annotated[str, AfterValidator(_known_zone)]
Directory = Annotated[str, AfterValidator(_absolute)]
Glob = Annotated[str, AfterValidator(_relative)]
Word = Annotated[str, AfterValidator(word)]
