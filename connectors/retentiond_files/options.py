"""What the settings say about a tree of files; each option is shown with an example in the README."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from retentiond.connector import Action, ConnectionOptions, Offer, TargetOptions
from retentiond.connector.named import NamePattern
from retentiond.connector.written import CopyOption, Directory, OptionPart, Zone
from retentiond_files.sidecar import Sidecar
from retentiond_files.spelling import Glob, word


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


class Mtime(OptionPart):
    """The date is when the file was last written, as the file system says."""

    from_: Literal["mtime"] = Field(alias="from")
    drift_days: int | None = Field(default=None, ge=0)
    """A file whose status changed (ctime) more than this many days after its mtime counts as undated; None: never asked."""


class Name(OptionPart):
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


class Content(OptionPart):
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


Source = Annotated[Mtime | Name | Content | Sidecar, Field(discriminator="from_")]

_NAMES = {"mtime": "written", "name": "named", "content": "entry"}


class Truncation(OptionPart):
    """How many leading bits of an address stay."""

    ipv4: int = Field(default=24, ge=0, le=31)
    ipv6: int = Field(default=48, ge=0, le=127)


class Block(OptionPart):
    """How a file is blocked."""

    moved_to: Directory
    """A directory on the same file system and mount, mode 0700, that only retentiond's user can enter."""


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
        return word(name) if name else name

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
        if isinstance(self.source, Sidecar) and self.date:
            raise ValueError("a sidecar tells several dates; name them in source.dates, and leave out date")
        if isinstance(self.source, Sidecar) and self.identity == "mtime":
            raise ValueError("a sidecar may outlive its document, which alone has the mtime; say identity: key, or leave it out")
        return self

    @property
    def date_name(self) -> str:
        """What rules call the date, where the source tells just one."""
        return self.date or _NAMES.get(self.source.from_, "")


def offer(_connection: FilesConnection, options: FilesOptions) -> Offer:
    """What the data set can do, from its options alone."""
    actions = {Action.DELETE}
    if options.block is not None:
        actions.add(Action.BLOCK)
    if options.anonymize is not None:
        actions.add(Action.ANONYMIZE)
    if isinstance(options.source, Sidecar):
        told = options.source
        return Offer(frozenset(told.dates), frozenset(actions), frozenset(told.facts), frozenset(told.subjects))
    return Offer(frozenset({options.date_name}), frozenset(actions))
