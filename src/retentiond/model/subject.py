"""Whom a record is about: an identifier of a person, normalized, so that two ways to write it are one, and nothing else is."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

KIND = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What the name of a kind of identifier looks like: `email`, `phone`, `customer-number`."""

_PHONE_NOISE = re.compile(r"[\s()./\-\u2010-\u2015]+")


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One identifier of a person. Make it with `subject`, which normalizes."""

    kind: str
    """What kind of identifier it is: `email`, `phone`, or a name of one's own such as `customer-number`."""
    value: str = field(repr=False)
    """The identifier in its normalized form. Personal data: never shown or logged."""


def subject(kind: str, text: str) -> Subject | None:
    """Return the identifier in its normalized form; None where nothing is left of it, which identifies nobody.

    An e-mail address is compared without regard to capitals and with its domain in one form; a phone number by its digits,
    with `00` read as `+`; anything else by its letters, without regard to capitals, width and outer spaces. Nothing is ever
    compared by a part of it.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if kind == "phone":
        plain = _PHONE_NOISE.sub("", plain)
        plain = "+" + plain[2:] if plain.startswith("00") else plain
    plain = unicodedata.normalize("NFKC", plain.casefold())
    if kind == "email":
        name, at, domain = plain.rpartition("@")
        plain = f"{name}{at}{_ascii(domain.removesuffix('.'))}"
    return Subject(kind, plain) if plain else None


def subject_of(text: str) -> Subject | None:
    """Read `KIND:IDENTIFIER`, as a person writes it; None where it is not of that form."""
    kind, colon, value = text.partition(":")
    return subject(kind, value) if colon and KIND.fullmatch(kind) else None


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain
