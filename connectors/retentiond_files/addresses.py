"""Truncates IP addresses wherever they stand in a line: client, X-Forwarded-For, request, referrer.

Whatever could be read as an address is one; a version such as 1.2.3.4 loses its end too. Host names are not touched.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

from retentiond_files.options import Truncation

_OCTET = rb"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_IPV4 = re.compile(rb"(?<!\d)" + rb"\.".join([_OCTET] * 4) + rb"(?!\d)")
_RUN = re.compile(rb"[0-9A-Fa-f:.]{2,}")
_WORD = re.compile(rb"[0-9A-Za-z_]")
_GROUPS = 6
"""Fewer colons than this, and no `::`, and it is no IPv6 address."""

_LONGEST = 45
"""No IPv6 address is written longer."""

Truncate = Callable[[bytes], bytes]
"""A line -> the line with every address truncated; itself where none is whole."""


def truncation(bits: Truncation) -> Truncate:
    """What truncates the addresses of a line to `bits`; doing it twice is the same as once."""

    def ipv4(match: re.Match[bytes]) -> bytes:
        return _ipv4(match[0], bits.ipv4)

    def truncate(line: bytes) -> bytes:
        if b"::" in line or line.count(b":") >= _GROUPS:
            line = _RUN.sub(lambda match: _ipv6_run(match, bits), line)
        return _IPV4.sub(ipv4, line) if line.count(b".") > 2 else line  # noqa: PLR2004 - three dots make an address

    return truncate


@lru_cache(maxsize=4096)
def _ipv4(text: bytes, bits: int) -> bytes:
    """Octet by octet, so that what stays keeps its spelling."""
    kept = []
    for place, octet in enumerate(text.split(b".")):
        mask = 0xFF00 >> max(0, min(8, bits - 8 * place)) & 0xFF
        value = int(octet)
        kept.append(octet if value & mask == value else b"%d" % (value & mask))
    return b".".join(kept)


def _ipv6_run(match: re.Match[bytes], bits: Truncation) -> bytes:
    run, line = match[0], match.string
    if b"::" not in run and run.count(b":") < _GROUPS:
        return run
    before = bool(_WORD.match(line[match.start() - 1 : match.start()]))
    after = bool(_WORD.match(line[match.end() : match.end() + 1]))
    out: list[bytes] = []
    at = 0
    while at < len(run):
        end = _address_end(run, at, before=before, after=after)
        if end:
            out.append(_ipv6(run[at:end], bits))
            at = end
        else:
            out.append(run[at : at + 1])
            at += 1
    return b"".join(out)


def _address_end(run: bytes, at: int, *, before: bool, after: bool) -> int:
    """Where the longest address that begins at `at` ends; 0 where none does. It stands apart from words on both sides."""
    if (before if at == 0 else _WORD.match(run, at - 1)) or (run[at : at + 1] == b":" and run[at : at + 2] != b"::"):
        return 0
    if run[at : at + 3] == b":::":
        return 0
    for end in range(min(len(run), at + _LONGEST), at + 1, -1):
        apart = not (after if end == len(run) else _WORD.match(run, end))
        if apart and b":" in run[at:end] and _parsed(run[at:end]) is not None:
            return end
    return 0


@lru_cache(maxsize=4096)
def _parsed(text: bytes) -> ipaddress.IPv6Address | None:
    try:
        return ipaddress.IPv6Address(text.decode("ascii"))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _ipv6(text: bytes, bits: Truncation) -> bytes:
    address = _parsed(text)
    if address is None:
        return text
    if address.ipv4_mapped is not None:
        cut = _ipv4(str(address.ipv4_mapped).encode(), bits.ipv4)
        return text if cut == str(address.ipv4_mapped).encode() else b"::ffff:" + cut
    kept = bits.ipv6
    if address.sixtofour is not None:  # 2002:, then an IPv4 address, then the rest
        kept = min(kept, 16 + bits.ipv4)
    value = int(address) >> (128 - kept) << (128 - kept)
    return text if value == int(address) else str(ipaddress.IPv6Address(value)).encode()
