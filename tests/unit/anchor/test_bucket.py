"""Each checkpoint lies in the bucket under a lock that nobody can open before its time, or it does not count."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from support.certificates import Authority
from support.history import NOW, History
from support.objects import Storage, storage
from support.witness import serving_http

from retentiond.anchor.bucket import PAGE, hand_over
from retentiond.anchor.reading import found_in
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, TransientConnectorError
from retentiond.settings import S3Anchor


@pytest.fixture
def objects() -> Iterator[Storage]:
    with storage() as objects:
        yield objects


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ID", "writer")
    monkeypatch.setenv("S3_SECRET", "secret")


def anchor(objects: Storage, **more: object) -> S3Anchor:
    given = {
        "type": "s3",
        "bucket": objects.bucket,
        "endpoint": objects.endpoint,
        "access_key": {"environment": "S3_ID"},
        "secret_key": {"environment": "S3_SECRET"},
        "prefix": "retentiond/",
    }
    return S3Anchor.model_validate(given | more)


def test_each_checkpoint_is_an_object_of_its_own(objects: Storage, state: Path) -> None:
    log = History.of(40)
    for size in (5, 40):
        hand_over(anchor(objects), log.handover(state, size))
    assert objects.objects() == {f"retentiond/{size:020}.checkpoint": log.note(size) for size in (5, 40)}


def test_it_is_locked_in_compliance_mode_for_as_long_as_the_settings_say(objects: Storage, state: Path) -> None:
    receipt = json.loads(hand_over(anchor(objects, keep="P30D"), History.of(9).handover(state, 9)))
    head = objects.owner.head_object(Bucket=objects.bucket, Key=receipt["key"], VersionId=receipt["version"])
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert abs(head["ObjectLockRetainUntilDate"] - (NOW + timedelta(days=30))) < timedelta(seconds=1)
    assert receipt["until"] == "2026-12-22T03:12:01Z"
    with pytest.raises(ClientError):
        objects.owner.delete_object(Bucket=objects.bucket, Key=receipt["key"], VersionId=receipt["version"])


def test_the_receipt_holds_the_checkpoint(objects: Storage, state: Path) -> None:
    log = History.of(9)
    found = found_in(hand_over(anchor(objects), log.handover(state, 9)))
    assert found is not None
    assert found.notes == (log.note(9),)


def test_a_bucket_without_object_lock_is_not_enough(state: Path) -> None:
    with storage(lock=False) as objects, pytest.raises(ConnectorError, match="object lock"):
        hand_over(anchor(objects), History.of(9).handover(state, 9))


def test_the_same_checkpoint_twice_is_no_contradiction(objects: Storage, state: Path) -> None:
    log = History.of(9)
    hand_over(anchor(objects), log.handover(state, 9))
    hand_over(anchor(objects), log.handover(state, 9))


def test_a_log_that_was_rewritten_or_rolled_back_is_an_alarm(objects: Storage, state: Path) -> None:
    hand_over(anchor(objects), History.of(40).handover(state, 17))
    with pytest.raises(AuditError, match="another history of the log's first 17 entries"):
        hand_over(anchor(objects), History.of(40, "forged").handover(state, 17))
    with pytest.raises(AuditError, match="17 entries, which the log does not have"):
        hand_over(anchor(objects), History.of(5).handover(state, 5))
    assert len(objects.objects()) == 1


def test_the_largest_checkpoint_there_binds_a_longer_log_too(objects: Storage, state: Path) -> None:
    for number in range(PAGE + 1):  # more than are listed at once, and before any checkpoint
        objects.owner.put_object(Bucket=objects.bucket, Key=f"retentiond/{0:020}/{number:04}", Body=b"")
    hand_over(anchor(objects), History.of(40).handover(state, 17))
    with pytest.raises(AuditError, match="another history of the log's first 17 entries"):
        hand_over(anchor(objects), History.of(40, "forged").handover(state, 40))


def test_what_others_keep_in_the_bucket_is_left_alone(objects: Storage, state: Path) -> None:
    objects.owner.put_object(Bucket=objects.bucket, Key="retentiond/zebra", Body=b"something else")
    hand_over(anchor(objects), History.of(9).handover(state, 9))


def test_a_storage_that_refuses_is_told_with_the_rights_that_are_wanted(objects: Storage, state: Path) -> None:
    with pytest.raises(ConnectorError, match=r"refuses \(HTTP 404\). The key needs the rights"):
        hand_over(anchor(objects, bucket="another-bucket"), History.of(9).handover(state, 9))


def test_a_storage_that_is_not_there_may_be_there_later(objects: Storage, state: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://localhost:{unused.getsockname()[1]}"
    with pytest.raises(TransientConnectorError, match="cannot be reached"):
        hand_over(anchor(objects, endpoint=url), History.of(9).handover(state, 9))


def test_a_secret_that_is_not_there_is_told_by_its_place(objects: Storage, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_SECRET")
    with pytest.raises(ConfigurationError, match="S3_SECRET is not set"):
        hand_over(anchor(objects), History.of(9).handover(state, 9))


def test_a_storage_whose_certificate_nobody_vouches_for_is_refused(objects: Storage, state: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with serving_http(BaseHTTPRequestHandler, authority.server().server()) as endpoint:
        given = anchor(objects, endpoint=endpoint, ca=Authority(tmp_path, "another root").file)
        with pytest.raises(ConnectorError, match="certificate of the storage"):
            hand_over(given, History.of(9).handover(state, 9))
        with pytest.raises(ConnectorError, match="cannot answer now"):  # it knows nothing of objects, but it is spoken to
            hand_over(anchor(objects, endpoint=endpoint, ca=authority.file), History.of(9).handover(state, 9))


def test_an_environment_that_leads_elsewhere_is_told(objects: Storage, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match="the AWS variables of the environment"):
        hand_over(anchor(objects), History.of(9).handover(state, 9))


def test_a_wrong_region_is_told(objects: Storage, state: Path) -> None:
    with pytest.raises(ConfigurationError, match="Look at `endpoint`, `region`"):
        hand_over(anchor(objects, region="not a region"), History.of(9).handover(state, 9))


def test_without_the_extra_the_message_names_it(objects: Storage, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r"install `retentiond\[s3\]`"):
        hand_over(anchor(objects), History.of(9).handover(state, 9))
