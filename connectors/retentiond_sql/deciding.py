"""What the settings say about that which decides about a record: its dates, and its facts."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    model_validator,
)


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
Conditions = dict[Column, Value | Annotated[tuple[Value, ...], Field(min_length=1)] | None]
"""Columns, each with the value it has or the values it may have; None means NULL."""


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


class Related(Option):
    """Rows of another table that refer to the record, in the eyes of the database's own equality."""

    table: Table
    refers: Annotated[dict[Column, Column], Field(min_length=1)]
    """Columns of that table, each with the column of the record's table that it refers to."""


class RelatedDate(Related, DateColumn):
    """A date of the related rows."""


class LatestOf(Option):
    """A date that is worked out: the latest date of the related rows; unknown where there are none."""

    latest_of: RelatedDate


class Exists(Related):
    """Whether there is a related row."""

    where: Conditions = Field(default_factory=dict)
    """Only rows that fulfil this count; absent means all."""


class Aggregate(Related):
    """Whether what was made of the records may stand for them: it is there, each cell is big enough, and it names nobody."""

    count: Column
    """How many people a row is made of."""
    at_least: Annotated[int, Field(ge=2)] = 5
    """How many these have to be in every row."""
    columns: tuple[Column, ...] = ()
    """All other columns of the table, so that a new one is noticed: until it is named here the fact is false."""


class FactOption(Option):
    """A named value that rules may ask for. Exactly one of its ways to be known is said."""

    column: Column | None = None
    """A column of the record's row: true or false, a whole number or text; NULL is unknown."""
    exists: Exists | None = None
    aggregate: Aggregate | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.column, self.exists, self.aggregate)) != 1:
            raise ValueError("say exactly one of `column`, `exists`, `aggregate`")
        return self


class Claim(Option):
    """What one data set takes for its own: whole rows, or some fields of them. Its rows may lie in two tables."""

    tables: tuple[Table, ...]
    only: Conditions
    fields: tuple[Column, ...]
    """Empty for a claim on whole rows."""

    def contests(self, other: Claim) -> bool:
        """True where both cannot have the same row: both take it whole, or share a field. Fields and whole rows go together."""
        if self.fields or other.fields:
            return not set(self.fields).isdisjoint(other.fields)
        return True


def _date_tag(told: object) -> str:
    computed = isinstance(told, LatestOf) or (isinstance(told, dict) and "latest_of" in told)
    return "worked out" if computed else "in the row"


DateOption = Annotated[
    Annotated[DateColumn, Tag("in the row")] | Annotated[LatestOf, Tag("worked out")], Discriminator(_date_tag)
]
"""Where one of a record's dates is taken from."""
