"""The options of a data set brought together with the schema: which columns are read, in what form, from which tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from retentiond.connector import ConnectorError, Cutoff, Dates, RecordRef, Target, subject
from retentiond_sql.dates import Form, as_text, bound, parse, suspect
from retentiond_sql.deciding import Aggregate, Claim, DateColumn, Exists, RelatedDate
from retentiond_sql.options import SqlDataset
from retentiond_sql.schema import Table
from retentiond_sql.values import (
    Kind,
    Native,
    as_written,
    digestible,
    equal,
    fact_of,
    from_text,
    fulfil,
    plain,
    plain_bind,
    to_text,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the record's table, as it was read."""

    ref: RecordRef
    key: tuple[Any, ...]
    """The key's values as the driver has them."""
    moved: bool
    """True where it was found in the table that blocked records are moved to."""
    anonymized: bool
    linked: tuple[Any, ...]
    """The values of `Layout.linked`."""
    extra: tuple[Any, ...]
    """The further columns that were asked for."""
    lasting: str
    """Digest (hex) of what no act of ours changes: the fingerprint, less the identifiers that anonymizing takes away."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A fact or a date that rows of another table tell."""

    name: str
    told: Exists | Aggregate | RelatedDate
    table: Table
    form: Form = Form.TEXT
    """How dates are held; means nothing where it is not about dates."""
    fit: bool = True
    """False where the table has columns that nobody named, or a count that is no number: it can vouch for nothing."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Knows how to ask for records of one data set, and how to read the answer."""

    target: Target
    options: SqlDataset
    dialect: str
    table: Table
    moved: Table | None
    key_kinds: tuple[Kind, ...]
    dates: dict[str, DateColumn]
    """The dates that stand in the row itself."""
    forms: dict[str, Form]
    linked: tuple[str, ...]
    """Columns that parts and other related rows refer to."""
    relations: tuple[Relation, ...]
    """What has to be asked of other tables before all is known that decides about a record."""
    claims: tuple[tuple[Claim, ...], tuple[Claim, ...]]
    """What other data sets claim of the table, and of the one that blocked records are moved to."""

    def places(self) -> Iterable[tuple[sa.FromClause, bool]]:
        """The tables that records lie in; True for the one they are moved to when blocked."""
        yield self.table.clause("r"), False
        if self.moved is not None:
            yield self.moved.clause("r"), True

    def offers(self, name: str) -> None:
        """Raise `ConnectorError` for a date that the data set does not offer."""
        if name not in self.options.dates:
            raise ConnectorError(f"The data set {self.target} offers no date {name}. Use one of its `dates`.", "malformed")

    def date(self, name: str) -> DateColumn:
        """The column of a date; raises `ConnectorError` for one that no search can be led by."""
        self.offers(name)
        if name not in self.dates:
            raise ConnectorError(
                f"The date {name} of {self.target} is worked out from another table, and no search can be led by it. "
                f"Let the rule search by another of its dates.",
                "unsupported",
            )
        return self.dates[name]

    def key_columns(self, table: sa.FromClause) -> list[sa.ColumnElement[Any]]:
        """The key's columns of a place."""
        return [table.c[name] for name in self.options.key]

    def select(self, table: sa.FromClause, *, moved: bool, extra: Sequence[sa.ColumnElement[Any]] = ()) -> sa.Select[Any]:
        """Ask for everything that `read` needs, and for `extra`."""
        columns: list[sa.ColumnElement[Any]] = self.key_columns(table)
        columns += [as_text(table.c[date.column], self.forms[name], self.dialect) for name, date in self.dates.items()]
        columns += [self.as_read(table.c[name]) for name in self._deciding()]
        columns += [self._fact(table, name) for name in self._fact_columns().values()]
        columns += [self.as_read(table.c[name]) for name in self.options.subjects.values()]
        columns += [table.c[name] for name in self.linked]
        columns += [sa.literal_column("1") if moved else number(self.blocked(table))]
        columns += [number(self.anonymized(table)), number(self._contested(table, moved=moved))]
        columns += list(extra)
        # Names of our own: a column may be asked for twice.
        return sa.select(*(column.label(f"c{number}") for number, column in enumerate(columns))).select_from(table)

    def read(self, raw: Sequence[Any], *, moved: bool) -> Row:
        """Read one row of `select`; raises `ConnectorError` where its key has no text form."""
        values = iter(raw)
        raw_key = [next(values) for _ in self.options.key]
        key, text = self.key_values(raw_key), self.key_text(raw_key)
        raw_dates = {name: next(values) for name in self.dates}
        deciding = {name: next(values) for name in self._deciding()}
        facts = {fact: fact_of(next(values), self.table.columns[name].type) for fact, name in self._fact_columns().items()}
        subjects = {kind: subject(kind, as_written(next(values))) for kind in self.options.subjects}
        linked = tuple(next(values) for _ in self.linked)
        blocked, anonymized, contested = bool(next(values)), bool(next(values)), bool(next(values))
        dates: Dates = {name: parse(self.dates[name], value, self.forms[name]) for name, value in raw_dates.items()}
        told = [f"{name}={digestible(value)}" for part in (raw_dates, deciding) for name, value in part.items()]
        told += [f"fact {name}={digestible(value)}" for name, value in facts.items()]
        told += ["contested"] if contested else []
        lasting = digest(told)
        whom = sorted(found for found in subjects.values() if found is not None)
        ref = RecordRef(
            key=text,
            dates=dates,
            fingerprint=digest([*told, *(f"about {one.kind}={digestible(one.value)}" for one in whom)]),
            identity=tuple(digestible(deciding[name]) for name in self.options.identity),
            blocked=blocked,
            facts=facts,
            subjects=frozenset(whom),
            contested=contested,
        )
        return Row(ref, key, moved, anonymized, linked, tuple(values), lasting)

    def _deciding(self) -> list[str]:
        return list(dict.fromkeys([*self.options.unchanged, *self.options.identity, *self.options.only]))

    def _fact_columns(self) -> dict[str, str]:
        return {name: fact.column for name, fact in self.options.facts.items() if fact.column is not None}

    def _fact(self, table: sa.FromClause, name: str) -> sa.ColumnElement[Any]:
        plain_type = isinstance(self.table.columns[name].type, (sa.Boolean, sa.Integer, sa.String))
        return table.c[name] if plain_type else self.as_read(table.c[name])

    def key_values(self, raw: Sequence[Any]) -> tuple[Any, ...]:
        """The key's values as the driver has them, without the padding that PostgreSQL gives to CHAR."""
        return tuple(
            value.rstrip(" ") if kind is Kind.PADDED and isinstance(value, str) else value
            for value, kind in zip(raw, self.key_kinds, strict=True)
        )

    def key_text(self, raw: Sequence[Any]) -> tuple[str, ...]:
        """The key in its text form; raises `ConnectorError` where it has none."""
        return tuple(map(self._key_text, self.key_values(raw), self.key_kinds))

    def _key_text(self, value: object, kind: Kind) -> str:
        text = to_text(value)
        # SQLite keeps anything in any column, MariaDB days that never were: what cannot be asked for again would seem absent.
        other = isinstance(value, (bytes, memoryview)) is not (kind is Kind.BYTES)
        if text is None or other or from_text(text, kind, self.dialect) is None:
            raise ConnectorError(
                f"A record of {self.target} has NULL or an unfit value in its key, so it cannot be told from others. "
                f"Name columns in `key` that hold a value of their type in every record.",
                "unreadable",
            )
        return text

    def as_read(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """A column in the form that is read for digests and strategies: PostgreSQL's own text, or the driver's value."""
        return sa.cast(column, sa.Text) if self.dialect == "postgresql" else column

    def _sortable(self, table: sa.FromClause, name: str) -> sa.ColumnElement[Any]:
        column = table.c[self.dates[name].column]
        if self.forms[name] is Form.TEXT and self.dialect != "sqlite":
            return plain(column, self.dialect)
        return column

    def before(self, table: sa.FromClause, cutoff: Cutoff) -> sa.ColumnElement[bool]:
        """True for every record before the cutoff, and for some more: only `Cutoff.admits` is exact."""
        form = self.forms[cutoff.by]
        value = bound(self.date(cutoff.by), form, cutoff)
        if form is Form.TEXT:
            value = plain_bind(value, self.dialect)
        elif self.dialect == "mysql" and isinstance(value, datetime):
            value = value.replace(tzinfo=None)
        return self._sortable(table, cutoff.by) < sa.literal(value, Native)

    def _sortable_key(self, table: sa.FromClause, name: str) -> sa.ColumnElement[Any]:
        # MariaDB sorts these by their number, and compares them as text: a page would begin in the wrong place.
        numbered = isinstance(self.table.columns[name].type, (mysql.ENUM, mysql.SET))
        return plain(table.c[name], self.dialect) if numbered else table.c[name]

    def order(self, table: sa.FromClause, by: str | None) -> list[sa.ColumnElement[Any]]:
        """Oldest first by that date, then by key; by key alone where no date is named."""
        return ([self._sortable(table, by)] if by else []) + [self._sortable_key(table, name) for name in self.options.key]

    def after(self, table: sa.FromClause, by: str | None, position: Sequence[Any]) -> sa.ColumnElement[bool]:
        """True for what comes after `position` in `order`."""
        columns = self.order(table, by)
        values: list[sa.ColumnElement[Any]] = [sa.literal(value, Native) for value in position]
        if by is not None:
            raw, form = position[0], self.forms[by]
            if form is Form.TEXT:
                values[0] = sa.literal(plain_bind(raw, self.dialect), Native)
            elif form is Form.TYPED and self.dialect == "postgresql":
                column_type = self.table.columns[self.dates[by].column].type
                values[0] = sa.cast(sa.literal(raw, Native), column_type)
        later = sa.or_(
            *(
                sa.and_(*(c == v for c, v in zip(columns[:n], values[:n], strict=True)), columns[n] > values[n])
                for n in range(len(columns))
            )
        )
        # The first half says nothing new, but an index can serve it.
        return sa.and_(columns[0] >= values[0], later) if len(columns) > 1 else later

    def position(self, raw: Sequence[Any], by: str | None) -> tuple[Any, ...]:
        """Where a row of `select` stands in `order`."""
        width = len(self.options.key)
        lead = () if by is None else (raw[width + list(self.dates).index(by)],)
        return (*lead, *raw[:width])

    def unknown(self, table: sa.FromClause, names: Sequence[str]) -> sa.ColumnElement[bool]:
        """True for every record of which none of these dates is known, and perhaps for some more."""
        here = [(self.dates[name], self.forms[name]) for name in names if name in self.dates]
        conditions = [suspect(date, form, table.c[date.column], self.dialect) for date, form in here]
        return sa.and_(sa.true(), *conditions)

    def belongs(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """True for the rows of the table that are records of this data set."""
        return self.claimed(table, self.options.claim())

    def claimed(self, table: sa.FromClause, claim: Claim) -> sa.ColumnElement[bool]:
        """True for the rows of the table that a data set claims."""
        return fulfil(table, claim.only, self.dialect) & filled(table, claim.fields)

    def held(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """True for the rows that hold a record at all, `only` or not."""
        return filled(table, self.options.fields)

    def _contested(self, table: sa.FromClause, *, moved: bool) -> sa.ColumnElement[bool]:
        """True where another data set has as good a claim on the record."""
        own = self.options.claim()
        rivals = [self.claimed(table, claim) for claim in self.claims[moved] if own.contests(claim)]
        return sa.func.coalesce(self.belongs(table) & sa.or_(*rivals), sa.false()) if rivals else sa.false()

    def blocked(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """True where the record's flag says that it is blocked."""
        return self._all(table, (self.options.block and self.options.block.flag) or {})

    def anonymized(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """True where the record's marker says that it is anonymized."""
        return self._all(table, (self.options.anonymize and self.options.anonymize.marker) or {})

    def _all(self, table: sa.FromClause, wanted: dict[str, Any]) -> sa.ColumnElement[bool]:
        if not wanted:
            return sa.false()
        # coalesce, because NULL is neither blocked nor anonymized, and its negation has to be true.
        return sa.and_(*(sa.func.coalesce(equal(table.c[n], v, self.dialect), sa.false()) for n, v in wanted.items()))

    def values_of(self, key: Sequence[str]) -> tuple[object, ...] | None:
        """The key's values for its text form; None where no record can have such a key."""
        if len(key) != len(self.key_kinds):
            return None
        values = [from_text(text, kind, self.dialect) for text, kind in zip(key, self.key_kinds, strict=True)]
        return None if None in values else tuple(values)


def filled(table: sa.FromClause, fields: Sequence[str]) -> sa.ColumnElement[bool]:
    """True where one of the fields is filled; always, for whole rows."""
    return sa.or_(*(table.c[name].is_not(None) for name in fields)) if fields else sa.true()


def number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """1 where it is true, else 0."""
    return sa.case((condition, sa.literal_column("1")), else_=sa.literal_column("0"))


def digest(told: Sequence[str]) -> str:
    """Digest (hex) of what decides about a record."""
    return hashlib.sha256("\n".join(told).encode(errors="surrogatepass")).hexdigest()
