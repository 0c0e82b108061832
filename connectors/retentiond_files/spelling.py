"""How single values are written in the settings of files: patterns, and names of dates and facts."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator


def _relative(text: str) -> str:
    if not text or text.startswith("/") or "\0" in text or {"", ".", ".."} & set(text.split("/")):
        raise ValueError("must be a pattern relative to the root, such as **/access.log*, without empty parts, . and ..")
    return text


def word(name: str) -> str:
    """The name of a date or fact as rules write it; raises ValueError where it is none."""
    if re.fullmatch(r"[a-z][a-z0-9_-]*", name) is None:
        raise ValueError("must be a word such as entry: small letters, digits, _ and -")
    return name


Glob = Annotated[str, AfterValidator(_relative)]
Word = Annotated[str, AfterValidator(word)]
