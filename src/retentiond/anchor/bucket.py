"""The anchor `s3`: each checkpoint is an object that nobody can remove before its time. Needs the extra `s3`."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import datetime
from typing import Any

from retentiond.anchor.handover import Handover
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, TransientConnectorError
from retentiond.settings import S3Anchor

ATTEMPTS = 1
"""Only the engine tries again."""

TIMEOUT = 30
"""Seconds."""

PAGE = 100
"""So many names are asked for at once."""

_NAME = re.compile(r"[0-9]{20}\.checkpoint")

COMPLIANCE = "COMPLIANCE"
"""The mode in which not even the account's owner can shorten the time."""


def hand_over(anchor: S3Anchor, what: Handover) -> bytes:
    """Put the checkpoint under lock, and look that it is so; the receipt says where and until when, with the checkpoint.

    Raises `AuditError` where a checkpoint of this size, or of a larger log, lies there with another content; `ConnectorError`
    where the storage refuses or does not lock, `TransientConnectorError` where it cannot be reached.
    """
    with closing(_client(anchor)) as client:
        _refuse_other_history(anchor, client, what)
        key, version = _put(anchor, client, what)
        head = _asked(anchor, client.head_object, Bucket=anchor.bucket, Key=key, VersionId=version) if version else {}
    until, kept = what.now + anchor.keep, head.get("ObjectLockRetainUntilDate")
    # Storages keep whole seconds.
    if head.get("ObjectLockMode") != COMPLIANCE or not isinstance(kept, datetime) or (until - kept).total_seconds() >= 1:
        raise ConnectorError(
            f"The bucket {anchor.bucket} took the checkpoint, but does not lock it in compliance mode until {until:%Y-%m-%d}. "
            f"Make a bucket with object lock enabled."
        )
    told = {
        "bucket": anchor.bucket,
        "key": key,
        "version": version,
        "until": f"{kept:%Y-%m-%dT%H:%M:%SZ}",
        "checkpoint": what.note,
    }
    return json.dumps(told, indent=1).encode()


def _put(anchor: S3Anchor, client: Any, what: Handover) -> tuple[str, str]:
    """Put the checkpoint under lock; the object's name and version, the latter empty where the bucket keeps none."""
    key = _name(anchor, what.checkpoint.size)
    put = _asked(
        anchor,
        client.put_object,
        Bucket=anchor.bucket,
        Key=key,
        Body=what.note.encode(),
        ContentType="text/plain; charset=utf-8",
        ChecksumAlgorithm="SHA256",
        ObjectLockMode=COMPLIANCE,
        ObjectLockRetainUntilDate=what.now + anchor.keep,
    )
    return key, str(put.get("VersionId", ""))


def _refuse_other_history(anchor: S3Anchor, client: Any, what: Handover) -> None:
    """The largest checkpoint that lies there has to be of this very log: it binds all before it."""
    newest, after = "", _name(anchor, max(what.before - 1, 0))
    while True:
        words = {"Bucket": anchor.bucket, "Prefix": anchor.prefix, "StartAfter": after, "MaxKeys": PAGE}
        listed = _asked(anchor, client.list_objects_v2, **words)
        keys = [str(one["Key"]) for one in listed.get("Contents", ())]
        ours = [key for key in keys if _NAME.fullmatch(key.removeprefix(anchor.prefix))]
        newest = ours[-1] if ours else newest
        if not listed.get("IsTruncated") or not keys:
            break
        after = keys[-1]
    if not newest:
        return
    got = _asked(anchor, client.get_object, Bucket=anchor.bucket, Key=newest)
    if told := what.objection(got["Body"].read().decode("utf-8", "replace")):
        raise AuditError(f"The object {newest} in the bucket {anchor.bucket} {told}.")


def _name(anchor: S3Anchor, size: int) -> str:
    """Of one length, so that the order of names is that of sizes."""
    return f"{anchor.prefix}{size:020}.checkpoint"


def _client(anchor: S3Anchor) -> Any:
    try:
        import boto3  # noqa: PLC0415 - only installed with the extra
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError("The anchor `s3` needs the extra `s3`: install `retentiond[s3]`.") from None
    config = Config(
        connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": ATTEMPTS}, signature_version="s3v4"
    )
    access_key, secret_key = anchor.access_key.reveal(), anchor.secret_key.reveal()
    try:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=anchor.endpoint,
            region_name=anchor.region or "us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            verify=None if anchor.ca is None else str(anchor.ca),
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"The storage of the bucket {anchor.bucket} cannot be asked ({type(error).__name__}). Look at `endpoint`, `region` "
            f"and `ca`, and at the AWS variables of the environment."
        ) from None


def _asked(anchor: S3Anchor, act: Any, **words: Any) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, SSLError  # noqa: PLC0415
    from botocore.exceptions import ConnectionError as BotoConnectionError  # noqa: PLC0415

    try:
        answer: dict[str, Any] = act(**words)
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status >= 500 or status == 429:  # noqa: PLR2004 - the numbers of HTTP
            raise TransientConnectorError(
                f"The storage of the bucket {anchor.bucket} cannot answer now (HTTP {status})."
            ) from None
        raise ConnectorError(
            f"The storage of the bucket {anchor.bucket} refuses (HTTP {status}). The key needs the rights to list the bucket, "
            f"to get and put objects, and to set their retention; the bucket needs object lock."
        ) from None
    except SSLError:
        raise ConnectorError(f"The certificate of the storage of the bucket {anchor.bucket} is refused. Look at `ca`.") from None
    except (BotoConnectionError, HTTPClientError):
        raise TransientConnectorError(f"The storage of the bucket {anchor.bucket} cannot be reached.") from None
    except BotoCoreError as error:
        raise ConnectorError(f"The storage of the bucket {anchor.bucket} cannot be asked ({type(error).__name__}).") from None
    return answer
