"""Whom a record is about: an identifier of a person, normalized, so that two ways to write it are one, and nothing else is."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

KIND = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What the name of a kind of identifier looks like: `email`, `phone`, `customer-number`."""

_UNSEEN = "\u200b\u2060\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""What is copied along from address books and files, and nobody sees: zero width spaces, marks of direction."""
_OUTSIDE = re.compile(rf"\A[\s{_UNSEEN}]+|[\s{_UNSEEN}]+\Z")
_LAST_DOT = re.compile(rf"\.[.\s{_UNSEEN}]*\Z")
_PHONE_NOISE = re.compile(rf"[\s()./\-\u00ad\u2010-\u2015\u2212{_UNSEEN}]+")
_TRUNK = re.compile(r"\(\s*0\s*\)")
"""`+49 (0)30`: the zero is dialled within the country only, and goes where the country is told."""
_SCHEMES = {"email": re.compile(rf"\A(mailto:[\s{_UNSEEN}]*)+"), "phone": re.compile(rf"\A(tel:[\s{_UNSEEN}]*)+")}


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
    compared by a part of it. To normalize what is normalized changes nothing.
    """
    # Not `casefold`: it takes ß for ss, and straße.example and strasse.example are two domains with two owners.
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    plain = _OUTSIDE.sub("", plain)
    if kind in _SCHEMES:
        plain = _SCHEMES[kind].sub("", plain)
    if kind == "email":
        plain = _email(plain)
    if kind == "phone":
        plain = _phone(plain)
    return Subject(kind, plain) if plain else None


def subject_of(text: str) -> Subject | None:
    """Read `KIND:IDENTIFIER`, as a person writes it; None where it is not of that form."""
    kind, colon, value = text.partition(":")
    return subject(kind, value) if colon and KIND.fullmatch(kind) else None


def _email(plain: str) -> str:
    name, at, domain = plain.rpartition("@")
    if not at:
        return plain
    domain = _LAST_DOT.sub("", domain.replace("\u3002", "."))  # the full stop of Chinese and Japanese parts labels, too
    return f"{name}{at}{'.'.join(map(_ascii, domain.split('.')))}"


def _ascii(label: str) -> str:
    # Not the codec `idna`: it follows the rules of 2003, by which ß is ss, and fails on what no domain can be.
    return label if label.isascii() else f"xn--{label.encode('punycode', 'surrogatepass').decode('ascii')}"


def _phone(plain: str) -> str:
    if plain.lstrip("( ").startswith(("+", "00")):
        plain = _TRUNK.sub("", plain)
    plain = re.sub(r"\d", lambda digit: str(int(digit[0])), _PHONE_NOISE.sub("", plain))
    plain = f"+{plain[2:]}" if plain.startswith("00") else plain
    return unicodedata.normalize("NFKC", plain) if re.search(r"\d", plain) else ""
