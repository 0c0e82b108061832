"""Looks at a bucket before anything is done in it: versions, locks, and what makes copies. Reads only, and names no key."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from retentiond.connector import Action, ConnectorError, Finding
from retentiond_s3.locks import FOR_EVER, has_lock, locked_until
from retentiond_s3.records import Dataset
from retentiond_s3.trouble import as_error, driver_errors, status_of, word_of
from retentiond_s3.versions import Bucket, Entry, VanishedError, Version

SAMPLE = 1000
"""So many versions, the oldest of the data set, are asked for locks."""

_NONE = frozenset(
    {
        *("ReplicationConfigurationNotFoundError", "NoSuchLifecycleConfiguration", "NoSuchConfiguration"),
        *("NotImplemented", "MethodNotAllowed", "NoSuchReplicationConfiguration"),
    }
)
"""Words by which a storage says that there is none, or that it knows no such thing."""
_ABSENT = frozenset({404, 405, 501})


def preflight(dataset: Dataset, action: Action) -> list[Finding]:
    """What a person should know before `action`; those that refuse must be mended first."""
    if action is not Action.DELETE:
        return [Finding(f"Objects of {dataset.target} can only be deleted; choose delete.")]
    try:
        return list(_findings(dataset))
    except ConnectorError as error:
        return [Finding(str(error))]


def _findings(dataset: Dataset) -> Iterator[Finding]:
    bucket, target = dataset.bucket, dataset.target
    versioning = bucket.ask(bucket.client.get_bucket_versioning)
    if versioning.get("MFADelete") == "Enabled":
        yield Finding(f"{bucket.where} deletes versions only with a second factor (MFA delete); nothing of {target} can go.")
    entries = dataset.entries()
    if not entries:
        yield Finding(
            f"No object in {bucket.where[4:]} is part of {target}; look whether bucket, prefix and suffix are meant so.",
            refuses=False,
        )
    yield from _old_versions(dataset, entries, str(versioning.get("Status", "")))
    yield from _locks(dataset, entries)
    yield from _copies(bucket, str(versioning.get("Status", "")))


def _old_versions(dataset: Dataset, entries: list[Entry], status: str) -> Iterator[Finding]:
    bucket, target = dataset.bucket, dataset.target
    old = sum(1 for entry in entries for one in entry.data if not one.latest)
    hidden = sum(1 for entry in entries if any(one.marker and one.latest for one in entry.versions) and entry.data)
    uploads = sum(len(entry.uploads) for entry in entries)
    if hidden:
        yield Finding(
            f"{hidden:,} objects of {target} were deleted by somebody who left their versions there; they go once they are due.",
            refuses=False,
        )
    if old - hidden > 0:
        yield Finding(
            f"{old:,} older versions of objects of {target} go together with the youngest one, and not before. Where they must "
            f"go earlier, give {bucket.where[4:]} a lifecycle rule with NoncurrentVersionExpiration.",
            refuses=False,
        )
    if uploads:
        yield Finding(
            f"{uploads:,} unfinished uploads lie in {bucket.where[4:]} for {target}; they go together with their objects. "
            f"A lifecycle rule with AbortIncompleteMultipartUpload keeps such from piling up.",
            refuses=False,
        )
    if status == "Suspended":
        yield Finding(
            f"Versioning of {bucket.where[4:]} is suspended; some storages run no lifecycle rules then, and old versions stay "
            f"until retentiond deletes them.",
            refuses=False,
        )


def _locks(dataset: Dataset, entries: list[Entry]) -> Iterator[Finding]:
    bucket, target = dataset.bucket, dataset.target
    if not has_lock(bucket):
        return
    every: list[tuple[str, Version]] = [(entry.key, one) for entry in entries for one in entry.data]
    every.sort(key=lambda one: one[1].modified)
    ends = []
    for key, version in itertools.islice(every, SAMPLE):
        try:
            ends.append(locked_until(bucket, key, version))
        except VanishedError:
            continue
    held = sum(end == FOR_EVER for end in ends)
    timed = [end for end in ends if end is not None and end != FOR_EVER]
    among = f" (the oldest {SAMPLE:,} were looked at)" if len(every) > SAMPLE else ""
    if timed:
        yield Finding(
            f"{len(timed):,} versions of {target} are locked until {max(timed):%Y-%m-%d} at the longest{among}; until then they "
            f"count as failed (constraint) once they are due.",
            refuses=False,
        )
    if held:
        yield Finding(
            f"{held:,} versions of {target} are under legal hold, without an end{among}; they count as failed (constraint) once "
            f"they are due. Give the hold to retentiond (`retentiond hold`), too, or lift it.",
            refuses=False,
        )


def _copies(bucket: Bucket, status: str) -> Iterator[Finding]:
    client, where = bucket.client, bucket.where
    yield from _one_kind(
        bucket,
        client.get_bucket_replication,
        lambda told: bool(told.get("ReplicationConfiguration", {}).get("Rules")),
        f"{where} is replicated, and deleting versions is not. Make each replica a system of its own, or declare it in copies.",
        "replication",
    )
    yield from _one_kind(
        bucket,
        client.get_bucket_logging,
        lambda told: bool(told.get("LoggingEnabled")),
        f"{where} writes access logs with keys of objects and addresses; make where they go a data set of its own.",
        "logging",
    )
    yield from _one_kind(
        bucket,
        client.list_bucket_inventory_configurations,
        lambda told: bool(told.get("InventoryConfigurationList")),
        f"{where} writes inventories with the keys of objects; make where they go a data set of its own.",
        "inventory",
    )
    yield from _one_kind(
        bucket,
        client.get_bucket_lifecycle_configuration,
        lambda told: bool(status) and _expires_current_alone(told),
        f"{where} has lifecycle rules that expire objects and none for noncurrent versions, so that what they expire stays as an "
        f"old version. Add NoncurrentVersionExpiration; retentiond deletes the versions once they are due.",
        "lifecycle",
    )


def _expires_current_alone(told: dict[str, Any]) -> bool:
    rules = [rule for rule in told.get("Rules", ()) if rule.get("Status") == "Enabled"]
    days = [rule for rule in rules if {"Days", "Date"} & set(rule.get("Expiration", {}))]
    return bool(days) and not any("NoncurrentVersionExpiration" in rule for rule in rules)


def _one_kind(
    bucket: Bucket, call: Callable[..., Any], there: Callable[[dict[str, Any]], bool], sentence: str, kind: str
) -> Iterator[Finding]:
    try:
        told = call(Bucket=bucket.name)
    except driver_errors() as error:
        if word_of(error) in _NONE or status_of(error) in _ABSENT:
            return
        if status_of(error) in {401, 403}:
            yield Finding(
                f"Our key may not read the {kind} configuration of {bucket.where[4:]}, so nobody knows whether copies are made. "
                f"Give it that right.",
                refuses=False,
            )
            return
        raise as_error(error, bucket.where) from None
    if there(told):
        yield Finding(sentence, refuses=False)
