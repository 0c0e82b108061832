"""What an error of the storage, or on the way to it, means, and the finished sentence for it. Its own text is never passed on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from retentiond.connector import ConnectorError, OutcomeUnknownError, TransientConnectorError

_PASSING = frozenset({408, 429, 503})
"""Answers by which a storage says that it did nothing, and that another try may help."""
_UNSURE = frozenset({500, 502, 504})
"""Answers after which nobody knows whether it was done."""


def status_of(error: Exception) -> int:
    """The HTTP status of a refusal; 0 where there was none."""
    told: Any = getattr(error, "response", None) or {}
    return int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)


def word_of(error: Exception) -> str:
    """The storage's word for a refusal, such as AccessDenied; empty where it is no plain word."""
    told: Any = getattr(error, "response", None) or {}
    word = str(told.get("Error", {}).get("Code", ""))
    return word if re.fullmatch(r"[A-Za-z]{1,40}", word) else ""


def driver_errors() -> Any:
    """The driver's errors: a refusal, and everything that can happen on the way."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only installed with the extra
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    return (ClientError, BotoCoreError, ResponseParserError)


def as_error(error: Exception, where: str) -> ConnectorError:
    """The error for a question, or for an act that surely did not happen; `where` names the bucket."""
    from botocore import exceptions as boto  # noqa: PLC0415 - only installed with the extra

    status, word = status_of(error), word_of(error)
    said = f"{word}, HTTP {status}" if word else f"HTTP {status}"
    if isinstance(error, boto.ClientError):
        if status in _PASSING or status in _UNSURE:
            return TransientConnectorError(f"{where} cannot answer now ({said}). This passes by itself.", "unavailable")
        if word == "RequestTimeTooSkewed":
            return ConnectorError(
                f"{where} says that its clock and ours are more than 15 minutes apart ({said}). Set the clock that is wrong.",
                "forbidden",
            )
        if word in {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "TokenRefreshRequired"}:
            return ConnectorError(
                f"{where} does not know our key, or it has expired ({said}). Look at access_key and secret_key.", "forbidden"
            )
        if status in {401, 403}:
            return ConnectorError(f"{where} does not let our key do this ({said}). Check its rights.", "forbidden")
        if status == 404:  # noqa: PLR2004 - the numbers of HTTP
            return ConnectorError(f"{where} is not there ({said}). Look at bucket, endpoint and region.", "unavailable")
        return ConnectorError(f"{where} refuses ({said}). Look at endpoint, region, bucket and path_style.", "refused")
    if isinstance(error, boto.SSLError):
        return ConnectorError(
            f"The certificate of {where} is not trusted here; nothing was sent to it. Where it is its own, save it as a PEM file "
            f"once you have compared it, and name that file in `certificate`.",
            "forbidden",
        )
    if isinstance(error, boto.ConnectTimeoutError | boto.ReadTimeoutError):
        return TransientConnectorError(
            f"{where} did not answer in time. See whether it runs, or raise timeout_seconds.", "timeout"
        )
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError):
        return TransientConnectorError(
            f"{where} cannot be reached, or broke the connection ({type(error).__name__}). See whether it runs and can be "
            f"reached from here.",
            "lost-connection",
        )
    return ConnectorError(
        f"{where} gave an answer that makes no sense ({type(error).__name__}). See whether it is an S3 storage.", "malformed"
    )


def _surely_not(error: Exception) -> bool:
    from botocore import exceptions as boto  # noqa: PLC0415 - only installed with the extra

    if isinstance(error, boto.ClientError):
        return status_of(error) not in {*_UNSURE, 0, 200}
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError | boto.ProxyConnectionError):
        return True
    return isinstance(error, boto.ParamValidationError | boto.NoCredentialsError)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the driver's errors into ours; only for what changes nothing."""
    try:
        yield
    except driver_errors() as error:
        raise as_error(error, where) from None


def act(where: str, call: Callable[..., Any], **words: Any) -> None:
    """Ask for a change. Raises `OutcomeUnknownError` where nobody can tell, the driver's error where it surely did not happen."""
    try:
        call(**words)
    except driver_errors() as error:
        if _surely_not(error):
            raise
        raise OutcomeUnknownError(
            f"{where} gave no answer to what it was asked to delete ({word_of(error) or type(error).__name__}); "
            f"nobody knows yet what it did.",
            "timeout" if type(error).__name__ == "ReadTimeoutError" else "lost-connection",
        ) from None
