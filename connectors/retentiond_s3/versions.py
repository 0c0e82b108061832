"""What lies in a bucket: every version, delete marker and unfinished upload of each key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote_plus

from retentiond.connector import ConnectorError
from retentiond_s3.trouble import as_error, driver_errors, status_of, translated

PAGE = 1000
"""So many entries are asked for at once; no storage tells more."""


GONE = 404
"""The answer to a question about what is not there."""


class VanishedError(ConnectorError):
    """A version went between the list and the look at it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or a delete marker."""

    number: str
    """The storage's name of it; `null` where the bucket keeps no versions."""
    modified: datetime
    """When it was uploaded, or the marker set, aware UTC."""
    tag: str = ""
    size: int = 0
    marker: bool = False
    latest: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that was never finished."""

    number: str
    began: datetime


@dataclass(slots=True)
class Entry:
    """All that there is under one key."""

    key: str
    versions: list[Version] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)

    @property
    def data(self) -> list[Version]:
        """The versions that hold data."""
        return [one for one in self.versions if not one.marker]


class Bucket:
    """One bucket, as one client sees it."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        self.where = f"The bucket {name}"

    def ask(self, call: Callable[..., Any], **words: Any) -> dict[str, Any]:
        """Ask something that changes nothing; raises `ConnectorError`."""
        with translated(self.where):
            answer: dict[str, Any] = call(Bucket=self.name, **words)
        return answer

    def now(self) -> datetime | None:
        """The storage's clock, aware UTC; None where it tells none."""
        return clock(self.ask(self.client.head_bucket))

    def entries(self, prefix: str) -> dict[str, Entry]:
        """Everything whose key begins so, by key."""
        found: dict[str, Entry] = {}
        for key, version in self._versions(prefix, exactly=False):
            found.setdefault(key, Entry(key)).versions.append(version)
        for key, upload in self._uploads(prefix, exactly=False):
            found.setdefault(key, Entry(key)).uploads.append(upload)
        return found

    def entry(self, key: str) -> Entry | None:
        """Everything under exactly this key; None where there is nothing."""
        versions = [version for _, version in self._versions(key, exactly=True)]
        uploads = [upload for _, upload in self._uploads(key, exactly=True)]
        return Entry(key, versions, uploads) if versions or uploads else None

    def head(self, key: str, version: Version) -> dict[str, Any]:
        """What the storage tells of a version beside its content; raises `VanishedError` where it is gone."""
        try:
            told: dict[str, Any] = self.client.head_object(Bucket=self.name, Key=key, VersionId=version.number)
        except driver_errors() as error:
            told_of = as_error(error, self.where)
            raise (VanishedError(str(told_of), told_of.code) if status_of(error) == GONE else told_of) from None
        return told

    def _versions(self, prefix: str, *, exactly: bool) -> Iterator[tuple[str, Version]]:
        marks: dict[str, str] = {}
        while True:
            answer = self._listed(self.client.list_object_versions, Prefix=prefix, MaxKeys=PAGE, **marks)
            told = [(one, False) for one in answer.get("Versions", ())] + [(one, True) for one in answer.get("DeleteMarkers", ())]
            keys = [str(one["Key"]) for one, _ in told]
            for (one, marker), key in zip(told, keys, strict=True):
                if not exactly or key == prefix:
                    yield key, self._version(one, marker=marker)
            # Keys come in the order of their bytes, so that the exact one comes first.
            if not answer.get("IsTruncated") or (exactly and any(key != prefix for key in keys)):
                return
            marks = self._next(answer, marks, {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"})

    def _uploads(self, prefix: str, *, exactly: bool) -> Iterator[tuple[str, Upload]]:
        marks: dict[str, str] = {}
        while True:
            answer = self.ask(self.client.list_multipart_uploads, Prefix=prefix, MaxUploads=PAGE, EncodingType="url", **marks)
            encoded = answer.get("EncodingType") == "url"
            keys = [unquote_plus(str(one["Key"])) if encoded else str(one["Key"]) for one in answer.get("Uploads", ())]
            for one, key in zip(answer.get("Uploads", ()), keys, strict=True):
                if key.startswith(prefix) and (not exactly or key == prefix):
                    yield key, Upload(str(one["UploadId"]), self._instant(one.get("Initiated")))
            if not answer.get("IsTruncated") or (exactly and any(key != prefix for key in keys)):
                return
            marks = self._next(answer, marks, {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"})
            if encoded and "KeyMarker" in marks:
                marks["KeyMarker"] = unquote_plus(marks["KeyMarker"])

    def _listed(self, call: Callable[..., Any], **words: Any) -> dict[str, Any]:
        answer = self.ask(call, **words)
        if not isinstance(answer.get("IsTruncated"), bool):  # an answer that is no list would look like an empty one
            raise ConnectorError(f"{self.where} gave no list when asked for one. See whether it is an S3 storage.", "malformed")
        return answer

    def _next(self, answer: dict[str, Any], before: dict[str, str], names: dict[str, str]) -> dict[str, str]:
        marks = {ours: str(answer[theirs]) for ours, theirs in names.items() if answer.get(theirs)}
        if not marks or marks == before:
            raise ConnectorError(f"{self.where} says that there is more to list, but not where it goes on.", "malformed")
        return marks

    def _version(self, one: dict[str, Any], *, marker: bool) -> Version:
        return Version(
            str(one.get("VersionId") or "null"),
            self._instant(one.get("LastModified")),
            str(one.get("ETag", "")),
            int(one.get("Size", 0)),
            marker,
            bool(one.get("IsLatest")),
        )

    def _instant(self, told: object) -> datetime:
        if not isinstance(told, datetime) or told.tzinfo is None:
            raise ConnectorError(f"{self.where} lists an object without saying when it was written.", "malformed")
        return told.astimezone(UTC)


def clock(answer: dict[str, Any]) -> datetime | None:
    """The time that stands in the head of an answer, aware UTC."""
    try:
        told = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (LookupError, ValueError, TypeError):
        return None
    return told.astimezone(UTC) if told.tzinfo is not None else None
