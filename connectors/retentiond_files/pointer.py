"""JSON pointers (RFC 6901): `/customer/email`, `/items/0/sold_on`."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"(?:[^~/]|~[01])*")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


def parsed(text: str) -> tuple[str, ...]:
    """The names on the way, unescaped; raises ValueError where the text is no pointer, or points at the whole document."""
    head, *tokens = text.split("/")
    if head or not tokens or not all(map(_TOKEN.fullmatch, tokens)):
        raise ValueError("must be a JSON pointer such as /customer/email, with ~1 for a slash and ~0 for ~ within a name")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def at(document: object, tokens: tuple[str, ...]) -> object:
    """What lies there; None where nothing does."""
    for token in tokens:
        if isinstance(document, dict):
            document = document.get(token)
        elif isinstance(document, list) and _INDEX.fullmatch(token) and int(token) < len(document):
            document = document[int(token)]
        else:
            return None
    return document
