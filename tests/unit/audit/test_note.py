"""Signed notes: the published vectors, and everything that has to be refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from retentiond.audit.note import Checkpoint, NoteError, Signer, VerifierKey, open_note
from retentiond.audit.tree import Range

NAME = "log.example.org/retentiond/demo"
SIGNER = Signer(NAME, Ed25519PrivateKey.from_private_bytes(bytes(range(0x40, 0x60))))
OTHER = Signer(NAME, Ed25519PrivateKey.from_private_bytes(bytes(32)))
VKEY = "log.example.org/retentiond/demo+cea79d92+ASVDuS/xCVURR2rcg2nbbdyTNmWhGXjdoUBO4QZsqVWd"
SIGNATURE = "zqedkndXiL1RbH1ZNrhjqWWU+LyJycALu85oUVQFvR1F1YKttJn+om1f2BDgUZEEBcQBqcvtS/N0otZTbQlFqpJkKAQ="
KEY = VerifierKey.parse(VKEY)
TREE = Range().grown(b'{"n":%d}' % n for n in range(7))
TEXT = Checkpoint(NAME, 7, TREE.root()).text()
NOTE = SIGNER.sign(TEXT)


def test_the_verifier_key_of_the_vectors_comes_out() -> None:
    assert str(SIGNER.verifier) == VKEY
    assert SIGNER.verifier == KEY


def test_the_signature_of_the_vectors_comes_out() -> None:
    assert f"{TEXT}\n— {NAME} {SIGNATURE}\n" == NOTE


def test_a_note_opens_with_its_key() -> None:
    assert Checkpoint.parse(open_note(NOTE, KEY)) == Checkpoint(NAME, 7, TREE.root())


def test_a_verifier_key_is_split_at_its_first_two_plus_signs() -> None:
    for seed in range(50):
        key = Signer(NAME, Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))).verifier
        assert VerifierKey.parse(str(key)) == key


def test_signatures_of_unknown_keys_are_passed_over_up_to_sixteen() -> None:
    stranger = f"— somebody.else {base64.b64encode(bytes(68)).decode()}\n"
    assert open_note(NOTE + stranger * 15, KEY) == TEXT


def test_an_unknown_signature_may_be_as_short_as_one_byte() -> None:
    assert open_note(f"{NOTE}— somebody.else AAAAAAA=\n", KEY) == TEXT


def test_the_empty_log_has_a_checkpoint() -> None:
    empty = Checkpoint(NAME, 0, Range().root())
    assert Checkpoint.parse(empty.text()) == empty


def test_more_than_sixteen_signatures_are_refused() -> None:
    stranger = f"— somebody.else {base64.b64encode(bytes(68)).decode()}\n"
    with pytest.raises(NoteError, match="too many"):
        open_note(NOTE + stranger * 16, KEY)


def test_a_control_character_is_refused_even_where_no_signature_covers_it() -> None:
    stranger = f"— somebody\telse {base64.b64encode(bytes(68)).decode()}\n"
    with pytest.raises(NoteError, match="control characters"):
        open_note(NOTE + stranger, KEY)


def test_a_signature_without_a_text_is_no_note() -> None:
    with pytest.raises(NoteError, match="no signature"):
        open_note(SIGNER.sign("\n").removeprefix("\n\n"), KEY)


def test_a_bad_signature_of_the_known_key_refuses_the_note_even_beside_a_good_one() -> None:
    bad = base64.b64encode(KEY.id + bytes(64)).decode()
    with pytest.raises(NoteError):
        open_note(f"{NOTE}— {NAME} {bad}\n", KEY)


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(OTHER.sign(TEXT), id="signed by another key"),
        pytest.param(NOTE.replace("\n7\n", "\n8\n"), id="another size"),
        pytest.param(NOTE.replace(NAME, NAME + "x"), id="another name"),
        pytest.param(NOTE.replace("— ", "- "), id="a hyphen"),
        pytest.param(NOTE.replace("— ", ""), id="nothing before the name"),
        pytest.param(f"{NOTE}—  {base64.b64encode(bytes(68)).decode()}\n", id="a signature of nobody"),
        pytest.param(f"{NOTE}— somebody.else AAAAAA==\n", id="a signature of no byte"),
        pytest.param(TEXT, id="no signature"),
        pytest.param(NOTE.removesuffix("\n"), id="no last line feed"),
        pytest.param(NOTE.replace("\n", "\r\n"), id="carriage returns"),
        pytest.param(NOTE + "\x00", id="a control character"),
        pytest.param(NOTE.replace(NAME, NAME + "\x7f", 1), id="a delete character"),
        pytest.param(NOTE + "tail\n", id="a line that is no signature"),
        pytest.param(NOTE.replace("KAQ=\n", "KAR=\n"), id="the same signature spelt another way"),
        pytest.param(NOTE.replace("KAQ=\n", "KA—=\n"), id="a letter that base64 has not"),
        pytest.param(NOTE.replace(NAME, NAME + "\ud800", 1), id="half a letter"),
        pytest.param("", id="nothing"),
        pytest.param("\n\n", id="empty lines"),
    ],
)
def test_what_is_not_signed_by_the_key_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        open_note(note, KEY)


def test_every_changed_letter_of_a_note_is_refused() -> None:
    for place in range(len(NOTE)):
        changed = NOTE[:place] + ("A" if NOTE[place] != "A" else "B") + NOTE[place + 1 :]
        with pytest.raises(NoteError):
            open_note(changed, KEY)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{NAME}\n07\n{base64.b64encode(bytes(32)).decode()}\n", id="a leading zero"),
        pytest.param(f"{NAME}\n-1\n{base64.b64encode(bytes(32)).decode()}\n", id="the smallest negative size"),
        pytest.param(f"{NAME}\n-7\n{base64.b64encode(bytes(32)).decode()}\n", id="a negative size"),
        pytest.param(f"{NAME}\n7\n{base64.b64encode(bytes(31)).decode()}\n", id="a short root"),
        pytest.param(f"{NAME}\n7\n{base64.b64encode(bytes(32)).decode()}\nmore\n", id="an extension line"),
        pytest.param(f"\n7\n{base64.b64encode(bytes(32)).decode()}\n", id="no origin"),
        pytest.param(f"{NAME}\n7\n", id="no root"),
        pytest.param(f"{NAME}\n٧\n{base64.b64encode(bytes(32)).decode()}\n", id="digits of another script"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+cea79d92",
        VKEY.replace("cea79d92", "cea79d93"),
        VKEY[:-4],
        VKEY.replace("ASV", "BSV"),
        "+" + VKEY.partition("+")[2],
        VKEY[:-4] + "-" + VKEY[-4:],
        str(VerifierKey("", KEY.public)),
        str(VerifierKey(NAME, KEY.public[:-1])),
        str(VerifierKey(NAME, KEY.public + b"\x00")),
    ],
)
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)


def test_a_key_does_not_show_itself() -> None:
    assert bytes(range(0x40, 0x60)).hex() not in repr(SIGNER)


def test_a_signature_line_that_is_not_ascii_is_refused_like_any_other_that_cannot_be_read() -> None:
    with pytest.raises(NoteError, match="cannot be read"):
        open_note("a\n1\nb\n\n\u2014 name \u00fc\n", VerifierKey("name", bytes(32)))
