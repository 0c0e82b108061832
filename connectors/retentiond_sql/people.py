"""Finds the rows that may be about a person: never too few, and few where the database can tell."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from retentiond.connector import Subject
from retentiond_sql.values import Native


def perhaps(column: sa.ColumnElement[Any], person: Subject, dialect: str) -> sa.ColumnElement[bool]:
    """True for every row whose column is the person's identifier once it is normalized, and for many more.

    What is written in ASCII normalizes to ASCII, in small letters and less what stands around it, so that it holds the
    identifier. What is not may normalize to anything: it is read, and judged here. So is every phone number, which may
    have signs between its digits.
    """
    if person.kind == "phone":
        return column.is_not(None)
    text = _text(column, dialect)
    if not person.value.isascii():
        return _beyond_ascii(column, text, dialect)
    wanted = sa.literal(person.value, Native)
    match dialect:
        case "postgresql":
            holds = sa.func.strpos(sa.func.lower(text), sa.cast(wanted, sa.Text)) > 0
        case "mysql":
            holds = sa.func.locate(wanted, sa.func.lower(text)) > 0
        case _:
            holds = sa.func.instr(sa.func.lower(text), wanted) > 0
    return holds | _beyond_ascii(column, text, dialect)


def _text(column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """The column as text whose small letters are those of ASCII, whatever its collation: Turkish makes another i of I."""
    match dialect:
        case "postgresql":
            return sa.cast(column, sa.Text).collate("C")
        case "mysql":
            return sa.func.convert(column.op("USING")(sa.literal_column("utf8mb4"))).collate("utf8mb4_general_ci")
        case _:
            return sa.cast(column, sa.Text)


def _beyond_ascii(column: sa.ColumnElement[Any], text: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[bool]:
    match dialect:
        case "postgresql":
            return text.op("!~")(sa.literal_column(r"'^[\x01-\x7F]*$'"))
        case "mysql":
            return sa.func.length(text) != sa.func.char_length(text)
        case _:
            # In bytes it is longer, and so is what has a NUL in it; what is kept in bytes is read as well.
            longer = sa.func.length(sa.cast(column, sa.LargeBinary)) != sa.func.length(column)
            return longer | (sa.func.typeof(column) == "blob")
