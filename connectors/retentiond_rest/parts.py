"""What the parts of a manifest share."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from retentiond_rest.places import Place, pointed


class Part(BaseModel):
    """A part of a manifest; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _days(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"P(\d{1,5})D", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a number of days such as P30D")
    return timedelta(days=int(match[1]))


def _lives(value: object) -> object:
    if value is None or value == "unknown":
        return None
    try:
        return _days(value)
    except ValueError:
        raise ValueError("must be a number of days such as P30D, or unknown where nobody knows") from None


Days = Annotated[timedelta, BeforeValidator(_days)]
Lives = Annotated[timedelta | None, BeforeValidator(_lives)]


class CopyPart(Part):
    """A copy of the data that outlives a delete here."""

    name: str = Field(min_length=1)
    lives: Lives
    """How long at the longest; None where nobody knows."""


class Shape(Part):
    """Something that an answer is told by."""

    at: Place
    there: bool | None = None
    """Whether anything stands there."""
    equals: tuple[Any, ...] | None = None
    """What stands there is one of these."""
    differs: tuple[Any, ...] | None = None
    """Something stands there, and it is none of these."""

    @model_validator(mode="after")
    def _one(self) -> Shape:
        if sum(told is not None for told in (self.there, self.equals, self.differs)) != 1:
            raise ValueError("say exactly one of there, equals and differs")
        return self

    def fits(self, body: Any) -> bool:
        """True where the body has this shape."""
        value = pointed(body, self.at)
        if self.equals is not None:
            return _among(value, self.equals)
        there = value is not None and value != ""
        return there and not _among(value, self.differs) if self.differs is not None else there is self.there


def _among(value: Any, words: tuple[Any, ...]) -> bool:
    return any(type(value) is type(one) and value == one for one in words)


class ErrorShape(Shape):
    """An error inside of an answer whose status says that all is well."""

    means: Literal["forbidden", "unavailable", "refused", "unreadable", "unsupported", "referenced"]
    """`unavailable`: another try may help."""
