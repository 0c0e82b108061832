"""Reads the headers of a message, and the addresses in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from email.utils import getaddresses
from functools import lru_cache

from retentiond.connector import Subject, subject

Headers = Mapping[str, tuple[str, ...]]
"""The values of each header, by its name in small letters, unfolded."""

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_LOOKS_LIKE_ONE = re.compile(r"[^\s<>,;:()\"]+@[^\s<>,;:()\"]+")


def parse(block: bytes) -> Headers:
    """The headers in a block as IMAP gives it. Bytes that are no UTF-8 are taken as Latin-1, so that none is lost."""
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        text = block.decode("latin-1")
    found: dict[str, tuple[str, ...]] = {}
    for line in re.split(r"\r?\n", _FOLD.sub(" ", text)):
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            found[key] = (*found.get(key, ()), value.strip())
    return found


def people(headers: Headers, names: Iterable[str]) -> frozenset[Subject]:
    """Whom the message is about: each address in the headers of these names, normalized."""
    values = [value for name in names for value in headers.get(name.lower(), ())]
    return frozenset[Subject]().union(*map(_people, values))


@lru_cache(maxsize=1000)
def _people(value: str) -> frozenset[Subject]:
    """The persons in one header; the last ones are kept, because the mailbox's own address is in nearly every message."""
    persons = (subject("email", address) for address in _addresses(value))
    return frozenset(person for person in persons if person is not None)


def _addresses(value: str) -> list[str]:
    # A full-width @ is one to whoever reads it, and `subject` reads it so, too.
    value = value.replace("\uff20", "@")
    told = [address for _, address in getaddresses([value]) if address]
    # Where the header keeps to no grammar whatever looks like an address counts: nobody's mail is overlooked.
    return told or _LOOKS_LIKE_ONE.findall(value)


def message_id(headers: Headers) -> str:
    """The Message-ID, without blanks around; empty where there is none."""
    return " ".join(next(iter(headers.get("message-id", ())), "").split())
