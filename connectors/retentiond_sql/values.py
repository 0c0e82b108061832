"""Values between the database, the text form of keys and the digests: exact, whatever collation or session."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, cast

import sqlalchemy as sa

from retentiond.connector import Fact
from retentiond_sql.deciding import Conditions


class Native(sa.types.UserDefinedType[Any]):
    """A value as the driver has it: SQLAlchemy neither converts nor casts it."""

    cache_ok = True

    def get_col_spec(self, **_kw: Any) -> str:
        """Never asked for, because no table is made with it."""
        raise NotImplementedError


class Kind(StrEnum):
    """What a key column holds."""

    INTEGER = "integer"
    TEXT = "text"
    PADDED = "padded"
    """Text whose trailing spaces mean nothing: CHAR in PostgreSQL."""
    BYTES = "bytes"
    UUID = "uuid"
    DECIMAL = "decimal"
    DATE = "date"
    MOMENT = "moment"
    """A timestamp; partitioned tables have them in their keys."""


_INTEGERS = {"sqlite": range(-(2**63), 2**63), "postgresql": range(-(2**63), 2**63), "mysql": range(-(2**63), 2**64)}


_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def kind_of(column_type: sa.types.TypeEngine[Any], dialect: str) -> Kind | None:
    """What a column of this type can hold as part of a key; None where it cannot be one."""
    match column_type:
        case sa.Integer():
            return Kind.INTEGER
        case sa.Uuid():
            return Kind.UUID
        case sa.CHAR() if dialect == "postgresql":
            return Kind.PADDED
        case sa.String():
            return Kind.TEXT
        # MariaDB has a UUID type that no version of SQLAlchemy so far gives a name to.
        case sa.types.NullType() if dialect == "mysql":
            return Kind.TEXT
        case sa.LargeBinary() | sa.types._Binary():  # noqa: SLF001 - BINARY and VARBINARY have no public ancestor
            return Kind.BYTES
        case sa.Date() | sa.DateTime() if dialect == "sqlite":
            return Kind.TEXT
        case sa.Date():
            return Kind.DATE
        case sa.DateTime():
            return Kind.MOMENT
        case sa.Numeric() if not isinstance(column_type, sa.Float) and dialect != "sqlite":
            return Kind.DECIMAL
    return None


def is_number(column_type: sa.types.TypeEngine[Any]) -> bool:
    """True for a column of numbers, and of what databases keep as such: true and false, bits."""
    return isinstance(column_type, (sa.Integer, sa.Numeric, sa.Float, sa.Boolean)) or type(column_type).__name__ == "BIT"


def to_text(value: object) -> str | None:
    """The stable text form of a key's component; None for a value that has none."""
    match value:
        case bool() | None:
            return None
        case int() | str() | uuid.UUID():
            return str(value)
        case bytes() | memoryview():
            return bytes(value).hex()
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
    return None


def as_written(value: object) -> str:
    """The value as a person would read it; the empty text for NULL. Bytes are taken for text: SQLite keeps them in any column."""
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode(errors="replace")
    return "" if value is None else str(value)


def from_text(text: str, kind: Kind, dialect: str) -> object | None:
    """The value whose text form this is, as the driver takes it; None where no such value can be in the column."""
    value: object
    try:
        match kind:
            case Kind.INTEGER:
                value = int(text)
                if not text.isascii() or value not in _INTEGERS[dialect]:
                    return None
            case Kind.BYTES:
                value = bytes.fromhex(text)
            case Kind.UUID:
                value = uuid.UUID(text)
                return (value if dialect == "postgresql" else str(value)) if str(value) == text else None
            case Kind.DECIMAL:
                value = Decimal(text)
            case Kind.DATE:
                value = date.fromisoformat(text)
            case Kind.MOMENT:
                value = datetime.fromisoformat(text)
            case Kind.TEXT | Kind.PADDED:
                text.encode()
                value = None if "\0" in text and dialect == "postgresql" else text
    except (ValueError, InvalidOperation):
        return None
    return value if to_text(value) == text else None


def plain(column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """The text column as it is written: case, accents and trailing spaces count, whatever its collation."""
    match dialect:
        case "postgresql":
            return sa.cast(column, sa.Text).collate("C")
        case "mysql":
            # Over utf8mb4, because the column may be in another character set than the connection.
            return sa.cast(sa.func.convert(column.op("USING")(sa.literal_column("utf8mb4"))), sa.BINARY)
        case _:
            return column.collate("BINARY")


def plain_bind(value: object, dialect: str) -> object:
    """A text as `plain` columns are compared with it."""
    return value.encode() if isinstance(value, str) and dialect == "mysql" else value


def equal(column: sa.ColumnElement[Any], value: object, dialect: str) -> sa.ColumnElement[bool]:
    """True where the column has exactly this value; None stands for NULL."""
    if value is None:
        return column.is_(None)
    same = column == sa.literal(value, Native)
    if isinstance(value, str):
        return same & (plain(column, dialect) == sa.literal(plain_bind(value, dialect), Native))
    return same


def fulfil(table: sa.FromClause, conditions: Conditions, dialect: str) -> sa.ColumnElement[bool]:
    """True where each column has the value, or one of the values, that it has to have."""
    each = [
        sa.or_(*(equal(table.c[name], one, dialect) for one in (value if isinstance(value, tuple) else (value,))))
        for name, value in conditions.items()
    ]
    return sa.and_(sa.true(), *each)


def fact_of(value: object, column_type: sa.types.TypeEngine[Any]) -> Fact:
    """A column's value as rules compare it: true or false, a whole number, or text."""
    if isinstance(value, bytes) and type(column_type).__name__ == "BIT":
        value = int.from_bytes(value)
    truth = isinstance(column_type, sa.Boolean) or getattr(column_type, "display_width", None) == 1 or _is_bit(column_type)
    if truth and value in (0, 1):
        return bool(value)
    return value if value is None or isinstance(value, (bool, int, str)) else as_written(value)


def _is_bit(column_type: sa.types.TypeEngine[Any]) -> bool:
    return type(column_type).__name__ == "BIT" and getattr(column_type, "length", None) in (None, 1)


def among(columns: Sequence[sa.ColumnElement[Any]], rows: Collection[Sequence[object]], dialect: str) -> sa.ColumnElement[bool]:
    """True where the columns together are exactly one of `rows`.

    The first half is what an index can serve, the second what makes it exact.
    """
    numbers = whole_numbers(rows) if dialect == "postgresql" and len(columns) == 1 else None
    if numbers is not None:
        return among_numbers(columns[0], numbers)
    found = _within(columns, rows)
    exact = _exactly(columns, rows, dialect)
    return found if exact is None else found & exact


def whole_numbers(rows: Collection[Sequence[object]]) -> list[int] | None:
    """The values, where each row is one whole number that PostgreSQL's `bigint` holds; else None."""
    numbers = [row[0] for row in rows]
    fit = all(type(value) is int and _SMALLEST <= value <= _LARGEST for value in numbers)
    return cast("list[int]", numbers) if fit else None


_NUMBERS = re.compile(r"(?:0|-?[1-9][0-9]{0,17})(?:,(?:0|-?[1-9][0-9]{0,17}))*", re.ASCII)


def are_numbers(texts: Sequence[str]) -> bool:
    """True where each text is a whole number in the one way of writing it, and surely fits into `bigint`."""
    joined = ",".join(texts)
    # A text that holds a comma would pass for two.
    return joined.count(",") == len(texts) - 1 and _NUMBERS.fullmatch(joined) is not None


def among_numbers(column: sa.ColumnElement[Any], numbers: Iterable[object]) -> sa.ColumnElement[bool]:
    """True where a column of PostgreSQL is one of these whole numbers, which are sent as one value however many they are."""
    values = sa.bindparam("among", "{" + ",".join(map(str, numbers)) + "}", Native, unique=True)
    return column == sa.any_(sa.cast(values, sa.ARRAY(sa.BigInteger)))


def alike(columns: Sequence[sa.ColumnElement[Any]], rows: Collection[Sequence[object]], dialect: str) -> sa.ColumnElement[bool]:
    """True where the columns' collations alone call them one of `rows`: other case, other accents, trailing spaces."""
    exact = _exactly(columns, rows, dialect)
    return sa.false() if exact is None else _within(columns, rows) & sa.not_(exact)


def _exactly(
    columns: Sequence[sa.ColumnElement[Any]], rows: Collection[Sequence[object]], dialect: str
) -> sa.ColumnElement[bool] | None:
    """None where there is no text among the values, so that equal is equal."""
    text = {place for row in rows for place, value in enumerate(row) if isinstance(value, str)}
    if not text:
        return None
    exact = [plain(column, dialect) if place in text else column for place, column in enumerate(columns)]
    return _within(exact, [[plain_bind(value, dialect) if i in text else value for i, value in enumerate(row)] for row in rows])


def _within(columns: Sequence[sa.ColumnElement[Any]], rows: Collection[Sequence[object]]) -> sa.ColumnElement[bool]:
    if len(columns) == 1:
        # One parameter that is unfolded when it is sent: as many of them would each be looked at anew.
        values = sa.bindparam("among", [row[0] for row in rows], Native, unique=True, expanding=True)
        return columns[0].in_(values)
    return sa.tuple_(*columns, types=[Native] * len(columns)).in_([tuple(row) for row in rows])


def digestible(value: object) -> str:
    """A text that differs whenever the value does, for digests."""
    if value is None or isinstance(value, (bool, int, str)):
        return json.dumps([type(value).__name__, value])
    if isinstance(value, (bytes, bytearray, memoryview)):
        return json.dumps(["bytes", bytes(value).hex()])
    return json.dumps([type(value).__name__, str(value)])
