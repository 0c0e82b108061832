"""Opens connections: with a certificate that is trusted, logged in, and for a reader with nothing but reading commands."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from retentiond.connector import ConnectorError, TransientConnectorError
from retentiond_imap.options import ImapConnection
from retentiond_imap.trouble import FAILURES, as_error, is_loss, response_code, translated

if TYPE_CHECKING:
    import ssl

READS = frozenset(
    {"CAPABILITY", "NOOP", "LOGOUT", "LOGIN", "STARTTLS", "LIST", "STATUS", "EXAMINE", "UNSELECT", "MYRIGHTS", "FETCH", "SEARCH"}
)
"""The commands that a reader's connection lets through; UID stands before the last two only."""


FAREWELL = 5.0
"""Seconds that the server has to say goodbye."""


class WriteRefusedError(Exception):
    """A reader's connection was given a command that could change something; it was not sent."""


def where_is(connection: ImapConnection) -> str:
    """How the server is called in messages."""
    return f"The mail server {connection.host}:{connection.door()}"


def open_client(connection: ImapConnection, *, writes: bool) -> Any:
    """A connection, logged in; raises `ConnectorError` where the server is not reached, not trusted or lets nobody in."""
    try:
        import imapclient  # noqa: PLC0415 - the options have to be known where the driver is not installed
    except ImportError:
        raise ConnectorError(
            "The driver of the connector imap is not installed; `pip install 'retentiond[imap]'` brings it.", "unsupported"
        ) from None
    # Both of them would tell everything that is said, the password included, to whoever asks for debug messages.
    for name in ("imapclient", "imapclient.imaplib"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    where = where_is(connection)
    secret = connection.password.reveal()
    if not (connection.user + secret).isascii() or not (connection.user + secret).isprintable():
        raise ConnectorError(
            f"User or password for {where} hold letters that LOGIN cannot carry; nothing was sent. Choose one of plain ASCII.",
            "unsupported",
        )
    context = _context(connection)
    timeout = connection.timeout_seconds
    with translated(where):
        client = imapclient.IMAPClient(
            connection.host,
            connection.door(),
            ssl=connection.security == "tls",
            ssl_context=context if connection.security == "tls" else None,
            timeout=imapclient.SocketTimeout(timeout, timeout),
        )
    try:
        # imaplib sends a command in pieces; the second would wait for the first to be acknowledged.
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.normalise_times = False
        client._imap.debug = 0  # noqa: SLF001 - see above
        if connection.security == "starttls":
            _start_tls(client, context, where)
        _check_pin(client, connection, where)
        _log_in(client, connection.user, secret, where)
    except BaseException:
        hang_up(client)
        raise
    if not writes:
        only_reading(client)
    return client


def only_reading(client: Any) -> None:
    """Have the connection refuse every command that could change something, before it is sent."""
    inner = client._imap  # noqa: SLF001 - the one place that every command passes
    send: Callable[..., Any] = inner._command  # noqa: SLF001

    def gate(name: str, *words: Any) -> Any:
        word = name.upper()
        if word == "UID":
            word = str(words[0]).upper() if words else word
            if word not in {"FETCH", "SEARCH"}:
                raise WriteRefusedError
        if word not in READS:
            raise WriteRefusedError
        return send(name, *words)

    raw: Callable[..., Any] = client._raw_command  # noqa: SLF001 - the way past it, which IMAPClient takes for literals

    def raw_gate(command: bytes, args: Any, uid: bool = True) -> Any:
        if command.decode("ascii").upper() not in READS:
            raise WriteRefusedError
        return raw(command, args, uid)

    inner._command = gate  # noqa: SLF001
    client._raw_command = raw_gate  # noqa: SLF001


def hang_up(client: Any) -> None:
    """End the connection with LOGOUT, which expunges nothing, or without a word where that fails."""
    try:
        client.socket().settimeout(FAREWELL)
        client.logout()
    except FAILURES:
        try:
            client.shutdown()
        except FAILURES:
            return


def _start_tls(client: Any, context: ssl.SSLContext | None, where: str) -> None:
    with translated(where):
        if not client.has_capability("STARTTLS"):
            raise ConnectorError(f"{where} offers no STARTTLS, and no password is sent without it. Say security: tls.", "refused")
        client.starttls(context)


def _log_in(client: Any, user: str, secret: str, where: str) -> None:
    try:
        client.login(user, secret)
    except FAILURES as raised:
        # IMAPClient makes a refusal of whatever happens here, a broken connection included.
        error = raised.__context__ if isinstance(raised.__context__, FAILURES) else raised
        told = as_error(error, where)
        if isinstance(told, TransientConnectorError) or is_loss(error):
            raise told from None
        code = response_code(error)
        raise ConnectorError(
            f"{where} does not let our user in{f' ({code})' if code else ''}. Check user and password.", "forbidden"
        ) from None


def _context(connection: ImapConnection) -> ssl.SSLContext | None:
    if connection.security == "plain":
        return None
    import ssl  # noqa: PLC0415 - dear to load, and not everywhere there

    if connection.certificate is None:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Not by its name: the very certificate is compared below, and Bridge's own says 127.0.0.1 wherever it runs.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=connection.certificate)
    except (OSError, ValueError) as error:
        raise ConnectorError(
            f"The certificate {connection.certificate} for {connection.host} cannot be read ({type(error).__name__}). "
            f"Save the server's certificate there as a PEM file.",
            "unreadable",
        ) from None
    return context


def _check_pin(client: Any, connection: ImapConnection, where: str) -> None:
    if connection.certificate is None:
        return
    import ssl  # noqa: PLC0415 - see above

    shown = client.socket().getpeercert(binary_form=True)
    if shown not in {ssl.PEM_cert_to_DER_cert(one) for one in _pems(connection)}:
        raise ConnectorError(
            f"{where} shows another certificate than the one in {connection.certificate}; nothing was sent to it. "
            f"Compare the new one, and save it there if it is right.",
            "forbidden",
        )


def _pems(connection: ImapConnection) -> list[str]:
    assert connection.certificate is not None  # noqa: S101 - asked for before
    end = "-----END CERTIFICATE-----"
    text = connection.certificate.read_text(encoding="ascii", errors="replace")
    return [f"{one[one.index('-----BEGIN CERTIFICATE-----') :]}{end}\n" for one in text.split(end) if "-----BEGIN CERT" in one]
