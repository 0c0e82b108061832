"""The tree against one computed the slow way, from the definition; its proofs, and everything that must not pass for one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retentiond.audit.tree import (
    EMPTY_ROOT,
    ProofError,
    Range,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

MOST = 40
"""Every shape that the algorithms tell apart stands in a tree of up to this many leaves."""
LEAVES = [b'{"n":%d}' % number for number in range(MOST)]
STRANGE = hashlib.sha256(b"strange").digest()


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = split_of(len(leaves))
    return hashlib.sha256(b"\x01" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


def split_of(count: int) -> int:
    split = 1
    while split * 2 < count:
        split *= 2
    return split


def slow_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*slow_path(index, leaves[:split]), slow_root(leaves[split:])]
    return [*slow_path(index - split, leaves[split:]), slow_root(leaves[:split])]


def slow_proof(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2, word for word."""
    if old == len(leaves):
        return [] if whole else [slow_root(leaves)]
    split = split_of(len(leaves))
    if old <= split:
        return [*slow_proof(old, leaves[:split], whole=whole), slow_root(leaves[split:])]
    return [*slow_proof(old - split, leaves[split:], whole=False), slow_root(leaves[:split])]


def sides(index: int, size: int) -> str:
    """On which side the siblings stand, from the leaf upwards: two proofs of equal sides cannot be told apart by their form."""
    if size == 1:
        return ""
    split = split_of(size)
    return sides(index, split) + "R" if index < split else sides(index - split, size - split) + "L"


def sides_between(old: int, new: int, *, whole: bool = True) -> str:
    """The same for a consistency proof."""
    if old == new:
        return "" if whole else "="
    split = split_of(new)
    if old <= split:
        return sides_between(old, split, whole=whole) + "R"
    return sides_between(old - split, new - split, whole=False) + "L"


def hash_at(level: int, index: int) -> bytes:
    """Full subtrees only; whoever asks for another one, or for one beyond the end, fails."""
    leaves = LEAVES[index << level : (index + 1) << level]
    assert index >= 0
    assert len(leaves) == 1 << level
    return slow_root(leaves)


def spoiled(proof: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    """The proof cut, lengthened, swapped, turned round, with a bit changed or a hash cut: at every place."""
    for place in range(len(proof)):
        yield proof[:place] + proof[place + 1 :]
        yield (*proof[:place], bytes([proof[place][0] ^ 1]) + proof[place][1:], *proof[place + 1 :])
        yield (*proof[:place], proof[place][:-1], *proof[place + 1 :])
        yield (*proof[:place], proof[place] + b"\x00", *proof[place + 1 :])
        if place:
            yield (*proof[: place - 1], proof[place], proof[place - 1], *proof[place + 1 :])
    for place in range(len(proof) + 1):
        yield (*proof[:place], STRANGE, *proof[place:])
        yield (*proof[:place], b"", *proof[place:])
        if place:
            yield (*proof[:place], proof[place - 1], *proof[place:])
    if len(proof) > 1:
        yield proof[::-1]


def included(index: int, size: int, leaf: bytes, proof: tuple[bytes, ...], root_hash: bytes) -> bool:
    try:
        verify_inclusion(index, size, leaf, proof, root_hash)
    except ProofError:
        return False
    return True


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: tuple[bytes, ...]) -> bool:
    try:
        verify_consistency(old, new, old_root, new_root, proof)
    except ProofError:
        return False
    return True


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


@pytest.mark.parametrize("packed", [b"", b"x" * 31, b"x" * 33, b"x" * 64])
def test_an_edge_that_does_not_fit_its_size_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"tree|hash"):
        Range.unpacked(1, packed)


@pytest.mark.parametrize(("size", "hashes"), [(-1, (STRANGE,)), (2, (STRANGE, STRANGE)), (1, (STRANGE[:-1],)), (0, (STRANGE,))])
def test_a_tree_of_another_number_of_subtrees_is_refused(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="number of subtrees"):
        Range(size, hashes)


def test_an_edge_whose_size_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        Range.unpacked(True, STRANGE)


def test_leaves_and_nodes_are_hashed_apart() -> None:
    assert leaf_hash(b"ab") == hashlib.sha256(b"\x00ab").digest()
    assert node_hash(b"a", b"b") == hashlib.sha256(b"\x01ab").digest()


def test_the_root_of_every_size_is_that_of_the_definition() -> None:
    for size in range(MOST + 1):
        assert root(size, hash_at) == slow_root(LEAVES[:size])


def test_the_proofs_are_those_of_the_definition_and_verify() -> None:
    for new in range(1, MOST + 1):
        whole = slow_root(LEAVES[:new])
        for old in range(1, new + 1):
            index, path = old - 1, inclusion_proof(old - 1, new, hash_at)
            assert list(path) == slow_path(index, LEAVES[:new])
            verify_inclusion(index, new, leaf_hash(LEAVES[index]), path, whole)
            proof = consistency_proof(old, new, hash_at)
            assert list(proof) == slow_proof(old, LEAVES[:new])
            verify_consistency(old, new, slow_root(LEAVES[:old]), whole, proof)


def test_of_an_empty_tree_every_tree_is_a_later_state() -> None:
    for new in range(3):
        assert consistency_proof(0, new, hash_at) == ()
        verify_consistency(0, new, EMPTY_ROOT, slow_root(LEAVES[:new]), ())
        assert not consistent(0, new, STRANGE, slow_root(LEAVES[:new]), ())
        assert not consistent(0, new, EMPTY_ROOT, slow_root(LEAVES[:new]), (STRANGE,))
    assert not consistent(0, 0, EMPTY_ROOT, EMPTY_ROOT, (EMPTY_ROOT,))


@st.composite
def places(draw: st.DrawFn) -> tuple[int, int]:
    """A size, and an index below it."""
    size = draw(st.integers(1, MOST))
    return draw(st.integers(0, size - 1)), size


@given(places())
def test_a_proof_of_inclusion_shows_nothing_else(place: tuple[int, int]) -> None:
    index, size = place
    leaf, whole = leaf_hash(LEAVES[index]), slow_root(LEAVES[:size])
    path = inclusion_proof(index, size, hash_at)
    assert included(index, size, leaf, path, whole)
    for other in range(-2, 2 * MOST):
        assert included(other, size, leaf, path, whole) == (other == index)
        # The form binds the size only as far as it is the same: beyond that a signature has to.
        alike = 0 <= index < other and sides(index, other) == sides(index, size)
        assert included(index, other, leaf, path, whole) == alike
    for other in range(MOST):
        assert included(index, size, leaf_hash(LEAVES[other]), path, whole) == (other == index)
        assert included(index, size, leaf, path, slow_root(LEAVES[:other])) == (other == size)
    for changed in (leaf[:-1], leaf + b"\x00", b""):
        assert not included(index, size, changed, path, whole)
        assert not included(index, size, leaf, path, changed)
    for proof in spoiled(path):
        assert not included(index, size, leaf, proof, whole)


@given(places())
def test_a_proof_of_consistency_shows_nothing_else(place: tuple[int, int]) -> None:
    old, new = place[0] + 1, place[1]
    old_root, new_root = slow_root(LEAVES[:old]), slow_root(LEAVES[:new])
    proof = consistency_proof(old, new, hash_at)
    assert consistent(old, new, old_root, new_root, proof)
    for other in range(-2, 2 * MOST):
        if old < new:
            alike = 0 < other < new and sides_between(other, new) == sides_between(old, new)
            assert consistent(other, new, old_root, new_root, proof) == alike
            alike = old < other and sides_between(old, other) == sides_between(old, new)
            assert consistent(old, other, old_root, new_root, proof) == alike
    for other in range(MOST):
        assert consistent(old, new, slow_root(LEAVES[:other]), new_root, proof) == (other == old)
        assert consistent(old, new, old_root, slow_root(LEAVES[:other]), proof) == (other == new)
    for changed in (old_root[:-1], new_root + b"\x00", b"", STRANGE):
        assert not consistent(old, new, changed, new_root, proof)
        assert not consistent(old, new, old_root, changed, proof)
        assert not consistent(old, new, changed, changed, (*proof, changed))
    assert consistent(old, new, old_root, new_root, ()) == (old == new)
    for changed_proof in spoiled(proof):
        assert not consistent(old, new, old_root, new_root, changed_proof)


@given(places(), st.data())
def test_a_rewritten_beginning_has_no_proof(place: tuple[int, int], data: st.DataObject) -> None:
    old, new = place[0] + 1, place[1]
    changed = data.draw(st.integers(0, old - 1))
    rewritten = [*LEAVES[:changed], b"another", *LEAVES[changed + 1 : new]]
    proof = tuple(slow_proof(old, rewritten))
    assert consistent(old, new, slow_root(rewritten[:old]), slow_root(rewritten), proof)
    assert not consistent(old, new, slow_root(LEAVES[:old]), slow_root(rewritten), proof)


def test_a_byte_cannot_move_from_one_hash_to_its_neighbour() -> None:
    left, right, whole = leaf_hash(LEAVES[0]), leaf_hash(LEAVES[1]), slow_root(LEAVES[:2])
    assert included(0, 2, left, (right,), whole)
    assert not included(0, 2, left + right[:1], (right[1:],), whole)
    assert consistent(1, 2, left, whole, (right,))
    assert not consistent(1, 2, left + right[:1], whole, (right[1:],))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_what_is_not_in_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, hash_at)
    with pytest.raises(ProofError, match="no entry"):
        verify_inclusion(index, size, STRANGE, (), STRANGE)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3), (1, 0)])
def test_a_larger_tree_is_never_the_older_one(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no larger"):
        consistency_proof(old, new, hash_at)
    with pytest.raises(ProofError, match="no larger"):
        verify_consistency(old, new, STRANGE, STRANGE, ())
