"""Whether a text looks as if it named a person directly: by an e-mail address, a phone number or an IP address."""

from __future__ import annotations

import ipaddress
import re

_MAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_DAY = re.compile(r"(?<!\d)(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2}))(?!\d)")
# With + or 0 in front, or a run of digits that is too long for a count.
_PHONE = re.compile(r"(?:\+|(?<!\d)(?<!\d[.,])0)\(?\d(?:[\s()./\-\u2010-\u2015]*\d){5,}|(?<!\d)(?<!\d[.,])\d{10,15}(?!\d)")
_APART = re.compile(r"[\s,;()\"'<>=|]+")


def names_somebody(text: str) -> bool:
    """True where the text holds what looks like an e-mail address, a phone number or an IP address, and at times for less."""
    return bool(_MAIL.search(text) or _PHONE.search(_DAY.sub(" ", text))) or any(map(_is_address, _APART.split(text)))


def _is_address(word: str) -> bool:
    bare = word.strip("[].")
    for some in (bare, bare.rpartition(":")[0], bare.partition("%")[0], word[1:].partition("]")[0]):
        try:
            ipaddress.ip_interface(some)
        except ValueError:
            continue
        return "." in some or ":" in some
    return False
