"""The short way to read records of the plainest layout: one table, and nothing that decides but dates of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from retentiond.connector import Moment, RecordRef
from retentiond_sql.dates import Form, parse
from retentiond_sql.deciding import DateColumn
from retentiond_sql.layout import Layout, digest
from retentiond_sql.values import Kind, digestible

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d{1,6})?\+00", re.ASCII)
"""How PostgreSQL writes an instant of our era in a session of UTC."""

_LONG = 2**63

Raw = Sequence[Any]
"""A row of `Layout.select`."""


def is_plain(layout: Layout) -> bool:
    """True where nothing but the key, the dates of the row and the flags has to be read."""
    options = layout.options
    aside = (layout.moved, layout.relations, layout.linked, layout.claims[0], options.facts, options.subjects, options.fields)
    return not any(aside) and not options.unchanged and not options.identity and not options.only


def reading(layout: Layout) -> Callable[[Sequence[Raw]], list[RecordRef]]:
    """What reads rows of a plain layout as `Layout.read` does."""
    width = len(layout.key_kinds)
    flag = width + len(layout.dates)
    number = layout.key_kinds == (Kind.INTEGER,) and layout.dialect == "postgresql"
    columns = [
        (name, column, layout.forms[name], f"{name}=", column.kind == "timestamp" and layout.forms[name] is Form.TYPED)
        for name, column in layout.dates.items()
    ]

    def read(rows: Sequence[Raw]) -> list[RecordRef]:
        refs = []
        for raw in rows:
            key = raw[0]
            text = (str(key),) if number and type(key) is int and -_LONG <= key < _LONG else layout.key_text(raw[:width])
            dates: dict[str, Moment | None] = {}
            told, place = [], width
            for name, column, form, says, instant in columns:
                dates[name], written = _instant(column, raw[place], form) if instant else _date(column, raw[place], form)
                told.append(says + written)
                place += 1
            refs.append(RecordRef(text, dates, digest(told), (), bool(raw[flag])))
        return refs

    return read


def _date(column: DateColumn, value: object, form: Form) -> tuple[Moment | None, str]:
    """What the value means, and what of it goes into the digest."""
    return parse(column, value, form), digestible(value)


def _instant(column: DateColumn, value: object, form: Form) -> tuple[Moment | None, str]:
    if isinstance(value, str) and _INSTANT.fullmatch(value) is not None:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return _date(column, value, form)
        if moment.tzinfo is UTC:
            return moment, f'["str", "{value}"]'
    return _date(column, value, form)
