"""Reads the addresses in a field of an e-mail as the site keeps it."""

from __future__ import annotations

from email.utils import getaddresses


def addresses(text: object) -> list[str]:
    """The plain addresses in a field such as `Anna <anna@person.example>, berta@person.example`."""
    if not isinstance(text, str):
        return []
    return [address for _, address in getaddresses(text.replace(";", ",").splitlines()) if address]
