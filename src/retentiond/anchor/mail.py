"""The anchor `mail`: each checkpoint is mailed to the auditor, with the proof that it continues the one before."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime

from retentiond.anchor.handover import Handover
from retentiond.anchor.posting import TIMEOUT, refused_tls, trusting, unreachable
from retentiond.errors import ConfigurationError, ConnectorError, TransientConnectorError
from retentiond.settings import MailAnchor

PORTS = {"starttls": 587, "implicit": 465, "none": 25}

TEXT = """\
This is checkpoint {size} of the deletion log {origin}:
a signed statement of how many entries the log has ({size}) and what its root is.

Please keep this mail, with its attachments, where nobody of the log's operators can change it.

  {size}.checkpoint
      the signed checkpoint
  {before}-{size}.consistency
      the proof that the log still begins with the {before} entries of the checkpoint before

Whoever checks the log later does so against these: `retentiond audit verify --anchor THIS-MAIL --vkey KEY`.
If the proof does not hold, or if no mail comes for more than a day, somebody should ask why.
"""


def hand_over(anchor: MailAnchor, what: Handover) -> bytes:
    """Send the mail; the receipt is the mail as it was sent.

    Raises `TransientConnectorError` where the server cannot be reached or asks to come again, `ConnectorError` where it refuses.
    """
    import ssl  # noqa: PLC0415 - dear to load, and of use only where there is such an anchor

    data = written(anchor, what).as_bytes(policy=WIRE)
    try:
        _send(anchor, data)
    except ssl.SSLError as error:
        raise refused_tls(anchor.host, error) from None
    except smtplib.SMTPException as error:
        raise _refused(anchor, error) from None
    except OSError as error:
        raise unreachable(anchor.host, error) from None
    return data


def written(anchor: MailAnchor, what: Handover) -> EmailMessage:
    """The mail."""
    size, origin = what.checkpoint.size, what.checkpoint.origin
    message = EmailMessage()
    message["From"] = anchor.sender
    message["To"] = anchor.to
    message["Subject"] = f"Checkpoint {size} of {origin}"
    message["Date"] = format_datetime(what.now)
    # By its content: a mail that is sent twice is the same mail.
    message["Message-ID"] = f"<{size}.{what.checkpoint.root[:8].hex()}@{origin.partition('/')[0]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(TEXT.format(size=size, before=what.before, origin=origin))
    # As bytes, so that no mail server on the way mends line ends.
    files = {f"{size}.checkpoint": what.note, f"{what.before}-{size}.consistency": what.proof(what.before)}
    for name, text in files.items():
        message.add_attachment(text.encode(), maintype="application", subtype="octet-stream", filename=name)
    return message


def _send(anchor: MailAnchor, data: bytes) -> None:
    port = anchor.port or PORTS[anchor.tls]
    context = trusting(anchor.ca)
    connection = (
        smtplib.SMTP_SSL(anchor.host, port, timeout=TIMEOUT, context=context)
        if anchor.tls == "implicit"
        else smtplib.SMTP(anchor.host, port, timeout=TIMEOUT)
    )
    with connection as server:
        if anchor.tls == "starttls":
            server.starttls(context=context)
        if anchor.user is not None and anchor.password is not None:
            password = anchor.password.reveal()
            if not (anchor.user.isascii() and password.isascii()):
                raise ConfigurationError("User and password of the anchor `mail` can have only letters of ASCII.")
            server.login(anchor.user, password)
        server.sendmail(anchor.sender, [anchor.to], data)


def _refused(anchor: MailAnchor, error: smtplib.SMTPException) -> ConnectorError:
    host = anchor.host
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ConnectorError(
            f"The mail server {host} does not offer what is asked of it: STARTTLS, or a login. Look at `tls`, `port` and `user`."
        )
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return TransientConnectorError(f"The mail server {host} ended the connection.")
    code = _code(error)
    if 400 <= code < 500:  # noqa: PLR2004 - the numbers of SMTP
        return TransientConnectorError(f"The mail server {host} asks to come again later (SMTP {code}).")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return ConnectorError(f"The mail server {host} refuses user or password (SMTP {code}).")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return ConnectorError(f"The mail server {host} refuses the auditor's address (SMTP {code}). Look at `to`.")
    if isinstance(error, smtplib.SMTPSenderRefused):
        return ConnectorError(f"The mail server {host} refuses the sender's address (SMTP {code}). Look at `sender`.")
    return ConnectorError(f"The mail server {host} refuses the mail (SMTP {code}).")


def _code(error: smtplib.SMTPException) -> int:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max((code for code, _ in error.recipients.values()), default=0)
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 0
