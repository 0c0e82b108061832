"""The auditor gets each checkpoint by mail, over TLS, with the proof that it continues the one before."""

from __future__ import annotations

import email
import email.policy
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Authority
from support.history import History, consistency_of, proven
from support.mailserver import PASSWORD, Mailbox, mail_server

from retentiond.anchor.mail import hand_over
from retentiond.anchor.reading import found_in
from retentiond.errors import ConfigurationError, ConnectorError, TransientConnectorError
from retentiond.settings import MailAnchor


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def mailbox(authority: Authority) -> Iterator[Mailbox]:
    with mail_server(authority.server().server()) as mailbox:
        yield mailbox


def anchor(mailbox: Mailbox, authority: Authority, **more: Any) -> MailAnchor:
    given = {
        "host": "localhost",
        "port": mailbox.port,
        "ca": authority.file,
        "sender": "log@example.org",
        "to": "a@auditor.example",
    }
    return MailAnchor(type="mail", **(given | more))


def attachments(mail: bytes) -> dict[str, bytes]:
    message = email.message_from_bytes(mail, policy=email.policy.default)
    return {str(part.get_filename()): bytes(part.get_content()) for part in message.walk() if part.get_filename()}


def test_the_auditor_gets_checkpoint_and_proof(mailbox: Mailbox, authority: Authority, state: Path) -> None:
    log = History.of(9)
    receipt = hand_over(anchor(mailbox, authority), log.handover(state, 9, before=5))
    (mail,) = mailbox.mails
    files = attachments(mail)
    assert files["9.checkpoint"] == log.note(9).encode()
    old, proof, note = consistency_of(files["5-9.consistency"].decode())
    assert (old, note) == (5, log.note(9))
    assert proven(5, 9, log.root(5), log.root(9), proof)
    assert attachments(receipt) == files


def test_the_first_mail_proves_nothing_about_the_past(mailbox: Mailbox, authority: Authority, state: Path) -> None:
    log = History.of(9)
    hand_over(anchor(mailbox, authority), log.handover(state, 9))
    assert attachments(mailbox.mails[0])["0-9.consistency"].decode() == f"old 0\n\n{log.note(9)}"


def test_the_receipt_and_what_arrived_both_hold_the_checkpoint(mailbox: Mailbox, authority: Authority, state: Path) -> None:
    log = History.of(9)
    receipt = hand_over(anchor(mailbox, authority), log.handover(state, 9))
    for mail in (receipt, mailbox.mails[0], b"From auditor Sun Nov 22 03:12:01 2026\r\nReceived: by x\r\n" + receipt):
        found = found_in(mail)
        assert found is not None
        assert found.notes == (log.note(9),)


def test_a_mail_says_what_to_do_with_it_and_nothing_of_any_record(mailbox: Mailbox, authority: Authority, state: Path) -> None:
    hand_over(anchor(mailbox, authority), History.of(9).handover(state, 9))
    message = email.message_from_bytes(mailbox.mails[0], policy=email.policy.default)
    assert message["Subject"] == "Checkpoint 9 of log.example.org/retentiond/test"
    assert message["Date"] == "Sun, 22 Nov 2026 03:12:01 +0000"
    body = message.get_body()
    assert body is not None
    assert "Please keep this mail" in body.get_content()


def test_a_login_is_made_with_the_password_from_its_place(authority: Authority, state: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    with mail_server(authority.server().server(), login=True) as mailbox:
        given = anchor(mailbox, authority, user="log", password={"file": tmp_path / "password"})
        hand_over(given, History.of(9).handover(state, 9))
    assert (mailbox.logins, len(mailbox.mails)) == (["log"], 1)


def test_a_wrong_password_is_told_without_repeating_it(authority: Authority, state: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong")
    with mail_server(authority.server().server(), login=True) as mailbox:
        given = anchor(mailbox, authority, user="log", password={"file": tmp_path / "password"})
        with pytest.raises(ConnectorError, match="refuses user or password") as told:
            hand_over(given, History.of(9).handover(state, 9))
    assert "wrong" not in str(told.value)


def test_a_password_that_the_protocol_cannot_carry_is_told(authority: Authority, state: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("Schlüssel")
    with mail_server(authority.server().server(), login=True) as mailbox:
        given = anchor(mailbox, authority, user="log", password={"file": tmp_path / "password"})
        with pytest.raises(ConfigurationError, match="only letters of ASCII"):
            hand_over(given, History.of(9).handover(state, 9))


def test_tls_from_the_beginning(authority: Authority, state: Path) -> None:
    with mail_server(implicit=authority.server().server()) as mailbox:
        hand_over(anchor(mailbox, authority, tls="implicit"), History.of(9).handover(state, 9))
    assert len(mailbox.mails) == 1


def test_without_tls_only_where_it_was_asked_for(authority: Authority, state: Path) -> None:
    with mail_server() as mailbox:
        with pytest.raises(ConnectorError, match="does not offer what is asked of it"):
            hand_over(anchor(mailbox, authority), History.of(9).handover(state, 9))
        assert mailbox.mails == []
        hand_over(anchor(mailbox, authority, tls="none"), History.of(9).handover(state, 9))
    assert len(mailbox.mails) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(mailbox: Mailbox, tmp_path: Path, state: Path) -> None:
    with pytest.raises(ConnectorError, match="nobody who is trusted here vouches for it"):
        hand_over(anchor(mailbox, Authority(tmp_path, "another root")), History.of(9).handover(state, 9))
    assert mailbox.mails == []


@pytest.mark.parametrize(
    ("host", "age", "why"),
    [("localhost", timedelta(days=60), "it has expired"), ("elsewhere.example", timedelta(), "it is that of another host")],
)
def test_a_certificate_that_does_not_fit_is_refused(
    authority: Authority, state: Path, host: str, age: timedelta, why: str
) -> None:
    refused = pytest.raises(ConnectorError, match=f"The certificate of localhost is refused: {why}")
    with mail_server(authority.server(host, age=age).server()) as mailbox, refused:
        hand_over(anchor(mailbox, authority), History.of(9).handover(state, 9))
    assert mailbox.mails == []


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        ("554 no room for Ada Muster", ConnectorError, r"refuses the mail \(SMTP 554\)"),
        ("451 later, Ada Muster", TransientConnectorError, r"come again later \(SMTP 451\)"),
    ],
)
def test_a_server_that_refuses_is_told_by_its_number_alone(
    mailbox: Mailbox, authority: Authority, state: Path, answer: str, kind: type[ConnectorError], why: str
) -> None:
    mailbox.answer = answer
    with pytest.raises(ConnectorError, match=why) as told:
        hand_over(anchor(mailbox, authority), History.of(9).handover(state, 9))
    assert type(told.value) is kind
    assert "Ada" not in str(told.value)


def test_an_address_that_the_server_does_not_know_is_told_as_such(mailbox: Mailbox, authority: Authority, state: Path) -> None:
    mailbox.recipient = "550 unknown"
    with pytest.raises(ConnectorError, match=r"refuses the auditor's address \(SMTP 550\)"):
        hand_over(anchor(mailbox, authority), History.of(9).handover(state, 9))


def test_a_server_that_is_not_there_may_be_there_later(authority: Authority, state: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(TransientConnectorError, match="cannot be reached"):
        hand_over(anchor(Mailbox(port), authority), History.of(9).handover(state, 9))


def test_a_file_of_certificates_that_is_none_is_told(mailbox: Mailbox, authority: Authority, state: Path, tmp_path: Path) -> None:
    for name in ("missing.pem", "nonsense.pem"):
        (tmp_path / "nonsense.pem").write_text("nonsense")
        with pytest.raises(ConfigurationError, match="`ca` names a file of certificates in PEM"):
            hand_over(anchor(mailbox, authority, ca=tmp_path / name), History.of(9).handover(state, 9))
