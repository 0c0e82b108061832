"""What the settings say about a system with a manifest; each option is shown with an example in the README."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation, field_validator, model_validator

from retentiond.connector import ConfigurationError, Copy, Offer, Secret, Target, TargetOptions
from retentiond.connector.http import HttpConnection
from retentiond_rest.kinds import Kind
from retentiond_rest.loading import Loaded, load
from retentiond_rest.manifest import Basic
from retentiond_rest.parts import CopyPart

_LOCAL = {"localhost", "127.0.0.1", "::1"}


class RestConnection(HttpConnection):
    """Where the system is, what it is like, and as whom it is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    manifest: Annotated[SkipValidation[Loaded], BeforeValidator(load)]
    """The name of a shipped manifest, or the absolute path of another one."""
    secret: Secret
    """The key, token or password."""
    user: str = ""
    values: dict[str, str] = Field(default_factory=dict)
    """What the manifest leaves open, by its names."""
    key_expires: date | None = None
    """The day on which the key ends; from 14 days before it `check --live` tells."""

    @model_validator(mode="after")
    def _fits(self) -> RestConnection:
        manifest = self.manifest.manifest
        host = urlsplit(self.url).hostname or ""
        if manifest.hosts and host not in _LOCAL and host not in manifest.hosts:
            raise ValueError(f"the manifest {self.manifest.name} is only for: {', '.join(manifest.hosts)}")
        if not self.user and (isinstance(manifest.auth, Basic) or "user" in _auth_holes(self)):
            raise ValueError("needs a `user`")
        return self


class Ids(BaseModel):
    """The application's own table, which knows the keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path | None = None
    """A file of JSON lines (.jsonl) or CSV with a header (.csv); an absolute path."""
    database: Secret | None = None
    """Where the address of a database lies, as SQLAlchemy writes it; read only."""
    table: str | None = None
    """Its table or view."""
    id: str = Field(min_length=1)
    """The column, or field, that holds the key."""
    may_be_empty: bool = False
    """Otherwise a table without a row is taken for broken."""

    @field_validator("file")
    @classmethod
    def _absolute(cls, file: Path | None) -> Path | None:
        if file is not None and (not file.is_absolute() or file.suffix not in {".jsonl", ".csv"}):
            raise ValueError("say the absolute path of a .jsonl or .csv file")
        return file

    @model_validator(mode="after")
    def _one(self) -> Ids:
        if (self.file is None) == (self.database is None) or (self.database is None) != (self.table is None):
            raise ValueError("say file, or database and table")
        return self


class RestOptions(TargetOptions):
    """Which kind of records of the manifest a data set is."""

    kind: str
    values: dict[str, str] = Field(default_factory=dict)
    """What the manifest leaves open for this data set, by its names."""
    ids: Ids | None = None
    copies: tuple[CopyPart, ...] = ()
    """Further copies that outlive a delete."""


def kind_of(connection: RestConnection, options: RestOptions) -> Kind:
    """The kind of records that the data set is; raises `ConfigurationError` where the manifest has no such kind."""
    kinds = connection.manifest.manifest.kinds
    if options.kind not in kinds:
        raise ConfigurationError(
            f"The manifest {connection.manifest.name} has no kind {options.kind!r}; it has: {', '.join(kinds)}."
        )
    return kinds[options.kind]


def fitting(connection: RestConnection, options: RestOptions, others: Sequence[tuple[Target, RestOptions]]) -> RestOptions:
    """The options, which fit the manifest; raises `ConfigurationError` with what does not."""
    kind = kind_of(connection, options)
    manifest = connection.manifest
    if kind.ids is not None and options.ids is None:
        raise ConfigurationError(f"{manifest.name} cannot list {options.kind}: say under `ids` which table knows their ids.")
    if kind.ids is None and options.ids is not None:
        raise ConfigurationError(f"{manifest.name} lists {options.kind} itself: leave `ids` out.")
    needed, given = manifest.manifest.values(options.kind), {*connection.values, *options.values}
    if lacking := sorted(needed - given):
        raise ConfigurationError(f"The manifest {manifest.name} needs for {options.kind} under `values`: {', '.join(lacking)}.")
    if spare := sorted(set(options.values) - needed):
        raise ConfigurationError(f"The manifest {manifest.name} knows for {options.kind} no value {spare[0]!r}.")
    for other, told in others:
        if (told.kind, told.values, told.ids) == (options.kind, options.values, options.ids):
            raise ConfigurationError(f"Two data sets hold the same {options.kind}, one of them {other}. Keep one of them.")
    kind.zoned({**connection.values, **options.values})
    return options


def offer(connection: RestConnection, options: RestOptions) -> Offer:
    """What the data set can do, from its manifest alone."""
    kind = kind_of(connection, options)
    return Offer(
        frozenset(kind.dates), kind.actions(), frozenset(kind.facts), frozenset(kind.subjects), attests=frozenset(kind.attest)
    )


def copies(connection: RestConnection, options: RestOptions) -> list[Copy]:
    """The copies that outlive a delete: those of the manifest and those of the settings."""
    return [Copy(copy.name, copy.lives) for copy in (*(kind_of(connection, options).copies or ()), *options.copies)]


def _auth_holes(connection: RestConnection) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", connection.manifest.manifest.auth.model_dump_json()))
