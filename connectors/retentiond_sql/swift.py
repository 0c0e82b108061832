"""Deletes records of the plainest layout in one statement of PostgreSQL that looks, locks, compares and deletes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa

from retentiond.connector import RecordRef
from retentiond_sql.dates import Form, as_text
from retentiond_sql.layout import Layout
from retentiond_sql.plain import is_plain
from retentiond_sql.rows import Key
from retentiond_sql.values import Kind, Native, are_numbers, digestible

_DIGESTS = re.compile(r"[0-9a-f]{64}(?:,[0-9a-f]{64})*", re.ASCII)
_SHA256_SINCE = (11,)


class UnsureError(Exception):
    """The statement hit other rows than it named; it has to be undone."""


def compares(connection: sa.Connection, layout: Layout) -> bool:
    """True where the database can tell by itself whether a record is as it was found: its digest is of dates alone."""
    version = getattr(connection.dialect, "server_version_info", None) or (0,)
    typed = all(form is Form.TYPED and name.isascii() for name, form in layout.forms.items())
    number = layout.key_kinds == (Kind.INTEGER,)
    return layout.dialect == "postgresql" and version >= _SHA256_SINCE and number and typed and is_plain(layout)


def delete_unchanged(connection: sa.Connection, layout: Layout, refs: Sequence[RecordRef]) -> set[Key]:
    """Delete those of the records that are there and have the fingerprint they were found with; their keys.

    About the others it says nothing: whoever asks looks at them one by one. A row that somebody else is changing is waited
    for, and compared as it is then. Raises `UnsureError` where a key is in more than one row.
    """
    keys, seen = [text for ref in refs for text in ref.key], ",".join(ref.fingerprint for ref in refs)
    if (
        any(len(ref.key) != 1 for ref in refs)
        or not are_numbers(keys)
        or seen.count(",") != len(refs) - 1
        or _DIGESTS.fullmatch(seen) is None
    ):
        return set()
    asked = {ref.key for ref in refs}
    if len(asked) < len(refs):
        return set()
    told = {"keys": f"{{{','.join(keys)}}}", "seen": f"{{{seen}}}"}
    gone = [(str(key),) for (key,) in connection.execute(_statement(layout), told)]
    found: set[Key] = set(gone)
    if len(found) < len(gone) or not found <= asked:
        raise UnsureError
    return found


def _statement(layout: Layout) -> sa.Executable:
    table = layout.table.plain()
    (key,) = layout.key_columns(table)
    keys = sa.cast(sa.bindparam("keys", type_=Native), sa.ARRAY(sa.BigInteger))
    seen = sa.cast(sa.bindparam("seen", type_=Native), sa.ARRAY(sa.Text))
    asked = sa.func.unnest(keys, seen).table_valued("key", "seen").render_derived(name="asked")
    unchanged = (key == asked.c.key) & (fingerprint(table, layout) == asked.c.seen)
    # The first condition says nothing new, but makes the database begin with the few rows, and not reckon for all.
    return sa.delete(table).where(key == sa.any_(keys), unchanged).returning(key)


def fingerprint(table: sa.FromClause, layout: Layout) -> sa.ColumnElement[str]:
    """What `plain.reading` makes of a row's dates, reckoned by the database."""
    # Dates have no character that a JSON text would write in another way.
    first, last = digestible("").split('""')
    unknown = digestible(None)
    parts: list[sa.ColumnElement[str]] = []
    for name, date in layout.dates.items():
        written = as_text(table.c[date.column], layout.forms[name], layout.dialect)
        before = "\n" if parts else ""
        told = _text(f'{first}"').concat(written).concat(_text(f'"{last}'))
        parts += [_text(f"{before}{name}="), sa.func.coalesce(told, _text(unknown))]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.concat(part)
    digest = sa.func.pg_catalog.sha256(sa.func.pg_catalog.convert_to(whole, sa.literal_column("'UTF8'")))
    return sa.func.pg_catalog.encode(digest, sa.literal_column("'hex'"))


def _text(value: str) -> sa.ColumnElement[str]:
    return sa.cast(sa.literal(value, Native), sa.Text)
