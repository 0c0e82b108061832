"""What an error of the server, or on the way to it, means, and the finished sentence for it. Its own text is never passed on."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator
from contextlib import contextmanager

from retentiond.connector import ConnectorError, OutcomeUnknownError, TransientConnectorError

_CODE = re.compile(r"\[([A-Z][A-Z-]*)")
_PASSING = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "EXPUNGEISSUED"})
"""Response codes (RFC 5530) of what passes by itself."""
_RIGHTS = frozenset({"NOPERM", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN"})


def response_code(error: Exception) -> str:
    """The response code that the server put into its answer, such as NOPERM; empty where there is none."""
    match = _CODE.search(str(error))
    return match[1] if match else ""


def is_loss(error: Exception) -> bool:
    """True where the connection broke, or no answer came: what was sent last may have been done."""
    return isinstance(error, imaplib.IMAP4.abort | OSError) and not isinstance(error, imaplib.IMAP4.readonly)


def as_error(error: Exception, where: str) -> ConnectorError:
    """The error for something that surely did not happen; `where` names the mailbox's server."""
    import ssl  # noqa: PLC0415 - dear to load, and not everywhere there

    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectorError(
            f"The certificate of {where} is not trusted here (code {error.verify_code}); nothing was sent to it. Where it is its "
            f"own, as with Proton Bridge, save it as a PEM file once you have compared it, and name that file in `certificate`.",
            "forbidden",
        )
    if isinstance(error, ssl.SSLError):
        return ConnectorError(
            f"{where} speaks no TLS, or not as it is asked to here. See whether `port` and `security` are meant so.", "refused"
        )
    if isinstance(error, TimeoutError):
        return TransientConnectorError(
            f"{where} did not answer in time. See whether it runs, or raise timeout_seconds.", "timeout"
        )
    code = response_code(error)
    if code in _PASSING:
        return TransientConnectorError(f"{where} is busy and asks to come again ({code}). This passes by itself.", "unavailable")
    if is_loss(error):
        return TransientConnectorError(
            f"{where} cannot be reached, or broke the connection ({type(error).__name__}). "
            f"See whether it runs and can be reached from here.",
            "lost-connection",
        )
    if code in _RIGHTS:
        return ConnectorError(f"{where} does not let our user do this ({code}). Check its rights.", "forbidden")
    if isinstance(error, imaplib.IMAP4.readonly):
        return ConnectorError(
            f"{where} gives our user the right to read a folder only. Give the right to change it.", "forbidden"
        )
    if code == "OVERQUOTA":
        return ConnectorError(f"{where} has no room left for this mailbox. Raise its quota.", "no-space")
    if isinstance(error, imaplib.IMAP4.error):
        return ConnectorError(f"{where} refused a command{f' ({code})' if code else ''}. Its own log tells why.", "refused")
    return ConnectorError(
        f"{where} gave an answer that makes no sense ({type(error).__name__}). See whether it is an IMAP server.", "malformed"
    )


FAILURES = (imaplib.IMAP4.error, OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError)
"""What imaplib and IMAPClient raise: their own errors, those of the way, and those of whoever is given nonsense to read."""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the driver's errors into ours; only for what changes nothing, or surely did not happen when it fails."""
    try:
        yield
    except FAILURES as error:
        raise as_error(error, where) from None


@contextmanager
def in_doubt(where: str) -> Iterator[None]:
    """Turn the loss of a connection into doubt: for what changes something; a refusal passes as the driver's own error."""
    try:
        yield
    except FAILURES as error:
        if isinstance(error, imaplib.IMAP4.error) and not is_loss(error):
            raise
        code = "timeout" if isinstance(error, TimeoutError) else "lost-connection" if is_loss(error) else "malformed"
        raise OutcomeUnknownError(
            f"{where} gave no answer to what it was asked to change ({type(error).__name__}); nobody knows yet what it did.", code
        ) from None
