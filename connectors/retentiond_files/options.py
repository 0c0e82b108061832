"""What the settings say about a tree of files; each option is shown with an example in the README."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from retentiond.connector import Action, ConnectionOptions, Offer, TargetOptions
from retentiond_files.namedate import NamePattern


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no IANA time zone such as Europe/Berlin") from None
    return zone


def _absolute(text: str) -> str:
    path = PurePosixPath(text)
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or "\0" in text:  # noqa: PLR2004 - "/" alone is one part
        raise ValueError("must be the absolute path of a directory below /, without ..")
    return str(path)


def _relative(text: str) -> str:
    if not text or text.startswith("/") or "\0" in text or {"", ".", ".."} & set(text.split("/")):
        raise ValueError("must be a pattern relative to the root, such as **/access.log*, without empty parts, . and ..")
    return text


def _days(value: object) -> object:
    if value == "unknown":
        return None
    match = re.fullmatch(r"P(\d{1,5})D", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a number of days such as P14D, or unknown where nobody knows")
    return timedelta(days=int(match[1]))


Zone = Annotated[str, AfterValidator(_known_zone)]
Directory = Annotated[str, AfterValidator(_absolute)]
Glob = Annotated[str, AfterValidator(_relative)]


class Unit(StrEnum):
    """What counts as one record."""

    FILE = "file"
    LINE = "line"


class Format(StrEnum):
    """How a line tells when it was written."""

    NGINX_COMBINED = "nginx-combined"
    APACHE_COMBINED = "apache-combined"
    NGINX_ERROR = "nginx-error"
    APACHE_ERROR = "apache-error"
    ISO8601 = "iso8601"
    SYSLOG = "syslog"
    JSON = "json"


ZONELESS = frozenset({Format.NGINX_ERROR, Format.APACHE_ERROR, Format.SYSLOG})
"""Formats whose lines never tell their zone."""


class Mtime(_Part):
    """The date is when the file was last written, as the file system says."""

    from_: Literal["mtime"] = Field(alias="from")
    drift_days: int | None = Field(default=None, ge=0)
    """A file whose status changed (ctime) more than this many days after its mtime counts as undated; None: never asked."""


class Name(_Part):
    """The date stands in the file's name."""

    from_: Literal["name"] = Field(alias="from")
    pattern: str
    zone: Zone | None = None
    """Where the named clock hangs; needed once the pattern has an hour."""

    @model_validator(mode="after")
    def _fits(self) -> Name:
        if NamePattern.parse(self.pattern).has_hour != (self.zone is not None):
            raise ValueError("needs a zone where the pattern has an hour (%H), and none where it names days only")
        return self


class Content(_Part):
    """The date stands in the lines of the file."""

    from_: Literal["content"] = Field(alias="from")
    format: Format
    zone: Zone | None = None
    """The zone of lines that tell none."""
    field: str | None = Field(default=None, min_length=1)
    """The name under which a line of JSON tells its date."""

    @model_validator(mode="after")
    def _zoned(self) -> Content:
        if (self.format is Format.JSON) != (self.field is not None):
            raise ValueError("needs a field for format json, and none for the others")
        if self.format in ZONELESS and self.zone is None:
            raise ValueError(f"needs a zone, because lines of {self.format} tell none")
        if self.format in {Format.NGINX_COMBINED, Format.APACHE_COMBINED} and self.zone is not None:
            raise ValueError(f"takes no zone, because each line of {self.format} tells its own")
        return self


Source = Annotated[Mtime | Name | Content, Field(discriminator="from_")]

_NAMES = {"mtime": "written", "name": "named", "content": "entry"}


class Truncation(_Part):
    """How many leading bits of an address stay."""

    ipv4: int = Field(default=24, ge=0, le=31)
    ipv6: int = Field(default=48, ge=0, le=127)


class Block(_Part):
    """How a file is blocked."""

    moved_to: Directory
    """A directory on the same file system and mount, mode 0700, that only retentiond's user can enter."""


class CopyOption(_Part):
    """A copy of the data that outlives a delete here."""

    name: str = Field(min_length=1)
    lives: Annotated[timedelta | None, BeforeValidator(_days)]
    """How long at the longest; None where nobody knows."""


class FilesConnection(ConnectionOptions):
    """Where the tree of files is."""

    root: Directory
    """Nothing outside this directory, or on another file system, is ever looked at."""


class FilesOptions(TargetOptions):
    """Which files make up the data set, what one record is and where its date stands."""

    include: tuple[Glob, ...] = Field(min_length=1)
    exclude: tuple[Glob, ...] = ()
    record: Unit
    source: Source
    date: str = ""
    """What rules call the date; left out, it is `written`, `named` or `entry` after its source."""
    live: tuple[Glob, ...] = ()
    """Files that a server writes to: never rewritten, moved or deleted."""
    quiet_minutes: int = Field(default=10, ge=0)
    """A file written to within this time counts as live."""
    when_empty: Literal["keep", "delete"] = "keep"
    """What becomes of a file whose last line went."""
    identity: Literal["key", "mtime"] | None = None
    """What tells a record from another one under its key, to know it again after a restore; None where nothing does."""
    anonymize: Truncation | None = None
    block: Block | None = None
    copies: tuple[CopyOption, ...] = ()

    @field_validator("date")
    @classmethod
    def _word(cls, name: str) -> str:
        if name and re.fullmatch(r"[a-z][a-z0-9_-]*", name) is None:
            raise ValueError("must be a word such as entry: small letters, digits, _ and -")
        return name

    @model_validator(mode="after")
    def _together(self) -> FilesOptions:
        if self.record is Unit.LINE and self.source.from_ != "content":
            raise ValueError("records of lines need source: {from: content}")
        if self.record is Unit.LINE and self.block is not None:
            raise ValueError("only whole files can be blocked; say record: file, or leave out block")
        if self.record is Unit.LINE and self.identity == "mtime":
            raise ValueError("a file of lines is written to all the time; say identity: key, or leave it out")
        if self.record is Unit.FILE and self.anonymize is not None:
            raise ValueError("only lines can be anonymized; say record: line, or leave out anonymize")
        if self.record is Unit.FILE and self.when_empty != "keep":
            raise ValueError("when_empty is about lines; say record: line, or leave it out")
        return self

    @property
    def date_name(self) -> str:
        """What rules call the date."""
        return self.date or _NAMES[self.source.from_]


def offer(_connection: FilesConnection, options: FilesOptions) -> Offer:
    """What the data set can do, from its options alone."""
    actions = {Action.DELETE}
    if options.block is not None:
        actions.add(Action.BLOCK)
    if options.anonymize is not None:
        actions.add(Action.ANONYMIZE)
    return Offer(frozenset({options.date_name}), frozenset(actions))
