"""What a bucket holds beside the newest versions: all of it goes, and none of it too early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.s3_world import LONG_AGO, S3World, Storage, UploadedWorld

from retentiond.connector import Action, Answered, ConnectorError, OutcomeUnknownError, Presence
from retentiond.testing.acting import said
from retentiond.testing.world import NOON, Bench

YOUNG = NOON + timedelta(days=1000)


class Versioned(UploadedWorld):
    """Versions, dated by their upload, without locks."""

    versions = True


@pytest.fixture(autouse=True)
def kit_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_S3_KEY", "retentiond")
    monkeypatch.setenv("KIT_S3_SECRET", "secret")


@pytest.fixture
def world(object_storage: Storage) -> Versioned:
    return Versioned(object_storage)


@pytest.fixture
def locked(object_storage: Storage) -> S3World:
    return S3World(object_storage)


def findings(world: S3World) -> str:
    bench = Bench(world)
    with bench.reader() as reader:
        told = reader.preflight(Action.DELETE)
    assert not any(finding.refuses for finding in told), told
    return "\n".join(finding.what for finding in told)


def test_what_a_plain_delete_leaves_there_is_found_and_goes(world: Versioned) -> None:
    """Somebody deleted the object without a version: no list of objects shows it, and its content is all there."""
    bench = Bench(world)
    key = world.put(1, NOON)
    world.storage.owner.delete_object(Bucket=world.bucket, Key=key[0])
    assert "Contents" not in world.storage.owner.list_objects_v2(Bucket=world.bucket)
    assert b"voice 1" in str(world.content(key)).encode()
    assert "1 objects of kit/records were deleted by somebody who left their versions there" in findings(world)
    (ref,) = bench.find(bench.before(NOON + timedelta(seconds=1)))
    assert (ref.key, ref.rows) == (key, 2), "the marker is young, and made the data young"
    assert bench.present([ref]) == [Presence.PRESENT]
    assert said(bench.act(Action.DELETE, [ref])) == [Answered.DONE]
    assert world.content(key) == []


def test_an_old_version_is_not_due_before_the_youngest_one(world: Versioned) -> None:
    bench = Bench(world)
    key = world.put(1, NOON)
    world.upload(key[0], b"young voice", YOUNG)
    assert bench.find(bench.before(YOUNG)) == []
    assert "1 older versions" in findings(world)
    (ref,) = bench.find(bench.before(YOUNG + timedelta(seconds=1)))
    assert bench.act(Action.DELETE, [ref])[0].rows == 2
    assert world.all_keys() == set()


def test_old_versions_go_before_the_one_that_hides_them(world: Versioned) -> None:
    """Stopped half-way no old version has come to light: the storage breaks down after the first delete."""
    bench = Bench(world)
    key = world.put(1, NOON)
    world.upload(key[0], b"new voice", NOON + timedelta(days=1))
    (ref,) = bench.find()
    deletes = iter([None, (503, "SlowDown")])
    world.door.refuses = lambda line: next(deletes, (503, "SlowDown")) if line.startswith("DELETE") else None
    with pytest.raises(OutcomeUnknownError):
        bench.act(Action.DELETE, [ref])
    world.door.reset()
    seen = world.storage.owner.get_object(Bucket=world.bucket, Key=key[0])["Body"].read()
    assert seen == b"new voice"
    assert bench.present([ref]) == [Presence.PRESENT]
    assert said(bench.act(Action.DELETE, [ref])) == [Answered.CHANGED]
    assert said(bench.act(Action.DELETE, bench.find())) == [Answered.DONE]


def test_a_version_that_will_not_go_leaves_doubt_and_hinders_no_other_record(world: Versioned) -> None:
    bench = Bench(world)
    keys = bench.put(1, 2, 3)
    world.upload(keys[1][0], b"new voice", NOON + timedelta(days=4))
    refs = bench.refs(keys)
    stubborn = str(world._keys()[keys[1][0]].version_id)
    world.door.refuses = lambda line: (403, "AccessDenied") if line.startswith("DELETE") and stubborn in line else None
    with pytest.raises(OutcomeUnknownError):
        bench.act(Action.DELETE, refs)
    world.door.reset()
    assert bench.present(refs) == [Presence.ABSENT, Presence.PRESENT, Presence.ABSENT]


def test_a_storage_that_only_says_it_deleted_is_not_believed(world: Versioned) -> None:
    bench = Bench(world)
    (ref,) = bench.refs(bench.put(1))
    world.door.refuses = lambda line: (204, "Nothing") if line.startswith("DELETE") else None
    with pytest.raises(OutcomeUnknownError, match="still there"):
        bench.act(Action.DELETE, [ref])


def test_a_new_version_in_between_leaves_the_object_alone(world: Versioned) -> None:
    bench = Bench(world)
    key = world.put(1, NOON)
    (ref,) = bench.find()
    world.upload(key[0], b"voice 1", YOUNG)
    assert said(bench.act(Action.DELETE, [ref])) == [Answered.CHANGED]
    assert len(list(world._keys().getlist(key[0]))) == 2


def test_an_object_without_versions_is_deleted_on_the_condition_that_it_is_the_same(object_storage: Storage) -> None:
    """The storage is told which one is meant; one that finds another there says so, and that is `changed`."""
    plain = UploadedWorld(object_storage)
    bench = Bench(plain)
    (ref,) = bench.refs(bench.put(1))
    plain.door.refuses = lambda line: (412, "PreconditionFailed") if line.startswith("DELETE") else None
    assert said(bench.act(Action.DELETE, [ref])) == [Answered.CHANGED]
    plain.door.reset()
    (tag,) = [one.etag for one in plain._keys().values()]
    assert said(bench.act(Action.DELETE, [ref])) == [Answered.DONE]
    assert plain.door.conditions == [tag]


def test_an_unfinished_upload_alone_is_a_record_and_goes(world: Versioned) -> None:
    """No list of objects shows it, and its parts are there."""
    bench = Bench(world)
    owner = world.storage.owner
    begun = owner.create_multipart_upload(Bucket=world.bucket, Key="a voice+é.wav")
    owner.upload_part(Bucket=world.bucket, Key="a voice+é.wav", UploadId=begun["UploadId"], PartNumber=1, Body=b"voice")
    other = owner.create_multipart_upload(Bucket=world.bucket, Key="a voice+é.wav.wav")
    (ref, neighbour) = bench.find()
    assert ref.key == ("a voice+é.wav",)
    assert "2 unfinished uploads" in findings(world)
    assert said(bench.act(Action.DELETE, [ref])) == [Answered.DONE]
    left = owner.list_multipart_uploads(Bucket=world.bucket)["Uploads"]
    assert [one["UploadId"] for one in left] == [other["UploadId"]]
    assert bench.present([ref, neighbour]) == [Presence.ABSENT, Presence.PRESENT]


@pytest.mark.parametrize(("began", "code"), [("2010-11-10T20", None), ("2099-11-10T20", "refused")])
def test_an_upload_that_may_still_be_at_work_is_left_alone(world: Versioned, began: str, code: str | None) -> None:
    """It began later than a week before the storage's own clock."""
    bench = Bench(world)
    key = world.put(1, NOON)
    world.storage.owner.create_multipart_upload(Bucket=world.bucket, Key=key[0])
    world.door.edits = lambda body: body.replace(b"2010-11-10T20", began.encode())  # moto's uploads all began then
    (ref,) = bench.find(bench.before(datetime(2100, 1, 1, tzinfo=UTC)))
    before = bench.snapshot()
    assert [answer.code for answer in bench.act(Action.DELETE, [ref])] == [code]
    assert (bench.snapshot() == before) is (code is not None)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_answer_that_leaves_it_open_whether_it_was_done_is_doubt(world: Versioned, status: int) -> None:
    bench = Bench(world)
    (ref,) = bench.refs(bench.put(1))
    world.door.refuses = lambda line: (status, "InternalError") if line.startswith("DELETE") else None
    with pytest.raises(OutcomeUnknownError, match="nobody knows yet"):
        bench.act(Action.DELETE, [ref])


def test_locked_versions_are_told_until_when_and_left_alone(locked: S3World) -> None:
    """A lock on the old version keeps the whole record, so that none is torn."""
    bench = Bench(locked)
    key, free = bench.put(1, 2)
    old = str(locked._keys()[key[0]].version_id)
    locked.upload(key[0], b"new voice", NOON)
    locked.storage.owner.put_object_retention(
        Bucket=locked.bucket,
        Key=key[0],
        VersionId=old,
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime(2090, 5, 1, tzinfo=UTC)},
    )
    locked.refuse(free)
    told = findings(locked)
    assert "1 versions of kit/records are locked until 2090-05-01" in told
    assert "1 versions of kit/records are under legal hold" in told
    refs = bench.find()
    before = bench.snapshot()
    assert [answer.code for answer in bench.act(Action.DELETE, refs)] == ["constraint", "constraint"]
    assert bench.snapshot() == before
    assert not any(line.startswith("DELETE") for line in locked.door.seen)


def test_what_makes_copies_is_told(world: Versioned) -> None:
    owner = world.storage.owner
    world.put(1, NOON)
    other = world.storage.bucket(versions=True)
    owner.put_bucket_lifecycle_configuration(
        Bucket=world.bucket,
        LifecycleConfiguration={"Rules": [{"ID": "1", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 5}}]},
    )
    owner.put_bucket_replication(
        Bucket=world.bucket,
        ReplicationConfiguration={
            "Role": "arn:aws:iam::123456789012:role/r",
            "Rules": [{"Status": "Enabled", "Priority": 1, "Destination": {"Bucket": f"arn:aws:s3:::{other}"}}],
        },
    )
    told = findings(world)
    assert "is replicated" in told
    assert "NoncurrentVersionExpiration" in told
    world.door.refuses = lambda line: (403, "AccessDenied") if line.endswith("?replication") else None
    assert "may not read the replication configuration" in findings(world)


def test_metadata_of_the_least_known_version_decides(locked: S3World) -> None:
    bench = Bench(locked)
    key = locked.put(1, NOON)
    locked.upload(key[0], b"new voice", None)
    assert bench.find() == []
    assert [ref.key for ref in bench.undated()] == [key]


def test_a_version_that_goes_while_its_metadata_is_asked_for_is_looked_up_anew(locked: S3World) -> None:
    bench = Bench(locked)
    gone, kept = bench.put(1, 2)

    def vanish(line: str) -> None:
        if line.startswith("HEAD") and "call1" in line and gone in locked.all_keys():
            locked.remove(gone)

    locked.door.refuses = vanish
    assert [ref.key for ref in bench.find()] == [kept]


def test_a_list_that_does_not_go_on_is_an_error(world: Versioned) -> None:
    world.put(1, LONG_AGO)
    told = b"<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>"
    world.door.answers = lambda line: told if "versions" in line else None
    with pytest.raises(ConnectorError, match="not where it goes on"):
        Bench(world).find()


def test_an_object_that_two_data_sets_hold_is_contested(locked: S3World) -> None:
    """Only those of the same bucket count."""
    bench = Bench(locked)
    shared = locked.upload("calls/contested1.wav", b"voice", NOON)
    kept = locked.put(1, NOON)
    assert {ref.key: ref.contested for ref in bench.find()} == {shared: True, kept: False}
    locked.beside = [{**one, "bucket": "elsewhere"} for one in locked.beside]
    assert not any(ref.contested for ref in bench.find())
