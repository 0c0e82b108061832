"""What the settings say about a mailbox and about one data set in it; each option is shown with an example in the README."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from retentiond.connector import Action, ConnectionOptions, Offer, Secret, TargetOptions
from retentiond.connector.written import CopyOption, Name, OptionPart, Zone

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that are this machine, to which a password may go without TLS."""


def _folder(text: str) -> str:
    if not text or text != text.strip() or re.search(r"[\x00-\x1f%]", text):
        raise ValueError("must be the name of a folder, without % and control characters")
    return "INBOX" if text.upper() == "INBOX" else text


def _exact(text: str) -> str:
    if "*" in text:
        raise ValueError("must be the name of one folder, without *")
    return _folder(text)


def _pattern(text: str) -> str:
    if "*" in text[:-1] or text == "*":
        raise ValueError("must be the name of a folder, or the folders below one written like Archive/*")
    return _folder(text)


def _label(text: str) -> str:
    if not text or text != text.strip() or re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("must be a flag such as \\Flagged, a keyword, or on Proton the name of a label")
    return text


def _header(text: str) -> str:
    if re.fullmatch(r"[!#$&'+\-.0-9A-Z^_`a-z|~]+", text) is None:
        raise ValueError("must be the name of a header such as Date, without colon")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
Folder = Annotated[str, AfterValidator(_exact)]
Mark = Annotated[str, AfterValidator(_label)]
Header = Annotated[str, AfterValidator(_header)]


class Received(OptionPart):
    """The date is when the server received or stored the message (INTERNALDATE)."""

    from_: Literal["received"] = Field(alias="from")
    day: Zone | None = None
    """Where given, the date is the plain day of that instant in this zone."""
    conversation: bool = False
    """True for the date of the youngest message in the same conversation."""


class Saved(OptionPart):
    """The date is when the message came into its folder (SAVEDATE); unknown where the server does not tell."""

    from_: Literal["saved"] = Field(alias="from")
    day: Zone | None = None


class InHeader(OptionPart):
    """The date stands in a header of the message: with a zone it is an instant, `2026-01-15` is a plain date."""

    from_: Literal["header"] = Field(alias="from")
    header: Header
    day: Zone | None = None


class InKeyword(OptionPart):
    """The plain date stands behind `prefix` in a keyword, such as `resolved-2026-01-15`; on Proton in the name of a label."""

    from_: Literal["keyword"] = Field(alias="from")
    prefix: Mark


Source = Annotated[Received | Saved | InHeader | InKeyword, Field(discriminator="from_")]


class FactOption(OptionPart):
    """A fact that keywords tell; unknown where neither or both say so."""

    true_if: Mark
    false_if: Mark | None = None
    """Left out, the fact is never told as false."""

    @model_validator(mode="after")
    def _two_words(self) -> Self:
        if self.false_if is not None and self.false_if.lower() == self.true_if.lower():
            raise ValueError("true_if and false_if must be two different keywords")
        return self


class Block(OptionPart):
    """How a message is blocked."""

    folder: Folder
    """The folder below which blocked messages lie, each below the name of the folder it came from."""


class ImapConnection(ConnectionOptions):
    """How to reach one mailbox."""

    model_config = ConfigDict(hide_input_in_errors=True)

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    """993 for tls and 143 for the others, if left out."""
    security: Literal["tls", "starttls", "plain"] = "tls"
    user: str = Field(min_length=1)
    password: Secret
    certificate: Path | None = None
    """A PEM file with the server's own certificate, which alone is trusted then; None for the authorities of this machine."""
    timeout_seconds: int = Field(default=60, ge=1, le=3600)
    settle_seconds: int = Field(default=60, ge=0, le=3600)
    """How long to wait until the server shows what it has acknowledged."""
    flavour: Literal["plain", "proton"] = "plain"
    copies: tuple[CopyOption, ...] | None = None
    """Which copies outlive a delete in this system; None means that nobody has said."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.security == "plain" and self.host not in LOOPBACK:
            raise ValueError("security: plain would send the password openly; it is for 127.0.0.1, ::1 and localhost alone")
        if self.security == "plain" and self.certificate is not None:
            raise ValueError("a certificate is never shown with security: plain; say tls or starttls")
        return self

    @property
    def proton(self) -> bool:
        """True for Proton Bridge, where folders and labels are views of one store."""
        return self.flavour == "proton"

    def door(self) -> int:
        """The port."""
        return self.port or (993 if self.security == "tls" else 143)


class ImapOptions(TargetOptions):
    """Which messages make up the data set, and what is told of them."""

    folders: tuple[Pattern, ...] = Field(min_length=1)
    except_folders: tuple[Pattern, ...] = ()
    marked: tuple[Mark, ...] = ()
    """Flags and keywords that a message must have, all of them."""
    unmarked: tuple[Mark, ...] = ()
    """Flags and keywords that a message must not have, none of them."""
    dates: dict[Name, Source] = Field(min_length=1)
    facts: dict[Name, FactOption] = Field(default_factory=dict)
    answers: tuple[Pattern, ...] = ()
    """Further folders with messages of the same conversations; for dates of conversations alone."""
    persons: tuple[Header, ...] = ("From", "To", "Cc", "Bcc")
    """The headers with the addresses of those whom the message is about."""
    block: Block | None = None
    copies: tuple[CopyOption, ...] = ()

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.block is not None and any(isinstance(source, Saved) for source in self.dates.values()):
            raise ValueError("a message that is blocked is saved anew, so `from: saved` and `block` do not go together")
        if self.answers and not self.converses:
            raise ValueError("`answers` is about conversations; say `conversation: true` at a date, or leave it out")
        if both := {one.lower() for one in self.marked} & {one.lower() for one in self.unmarked}:
            raise ValueError(f"{len(both)} flags or keywords are both in marked and unmarked; no message can be so")
        return self

    @property
    def converses(self) -> bool:
        """True where a date is that of a conversation, so that other messages decide, too."""
        return any(isinstance(source, Received) and source.conversation for source in self.dates.values())


def offer(_connection: ImapConnection, options: ImapOptions) -> Offer:
    """What the data set can do, from its options alone."""
    actions = {Action.DELETE} | ({Action.BLOCK} if options.block is not None else set())
    return Offer(
        frozenset(options.dates),
        frozenset(actions),
        facts=frozenset(options.facts),
        subjects=frozenset({"email"} if options.persons else ()),
    )
