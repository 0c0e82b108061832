"""What the settings say about that which decides about a record: its dates, and whom it is about."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator


class Option(BaseModel):
    """A part of the settings; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _column(name: str) -> str:
    if not name:
        raise ValueError("a column needs a name")
    return name


def _table(name: str) -> str:
    parts = name.split(".")
    if not all(parts) or len(parts) > 2:  # noqa: PLR2004 - schema and table
        raise ValueError("write `table` or `schema.table`")
    return name


Column = Annotated[str, AfterValidator(_column)]
Table = Annotated[str, AfterValidator(_table)]
Value = StrictBool | Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] | StrictStr
"""A plain value to compare a column with, or to set it to; text is never read as SQL."""
Matches = Annotated[dict[Column, Value], Field(min_length=1)]
"""Columns and the value each of them has; all together."""


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("this time zone is not known; write an IANA name such as Europe/Berlin or UTC")
    return name


class DateColumn(Option):
    """A column that holds one of the record's dates. NULL, and what cannot be read as a date, is an unknown date."""

    column: Column
    kind: Literal["date", "timestamp", "local-timestamp", "epoch"]
    """A day; an instant with its zone; wall time in `zone`; a number of `unit` since 1970."""
    zone: Annotated[str, AfterValidator(_zone)] | None = None
    """The IANA zone of a `local-timestamp`; required there and refused elsewhere."""
    unit: Literal["seconds", "milliseconds", "microseconds"] | None = None
    """What an `epoch` counts since 1970-01-01 UTC; required there and refused elsewhere."""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if (self.kind == "local-timestamp") != (self.zone is not None):
            raise ValueError("`zone` belongs to kind local-timestamp: required there, refused elsewhere")
        if (self.kind == "epoch") != (self.unit is not None):
            raise ValueError("`unit` belongs to kind epoch: required there, refused elsewhere")
        return self

    def zone_info(self) -> ZoneInfo:
        """The zone of a `local-timestamp`."""
        return ZoneInfo(self.zone or "UTC")
