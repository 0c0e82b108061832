"""What the settings say about an object storage and about one data set in it; each option is shown in the README."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from retentiond.connector import Action, ConnectionOptions, Offer, Secret, TargetOptions
from retentiond.connector.named import NamePattern
from retentiond.connector.written import CopyOption, Name, OptionPart, Zone

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that are this machine, which may be spoken to without TLS."""


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("must be a URL such as https://fsn1.example-objectstorage.com, without name and password")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must be https; http is for 127.0.0.1, ::1 and localhost alone")
    return text


def _pattern(text: str) -> str:
    NamePattern.parse(text)
    return text


class InKey(OptionPart):
    """The date stands in the object's key."""

    from_: Literal["key"] = Field(alias="from")
    pattern: Annotated[str, AfterValidator(_pattern)]
    zone: Zone | None = None
    """Where the named clock hangs; needed once the pattern has an hour."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if NamePattern.parse(self.pattern).has_hour != (self.zone is not None):
            raise ValueError("needs a zone where the pattern has an hour (%H), and none where it names days only")
        return self


class InMetadata(OptionPart):
    """The date stands in the metadata of each version: with a zone it is an instant, `2026-01-15` is a plain date."""

    from_: Literal["metadata"] = Field(alias="from")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """The name behind `x-amz-meta-`."""


class LastModified(OptionPart):
    """The date is when the youngest version was uploaded. A copy or a restore makes data look new."""

    from_: Literal["last_modified"] = Field(alias="from")


Source = Annotated[InKey | InMetadata | LastModified, Field(discriminator="from_")]


class S3Connection(ConnectionOptions):
    """How to reach one storage."""

    model_config = ConfigDict(hide_input_in_errors=True)

    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    """Where the storage answers; None for Amazon's own, by its region."""
    region: str = Field(default="us-east-1", min_length=1)
    access_key: Secret
    secret_key: Secret
    path_style: bool = True
    """True where the bucket stands in the path, False where it is a part of the host's name."""
    certificate: Path | None = None
    """A PEM file with the certificate, or the authority, that alone is trusted then; None for the authorities of this machine."""
    timeout_seconds: int = Field(default=60, ge=1, le=3600)
    conditional_delete: bool = True
    """Have the storage see that an object without versions is still the same one as it deletes it (If-Match)."""
    copies: tuple[CopyOption, ...] | None = None
    """Which copies outlive a delete in this storage; None means that nobody has said."""


class S3Options(TargetOptions):
    """Which objects make up the data set, and what is told of them."""

    bucket: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$")
    prefix: str = ""
    """What the keys begin with."""
    suffix: str = ""
    """What the keys end with."""
    dates: dict[Name, Source] = Field(min_length=1)
    upload_days: int = Field(default=7, ge=0, le=3650)
    """A younger unfinished upload may still be at work, and its object is left alone."""
    identity: Literal["key"] | None = None
    """`key` where a key is never used for anything else, to know a record again after a restore."""
    copies: tuple[CopyOption, ...] = ()

    def holds(self, key: str) -> bool:
        """True where an object of this key is part of the data set."""
        return claims(self.prefix, self.suffix, key)

    @property
    def by_metadata(self) -> bool:
        """True where each version has to be asked for its metadata."""
        return any(isinstance(source, InMetadata) for source in self.dates.values())


def claims(prefix: str, suffix: str, key: str) -> bool:
    """True where a key begins and ends so."""
    return key.startswith(prefix) and key.endswith(suffix)


def offer(_connection: S3Connection, options: S3Options) -> Offer:
    """What the data set can do, from its options alone."""
    return Offer(frozenset(options.dates), frozenset({Action.DELETE}))
