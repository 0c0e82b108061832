"""How a setting at a vendor is read, and what its values mean in the words of a policy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from retentiond_rest.parts import Part
from retentiond_rest.places import Place
from retentiond_rest.requests import ReadingRequest

_UNITS = {"days": "P{}D", "seconds": "PT{}S", "number": "{}"}


class Meaning(Part):
    """What one value of the vendor means."""

    is_: Any = Field(alias="is")
    """The value, of just this type."""
    tell: str = Field(min_length=1)
    """What it means: `on`, `off`, a duration such as P3D, or a word."""


class Setting(ReadingRequest):
    """One setting at the vendor. A value without a meaning is not told, which counts as not met."""

    at: Place
    """Where it stands in the answer."""
    words: tuple[Meaning, ...] = ()
    """What its values mean."""
    counts: Literal["days", "seconds", "number"] | None = None
    """What a whole number counts."""

    @model_validator(mode="after")
    def _meant(self) -> Setting:
        if bool(self.words) == (self.counts is not None):
            raise ValueError("say exactly one of words and counts")
        return self

    def told(self, value: Any) -> str | None:
        """What the value means in the words of a policy; None where nobody said."""
        if self.counts is not None:
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            return _UNITS[self.counts].format(value) if whole else None
        return next((one.tell for one in self.words if type(one.is_) is type(value) and one.is_ == value), None)
