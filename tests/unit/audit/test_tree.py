"""The tree grown along its edge against one computed the slow way, from the definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retentiond.audit.tree import Range


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


def test_known_roots_come_out() -> None:
    # From the certificate-transparency reference implementation's test data.
    inputs = [
        bytes.fromhex(text)
        for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
    ]
    assert Range().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Range().grown(inputs[:1]).root().hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert Range().grown(inputs).root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@settings(max_examples=50)
@given(st.lists(st.lists(st.binary(max_size=8), max_size=20), max_size=8))
def test_growing_in_any_steps_gives_the_root_of_the_definition(steps: list[list[bytes]]) -> None:
    tree, leaves = Range(), list[bytes]()
    for step in steps:
        tree = Range.unpacked(tree.size, tree.packed()).grown(step)
        leaves += step
        assert (tree.size, tree.root()) == (len(leaves), slow_root(leaves))


@pytest.mark.parametrize("packed", [b"", b"x" * 31, b"x" * 64])
def test_an_edge_that_does_not_fit_its_size_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"tree|hash"):
        Range.unpacked(1, packed)
