"""Dates as databases hold them, and what they mean: an aware UTC datetime, a plain date, or nothing that is known."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from retentiond.connector import Cutoff, Moment
from retentiond_sql.deciding import DateColumn

_SLACK = timedelta(days=2)
"""More than two wall clocks of the world can differ by: a bound for the server may only be too wide."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})(:\d{2})?(?:\.(\d{1,6})\d*)? ?(Z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII)


class Form(StrEnum):
    """How a column holds its dates."""

    TYPED = "typed"
    """In a type of the database's own; read as the text the database makes of it."""
    TEXT = "text"
    """As ISO 8601 text. Sorts and is searched as text, so a column should keep to one way of writing."""
    NUMBER = "number"


def form_of(date_column: DateColumn, column_type: sa.types.TypeEngine[object], dialect: str) -> Form | None:
    """Tell how a column of this type holds this kind of date; None where it cannot."""
    if dialect == "sqlite":
        numeric = isinstance(column_type, (sa.Integer, sa.Numeric, sa.Float))
        if date_column.kind == "epoch":
            return Form.NUMBER if numeric else None
        # Whatever such a column is declared as, SQLite holds its dates as text.
        return None if isinstance(column_type, (sa.Integer, sa.Float, sa.LargeBinary)) else Form.TEXT
    if date_column.kind == "epoch":
        # Single precision cannot hold a second of our days.
        single = type(column_type).__name__ == ("REAL" if dialect == "postgresql" else "FLOAT")
        return Form.NUMBER if isinstance(column_type, (sa.Integer, sa.Numeric, sa.Float)) and not single else None
    if isinstance(column_type, sa.String) and not isinstance(column_type, sa.Enum):
        return Form.TEXT
    match date_column.kind:
        case "date":
            fits = isinstance(column_type, sa.Date)
        case "timestamp":
            # MySQL's TIMESTAMP is kept in UTC, its DATETIME has no zone.
            fits = isinstance(column_type, sa.TIMESTAMP) and (dialect != "postgresql" or bool(column_type.timezone))
        case "local-timestamp":
            fits = isinstance(column_type, sa.DateTime) and (
                not column_type.timezone if dialect == "postgresql" else not isinstance(column_type, sa.TIMESTAMP)
            )
    return Form.TYPED if fits else None


def as_text(column: sa.ColumnElement[Any], form: Form, dialect: str) -> sa.ColumnElement[Any]:
    """The column in the form that `parse` reads."""
    if form is not Form.TYPED:
        return column
    # As text, because drivers choke on what they cannot turn into a datetime: infinity, years BC, 0000-00-00.
    return sa.cast(column, sa.Text if dialect == "postgresql" else sa.CHAR)


def parse(date_column: DateColumn, raw: object, form: Form) -> Moment | None:
    """What the value means; None where it is unknown: NULL, zero dates, infinity, out of range, garbage."""
    try:
        match date_column.kind:
            case "date":
                return date.fromisoformat(raw) if isinstance(raw, str) and _DATE.fullmatch(raw) else None
            case "timestamp":
                moment = _written(raw)
                if moment is not None and moment.tzinfo is None and form is Form.TYPED:
                    moment = moment.replace(tzinfo=UTC)  # the session's zone, in which MariaDB tells instants
                return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
            case "local-timestamp":
                moment = _written(raw)
                return None if moment is None else _at(moment, date_column)
            case "epoch":
                return _counted(raw, _MICROSECONDS[date_column.unit or "seconds"])
    except (ValueError, OverflowError, InvalidOperation):
        return None


def _written(raw: object) -> datetime | None:
    match = _TIMESTAMP.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        return None
    day, minute, second, fraction, offset = match.groups()
    return datetime.fromisoformat(f"{day}T{minute}{second or ':00'}.{(fraction or '0').ljust(6, '0')}{offset or ''}")


def _at(moment: datetime, date_column: DateColumn) -> datetime:
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    # A wall time that comes twice, or never, at the change of clocks: the later reading, which keeps longer.
    zone = date_column.zone_info()
    return max(moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def _counted(raw: object, microseconds: int) -> datetime | None:
    if isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal)):
        return None
    return _EPOCH + timedelta(microseconds=int(Decimal(str(raw)) * microseconds // 1))


def bound(date_column: DateColumn, form: Form, cutoff: Cutoff) -> object:
    """A value that every record before the cutoff is smaller than, in the column's own terms; it may be too big."""
    match date_column.kind, form:
        case "date", Form.TYPED:
            return cutoff.before_date
        case "date", _:
            return cutoff.before_date.isoformat()
        case "epoch", _:
            return ((cutoff.before - _EPOCH) // timedelta(microseconds=1)) // _MICROSECONDS[date_column.unit or "seconds"] + 1
        case "timestamp", Form.TYPED:
            return cutoff.before
        case "local-timestamp", Form.TYPED:
            return _later(cutoff.before).replace(tzinfo=None)
        case _:
            return _later(cutoff.before).date().isoformat()


def _later(moment: datetime) -> datetime:
    latest = datetime.max.replace(tzinfo=UTC)
    return moment.astimezone(UTC) + _SLACK if moment < latest - _SLACK else latest


def suspect(date_column: DateColumn, form: Form, column: sa.ColumnElement[object], dialect: str) -> sa.ColumnElement[bool]:
    """A condition that holds wherever the date is unknown; it may hold elsewhere."""
    if dialect == "sqlite" or form is Form.TEXT:
        return sa.true()  # any text may be garbage: all of it is read, and judged here
    if form is Form.NUMBER:
        per_second = 1_000_000 // _MICROSECONDS[date_column.unit or "seconds"]
        ends = [
            int((end - _EPOCH).total_seconds()) * per_second
            for end in (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
        ]
        return sa.or_(column.is_(None), column < ends[0], column > ends[1])
    ends_typed = column < sa.literal_column("'0001-01-03'"), column >= sa.literal_column("'9999-12-29'")
    if dialect == "postgresql":
        return sa.or_(column.is_(None), *ends_typed)  # infinities lie beyond the ends
    written, last = sa.cast(column, sa.CHAR), sa.func.last_day(column)
    zero = written.like("0000%"), written.like("%-00%"), last.is_(None)
    # A 30 February, which MariaDB keeps where ALLOW_INVALID_DATES lets it in.
    return sa.or_(column.is_(None), *ends_typed, *zero, sa.func.dayofmonth(column) > sa.func.dayofmonth(last))
