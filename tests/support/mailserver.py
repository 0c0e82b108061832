"""A real mail server on this machine, which keeps what it is given; it can be made to refuse."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PASSWORD = "a password"  # noqa: S105 - that of a test


@dataclass
class Mailbox:
    """What arrived."""

    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    answer: str = "250 taken"
    """What the server says to a mail."""
    recipient: str = "250 known"
    """What it says to a recipient."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(envelope.content)
        return self.answer


@contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None, *, implicit: ssl.SSLContext | None = None, login: bool = False
) -> Iterator[Mailbox]:
    """A server that offers STARTTLS with `tls`, or begins with it where it is `implicit`; with `login` it wants one."""
    mailbox = Mailbox()

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        mailbox.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == PASSWORD, handled=False)

    loop = asyncio.new_event_loop()

    def served() -> SMTP:
        return SMTP(
            mailbox,
            hostname="localhost",
            loop=loop,
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=authenticate,
            auth_required=login,
            auth_require_tls=implicit is None,
        )

    server = loop.run_until_complete(loop.create_server(served, "127.0.0.1", 0, ssl=implicit))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        mailbox.port = server.sockets[0].getsockname()[1]
        yield mailbox
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
