"""Reaching a mailbox: only a server that is trusted, only with a password that fits, and one clear sentence otherwise."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.bridge import Bridge
from support.certificates import Authority
from support.dovecot import PASSWORD, Dovecot
from support.wire import Wire

from retentiond.connector import Action, ConnectorError, Target, TransientConnectorError
from retentiond_imap import connector
from retentiond_imap.options import ImapConnection, ImapOptions

TARGET = Target("mailbox", "inquiries")
OPTIONS: dict[str, Any] = {"folders": ["INBOX"], "dates": {"received": {"from": "received"}}}


def count(told: dict[str, Any], options: dict[str, Any] = OPTIONS) -> int:
    """How many messages the connector sees."""
    connection, asked = ImapConnection.model_validate(told), ImapOptions.model_validate(options)
    with connector.reader(connection, asked, TARGET) as reader:
        return reader.count()


def raised(told: dict[str, Any], options: dict[str, Any] = OPTIONS) -> ConnectorError:
    """What it says instead: one sentence that tells neither user nor password."""
    with pytest.raises(ConnectorError) as caught:
        count(told, options)
    text = str(caught.value)
    assert PASSWORD not in text
    assert told["user"] not in text
    assert text.endswith(".")
    return caught.value


@pytest.fixture
def door(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("KIT_IMAP_PASSWORD", PASSWORD)
    return {
        "host": "localhost",
        "port": dovecot.tls_port,
        "user": dovecot.user(),
        "password": {"environment": "KIT_IMAP_PASSWORD"},
        "timeout_seconds": 10,
    }


def test_a_certificate_that_nobody_vouches_for_is_refused_and_the_way_to_pin_it_told(door: dict[str, Any]) -> None:
    error = raised(door)
    assert error.code == "forbidden"
    assert "save it as a PEM file" in str(error)
    assert "`certificate`" in str(error)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_pinned_certificate_is_trusted(door: dict[str, Any], dovecot: Dovecot, security: str) -> None:
    port = dovecot.tls_port if security == "tls" else dovecot.port
    assert count({**door, "port": port, "security": security, "certificate": dovecot.certificate}) == 0


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_other_than_the_pinned_one_is_refused(
    door: dict[str, Any], dovecot: Dovecot, tmp_path: Path, security: str
) -> None:
    other = Authority(tmp_path, "another root").server()
    port = dovecot.tls_port if security == "tls" else dovecot.port
    assert raised({**door, "port": port, "security": security, "certificate": other.certificate}).code == "forbidden"


def test_an_authority_is_no_pin(door: dict[str, Any], dovecot: Dovecot) -> None:
    """Who pins says which very certificate; what else an authority signs is not trusted by it."""
    assert "another certificate" in str(raised({**door, "certificate": dovecot.authority.file}))


def test_a_pin_that_cannot_be_read_is_told(door: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("missing.pem", "empty.pem"):
        assert raised({**door, "certificate": tmp_path / name}).code == "unreadable"


def test_a_certificate_that_has_expired_is_refused_even_where_it_is_pinned(
    door: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certified = Authority(tmp_path).server(age=timedelta(days=60))
    monkeypatch.setenv("KIT_IMAP_PASSWORD", "bridge")
    bridge = Bridge("bridge", certified.server())
    try:
        told = {**door, "port": bridge.port, "security": "starttls", "flavour": "proton", "certificate": certified.certificate}
        assert raised(told).code == "forbidden"
    finally:
        bridge.close()


def test_bridge_is_reached_by_starttls_and_its_own_certificate(
    door: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certified = Authority(tmp_path).server()
    monkeypatch.setenv("KIT_IMAP_PASSWORD", "bridge")
    bridge = Bridge("bridge", certified.server())
    try:
        told = {**door, "port": bridge.port, "security": "starttls", "flavour": "proton", "certificate": certified.certificate}
        assert count(told) == 0
    finally:
        bridge.close()


@pytest.mark.parametrize("nonsense", [b"* OK hello\r\n"], indirect=True)
def test_tls_where_the_server_speaks_none_is_told(door: dict[str, Any], nonsense: int) -> None:
    assert "`port` and `security`" in str(raised({**door, "port": nonsense}))


@pytest.mark.parametrize("secret", ["wrong", "", 'with "quotes" and \\'])
def test_a_wrong_password_is_an_error_and_no_empty_mailbox(
    door: dict[str, Any], dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("KIT_IMAP_PASSWORD", secret)
    error = raised({**door, "port": dovecot.port, "security": "plain"})
    assert error.code == "forbidden"
    assert not isinstance(error, TransientConnectorError)


@pytest.mark.parametrize("secret", ["schlüssel", "two\r\nA1 LOGOUT"])
def test_a_password_that_login_cannot_carry_is_never_sent(
    door: dict[str, Any], dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("KIT_IMAP_PASSWORD", secret)
    assert "nothing was sent" in str(raised({**door, "port": dovecot.port, "security": "plain"}))


@pytest.mark.parametrize("nonsense", [b""], indirect=True)
def test_a_server_that_never_says_a_word_is_given_up(door: dict[str, Any], nonsense: int) -> None:
    error = raised({**door, "port": nonsense, "security": "plain", "timeout_seconds": 1})
    assert (error.code, isinstance(error, TransientConnectorError)) == ("timeout", True)


@pytest.mark.parametrize("folder", ["Missing", "Missing/*"])
def test_a_folder_that_is_missing_or_hidden_is_an_error(door: dict[str, Any], dovecot: Dovecot, folder: str) -> None:
    told = {**door, "port": dovecot.port, "security": "plain"}
    assert "shows no folder Missing" in str(raised(told, {**OPTIONS, "folders": ["INBOX", folder]}))
    assert "where blocked messages" in str(raised(told, {**OPTIONS, "block": {"folder": "Missing"}}))


def test_a_keyword_that_no_message_can_have_is_told(door: dict[str, Any], dovecot: Dovecot) -> None:
    told = {**door, "port": dovecot.port, "security": "plain"}
    assert "no message would ever have them" in str(raised(told, {**OPTIONS, "unmarked": ["legal hold"]}))


@pytest.fixture
def nonsense(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that says the same to everybody, whatever they ask."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                talk, _ = listener.accept()
                with suppress(OSError), talk:
                    talk.sendall(request.param)
                    while data := talk.recv(4096):
                        tag = data.split(b" ", 1)[0]
                        talk.sendall(request.param.replace(b"TAG", tag))

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>\r\n",
        b"* BYE [UNAVAILABLE] Come again\r\n",
        b"\xff\xfe\x00\r\n",
        b"* OK hello\r\n* CAPABILITY IMAP4rev1\r\nTAG OK all is well\r\n",
    ],
    indirect=True,
)
def test_a_server_that_talks_nonsense_is_an_error(door: dict[str, Any], nonsense: int) -> None:
    raised({**door, "port": nonsense, "security": "plain"})


def test_nobody_there_may_be_tried_again(door: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert isinstance(raised({**door, "port": port, "security": "plain"}), TransientConnectorError)


def test_a_password_is_never_sent_openly_to_another_machine(door: dict[str, Any]) -> None:
    for host in ("imap.example.com", "192.0.2.1", "localhost.example.com"):
        with pytest.raises(ValidationError):
            ImapConnection.model_validate({**door, "host": host, "security": "plain"})


def test_a_server_without_starttls_gets_no_password(door: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.bridge.BEFORE", "IMAP4rev1")
    bridge = Bridge("bridge")
    try:
        error = raised({**door, "port": bridge.port, "security": "starttls"})
        assert "no password is sent" in str(error)
    finally:
        bridge.close()


def test_the_driver_tells_nothing_of_what_is_said(
    door: dict[str, Any], dovecot: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert count({**door, "port": dovecot.port, "security": "plain"}) == 0
    assert [record.name for record in caplog.records if record.name.startswith("imap")] == []


def test_a_preflight_of_a_mailbox_without_savedate_says_that_the_date_is_unknown(door: dict[str, Any], dovecot: Dovecot) -> None:
    options = ImapOptions.model_validate({**OPTIONS, "dates": {"moved_at": {"from": "saved"}}})
    for host, told in (("127.0.0.1", []), ("127.0.0.2", [False])):
        connection = ImapConnection.model_validate({**door, "host": "127.0.0.1", "port": dovecot.port, "security": "plain"})
        connection = connection.model_copy(update={"host": host})
        with connector.reader(connection, options, TARGET) as reader:
            assert [finding.refuses for finding in reader.preflight(Action.DELETE)] == told


def test_a_reader_that_was_hung_up_on_goes_on_with_the_next_question(door: dict[str, Any], dovecot: Dovecot) -> None:
    """The engine keeps a reader open for a whole run, and a server hangs up after half an hour of silence."""
    wire = Wire("127.0.0.1", dovecot.port)
    connection = ImapConnection.model_validate({**door, "port": wire.port, "security": "plain"})
    with connector.reader(connection, ImapOptions.model_validate(OPTIONS), TARGET) as reader:
        assert reader.count() == 0
        wire.hang_up()
        assert reader.count() == 0
    wire.close()


def test_folders_that_no_data_set_claims_are_counted(door: dict[str, Any], dovecot: Dovecot) -> None:
    for name in ("Clients", "Clients/Anna", "Restricted", "Restricted/INBOX", "Junk"):
        dovecot.doveadm("mailbox", "create", "-u", door["user"], name)
    connection = ImapConnection.model_validate({**door, "port": dovecot.port, "security": "plain"})
    own = ImapOptions.model_validate({**OPTIONS, "block": {"folder": "Restricted"}})
    junk = ImapOptions.model_validate({**OPTIONS, "folders": ["Junk"]})
    with connector.reader(connection, connector.beside(connection, own, [(TARGET, junk)]), TARGET) as reader:
        (finding,) = reader.coverage()
    assert finding.what.startswith("2 folders of mailbox")
    assert "Anna" not in finding.what
