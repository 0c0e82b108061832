"""What the settings can say about anchors: to whom outside the log's checkpoints are handed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from retentiond.secret import Secret
from retentiond.settings.part import Part, Place, Span

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[^\s@<>,;:\"\\()\[\]]+@[A-Za-z0-9.-]+", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._-]+/)*[A-Za-z0-9._-]*")
TEN_YEARS = timedelta(days=3653)


def _matching(pattern: re.Pattern[str], told: str) -> AfterValidator:
    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise ValueError(told)
        return value

    return AfterValidator(check)


def _url(value: str) -> str:
    told = "a URL looks like https://host.example/path, with no password in it; without TLS only this machine itself is spoken to"
    try:
        parts = urlsplit(value)
        plain = parts.scheme == "http" and _is_here(parts.hostname or "")
        reached = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(told) from None
    printable = value.isascii() and value.isprintable() and " " not in value
    if not (parts.scheme == "https" or plain) or not parts.hostname or not reached or "@" in parts.netloc or not printable:
        raise ValueError(told)
    return value


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


Host = Annotated[str, _matching(_HOST, "a host is named like mail.example.org")]
Address = Annotated[str, _matching(_ADDRESS, "an address looks like audit@example.org, without a name beside it")]
Url = Annotated[str, AfterValidator(_url)]
Port = Annotated[int, Field(ge=1, le=65535)]


class MailAnchor(Part):
    """Each checkpoint is mailed to the auditor."""

    type: Literal["mail"]
    """A mail to the auditor."""
    host: Host
    """The mail server."""
    sender: Address
    """The address that the mails come from."""
    to: Address
    """The auditor's address."""
    port: Port | None = None
    """The server's port; None for 587, 465 with `tls: implicit`, 25 with `tls: none`."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """How the connection is protected: by STARTTLS, from the beginning, or not at all."""
    ca: Place | None = None
    """Certificates (PEM) of those who may vouch for the server; None for those the machine trusts."""
    user: str | None = None
    """The user to log in as; None where the server asks for none."""
    password: Secret | None = None
    """Where the password lies."""

    @model_validator(mode="after")
    def _safe_password(self) -> MailAnchor:
        if (self.user is None) != (self.password is None):
            raise ValueError("`user` and `password` belong together")
        if self.password is not None and self.tls == "none":
            raise ValueError("a password is never sent without TLS; leave out `tls: none`")
        return self


class FileAnchor(Part):
    """Each checkpoint is added to a file on storage that belongs to somebody else."""

    type: Literal["file"]
    """A file on foreign storage."""
    path: Place
    """The file; made the first time, its folder has to be there."""


class S3Anchor(Part):
    """Each checkpoint is put into an S3 bucket under object lock in compliance mode."""

    type: Literal["s3"]
    """An object under lock."""
    bucket: Annotated[str, _matching(_BUCKET, "a bucket's name has 3 to 63 small letters, digits, dots and hyphens")]
    """The bucket; object lock must be enabled on it."""
    access_key: Secret
    """Where the id of the access key lies."""
    secret_key: Secret
    """Where the secret of the access key lies."""
    prefix: Annotated[str, _matching(_PREFIX, "a prefix looks like retentiond/main/")] = ""
    """What the objects' names begin with."""
    endpoint: Url | None = None
    """Where the storage is reached; None for that of Amazon."""
    region: str | None = None
    """The region; None where the storage has none."""
    ca: Place | None = None
    """Certificates (PEM) of those who may vouch for the server; None for those that the library trusts."""
    keep: Span = TEN_YEARS
    """How long nobody can remove the object, such as `P3653D`."""


class TimestampAnchor(Part):
    """Each checkpoint gets a time stamp by RFC 3161."""

    type: Literal["rfc3161"]
    """A time stamp."""
    url: Url
    """The time-stamping authority."""
    roots: Place
    """Certificates (PEM) of those who may vouch for the authority's time stamps."""
    ca: Place | None = None
    """Certificates (PEM) of those who may vouch for the server; None for those the machine trusts."""


class WitnessAnchor(Part):
    """Each checkpoint is cosigned by a C2SP witness."""

    type: Literal["witness"]
    """A witness."""
    url: Url
    """The witness's submission prefix, to which `/add-checkpoint` is added."""
    key: str
    """The witness's verifier key for cosignatures, `name+id+key`."""
    ca: Place | None = None
    """Certificates (PEM) of those who may vouch for the server; None for those the machine trusts."""


AnchorSettings = Annotated[MailAnchor | FileAnchor | S3Anchor | TimestampAnchor | WitnessAnchor, Field(discriminator="type")]


def _once_each(anchors: Sequence[AnchorSettings]) -> Sequence[AnchorSettings]:
    if len({one.type for one in anchors}) < len(anchors):
        raise ValueError("each type of anchor can stand here once, because receipts are told apart by it")
    return anchors


Anchors = Annotated[tuple[AnchorSettings, ...], AfterValidator(_once_each)]


def placed(anchor: AnchorSettings, folder: Path) -> AnchorSettings:
    """The same with relative paths starting at `folder`."""
    moved: dict[str, object] = {}
    for name in type(anchor).model_fields:
        value = getattr(anchor, name)
        if isinstance(value, Path):
            moved[name] = folder / value
        elif isinstance(value, Secret) and value.file is not None:
            moved[name] = value.model_copy(update={"file": folder / value.file})
    return anchor.model_copy(update=moved)
