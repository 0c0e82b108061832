"""One POST to somebody outside: with TLS, without following anybody elsewhere, and with a limit on what comes back."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from retentiond.errors import ConfigurationError, ConnectorError, TransientConnectorError

if TYPE_CHECKING:
    import ssl

TIMEOUT = 30.0
"""Seconds that each answer is waited for."""

LARGEST = 64 * 1024
"""Bytes; no receipt is larger."""

EXPIRED = 10
NOT_YET = 9
OTHER_HOST = 62
"""As OpenSSL numbers what it has against a certificate."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str], ca: Path | None) -> Answer:
    """Send `body` and wait for the answer, whatever its status is, but for those that ask to come again.

    `ca` are the certificates of those who may vouch for the server. Raises `TransientConnectorError` where it cannot be reached
    or is busy, `ConnectorError` where its certificate is refused or the answer is none, `ConfigurationError` for a bad `ca`.
    """
    import ssl  # noqa: PLC0415 - dear to load, and of use only where there is such an anchor

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=trusting(ca))
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    )
    try:
        connection.request("POST", f"{parts.path}?{parts.query}" if parts.query else parts.path or "/", body, dict(headers))
        response = connection.getresponse()
        answer = Answer(response.status, response.read(LARGEST + 1))
    except ssl.SSLError as error:
        raise refused_tls(host, error) from None
    except OSError as error:
        raise unreachable(host, error) from None
    except http.client.HTTPException:
        raise ConnectorError(f"{host} answers with something else than HTTP. Look at the anchor's `url`.") from None
    finally:
        connection.close()
    if answer.status in {408, 425, 429} or answer.status >= 500:  # noqa: PLR2004 - the numbers of HTTP
        raise TransientConnectorError(f"{host} cannot answer now (HTTP {answer.status}).")
    if len(answer.body) > LARGEST:
        raise ConnectorError(f"The answer of {host} is larger than any receipt; it was not read.")
    if response.length:  # so many bytes that were promised are missing
        raise TransientConnectorError(f"The answer of {host} was cut off.")
    return answer


def trusting(ca: Path | None) -> ssl.SSLContext:
    """How TLS is spoken: by the machine's certificates, or those in `ca` alone. Raises `ConfigurationError` for a bad file."""
    import ssl  # noqa: PLC0415 - dear to load, and of use only where there is such an anchor

    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise ConfigurationError(f"The certificates in {ca} cannot be read. `ca` names a file of certificates in PEM.") from None


def refused_tls(host: str, error: ssl.SSLError) -> ConnectorError:
    """What to say where TLS failed."""
    import ssl  # noqa: PLC0415 - dear to load, and of use only where there is such an anchor

    if isinstance(error, ssl.SSLCertVerificationError):
        why = {
            EXPIRED: "it has expired",
            NOT_YET: "it is not valid yet",
            OTHER_HOST: "it is that of another host",
        }.get(error.verify_code, "nobody who is trusted here vouches for it; name its issuer under `ca`")
        return ConnectorError(f"The certificate of {host} is refused: {why}.")
    return ConnectorError(f"TLS with {host} failed. Look at the anchor's port and at what the server offers.")


def unreachable(host: str, error: OSError) -> TransientConnectorError:
    """What to say where no connection came about, or it broke."""
    return TransientConnectorError(f"{host} cannot be reached ({type(error).__name__}).")
