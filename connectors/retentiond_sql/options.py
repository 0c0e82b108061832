"""What the settings say about a database, and about one data set in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

import sqlalchemy as sa
from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, TypeAdapter, field_validator, model_validator

from retentiond.connector import KIND, ConnectionOptions, Secret, TargetOptions
from retentiond_sql.deciding import (
    Claim,
    Column,
    Conditions,
    DateColumn,
    DateOption,
    FactOption,
    LatestOf,
    Matches,
    Option,
    Related,
    RelatedDate,
    Table,
    Value,
)

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mysql+pymysql"}
"""The databases whose sessions this connector knows to make read-only, durable and free of zones; and the driver of each."""

_SECRETS_IN_QUERY = frozenset({"password", "passwd", "sslpassword", "ssl_key_password"})


def _life(text: str) -> str:
    if text != "unknown":
        try:
            life = TypeAdapter(timedelta).validate_python(text) if text.startswith("P") else None
        except ValueError:
            life = None
        if life is None or any(unit in text.partition("T")[0] for unit in "YM") or life <= timedelta(0):
            raise ValueError("write a fixed time in weeks, days or hours such as P30D or PT12H, or `unknown`")
    return text


class SurvivingCopy(Option):
    """A kind of copy that outlives a delete, as the operator declares it."""

    name: Annotated[str, Field(min_length=1)]
    """What it is: backups, write-ahead log, binary log, replica."""
    lives: Annotated[str, AfterValidator(_life)] = "unknown"
    """How long at the longest after the delete, such as `P30D`; `unknown` where nobody can say."""

    def duration(self) -> timedelta | None:
        """The life as a span of time; None where it is unknown."""
        return None if self.lives == "unknown" else TypeAdapter(timedelta).validate_python(self.lives)


class Credential(Option):
    """Another role of the database."""

    user: Annotated[str, Field(min_length=1)]
    password: Secret | None = None
    """Absent where the database asks for none."""


class SqlConnection(ConnectionOptions):
    """How to reach one database."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: str
    """SQLAlchemy URL without a password: `postgresql://role@host/database`, `mariadb://…` or `sqlite:////path/to/file`."""
    password: Secret | None = None
    """Where the password of the URL's role lies; absent where the database asks for none."""
    reader: Credential | None = None
    """A role with the right to read only, for everything that searches; absent means the URL's role, in read-only sessions."""
    connect_timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 10
    statement_timeout_seconds: Annotated[int, Field(ge=1, le=86400)] = 600
    """How long one statement may take."""
    lock_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 15
    """How long to wait for a row that somebody else holds."""
    copies: tuple[SurvivingCopy, ...] | None = None
    """Which copies outlive a delete in this system; absent means that nobody has said, which is what is then reported."""

    receipts: Table | None = None
    """A table in which each act leaves a receipt, in its own transaction; absent where a doubt is resolved by looking alone."""
    transaction_ids: bool = False
    """Whether PostgreSQL is asked, after a crash, what became of our transaction; needs no table, and no `receipts` beside it."""

    @field_validator("url")
    @classmethod
    def _without_password(cls, text: str) -> str:
        try:
            url = sa.make_url(text)
        except sa.exc.ArgumentError:
            raise ValueError("this is no database URL; write it like postgresql://role@host/database") from None
        if url.password is not None or _SECRETS_IN_QUERY & url.query.keys():
            raise ValueError("a password has no place in the URL; leave it out and name where it lies in `password`")
        backend, _, driver = url.drivername.partition("+")
        if backend not in DRIVERS:
            raise ValueError("this kind of database is not known; allowed are sqlite, postgresql, mariadb and mysql")
        if driver not in {"", DRIVERS[backend].partition("+")[2]} and not (backend == "sqlite" and driver == "pysqlite"):
            raise ValueError(f"leave the driver out of the URL; the one that is used is {DRIVERS[backend]}")
        if backend == "sqlite" and (url.query or not url.database or not PurePosixPath(url.database).is_absolute()):
            raise ValueError("a SQLite file is named by its absolute path and nothing else: sqlite:////path/to/file")
        if backend != "sqlite" and not url.database:
            raise ValueError("the URL must name the database: postgresql://role@host/database")
        return text

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if self.transaction_ids and sa.make_url(self.url).get_backend_name() != "postgresql":
            raise ValueError("`transaction_ids` is known to PostgreSQL only; make a table and name it in `receipts`")
        if self.transaction_ids and self.receipts is not None:
            raise ValueError("say one of `receipts` and `transaction_ids`; receipts prove more, and for longer")
        return self

    def address(self) -> sa.URL:
        """The URL with the driver this connector uses, still without a password."""
        url = sa.make_url(self.url)
        return url.set(drivername=DRIVERS[url.get_backend_name()])


class Part(Related):
    """Rows of another table that are parts of the record and go with it; what they refer to must be unique there."""

    parts: tuple[Part, ...] = ()
    """Parts of these parts."""


class Block(Option):
    """How a record is blocked: by a flag in its row, or by moving the row into another table."""

    flag: Matches | None = None
    """Columns and the values that mean blocked: `{is_blocked: true}`."""
    unflag: dict[Column, Value | None] | None = None
    """The same columns and the values that mean not blocked; may be left out for one column of true and false."""
    at: Column | None = None
    """A column that takes the moment of blocking, from the database's clock in UTC; absent where there is none."""
    moved_to: Table | None = None
    """A table with (at least) the same columns, out of reach of normal work."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.flag is None) == (self.moved_to is None):
            raise ValueError("say exactly one of `flag`, `moved_to`")
        if self.flag is not None and self.at in self.flag:
            raise ValueError("`at` cannot be a column of `flag`")
        if self.unflag is not None and (self.flag is None or self.unflag.keys() != self.flag.keys() or self.unflag == self.flag):
            raise ValueError("`unflag` gives the columns of `flag`, and no others, the values that mean not blocked")
        return self

    def unflagged(self) -> dict[str, Any] | None:
        """The values that mean not blocked; None where nobody has said, so that a flag cannot be taken back."""
        match self.unflag, [*(self.flag or {}).items()]:
            case dict() as said, _:
                return said
            case _, [(column, bool() as value)]:
                return {column: not value}
        return None


class Constant(Option):
    """Sets the column to one value for everybody."""

    constant: Value


class GeneralizeDate(Option):
    """Keeps of a date only the year or the month; the rest becomes the first day of it, at midnight."""

    generalize_date: Annotated[Literal["year", "month"], Field(alias="generalize-date")]


class Pseudonym(Option):
    """Replaces the value by its keyed digest (HMAC-SHA-256, 32 hex digits).

    This pseudonymizes and does not anonymize: who holds the key can link the values again.
    """

    pseudonym: Secret
    """Where the key lies."""


Strategy = Literal["null", "redact", "truncate-ip"] | Constant | GeneralizeDate | Pseudonym | None
"""What becomes of a column; an unquoted YAML `null` means the same as the word."""


class Anonymize(Option):
    """How a record is anonymized."""

    columns: Annotated[dict[Column, Strategy], Field(min_length=1)]
    marker: Matches
    """Columns and values that are set with it, and by which an anonymized record is told from others: `{anonymized: true}`."""
    kept: tuple[Column, ...] = ()
    """Columns that may stay as they are. A column that is named nowhere in the data set is refused by the preflight."""
    parts: Literal["delete", "keep"] | None = None
    """What becomes of the declared parts; required where there are any."""


def _kind(name: str) -> str:
    if KIND.fullmatch(name) is None:
        raise ValueError("a kind of identifier is written in small letters, digits and single hyphens, such as customer-number")
    return name


class SqlDataset(TargetOptions):
    """One data set: the rows of a table, with their parts."""

    table: Table
    key: Annotated[tuple[Column, ...], Field(min_length=1)]
    """The columns that tell a row from all others."""
    dates: Annotated[dict[str, DateOption], Field(min_length=1)]
    """The dates that rules may start from, by the name that rules use."""
    unchanged: tuple[Column, ...] = ()
    """Further columns that decide: a record of which one changed since it was found is left alone."""
    identity: tuple[Column, ...] = ()
    """Columns that never change in a record's life; they tell it from a stranger under a re-used key."""
    only: Conditions = Field(default_factory=dict)
    """Only the rows where each column has this value, or one of these; null means NULL. Absent means all rows."""
    subjects: dict[Annotated[str, AfterValidator(_kind)], Column] = Field(default_factory=dict)
    """Columns that tell whom a record is about, by the kind of identifier they hold: `{email: mail, phone: phone}`."""
    facts: dict[Annotated[str, Field(min_length=1)], FactOption] = Field(default_factory=dict)
    """The facts that rules may ask for, by the name that rules use."""
    fields: tuple[Column, ...] = ()
    """The record is no whole row but these columns of it: to delete it is to set them all to NULL. Absent means the whole row."""
    kept: tuple[Column, ...] = ()
    """Beside `fields`, columns that stay. A column that is named nowhere in the data set is refused by the preflight."""
    parts: tuple[Part, ...] = ()
    block: Block | None = None
    """Absent where records of this data set cannot be blocked."""
    anonymize: Anonymize | None = None
    """Absent where records of this data set cannot be anonymized."""
    copies: tuple[SurvivingCopy, ...] = ()
    """Copies of this data set's records that outlive a delete, besides those of the whole system: exports, search tables."""

    _aside: tuple[Claim, ...] = PrivateAttr(default=())

    def claim(self) -> Claim:
        """What the data set takes for its own."""
        moved = (self.block.moved_to,) if self.block and self.block.moved_to else ()
        return Claim(tables=(self.table, *moved), only=self.only, fields=self.fields)

    def others(self) -> tuple[Claim, ...]:
        """What other data sets of the system claim of the same tables."""
        return self._aside

    def date_columns(self) -> dict[str, DateColumn]:
        """The dates that stand in the record's own row."""
        return {name: date for name, date in self.dates.items() if isinstance(date, DateColumn)}

    def computed(self) -> dict[str, RelatedDate]:
        """The dates that are worked out from other tables."""
        return {name: date.latest_of for name, date in self.dates.items() if isinstance(date, LatestOf)}

    def related(self) -> list[Related]:
        """Everything that is asked of other tables."""
        asked = [way for fact in self.facts.values() for way in (fact.exists, fact.aggregate) if way is not None]
        return [*asked, *self.computed().values()]

    def deciding(self) -> set[str]:
        """The columns of the record's table that decide about it, or tell what does."""
        dates, facts = self.date_columns().values(), self.facts.values()
        own = {*(date.column for date in dates), *(fact.column for fact in facts if fact.column is not None)}
        return own.union(self.key, self.unchanged, self.identity, self.only, *(one.refers.values() for one in self.related()))

    def flagged(self) -> set[str]:
        """The columns that blocking sets."""
        columns = [*(self.block.flag or ()), self.block.at] if self.block else []
        return {column for column in columns if column is not None}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        deciding = self.deciding()
        set_by_us = [
            ("block.flag", self.flagged()),
            ("anonymize.columns", set(self.anonymize.columns) if self.anonymize else set()),
            ("anonymize.marker", set(self.anonymize.marker) if self.anonymize else set()),
        ]
        for number, (name, columns) in enumerate(set_by_us):
            # Anonymizing may well take away whom a record was about; nothing else may.
            whom = set() if name == "anonymize.columns" else set(self.subjects.values())
            others = deciding.union(whom, *(other for _, other in set_by_us[:number]))
            if columns & others:
                raise ValueError(
                    f"{name} would change the column {min(columns & others)}, which decides about the record or is set otherwise"
                )
        if self.fields and (self.parts or self.anonymize or (self.block and self.block.moved_to)):
            raise ValueError(
                "beside `fields` there is no `parts`, no `anonymize` and no `block.moved_to`, which are of whole rows"
            )
        if self.kept and not self.fields:
            raise ValueError("`kept` belongs to a data set of `fields`; beside `anonymize` write `anonymize.kept`")
        fixed = {*self.key, *self.flagged()} & set(self.fields)
        if fixed:
            raise ValueError(f"fields would empty the column {min(fixed)}, which is part of `key` or `block`")
        if self.block and self.block.moved_to and self.parts:
            raise ValueError("block.moved_to cannot move parts along; use a flag for a data set with parts")
        if self.block and self.block.moved_to and self.block.moved_to == self.table:
            raise ValueError("block.moved_to must name another table")
        if self.anonymize and bool(self.parts) != (self.anonymize.parts is not None):
            raise ValueError(
                "anonymize.parts (delete or keep) belongs to a data set with parts: required there, refused elsewhere"
            )
        return self
