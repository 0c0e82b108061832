"""A witness cosigns what continues what it saw; anything else it says about the log is an alarm."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from support.certificates import Authority
from support.history import History
from support.witness import TIME, Witness, serving

from retentiond.anchor.cosignature import WitnessKey
from retentiond.anchor.reading import found_in
from retentiond.anchor.witness import hand_over
from retentiond.audit.note import NoteError, open_note
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, TransientConnectorError
from retentiond.settings import WitnessAnchor


@pytest.fixture
def witness() -> Iterator[Witness]:
    with serving(Witness(History.of(1).signer.verifier)) as witness:
        yield witness


def anchor(witness: Witness, **more: object) -> WitnessAnchor:
    return WitnessAnchor.model_validate({"type": "witness", "url": witness.url, "key": witness.vkey} | more)


def test_each_checkpoint_is_cosigned_and_the_line_is_kept_below_the_logs_own(witness: Witness, state: Path) -> None:
    log = History.of(40)
    before = 0
    for size in (3, 5, 8, 40, 40):
        receipt = hand_over(anchor(witness), log.handover(state, size, before)).decode()
        assert receipt == log.note(size) + witness.line(receipt.split("\n\n")[0] + "\n")
        assert open_note(receipt, log.signer.verifier) == receipt.split("\n\n")[0] + "\n"
        found = found_in(receipt.encode())
        assert found is not None
        assert found.notes == (receipt,)
        before = size
    assert [old for _, old in witness.asked] == [0, 3, 5, 8, 40]


def test_a_witness_that_saw_more_than_is_remembered_names_the_size_to_begin_from(witness: Witness, state: Path) -> None:
    log = History.of(40)
    hand_over(anchor(witness), log.handover(state, 17))
    hand_over(anchor(witness), log.handover(state, 40, before=5))
    assert [old for _, old in witness.asked] == [0, 5, 17]
    assert witness.seen == (40, log.root(40))


def test_a_witness_that_saw_nothing_yet_is_begun_with(witness: Witness, state: Path) -> None:
    hand_over(anchor(witness), History.of(40).handover(state, 40, before=17))
    assert [old for _, old in witness.asked] == [17, 0]


@given(sizes=st.lists(st.integers(1, 40), min_size=2, max_size=2, unique=True).map(sorted), known=st.booleans())
def test_a_log_that_was_rewritten_is_an_alarm(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], known: bool) -> None:
    old, new = sizes
    state = tmp_path_factory.mktemp("state")
    with serving(Witness(History.of(1).signer.verifier)) as witness:
        hand_over(anchor(witness), History.of(40).handover(state, old))
        with pytest.raises(AuditError, match="does not continue what it saw before: the log was rewritten"):
            hand_over(anchor(witness), History.of(40, "forged").handover(state, new, before=old if known else 0))
        assert witness.seen[0] == old


def test_a_log_rewritten_to_the_very_same_size_is_an_alarm(witness: Witness, state: Path) -> None:
    hand_over(anchor(witness), History.of(40).handover(state, 17))
    with pytest.raises(AuditError, match="another history of the log's first 17 entries"):
        hand_over(anchor(witness), History.of(40, "forged").handover(state, 17, before=17))


@pytest.mark.parametrize("before", [17, 5])
def test_a_conflict_at_the_very_same_size_is_an_alarm_even_where_it_names_no_size(
    witness: Witness, state: Path, before: int
) -> None:
    witness.answers = [(409, b"17\n"), (409, b"")]
    with pytest.raises(AuditError, match="another history"):
        hand_over(anchor(witness), History.of(40).handover(state, 17, before=before))


def test_a_log_that_was_rolled_back_is_an_alarm(witness: Witness, state: Path) -> None:
    hand_over(anchor(witness), History.of(40).handover(state, 17))
    with pytest.raises(AuditError, match="saw 17 entries of the log, which has 5: it was cut or rolled back"):
        hand_over(anchor(witness), History.of(40).handover(state, 5, before=0))


def test_two_writers_at_a_time_are_tried_again(witness: Witness, state: Path) -> None:
    witness.answers = [(409, b"3\n"), (409, b"7\n")]
    with pytest.raises(TransientConnectorError, match="at the same time"):
        hand_over(anchor(witness), History.of(40).handover(state, 40))


@pytest.mark.parametrize("body", [b"", b"many", b"-3\n", b"3\n3\n", b"9" * 30, "٣".encode()])
def test_a_conflict_that_names_no_size_is_told(witness: Witness, state: Path, body: bytes) -> None:
    witness.answers = [(409, body)]
    with pytest.raises(ConnectorError, match="but not which"):
        hand_over(anchor(witness), History.of(40).handover(state, 40))


@pytest.mark.parametrize(
    ("status", "why", "kind"),
    [
        (403, "does not know the log's key", ConnectorError),
        (404, "does not know a log of this `origin`", ConnectorError),
        (400, r"refuses \(HTTP 400\)", ConnectorError),
        (301, r"refuses \(HTTP 301\)", ConnectorError),
        (429, "cannot answer now", TransientConnectorError),
        (503, "cannot answer now", TransientConnectorError),
    ],
)
def test_what_a_witness_refuses_is_told_by_its_number_alone(
    witness: Witness, state: Path, status: int, why: str, kind: type[ConnectorError]
) -> None:
    witness.answers = [(status, b"Ada Muster")]
    with pytest.raises(ConnectorError, match=why) as told:
        hand_over(anchor(witness), History.of(40).handover(state, 40))
    assert type(told.value) is kind
    assert "Ada" not in str(told.value)


def test_a_log_or_a_key_that_the_witness_does_not_know_is_told(witness: Witness, state: Path) -> None:
    other = History.of(9)
    other.origin = "log.example.org/other"
    with pytest.raises(ConnectorError, match="does not know the log's key"):
        hand_over(anchor(witness), other.handover(state, 9))


def test_a_cosignature_is_taken_only_from_the_configured_key(witness: Witness, state: Path) -> None:
    log = History.of(9)
    text = log.note(9).split("\n\n")[0] + "\n"
    stranger = Witness(witness.log, name="stranger.example/w")
    namesake = Witness(witness.log)
    old = log.note(5).split("\n\n")[0] + "\n"
    for line in (stranger.line(text), namesake.line(text), witness.line(old), "", "— nonsense\n", "\x00"):
        witness.answers = [(200, line.encode())]
        with pytest.raises(ConnectorError, match="does not hold, or is by another key"):
            hand_over(anchor(witness), log.handover(state, 9))
    witness.answers = [(200, b"\xff\xfe")]
    with pytest.raises(ConnectorError, match="does not hold, or is by another key"):
        hand_over(anchor(witness), log.handover(state, 9))


def test_lines_by_other_witnesses_are_left_out(witness: Witness, state: Path) -> None:
    log = History.of(9)
    text = log.note(9).split("\n\n")[0] + "\n"
    witness.answers = [(200, (Witness(witness.log, name="stranger.example/w").line(text) + witness.line(text)).encode())]
    assert hand_over(anchor(witness), log.handover(state, 9)).decode() == log.note(9) + witness.line(text)


def test_a_cosignature_tells_when_the_checkpoint_was_seen(witness: Witness) -> None:
    key, text = WitnessKey.parse(witness.vkey), "a\n1\nb\n"
    assert key.cosigned(witness.line(text).strip(), text) == datetime.fromtimestamp(TIME, UTC)


@given(place=st.integers(0, 300), bit=st.integers(0, 7))
def test_no_changed_bit_of_a_cosignature_holds(place: int, bit: int) -> None:
    witness, text = Witness(History.of(1).signer.verifier), "a\n1\nb\n"
    line = bytearray(witness.line(text).strip().encode())
    line[place % len(line)] ^= 1 << bit
    with pytest.raises(NoteError):
        WitnessKey.parse(witness.vkey).cosigned(line.decode("utf-8", "replace"), text)


@pytest.mark.parametrize("key", ["", "nonsense", "a+b", "name+00000000+BAAA", "signer"])
def test_a_key_that_is_none_is_told(witness: Witness, state: Path, key: str) -> None:
    written = str(witness.log) if key == "signer" else key  # the log's own key is of another type
    with pytest.raises(ConfigurationError, match="The `key` of the anchor `witness` cannot be used"):
        hand_over(anchor(witness, key=written), History.of(9).handover(state, 9))


def test_keys_and_cosignatures_have_the_bytes_that_the_formats_say() -> None:
    seed = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = seed.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    name, text, at = "witness.example/w", "log.example\n3\nAAAA\n", 1_795_000_000
    number = hashlib.sha256(name.encode() + b"\n\x04" + public).hexdigest()[:8]
    encoded = base64.b64encode(b"\x04" + public).decode()
    key = WitnessKey.parse(f"{name}+{number}+{encoded}\n")
    signature = seed.sign(b"cosignature/v1\ntime 1795000000\nlog.example\n3\nAAAA\n")
    blob = base64.b64encode(bytes.fromhex(number) + at.to_bytes(8, "big") + signature).decode()
    assert key.cosigned(f"\u2014 {name} {blob}", text) == datetime.fromtimestamp(at, UTC)


@pytest.mark.parametrize(
    "change", [("+04", "+01"), ("BA", "AQ"), ("w+", "v+"), ("w+", "w w+"), ("+B", "+?B"), ("+", " "), ("=", "")]
)
def test_a_key_with_anything_changed_is_none(witness: Witness, change: tuple[str, str]) -> None:
    text = f"w+{witness.vkey.partition('+')[2]}"  # the number is that of another name
    for wrong in (text, witness.vkey.replace(*change, 1) if change[0] in witness.vkey else witness.vkey[:-1]):
        with pytest.raises(NoteError, match="verifier key"):
            WitnessKey.parse(wrong)


def test_a_witness_is_spoken_to_over_tls(tmp_path: Path, state: Path) -> None:
    authority = Authority(tmp_path)
    with serving(Witness(History.of(1).signer.verifier), authority.server().server()) as witness:
        hand_over(anchor(witness, ca=authority.file), History.of(9).handover(state, 9))
        with pytest.raises(ConnectorError, match="nobody who is trusted here vouches for it"):
            hand_over(anchor(witness), History.of(9).handover(state, 9))
        assert len(witness.asked) == 1


def test_a_witness_that_is_not_there_may_be_there_later(witness: Witness, state: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://localhost:{unused.getsockname()[1]}"
    with pytest.raises(TransientConnectorError, match="cannot be reached"):
        hand_over(anchor(witness, url=url), History.of(9).handover(state, 9))


def test_an_answer_without_end_is_not_read(witness: Witness, state: Path) -> None:
    witness.answers = [(200, b"x" * 100_000)]
    with pytest.raises(ConnectorError, match="larger than any receipt"):
        hand_over(anchor(witness), History.of(9).handover(state, 9))
