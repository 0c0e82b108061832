"""A time stamp is taken only where it holds: by the authority's certificates, over this very checkpoint."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.certificates import Authority
from support.history import History
from support.stamper import Stamper, stamping

from retentiond.anchor.reading import found_in
from retentiond.anchor.timestamp import hand_over, stamped_digest
from retentiond.errors import ConfigurationError, ConnectorError, TransientConnectorError
from retentiond.settings import TimestampAnchor


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stamper(tmp_path: Path, authority: Authority) -> Iterator[Stamper]:
    with stamping(Stamper(tmp_path, authority.stamper())) as stamper:
        yield stamper


def anchor(stamper: Stamper, authority: Authority, **more: object) -> TimestampAnchor:
    return TimestampAnchor.model_validate({"type": "rfc3161", "url": stamper.url, "roots": authority.file} | more)


def test_the_signed_checkpoint_is_stamped_and_the_answer_kept_as_it_came(
    stamper: Stamper, authority: Authority, state: Path
) -> None:
    log = History.of(9)
    receipt = hand_over(anchor(stamper, authority), log.handover(state, 9))
    assert receipt == (stamper.folder / "reply").read_bytes()
    assert stamped_digest(receipt).of(log.note(9).encode())
    assert not stamped_digest(receipt).of(log.note(5).encode())
    found = found_in(receipt)
    assert found is not None
    assert found.stamp == receipt


def test_openssl_accepts_what_is_kept(stamper: Stamper, authority: Authority, state: Path, tmp_path: Path) -> None:
    log = History.of(9)
    (tmp_path / "9-rfc3161").write_bytes(hand_over(anchor(stamper, authority), log.handover(state, 9)))
    for size, status in ((9, 0), (5, 1)):
        (tmp_path / "checkpoint").write_text(log.note(size))
        words = ["openssl", "ts", "-verify", "-in", str(tmp_path / "9-rfc3161"), "-data", str(tmp_path / "checkpoint")]
        done = subprocess.run([*words, "-CAfile", str(authority.file)], capture_output=True, check=False)
        assert done.returncode == status


def test_a_stamp_by_somebody_whom_nobody_vouches_for_is_refused(stamper: Stamper, tmp_path: Path, state: Path) -> None:
    with pytest.raises(ConnectorError, match="The time stamp of localhost does not hold"):
        hand_over(anchor(stamper, Authority(tmp_path, "another root")), History.of(9).handover(state, 9))


def test_a_stamp_by_an_expired_certificate_is_refused(tmp_path: Path, authority: Authority, state: Path) -> None:
    refused = pytest.raises(ConnectorError, match=r"does not hold|refuses to stamp")
    with stamping(Stamper(tmp_path, authority.stamper(age=timedelta(days=60)))) as stamper, refused:
        hand_over(anchor(stamper, authority), History.of(9).handover(state, 9))


def test_a_stamp_of_something_else_is_refused(stamper: Stamper, authority: Authority, state: Path) -> None:
    log = History.of(9)
    other = hand_over(anchor(stamper, authority), log.handover(state, 5))
    stamper.answers = [(200, other)]
    with pytest.raises(ConnectorError, match="does not hold"):
        hand_over(anchor(stamper, authority), log.handover(state, 9))


def test_a_stamp_from_an_earlier_request_is_refused(stamper: Stamper, authority: Authority, state: Path) -> None:
    log = History.of(9)
    old = hand_over(anchor(stamper, authority), log.handover(state, 9))
    stamper.answers = [(200, old)]
    with pytest.raises(ConnectorError, match="does not hold"):
        hand_over(anchor(stamper, authority), log.handover(state, 9))


@pytest.mark.parametrize("body", [b"", b"Ada Muster", b"\x30", b"\x30\x82\xff\xff", b"\x30\x03\x02\x01\x00"])
def test_an_answer_that_is_no_stamp_is_told(stamper: Stamper, authority: Authority, state: Path, body: bytes) -> None:
    stamper.answers = [(200, body)]
    with pytest.raises(ConnectorError, match="localhost") as told:
        hand_over(anchor(stamper, authority), History.of(9).handover(state, 9))
    assert "Ada" not in str(told.value)
    assert not stamped_digest(body).of(b"")


def test_an_authority_that_refuses_is_told_with_the_status_alone(stamper: Stamper, authority: Authority, state: Path) -> None:
    stamper.answers = [(200, stamper.reply(b"no query")), (403, b""), (502, b"")]
    for why, kind in (
        (r"refuses to stamp \(status 2\)", ConnectorError),
        (r"refuses \(HTTP 403\)", ConnectorError),
        (r"cannot answer now \(HTTP 502\)", TransientConnectorError),
    ):
        with pytest.raises(ConnectorError, match=why) as told:
            hand_over(anchor(stamper, authority), History.of(9).handover(state, 9))
        assert type(told.value) is kind


def test_the_server_is_spoken_to_over_tls(tmp_path: Path, authority: Authority, state: Path) -> None:
    with stamping(Stamper(tmp_path, authority.stamper()), authority.server().server()) as stamper:
        hand_over(anchor(stamper, authority, ca=authority.file), History.of(9).handover(state, 9))
        with pytest.raises(ConnectorError, match="nobody who is trusted here vouches for it"):
            hand_over(anchor(stamper, authority), History.of(9).handover(state, 9))


def test_certificates_that_cannot_be_read_are_told(stamper: Stamper, authority: Authority, tmp_path: Path, state: Path) -> None:
    (tmp_path / "nonsense").write_text("nonsense")
    for name in ("nonsense", "missing"):
        with pytest.raises(ConfigurationError, match="`roots` names a file of certificates"):
            hand_over(anchor(stamper, authority, roots=tmp_path / name), History.of(9).handover(state, 9))


def test_an_authority_that_is_not_there_may_be_there_later(stamper: Stamper, authority: Authority, state: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://localhost:{unused.getsockname()[1]}"
    with pytest.raises(TransientConnectorError, match="cannot be reached"):
        hand_over(anchor(stamper, authority, url=url), History.of(9).handover(state, 9))


def test_without_the_extra_the_message_names_it(
    stamper: Stamper, authority: Authority, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(ConfigurationError, match=r"install `retentiond\[tsa\]`"):
        hand_over(anchor(stamper, authority), History.of(9).handover(state, 9))
