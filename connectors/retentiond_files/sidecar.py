"""What the settings say about documents of which a file beside each tells dates, facts and persons."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from retentiond.connector import KIND
from retentiond.connector.written import OptionPart, Zone
from retentiond_files.pointer import parsed
from retentiond_files.spelling import Word

STEM = "{stem}"
NAME = "{name}"


def _pointer(text: str) -> str:
    parsed(text)
    return text


def _kind(name: str) -> str:
    if KIND.fullmatch(name) is None:
        raise ValueError("a kind of identifier is written in small letters, digits and single hyphens, such as customer-number")
    return name


def _suffix(text: str) -> str:
    if not text.strip(".") or "/" in text or "\0" in text:
        raise ValueError("must be what is added to a document's name, such as .json, without a slash")
    return text


def _pattern(text: str) -> str:
    pieces = text.split("/")
    if not text or "\0" in text or {"", ".", ".."} & set(pieces):
        raise ValueError("must be relative to the document's directory, such as thumbs/{name}.png, without empty parts, . and ..")
    if (
        any(mark in piece for piece in pieces[:-1] for mark in "{}")
        or re.fullmatch(r"[^{}]*\{(name|stem)\}[^{}]*", pieces[-1]) is None
    ):
        raise ValueError("must have {name} or {stem} once, in its last part, such as {name}.txt")
    return text


def _short(value: object) -> object:
    return {"at": value} if isinstance(value, str) else value


Pointer = Annotated[str, AfterValidator(_pointer)]


class SidecarDate(OptionPart):
    """Where in a sidecar a date stands, and of which kind it is."""

    at: Pointer
    kind: Literal["day", "instant"] = "day"
    """A plain day such as 2025-12-30, or an instant such as 2025-12-30T14:12:21+01:00."""


class Sidecar(OptionPart):
    """The dates stand in a JSON file beside each document, which is called as the document with `suffix` added."""

    from_: Literal["sidecar"] = Field(alias="from")
    suffix: Annotated[str, AfterValidator(_suffix)] = ".json"
    dates: dict[Word, Annotated[SidecarDate, BeforeValidator(_short)]] = Field(min_length=1)
    """The dates that rules may start from, by the name that rules use."""
    facts: dict[Word, Pointer] = Field(default_factory=dict)
    """The facts that rules may ask for."""
    subjects: dict[Annotated[str, AfterValidator(_kind)], Annotated[tuple[Pointer, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Whom a document is about, by the kind of identifier; each place may hold one identifier or a list of them."""
    zone: Zone | None = None
    """The zone of instants that tell none; without it they are unknown."""
    parts: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()
    """Further files of a document, which go with it: `{name}.txt`, `{stem}.png`, `thumbs/{name}.png`."""

    @model_validator(mode="after")
    def _needed(self) -> Sidecar:
        if self.zone is not None and all(date.kind == "day" for date in self.dates.values()):
            raise ValueError("takes a zone only where a date has kind: instant")
        return self
