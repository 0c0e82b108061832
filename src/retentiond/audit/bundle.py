"""Entry bundles: 256 leaves in one piece, each with its length before it, as they are stored and as they are published."""

from __future__ import annotations

from collections.abc import Iterable

LENGTH = 2
"""Bytes of a length, big-endian."""


def bundled(leaves: Iterable[bytes]) -> bytes:
    """The leaves in one piece."""
    return b"".join([len(leaf).to_bytes(LENGTH) + leaf for leaf in leaves])


def unbundled(bundle: bytes) -> list[bytes]:
    """The leaves of a bundle; raises `ValueError` where one is cut."""
    leaves: list[bytes] = []
    place, end = 0, len(bundle)
    while place < end:
        begin = place + LENGTH
        place = begin + (bundle[place] << 8 | bundle[begin - 1] if begin <= end else end)
        leaves.append(bundle[begin:place])
    if place != end:
        raise ValueError("a leaf is cut")
    return leaves
