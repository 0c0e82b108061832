"""How long something is kept, and how that time is counted. Calendar periods: a year is a year, not 365 days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

LONGEST_YEARS = 500
"""A longer period is a slip of the pen; refusing it also keeps every due moment inside the calendar."""

_UNEVEN = 5
"""By how many days at the most a number of months differs from as many average ones."""

_NUMBER = "([0-9]{1,9})"
_ISO = re.compile(
    rf"P(?=.)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
)
_ALLOWED = "a period is ISO 8601 text with whole numbers and units, such as P14D, P6M, P3Y or PT30M"


class Counted(StrEnum):
    """The way a period is counted. `next-workday` moves a last day off weekends and the holidays of Hesse."""

    EXACT = "exact"
    """From the instant, keeping the wall clock across daylight saving; time parts are elapsed time."""
    DAY_END = "day-end"
    """The day of the event does not count, and the last day counts in full (sections 187, 188 BGB)."""
    DAY_END_WORKDAY = "day-end-next-workday"
    CALENDAR_YEAR_END = "calendar-year-end"
    """From the end of the calendar year of the event (section 147(4) AO, 257(5) HGB, 199(1) BGB)."""
    CALENDAR_YEAR_END_WORKDAY = "calendar-year-end-next-workday"

    @property
    def to_workday(self) -> bool:
        """True where a last day on a weekend or holiday moves to the next working day."""
        return self in (Counted.DAY_END_WORKDAY, Counted.CALENDAR_YEAR_END_WORKDAY)

    @property
    def by_year(self) -> bool:
        """True where the period starts with the end of the calendar year."""
        return self in (Counted.CALENDAR_YEAR_END, Counted.CALENDAR_YEAR_END_WORKDAY)


@dataclass(frozen=True, slots=True)
class RetentionPeriod:
    """A calendar period such as `P3Y`; its parts are never turned into one another."""

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ISO 8601 text; raise `ValueError` for anything else, also for bare, negative and fractional numbers."""
        match = _ISO.fullmatch(text)
        if match is None:
            raise ValueError(_ALLOWED)
        period = cls(*(int(part or 0) for part in match.groups()))
        if _days(period.whole_months) + period.whole_days + period.elapsed_seconds / 86_400 > _days(12 * LONGEST_YEARS):
            raise ValueError(f"a period is at most {LONGEST_YEARS} years long")
        return period

    @property
    def whole_months(self) -> int:
        """The years and months, which are added in one step, in months."""
        return 12 * self.years + self.months

    @property
    def whole_days(self) -> int:
        """The weeks and days, in days."""
        return 7 * self.weeks + self.days

    @property
    def elapsed_seconds(self) -> int:
        """The hours, minutes and seconds, which are elapsed time, in seconds."""
        return 3600 * self.hours + 60 * self.minutes + self.seconds

    @property
    def shortest_days(self) -> int:
        """No period of these parts lasts fewer days, wherever it starts."""
        return _days(self.whole_months) - _UNEVEN * bool(self.whole_months) + self.whole_days

    @property
    def longest_days(self) -> int:
        """No period of these parts lasts more days, wherever it starts."""
        rounded_up = -(-self.elapsed_seconds // 86_400)
        return _days(self.whole_months) + _UNEVEN * bool(self.whole_months) + self.whole_days + rounded_up

    def __str__(self) -> str:
        calendar = _written([(self.years, "Y"), (self.months, "M"), (self.weeks, "W"), (self.days, "D")])
        time = _written([(self.hours, "H"), (self.minutes, "M"), (self.seconds, "S")])
        return f"P{calendar}T{time}" if time else f"P{calendar or '0D'}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        # Of one's own, because pydantic reads P3Y as 1095 days.
        return core_schema.no_info_plain_validator_function(cls._validated, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def _validated(cls, value: object) -> RetentionPeriod:
        if isinstance(value, RetentionPeriod):
            return value
        if not isinstance(value, str):
            raise ValueError(_ALLOWED)  # noqa: TRY004 - pydantic turns a ValueError, not a TypeError, into a problem
        return cls.parse(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        pattern = "^" + _ISO.pattern.replace("(?:", "(").replace("([0-9]{1,9})", "[0-9]{1,9}") + "$"
        return {"type": "string", "pattern": pattern, "description": _ALLOWED, "examples": ["P14D", "P6M", "P3Y", "PT30M"]}


def _days(months: int) -> int:
    return months * 146_097 // 4800  # 400 years of the Gregorian calendar


def _written(parts: list[tuple[int, str]]) -> str:
    return "".join(f"{number}{unit}" for number, unit in parts if number)


@dataclass(frozen=True, slots=True)
class Term:
    """A period and the way it is counted."""

    period: RetentionPeriod
    counted: Counted

    def __post_init__(self) -> None:
        """Raise `ValueError` where hours, minutes or seconds are to be counted in days or years."""
        if self.period.elapsed_seconds and self.counted is not Counted.EXACT:
            raise ValueError("hours, minutes and seconds can only be counted `exact`")
