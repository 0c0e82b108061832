"""What becomes of a single value when its record is anonymized. Pure functions."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from retentiond_sql.options import Constant, GeneralizeDate, Pseudonym, Strategy

REDACTED = "[removed]"
"""What `redact` leaves."""

PSEUDONYM_LENGTH = 32
"""How many hex digits a pseudonym has: 128 bits."""

_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:([ T])\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(.*))?", re.ASCII)


class UnreadableValueError(Exception):
    """The value is not what the strategy is for; nothing can be kept of it."""


def for_all(strategy: Strategy) -> Any:
    """The value that a strategy gives to everybody."""
    match strategy:
        case Constant():
            return strategy.constant
        case "redact":
            return REDACTED
        case _:
            return None


def made_from_value(strategy: Strategy) -> Callable[[Any], Any] | None:
    """What a strategy makes of a value that is not NULL; None for one that gives the same to everybody."""
    match strategy:
        case "truncate-ip":
            return truncate_ip
        case GeneralizeDate():
            whole_year = strategy.generalize_date == "year"
            return lambda value: generalize_date(value, whole_year=whole_year)
        case Pseudonym():
            key = strategy.pseudonym.reveal().encode()
            return lambda value: pseudonym(value, key)
    return None


def truncate_ip(value: object) -> str:
    """The network of an address: /24 of IPv4 and /48 of IPv6, written as an address; raises `UnreadableValueError`."""
    try:
        address = ipaddress.ip_interface(value).ip if isinstance(value, str) else None
    except ValueError:
        address = None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address is None:
        raise UnreadableValueError
    width = 24 if isinstance(address, ipaddress.IPv4Address) else 48
    return str(ipaddress.ip_network(f"{address.compressed.partition('%')[0]}/{width}", strict=False).network_address)


def generalize_date(value: object, *, whole_year: bool) -> str:
    """The first day of the date's year or month, at midnight where it has a time; raises `UnreadableValueError`."""
    match = _DAY.fullmatch(str(value))
    if match is None:
        raise UnreadableValueError
    year, month, _, between, offset = match.groups()
    return f"{year}-{'01' if whole_year else month}-01" + (f"{between}00:00:00{offset}" if between else "")


def pseudonym(value: object, key: bytes) -> str:
    """The value's keyed digest; the same for the same value and key."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]
