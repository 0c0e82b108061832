"""Looks at what keeps a version from being deleted: object lock and legal hold."""

from __future__ import annotations

from datetime import UTC, datetime

from retentiond.connector import ConnectorError
from retentiond_s3.trouble import as_error, driver_errors, word_of
from retentiond_s3.versions import Bucket, Version

FOR_EVER = datetime.max.replace(tzinfo=UTC)
"""The end of a legal hold, which has none."""

_NONE = frozenset({"ObjectLockConfigurationNotFoundError", "NotImplemented", "MethodNotAllowed"})


def has_lock(bucket: Bucket) -> bool:
    """True where versions may be locked; also where we may not ask. Raises `ConnectorError`."""
    try:
        told = bucket.client.get_object_lock_configuration(Bucket=bucket.name)
    except driver_errors() as error:
        if word_of(error) in _NONE:
            return False
        trouble = as_error(error, bucket.where)
        if word_of(error) == "AccessDenied":
            return True
        raise trouble from None
    return bool(told.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled")


def locked_until(bucket: Bucket, key: str, version: Version) -> datetime | None:
    """Until when a version cannot be deleted, `FOR_EVER` for a legal hold; None where it can be.

    A lock that our key may not see shows as none, and the delete is refused then.
    """
    head = bucket.head(key, version)
    if head.get("ObjectLockLegalHoldStatus") == "ON":
        return FOR_EVER
    until = head.get("ObjectLockRetainUntilDate")
    if not isinstance(until, datetime):
        return None
    now = bucket.now()
    if now is None:
        raise ConnectorError(f"{bucket.where} tells no time, so nobody knows which locks have ended.", "malformed")
    return until if until > now else None
