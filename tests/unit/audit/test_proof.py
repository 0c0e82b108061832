"""Proof files: each shows one thing, and nothing that was changed in it passes."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from retentiond.audit.note import Checkpoint, NoteError, Signer, VerifierKey
from retentiond.audit.proof import (
    Consistency,
    Proof,
    check_consistency,
    check_proof,
    consistency_text,
    parse_consistency,
    parse_proof,
    proof_text,
)
from retentiond.audit.tile import hash_at_of
from retentiond.audit.tree import ProofError, Range, consistency_proof, inclusion_proof, leaf_hash

NAME = "log.example.org/retentiond/test"
SIGNER = Signer(NAME, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = Signer(NAME, Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEY = SIGNER.verifier
LEAVES = [b'{"n":%d}' % number for number in range(40)]
HASH_AT = hash_at_of(lambda _level, _n: b"".join(map(leaf_hash, LEAVES)))


def checkpoint_of(size: int, leaves: list[bytes] = LEAVES) -> Checkpoint:
    return Checkpoint(NAME, size, Range().grown(leaves[:size]).root())


def note_of(size: int) -> str:
    return SIGNER.sign(checkpoint_of(size).text())


def proof_of(index: int, size: int) -> str:
    return proof_text(LEAVES[index], index, inclusion_proof(index, size, HASH_AT), note_of(size))


def between(old: int, new: int) -> str:
    return consistency_text(old, consistency_proof(old, new, HASH_AT), note_of(new))


def refused(text: str, key: VerifierKey = KEY, held: Checkpoint | None = None, consistency: str | None = None) -> bool:
    try:
        check_proof(text, key, held, consistency)
    except (ProofError, NoteError):
        return True
    return False


PROOF = proof_of(3, 7)
BETWEEN = between(3, 7)
OTHERS = [LEAVES[0], b"another", *LEAVES[2:]]


def test_a_proof_file_is_written_as_others_read_it() -> None:
    first, extra, index, *hashes = PROOF.split("\n\n")[0].split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    assert extra == "extra " + base64.b64encode(LEAVES[3]).decode()
    assert index == "index 3"
    assert [base64.b64decode(one) for one in hashes] == list(inclusion_proof(3, 7, HASH_AT))
    assert PROOF.endswith("\n\n" + note_of(7))


def test_a_consistency_file_is_what_a_witness_takes() -> None:
    old, *hashes = BETWEEN.split("\n\n")[0].split("\n")
    assert old == "old 3"
    assert [base64.b64decode(one) for one in hashes] == list(consistency_proof(3, 7, HASH_AT))
    assert BETWEEN.endswith("\n\n" + note_of(7))


def test_every_entry_is_proven_under_every_checkpoint() -> None:
    for size in range(1, 20):
        for index in range(size):
            assert check_proof(proof_of(index, size), KEY) == (LEAVES[index], index, checkpoint_of(size))


def test_every_older_state_is_proven_to_be_the_beginning() -> None:
    for new in range(20):
        for old in range(new + 1):
            assert check_consistency(between(old, new), KEY, checkpoint_of(old)) == checkpoint_of(new)


@given(st.integers(0, len(PROOF) - 1), st.sampled_from("Aa0=+/ \n\x00—") | st.characters())
def test_a_proof_with_one_letter_changed_is_refused(place: int, letter: str) -> None:
    changed = PROOF[:place] + letter + PROOF[place + 1 :]
    assert refused(changed) == (changed != PROOF)
    assert refused(PROOF[:place] + PROOF[place + 1 :])
    assert refused(PROOF[:place] + letter + PROOF[place:])
    assert refused(PROOF[:place])


def test_every_bit_of_entry_and_hashes_counts() -> None:
    proof = parse_proof(PROOF)
    for place in range(8 * len(proof.leaf)):
        leaf = (int.from_bytes(proof.leaf, "big") ^ 1 << place).to_bytes(len(proof.leaf), "big")
        assert refused(proof_text(leaf, proof.index, proof.hashes, proof.note))
    for number, one in enumerate(proof.hashes):
        for place in range(256):
            changed = (int.from_bytes(one, "big") ^ 1 << place).to_bytes(32, "big")
            hashes = (*proof.hashes[:number], changed, *proof.hashes[number + 1 :])
            assert refused(proof_text(proof.leaf, proof.index, hashes, proof.note))


def test_a_proof_shows_no_other_index_and_no_other_size() -> None:
    proof = parse_proof(PROOF)
    for other in {*range(40), 7 + 3, 2**63} - {3}:
        assert refused(proof_text(proof.leaf, other, proof.hashes, proof.note))
    for other in set(range(40)) - {7}:
        assert refused(proof_text(proof.leaf, proof.index, proof.hashes, note_of(other)))


def test_a_proof_of_another_key_or_log_is_refused() -> None:
    assert refused(PROOF, STRANGER.verifier)
    assert refused(PROOF.replace(note_of(7), STRANGER.sign(checkpoint_of(7).text())))
    elsewhere = Checkpoint("log.example.org/retentiond/other", 7, checkpoint_of(7).root)
    with pytest.raises(ProofError, match="another log"):
        check_proof(PROOF.replace(note_of(7), SIGNER.sign(elsewhere.text())), KEY)
    with pytest.raises(ProofError, match="another log"):
        check_consistency(BETWEEN.replace(note_of(7), SIGNER.sign(elsewhere.text())), KEY, checkpoint_of(3))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("\n\n", id="empty lines"),
        pytest.param(PROOF.split("\n\n", maxsplit=1)[0], id="no checkpoint"),
        pytest.param(PROOF.replace("@v1", "@v2"), id="another version"),
        pytest.param("\n" + PROOF, id="an empty line before"),
        pytest.param(PROOF.replace("\n", "\r\n"), id="carriage returns"),
        pytest.param(PROOF.replace("extra ", "extra  "), id="two spaces"),
        pytest.param(PROOF.replace("extra ", "Extra "), id="a capital letter"),
        pytest.param(PROOF.replace("extra ", ""), id="no word before the entry"),
        pytest.param(PROOF.replace("index ", ""), id="no word before the index"),
        pytest.param("\n".join(line for line in PROOF.split("\n") if not line.startswith("extra")), id="no entry"),
        pytest.param("\n".join(line for line in PROOF.split("\n") if not line.startswith("index")), id="no index"),
        pytest.param(proof_text(b"", 3, (), note_of(7)), id="an empty entry"),
        pytest.param(PROOF.replace("index 3", "index 03"), id="a leading zero"),
        pytest.param(PROOF.replace("index 3", "index +3"), id="a sign"),
        pytest.param(PROOF.replace("index 3", "index -3"), id="a negative index"),
        pytest.param(PROOF.replace("index 3", "index ٣"), id="a digit of another script"),
        pytest.param(PROOF.replace("index 3", "index 3 "), id="a space behind"),
        pytest.param(PROOF.replace("index 3", "index " + "9" * 20), id="a number without end"),
        pytest.param(proof_text(LEAVES[3], 3, [bytes(31)], note_of(7)), id="a short hash"),
        pytest.param(proof_text(LEAVES[3], 3, [bytes(32)] * 64, note_of(7)), id="more hashes than any tree has"),
        pytest.param(PROOF.replace("=\nindex", "\nindex"), id="no padding"),
        pytest.param(PROOF.replace("extra ", "extra =="), id="padding before"),
        pytest.param(PROOF.replace("=\nindex", "é\nindex"), id="a letter that base64 has not"),
        pytest.param("c2sp.org/tlog-proof@v1\nextra YWJj\n\n" + note_of(7), id="too few lines"),
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(ProofError):
        parse_proof(text)
    assert refused(text)


def test_a_proof_of_as_many_hashes_as_a_tree_can_have_is_read() -> None:
    found = tuple(bytes([number]) * 32 for number in range(63))
    assert parse_proof(proof_text(b"leaf", 3, found, "note")).hashes == found
    assert parse_consistency(consistency_text(3, found, "note")).hashes == found


def test_base64_that_spells_the_same_bytes_another_way_is_refused() -> None:
    text = proof_text(b"abcd", 3, (), note_of(7))
    assert "YWJjZA==" in text
    same = text.replace("YWJjZA==", "YWJjZB==")
    assert base64.b64decode("YWJjZB==") == b"abcd"
    with pytest.raises(ProofError, match="no base64"):
        parse_proof(same)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(BETWEEN.split("\n\n", maxsplit=1)[0], id="no checkpoint"),
        pytest.param(BETWEEN.replace("old 3", "old 03"), id="a leading zero"),
        pytest.param(BETWEEN.replace("old 3", "new 3"), id="another word"),
        pytest.param(BETWEEN.replace("old 3\n", ""), id="no size"),
        pytest.param(BETWEEN.replace("old ", ""), id="no word before the size"),
        pytest.param(consistency_text(3, [bytes(33)], note_of(7)), id="a long hash"),
        pytest.param(consistency_text(3, [bytes(32)] * 64, note_of(7)), id="more hashes than any tree has"),
    ],
)
def test_what_is_no_consistency_file_is_refused(text: str) -> None:
    with pytest.raises(ProofError):
        parse_consistency(text)
    with pytest.raises((ProofError, NoteError)):
        check_consistency(text, KEY, checkpoint_of(3))


@given(st.integers(0, len(BETWEEN) - 1), st.sampled_from("Aa0=+/ \n\x00—") | st.characters())
def test_a_consistency_file_with_one_letter_changed_is_refused(place: int, letter: str) -> None:
    changed = BETWEEN[:place] + letter + BETWEEN[place + 1 :]
    for text in {changed, BETWEEN[:place], BETWEEN[:place] + BETWEEN[place + 1 :]} - {BETWEEN}:
        with pytest.raises((ProofError, NoteError)):
            check_consistency(text, KEY, checkpoint_of(3))


def test_a_consistency_file_begins_with_the_checkpoint_at_hand() -> None:
    for older in (checkpoint_of(2), checkpoint_of(4), Checkpoint("other", 3, checkpoint_of(3).root)):
        with pytest.raises(ProofError, match="another checkpoint"):
            check_consistency(BETWEEN, KEY, older)
    with pytest.raises(ProofError, match="not the beginning"):
        check_consistency(BETWEEN, KEY, checkpoint_of(3, OTHERS))


def test_a_proof_is_held_against_a_checkpoint_of_the_same_size() -> None:
    assert check_proof(PROOF, KEY, checkpoint_of(7)) == (LEAVES[3], 3, checkpoint_of(7))
    with pytest.raises(ProofError, match="two different histories"):
        check_proof(PROOF, KEY, checkpoint_of(7, OTHERS))


@pytest.mark.parametrize("size", [3, 6, 8, 20])
def test_a_proof_is_held_against_an_older_or_newer_checkpoint_with_the_file_that_joins_them(size: int) -> None:
    joined = between(min(size, 7), max(size, 7))
    assert check_proof(PROOF, KEY, checkpoint_of(size), joined) == (LEAVES[3], 3, checkpoint_of(7))
    assert refused(PROOF, held=checkpoint_of(size, OTHERS), consistency=joined)
    assert refused(PROOF, held=checkpoint_of(size), consistency=between(2, max(size, 7)))
    with pytest.raises(ProofError, match="has to join"):
        check_proof(PROOF, KEY, checkpoint_of(size))


def test_a_file_that_leads_elsewhere_joins_nothing() -> None:
    with pytest.raises(ProofError, match="leads to another"):
        check_proof(PROOF, KEY, checkpoint_of(20), between(7, 19))
    with pytest.raises(ProofError, match="leads to another"):
        check_proof(PROOF, KEY, checkpoint_of(3), between(3, 8))


texts = st.text(st.sampled_from("c2sp.org/tlog-proof@v1 extra index old 0123456789 AB=/+\n—"), max_size=200)


@given(texts | st.text(max_size=50))
@example("old 0\n\n")
def test_whatever_can_be_read_is_written_the_same(text: str) -> None:
    try:
        proof = parse_proof(text)
    except ProofError:
        pass
    else:
        assert proof_text(proof.leaf, proof.index, proof.hashes, proof.note) == text
    try:
        consistency = parse_consistency(text)
    except ProofError:
        return
    assert consistency_text(consistency.old, consistency.hashes, consistency.note) == text


hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple)


@given(st.binary(min_size=1, max_size=99), st.integers(0, 10**19 - 1), hashes, st.text())
def test_whatever_is_written_can_be_read(leaf: bytes, number: int, found: tuple[bytes, ...], note: str) -> None:
    assert parse_proof(proof_text(leaf, number, found, note)) == Proof(leaf, number, found, note)
    assert parse_consistency(consistency_text(number, found, note)) == Consistency(number, found, note)
