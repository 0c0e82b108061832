"""Opens clients of the storage that let nothing through but what their role needs."""

from __future__ import annotations

import logging
import re
import threading
from functools import cache
from typing import Any

from retentiond.connector import ConnectorError
from retentiond_s3.options import S3Connection
from retentiond_s3.trouble import driver_errors

READS = frozenset(
    {
        *("HeadBucket", "HeadObject", "ListObjectVersions", "ListMultipartUploads"),
        *("GetBucketVersioning", "GetObjectLockConfiguration", "GetBucketReplication", "GetBucketLogging"),
        *("GetBucketLifecycleConfiguration", "ListBucketInventoryConfigurations"),
    }
)
"""All that is ever asked; not the content of an object."""

ACTS = frozenset({"DeleteObject", "AbortMultipartUpload"})
"""All that a deleter may do beside: one version, or one upload, at a time."""


_ALONE = threading.Lock()


class RefusedCallError(Exception):
    """Our own client was asked for a call that it never makes."""


@cache
def _session() -> Any:
    """One session of the driver for all clients, which reads its many descriptions once. It holds no key of ours."""
    import boto3  # noqa: PLC0415 - only installed with the extra

    return boto3.session.Session()


def _client(**words: Any) -> Any:
    with _ALONE:  # a session is made for one thread at a time
        return _session().client("s3", **words)


def open_client(connection: S3Connection, *, writes: bool) -> Any:
    """A client of the storage; raises `ConnectorError` where the driver is missing or the settings lead nowhere."""
    try:
        from botocore.config import Config  # noqa: PLC0415 - only installed with the extra
    except ImportError:
        raise ConnectorError("The connector `s3` needs its driver: install `retentiond[s3]`.", "unsupported") from None
    # Keys of objects and signatures would stand in what they tell to whoever asks for debug messages.
    for name in ("boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    access_key, secret_key = connection.access_key.reveal(), connection.secret_key.reveal()
    if connection.certificate is not None and not connection.certificate.is_file():
        raise ConnectorError(
            f"The certificate {connection.certificate} of the storage is not there. Save it there as a PEM file.", "unreadable"
        )
    try:
        client = _client(
            endpoint_url=connection.endpoint,
            region_name=connection.region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            verify=None if connection.certificate is None else str(connection.certificate),
            config=Config(
                connect_timeout=connection.timeout_seconds,
                read_timeout=connection.timeout_seconds,
                retries={"total_max_attempts": 1},  # only the engine tries again
                signature_version="s3v4",
                s3={"addressing_style": "path" if connection.path_style else "virtual"},
            ),
        )
    except (*driver_errors(), ValueError, OSError) as error:
        raise ConnectorError(
            f"The storage cannot be asked ({type(error).__name__}). Look at endpoint, region and certificate, "
            f"and at the AWS variables of the environment.",
            "refused",
        ) from None
    _gate(client, READS | ACTS if writes else READS)
    return client


def _gate(client: Any, allowed: frozenset[str]) -> None:
    """Have the client refuse every other call before it is sent, and every delete that names no version."""

    def gate(model: Any, params: Any, **_: Any) -> None:
        word = str(model.name)
        if word not in allowed:
            raise RefusedCallError(word)
        if word == "DeleteObject" and not re.search(r"[?&]versionId=[^&]", str(params.get("url", ""))):
            query = params.get("query_string") or {}
            if not (isinstance(query, dict) and query.get("versionId")):
                raise RefusedCallError(word)

    client.meta.events.register_first("before-call.s3", gate)
