"""Deletes objects: every version by its number, then the markers and unfinished uploads, and looks that nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from retentiond.connector import (
    Answer,
    ConnectorError,
    Deleter,
    How,
    OutcomeUnknownError,
    RecordRef,
    Target,
    TransientConnectorError,
)
from retentiond_s3.client import open_client
from retentiond_s3.locks import has_lock, locked_until
from retentiond_s3.options import S3Connection, S3Options
from retentiond_s3.records import Dataset
from retentiond_s3.trouble import act, as_error, driver_errors, status_of
from retentiond_s3.versions import GONE, Bucket, Entry, Version

OVERTAKEN = 412
"""The answer to a conditional delete of what is another object by now."""


class S3Deleter(Deleter):
    """Deletes objects for good. Never sends a delete that names no version, nor one for several objects at once."""

    def __init__(self, connection: S3Connection, options: S3Options, target: Target) -> None:
        super().__init__(target)
        self._conditional = connection.conditional_delete
        self._client = open_client(connection, writes=True)
        self._dataset = Dataset(target, options, Bucket(self._client, options.bucket))
        self._locks: bool | None = None

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        answers: list[Answer] = []
        doubt: OutcomeUnknownError | None = None
        if refs and self._locks is None:
            self._locks = has_lock(self._dataset.bucket)
        for ref in refs:
            try:
                answers.append(self._one(ref))
            except OutcomeUnknownError as error:
                # A version is gone and another one would not go; the others are not made to wait for it.
                if not isinstance(error, _HalfError):
                    raise
                doubt = error
                answers.append(Answer.failed(error.code))
            except ConnectorError as error:
                if doubt is None and not any(answer.said.value == "done" for answer in answers):
                    raise
                left = Answer.failed(error.code)
                answers += [left] * (len(refs) - len(answers))
                break
        if doubt is not None:
            raise doubt
        return answers

    def _one(self, ref: RecordRef) -> Answer:
        """Delete one record. A `ConnectorError` says that nothing of it happened, unless it is one of the outcome."""
        bucket = self._dataset.bucket
        key = ref.key[0] if len(ref.key) == 1 else ""
        entry = bucket.entry(key) if key and self._dataset.options.holds(key) else None
        now = None if entry is None else self._dataset.record(entry)
        if entry is None or now is None:
            return Answer.not_found()
        if now.fingerprint != ref.fingerprint:
            return Answer.changed()
        if self._uploading(entry):
            return Answer.failed("refused")
        if self._locks and any(locked_until(bucket, key, one) is not None for one in entry.data):
            return Answer.failed("constraint")
        answer = self._versions(entry)
        if answer is not None:
            return answer
        return self._seen(entry, ref)

    def _uploading(self, entry: Entry) -> bool:
        if not entry.uploads:
            return False
        now = self._dataset.bucket.now()
        return now is None or any(one.began > now - timedelta(days=self._dataset.options.upload_days) for one in entry.uploads)

    def _versions(self, entry: Entry) -> Answer | None:
        """Delete all of them; None where nothing objected. What is told as failed or changed is as it was."""
        client, bucket = self._client, self._dataset.bucket
        words = {"Bucket": bucket.name, "Key": entry.key}
        begun = False
        # The oldest first and the markers last, so that no old version ever comes to light if this stops half-way.
        versions = list(reversed(entry.versions))  # a storage lists the youngest first, and some share their second
        versions.sort(key=lambda one: (one.marker, one.latest, one.modified))
        for one in versions:
            refused = self._ask(begun, client.delete_object, VersionId=one.number, **words, **self._only(one))
            if refused is not None:
                return refused
            begun = True
        for upload in entry.uploads:
            refused = self._ask(begun, client.abort_multipart_upload, UploadId=upload.number, **words)
            if refused is not None:
                return refused
            begun = True
        return None

    def _only(self, version: Version) -> dict[str, str]:
        if version.number != "null" or version.marker or not version.latest or not version.tag or not self._conditional:
            return {}
        return {"IfMatch": version.tag}

    def _ask(self, begun: bool, call: Any, **words: Any) -> Answer | None:
        where = self._dataset.bucket.where
        try:
            act(where, call, **words)
        except driver_errors() as error:
            status = status_of(error)
            if status == GONE:
                return None
            trouble = as_error(error, where)
            if begun:
                raise _HalfError(
                    f"{where} deleted a part of an object and refuses the rest (HTTP {status}); look at its locks and rights.",
                    trouble.code,
                ) from None
            if status == OVERTAKEN:
                return Answer.changed()
            if isinstance(trouble, TransientConnectorError):
                raise trouble from None
            return Answer.failed(trouble.code)
        return None

    def _seen(self, entry: Entry, ref: RecordRef) -> Answer:
        bucket = self._dataset.bucket
        try:
            left = bucket.entry(entry.key)
        except ConnectorError as error:
            raise OutcomeUnknownError(
                f"{bucket.where} acknowledged a delete and cannot be asked whether it happened.", error.code
            ) from None
        ours = {one.number for one in entry.versions} | {one.number for one in entry.uploads}
        there = set() if left is None else {one.number for one in left.versions} | {one.number for one in left.uploads}
        if ours & there:
            raise _HalfError(
                f"{bucket.where} acknowledged the delete of a version that is still there; see whether it keeps to S3.", "refused"
            )
        return Answer.done(How.RESPONSE, ref.rows if ref.rows > 1 else None)


class _HalfError(OutcomeUnknownError):
    """One record is in doubt, and the storage is well otherwise."""
