"""Speaks HTTP for connectors: TLS with a pin, a budget, JSON or an error, and no word of an answer in any message.

The driver, `httpx`, is loaded where a session is opened: a connector that uses this can be imported without it.
"""

from __future__ import annotations

import ipaddress
import json
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from retentiond.connector.api import ConnectionOptions
from retentiond.connector.budget import Budget, shared_budget
from retentiond.errors import ConfigurationError, ConnectorError, OutcomeUnknownError, TransientConnectorError

if TYPE_CHECKING:
    import ssl

    import httpx

LARGEST = 64 * 1024 * 1024
"""Bytes, after decompression; a larger answer is refused."""

LONGEST_WAIT = 3600.0
"""Seconds; a longer `Retry-After` is taken for this."""

KEPT_OPEN = 1.0
"""Seconds a connection may idle: an older one may be closed under a request, and then nobody knows what became of it. Some
servers close theirs after two."""

EXPIRED = 10
NOT_YET = 9
OTHER_HOST = (62, 64)
"""As OpenSSL numbers what it has against a certificate."""

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "DESCRIBE"]


class HttpConnection(ConnectionOptions):
    """What the settings say about reaching a system by HTTP; a connector adds its credentials."""

    url: str
    """Where the system is, `https://crm.example.org`. Without TLS only on this machine."""
    certificate: Path | None = None
    """A file (PEM, absolute) of the certificate that alone is trusted, for a server that nobody public vouches for."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """So many requests a minute are sent at the most; no limit where it is left out."""
    timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds that each answer is waited for."""

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("say https://HOST, with a path where the system lies under one")
        if parts.username or parts.password:
            raise ValueError("credentials do not belong into the address")
        if parts.scheme == "http" and not _here(parts.hostname):
            raise ValueError("say https: without TLS the credentials could be read on the way")
        return url.rstrip("/")

    @field_validator("certificate")
    @classmethod
    def _absolute(cls, certificate: Path | None) -> Path | None:
        if certificate is not None and not certificate.is_absolute():
            raise ValueError("say an absolute path")
        return certificate


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered. Its text is personal data: it goes into no message, no log and no `repr`."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case names."""
    body: bytes = field(repr=False)
    who: str
    """The system's name for messages."""

    def json(self) -> Any:
        """The answer as JSON; raises `ConnectorError` (`malformed`) where it is none, an HTML page for instance."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.headers.get("content-type", "").split(";")[0].strip().lower()
            told = "a web page" if kind == "text/html" else "something else"
            raise ConnectorError(
                f"{self.who} answers with {told} instead of JSON (HTTP {self.status}). Look at its `url`, "
                f"and whether a proxy or a login page stands before it.",
                "malformed",
            ) from None

    @property
    def date(self) -> datetime | None:
        """The server's clock when it answered (aware UTC, by the second); None where it did not tell."""
        return _http_date(self.headers.get("date"))


class Http:
    """One session with one system. Follows nobody elsewhere, retries nothing, and is used by one thread at a time."""

    def __init__(
        self, connection: HttpConnection, who: str, headers: Mapping[str, str], *, account: str = "", budget: Budget | None = None
    ) -> None:
        """`who` names the system in messages, `account` tells whose budget it is (no secret); opens no connection yet.

        Raises `ConfigurationError` where the certificate cannot be read.
        """
        import httpx  # noqa: PLC0415 - the driver

        for name in ("httpx", "httpcore"):  # they log addresses, which hold names of persons
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.who = who
        self._secrets = headers
        most = connection.requests_per_minute
        shared = shared_budget(f"{connection.url} {account}", most) if most is not None else None
        self._budget = budget or shared
        self._client = httpx.Client(
            base_url=connection.url,
            headers={"Accept": "application/json", "User-Agent": "retentiond", **headers},
            verify=_trusting(connection.certificate) if connection.url.startswith("https:") else False,
            timeout=connection.timeout,
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(keepalive_expiry=KEPT_OPEN),
        )

    def close(self) -> None:
        """End the session; harmless when repeated."""
        self._client.close()

    def ask(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        data: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Collection[int] = (200,),
        reads: bool = False,
    ) -> Reply:
        """Send one request, `path` percent-encoded already, and give back an answer whose status is expected.

        Whatever else comes is raised. Where nothing was changed for certain: `TransientConnectorError` for what another try may
        help, `ConnectorError` otherwise. `OutcomeUnknownError` where a request that may change something was sent and no clear
        answer came. `reads` says that this request changes nothing though its method might; GET, HEAD and DESCRIBE never do.
        """
        reads = reads or method in {"GET", "HEAD", "DESCRIBE"}
        with self._budget.spend() if self._budget is not None else nullcontext(), self._told(reads=reads):
            request = self._client.build_request(method, path, params=query, json=data, data=form, headers=headers)
            response = self._client.send(request, stream=True)
            try:
                reply = Reply(response.status_code, dict(response.headers.items()), self._body(response, reads=reads), self.who)
            finally:
                response.close()
        if reply.status in expect:
            return reply
        raise self._unexpected(reply, reads=reads)

    def _body(self, response: httpx.Response, *, reads: bool) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > LARGEST:
                message = f"The answer of {self.who} is larger than {LARGEST // 2**20} MB and was not read."
                raise ConnectorError(message, "malformed") if reads else OutcomeUnknownError(message, "malformed")
            parts.append(part)
        return b"".join(parts)

    @contextmanager
    def _told(self, *, reads: bool) -> Iterator[None]:
        """Say what an error of the driver means, without its words."""
        import httpx  # noqa: PLC0415 - the driver

        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._unreachable(error) from None
        except httpx.TimeoutException:
            message = f"{self.who} gave no answer in time."
            raise TransientConnectorError(message, "timeout") if reads else OutcomeUnknownError(message, "timeout") from None
        except httpx.DecodingError:
            message = f"The answer of {self.who} cannot be unpacked."
            raise ConnectorError(message, "malformed") if reads else OutcomeUnknownError(message, "malformed") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeEncodeError):
            raise ConnectorError(f"A request to {self.who} cannot be written. Look at its settings.", "malformed") from None
        except httpx.TransportError:
            message = f"The connection to {self.who} broke."
            if reads:
                raise TransientConnectorError(message, "lost-connection") from None
            raise OutcomeUnknownError(message, "lost-connection") from None

    def _unreachable(self, error: Exception) -> ConnectorError:
        import ssl  # noqa: PLC0415 - dear to load

        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return ConnectorError(f"The certificate of {self.who} is refused: {_why(cause)}.", "unavailable")
            if isinstance(cause, ssl.SSLError):
                return ConnectorError(f"TLS with {self.who} failed; its port may not speak TLS.", "unavailable")
            cause = cause.__cause__ or cause.__context__
        return TransientConnectorError(f"{self.who} cannot be reached.", "unavailable")

    def _unexpected(self, reply: Reply, *, reads: bool) -> ConnectorError:
        told = f"(HTTP {reply.status})"
        match reply.status:
            case 401:
                return ConnectorError(f"{self.who} refuses the credentials {told}. Are they right, and still valid?", "forbidden")
            case 403:
                return ConnectorError(f"{self.who} denies the right to do this {told}.", "forbidden")
            case 408 | 425 | 429 | 503:
                wait = retry_after(reply)
                return TransientConnectorError(f"{self.who} asks to come again later {told}.", "unavailable", wait)
            case status if 300 <= status < 400:  # noqa: PLR2004 - the numbers of HTTP
                return ConnectorError(f"{self.who} points elsewhere {told}. Write the final address into its `url`.", "malformed")
            case status if status >= 500:  # noqa: PLR2004
                if reads:
                    return TransientConnectorError(f"{self.who} failed {told}.", "unavailable")
                return OutcomeUnknownError(f"{self.who} failed {told}, and nobody knows what it did.", "unavailable")
            case status if status >= 400 or reads:  # noqa: PLR2004
                return ConnectorError(f"{self.who} gives an answer that was not expected {told}.", "malformed")
            case _:
                return OutcomeUnknownError(f"{self.who} gives an answer that was not expected {told}.", "malformed")


def retry_after(reply: Reply) -> float | None:
    """The wait in seconds that the answer asks for; None where it asks for none that can be read. An hour at the most."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    until, now = _http_date(text), reply.date
    if until is None or now is None:
        return None
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT)


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _trusting(certificate: Path | None) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 - dear to load

    try:
        context = ssl.create_default_context(cafile=certificate)
    except (OSError, ssl.SSLError):
        raise ConfigurationError(f"The certificate in {certificate} cannot be read. `certificate` names a file in PEM.") from None
    if certificate is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the server's own certificate is enough, whoever issued it
    return context


def _why(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in OTHER_HOST:
        return "it is that of another host"
    return {EXPIRED: "it has expired", NOT_YET: "it is not valid yet"}.get(
        error.verify_code,
        "nobody who is trusted here vouches for it; where it is the server's own, name a file of it under `certificate`",
    )
