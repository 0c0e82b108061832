"""A worked example that tests its rule."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator

from retentiond.model.record import Fact, Moment
from retentiond.model.written import Name, Written

KEPT = "kept"
"""In `Case.due`: no moment is known, or none ever comes, at which this record is to go."""


def _moment(value: object) -> object:
    """Read a date or an instant with its offset; anything else is an error."""
    if isinstance(value, datetime | date):
        return value
    if isinstance(value, str):
        # What looks like a moment may be none: 30 February, or an offset that leads out of the calendar.
        with suppress(ValueError, OverflowError):
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
                return date.fromisoformat(value)
            if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", value, re.ASCII):
                return datetime.fromisoformat(value).astimezone(UTC)
    raise ValueError("write a date such as 2025-10-20, or an instant with its offset such as 2025-10-20T10:15:30+02:00")


def _instant(value: object) -> object:
    with suppress(ValueError):
        if isinstance(moment := _moment(value), datetime):
            return moment
    raise ValueError("write an instant with its offset such as 2025-10-20T10:15:30+02:00")


def _due(value: object) -> object:
    if value == KEPT:
        return None
    try:
        return _instant(value)
    except ValueError as error:
        raise ValueError(f"{error}, or `{KEPT}`") from None


def _case_starts(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _moment(moment) for name, moment in value.items()}
    return _moment(value)


def _as_is(value: Any) -> Any:
    return value  # pydantic takes what a plain validator makes for unchanged, and warns when it is not


class Case(Written):
    """A worked example that tests its rule."""

    starts: Annotated[
        Moment | dict[str, Moment],
        PlainValidator(_case_starts, json_schema_input_type=str | dict[Name, str]),
        PlainSerializer(_as_is),
    ]
    """The record's dates by name, or the one date where the rule knows only one. A date left out is unknown."""
    due: Annotated[datetime | None, PlainValidator(_due, json_schema_input_type=str), PlainSerializer(_as_is)] = Field(
        description=f"an instant with its offset, or `{KEPT}` where the record is never to go"
    )
    """When the record is to go, or for a rule that only blocks, to be blocked (UTC); None where it never is."""
    blocked: Annotated[datetime | None, PlainValidator(_instant, json_schema_input_type=str), PlainSerializer(_as_is)] = None
    """From when it is to be blocked until it goes (UTC); None where that is not tested."""
    facts: dict[Name, Fact] = Field(default_factory=dict)
    """The record's facts; a fact left out is unknown."""
