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
_DOTTED = rb"\.".join([_OCTET] * 4)
_IPV4 = re.compile(rb"(?<!\d)" + _DOTTED + rb"(?!\d)")
# Digits before an address make it part of a longer number, unless they end an escape: {"ip":"…"} is logged as
# %22ip%22%3A%22192.0.2.17%22 in a request, and as \x22ip\x22:\x22192.0.2.17\x22 by nginx.
_ESCAPED_IPV4 = re.compile(rb"(%[0-9A-Fa-f]\d|\\x[0-9A-Fa-f]\d|\\u[0-9A-Fa-f]{3}\d)(" + _DOTTED + rb")(?!\d)")
_ESCAPE = rb"%(?!3[Aa]|2[Ee])[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\[a-z]|(?i:ipv?6:)"
_ESCAPE_BEFORE = re.compile(rb"(?:" + _ESCAPE + rb")\Z")
_RUN = re.compile(_ESCAPE + rb"|(?P<run>(?:[0-9A-Fa-f:.]|%3[Aa]|%2[Ee]){2,})")
"""An escape (or `IPv6:`, as mail servers write), which belongs to no address; or what could be one, also with `%3A` for `:`."""

_WORD = re.compile(rb"[0-9A-Za-z_]")
_GROUPS = 6
"""Fewer colons than this, and no `::`, and it is no IPv6 address."""

_PLAIN = 3
"""With so many colons it is an address even where it is glued to a word; with fewer it may be a name such as `Foo::Bar`."""

_HEX = rb"[0-9A-Fa-f]{1,4}"
_TAIL = rb"(?:" + _DOTTED + rb"|" + _HEX + rb")"
_IPV6 = re.compile(
    rb"(?:%(hex)b(?::%(hex)b){0,6})?::(?:(?:%(hex)b:){0,6}%(tail)b)?|(?:%(hex)b:){6}(?:%(hex)b:%(hex)b|%(dotted)b)"
    % {b"hex": _HEX, b"tail": _TAIL, b"dotted": _DOTTED}
)
"""Reaches at least as far as the longest address at a place does, and matches nowhere else; what it is, `ipaddress` tells."""

Truncate = Callable[[bytes], bytes]
"""A line -> the line with every address truncated; itself where none is whole."""


def truncation(bits: Truncation) -> Truncate:
    """What truncates the addresses of a line to `bits`; doing it twice is the same as once."""

    def ipv4(text: bytes) -> bytes:
        if text.count(b".") < 3:  # noqa: PLR2004 - three dots make an address
            return text
        text = _IPV4.sub(lambda match: _ipv4(match[0], bits.ipv4), text)
        if b"%" in text or b"\\" in text:
            text = _ESCAPED_IPV4.sub(lambda match: match[1] + _ipv4(match[2], bits.ipv4), text)
        return text

    def ipv6(match: re.Match[bytes]) -> bytes:
        run = match["run"]
        if run is None:
            return match[0]
        plain = run if b"%" not in run else re.sub(rb"%2[Ee]", b".", re.sub(rb"%3[Aa]", b":", run))
        if b"::" not in plain and plain.count(b":") < _GROUPS:
            return run
        before, after = _glued(match)
        cut = ipv4(_ipv6_run(plain, bits, before=before, after=after))
        if cut == plain:
            return run
        if _ipv6_run(cut, bits, before=before, after=after) != cut:
            cut = b"::"  # several that run into one another; what is left of them would be taken for another one
        return cut if plain is run else cut.replace(b":", b"%3A")

    def truncate(line: bytes) -> bytes:
        if b"::" in line or line.count(b":") >= _GROUPS or b"%3A" in line or b"%3a" in line:
            line = _RUN.sub(ipv6, line)
        return ipv4(line)

    return truncate


def _glued(match: re.Match[bytes]) -> tuple[bool, bool]:
    """Whether a word goes on right before and right behind the run."""
    line, start, end = match.string, match.start(), match.end()
    escaped = _ESCAPE_BEFORE.search(line[max(0, start - 6) : start]) is not None
    return not escaped and _WORD.match(line[start - 1 : start]) is not None, _WORD.match(line[end : end + 1]) is not None


@lru_cache(maxsize=4096)
def _ipv4(text: bytes, bits: int) -> bytes:
    """Octet by octet, so that what stays keeps its spelling."""
    kept = []
    for place, octet in enumerate(text.split(b".")):
        mask = 0xFF00 >> max(0, min(8, bits - 8 * place)) & 0xFF
        value = int(octet)
        kept.append(octet if value & mask == value else b"%d" % (value & mask))
    return b".".join(kept)


def _ipv6_run(run: bytes, bits: Truncation, *, before: bool, after: bool) -> bytes:
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
    """Where the longest address that begins at `at` ends; 0 where none does. A short one stands apart from words."""
    match = _IPV6.match(run, at)
    if match is None or run[at : at + 3] == b":::":
        return 0
    glued = before if at == 0 else _WORD.match(run, at - 1) is not None
    for end in range(match.end(), at + 1, -1):
        text = run[at:end]
        apart = not (glued or (after if end == len(run) else _WORD.match(run, end)))
        if (apart or text.count(b":") >= _PLAIN) and _parsed(text) is not None:
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
