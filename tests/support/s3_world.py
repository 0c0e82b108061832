"""Buckets of an S3 storage on this machine (moto) for the conformance kit; the truth comes out of the storage itself."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeDeleteMarker, s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

from retentiond.connector import Presence, Reader
from retentiond.testing import Gap, World
from retentiond.testing.world import Key
from retentiond_s3 import connector

LONG_AGO = datetime(2019, 1, 1, 6, 30, tzinfo=UTC)
READING = frozenset({"GET", "HEAD"})


class Door:
    """What stands before the storage: it sees who comes, and can be busy, lose an answer or let nobody in."""

    def __init__(self) -> None:
        self.inner = DomainDispatcherApplication(create_backend_app)
        self.seen: list[str] = []
        """What others than the owner asked for: method, path and query."""
        self.refuses: Callable[[str], tuple[int, str] | None] = lambda _line: None
        """Told each request; a status and a word refuse it."""
        self.loses: Callable[[str], bool] = lambda _line: False
        """Told each request; True has it done, and breaks the connection."""
        self.answers: Callable[[str], bytes | None] = lambda _line: None
        """Told each request; a text is the answer."""
        self.edits: Callable[[bytes], bytes] = lambda body: body
        """Told the body of each answer; what it returns is sent."""
        self.conditions: list[str] = []
        """The conditions (If-Match) of what was asked for."""

    def reset(self) -> None:
        """Be an open door again."""
        self.seen = []
        self.refuses = lambda _line: None
        self.loses = lambda _line: False
        self.answers = lambda _line: None
        self.edits = lambda body: body
        self.conditions = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if "Credential=owner/" in environ.get("HTTP_AUTHORIZATION", ""):
            return self.inner(environ, start_response)
        line = f"{environ['REQUEST_METHOD']} {environ['RAW_URI']}"
        self.seen.append(line)
        self.conditions += [value for name, value in environ.items() if name == "HTTP_IF_MATCH"]
        told = self.answers(line)
        if told is not None:
            start_response("200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(told)))])
            return [told]
        refused = self.refuses(line)
        if refused is not None:
            status, word = refused
            body = f"<?xml version='1.0'?><Error><Code>{word}</Code><Message>anna@person.example</Message></Error>".encode()
            head = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
            start_response(f"{status} No", head)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        lost = self.loses(line)
        answer = self.inner(environ, start_response)
        if lost:
            for part in answer:
                del part
            with suppress(OSError):
                environ["werkzeug.socket"].shutdown(2)
            raise ConnectionError
        return [self.edits(part) for part in answer]


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


class Storage:
    """The running storage."""

    def __init__(self) -> None:
        self.door = Door()
        self.server = make_server("127.0.0.1", 0, self.door, threaded=True, request_handler=_Quiet)
        self.server.log = lambda *_, **__: None  # type: ignore[method-assign]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self.owner: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="owner",
            aws_secret_access_key="secret",  # noqa: S106 - that of a test
        )

    def close(self) -> None:
        """Stop it."""
        self.owner.close()
        self.server.shutdown()
        self.server.server_close()

    def bucket(self, *, versions: bool, lock: bool = False) -> str:
        """A new bucket."""
        name = f"kit-{uuid.uuid4()}"
        self.owner.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        if versions and not lock:
            self.owner.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name


@pytest.fixture(scope="session")
def object_storage() -> Iterator[Storage]:
    """One storage for all tests, each of which makes buckets of its own."""
    made = Storage()
    try:
        yield made
    finally:
        made.close()


class S3World(World):
    """Objects of a versioned bucket with object lock, dated by their metadata, and by the day in their key."""

    instant: str | None = "recorded"
    day: str | None = "named"
    versions = True
    lock = True
    many = 8

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.door = storage.door
        self.door.reset()
        self.bucket = storage.bucket(versions=self.versions, lock=self.lock)
        self.connector = connector
        self.connection = {
            "endpoint": storage.endpoint,
            "access_key": {"environment": "KIT_S3_KEY"},
            "secret_key": {"environment": "KIT_S3_SECRET"},
            "timeout_seconds": 20,
        }
        self.options: dict[str, Any] = {
            "bucket": self.bucket,
            "prefix": "calls/",
            "dates": {
                "recorded": {"from": "metadata", "name": "recorded-at"},
                "named": {"from": "key", "pattern": "*_%Y-%m-%d.wav"},
            },
        }
        self.beside = [{"bucket": self.bucket, "prefix": "calls/contested", "dates": {"up": {"from": "last_modified"}}}]
        self.gaps = {
            Gap.BLOCK: "a move is a copy and a delete of every version, and changes when the object seems to be written",
            Gap.ANONYMIZE: "an object is whatever its owner put there",
            Gap.RECEIPTS: "a storage keeps no note of who deleted a version",
            Gap.ABOUT: "whom an object is about stands nowhere that could be searched by it",
            Gap.FACTS: "nothing but its dates is told of an object",
            Gap.CONTESTED: "which data sets hold an object hangs on its key, which it keeps",
        }

    def put(self, number: int, moment: datetime | date | None, state: Presence = Presence.PRESENT) -> Key:
        del state
        named = f"_{moment.isoformat()}" if moment is not None and not isinstance(moment, datetime) else ""
        return self.upload(f"calls/call{number}{named}.wav", f"voice {number}".encode(), moment)

    def upload(self, key: str, body: bytes, moment: datetime | date | None) -> Key:
        """Put an object there; where it has a date by its metadata, with that."""
        told = {"recorded-at": moment.isoformat()} if isinstance(moment, datetime) else {"recorded-at": "some day"}
        self.storage.owner.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=told)
        return (key,)

    def put_odd(self, moment: datetime | date) -> list[Key]:
        odd = (
            "a b",
            "a+b",
            "it's",
            '"; DROP',
            "%2e",
            "%",
            "*",
            "back\\slash",
            "Zoë",
            "🚀",
            "tab\there",
            "a&b<c>",
            "x" * 900,
            "=",
            "?q=1",
        )
        return [self.upload(f"calls/{name}", b"voice", moment) for name in sorted(odd, key=str.encode)]

    def put_huge(self, number: int, moment: datetime | date) -> Key:
        key = self.put(number, moment)
        return self.upload(key[0], bytes(6_000_000), moment)

    def change(self, key: Key) -> None:
        self.upload(key[0], b"another voice", datetime(2021, 5, 5, 5, 5, 5, tzinfo=UTC))

    def remove(self, key: Key) -> None:
        self._keys().pop(key[0])

    def all_keys(self) -> set[Key]:
        return {(key,) for key in self._keys()}

    def content(self, key: Key) -> object:
        return [
            (one.version_id, isinstance(one, FakeDeleteMarker), getattr(one, "value", None), one.last_modified)
            for one in self._keys().getlist(key[0], [])
        ]

    def state(self, key: Key) -> Presence:
        return Presence.PRESENT if self._keys().getlist(key[0], []) else Presence.ABSENT

    def empty(self) -> None:
        for key in list(self._keys()):
            self._keys().pop(key)

    def unreachable(self) -> None:
        self.connection = {**self.connection, "endpoint": "http://127.0.0.1:9"}

    def typed(self, key: Key) -> str:
        return key[0]

    def refuse(self, key: Key) -> None:
        self.storage.owner.put_object_legal_hold(Bucket=self.bucket, Key=key[0], LegalHold={"Status": "ON"})

    def write_through(self, reader: Reader) -> bool:
        """Try every way to write that the client has."""
        client = reader._client  # type: ignore[attr-defined]
        (key,) = next(iter(self.all_keys()))
        words = {"Bucket": self.bucket, "Key": key}
        number = str(self._keys().getlist(key)[0].version_id or "null")
        tries: list[Callable[[], object]] = [
            lambda: client.delete_object(**words),
            lambda: client.delete_object(**words, VersionId=number),
            lambda: client.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": key, "VersionId": number}]}),
            lambda: client.put_object(**words, Body=b""),
            lambda: client.copy_object(**words, CopySource={"Bucket": self.bucket, "Key": key}),
            lambda: client.create_multipart_upload(**words),
            lambda: client.put_object_tagging(**words, Tagging={"TagSet": []}),
            lambda: client.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": []}),
            lambda: client.delete_bucket(Bucket=self.bucket),
        ]
        through = False
        for attempt in tries:
            try:
                attempt()
            except Exception:  # noqa: BLE001, S112 - whatever it is called, it was refused
                continue
            through = True
        return through or any(line.split()[0] not in READING for line in self.door.seen)

    def stumble(self) -> None:
        def once(_line: str) -> tuple[int, str]:
            self.door.refuses = lambda _line: None
            return 503, "SlowDown"

        self.door.refuses = once

    def lose_answer(self) -> None:
        def once(line: str) -> bool:
            if line.startswith("DELETE"):
                self.door.loses = lambda _line: False
                return True
            return False

        self.door.loses = once

    def lose_rights(self) -> None:
        self.door.refuses = lambda _line: (403, "AccessDenied")

    def forbidden(self) -> Sequence[str]:
        allowed = re.compile(r"(GET|HEAD) |DELETE \S+[?&](versionId|uploadId)=[^&]+")
        return [line.split()[0] for line in self.door.seen if not allowed.match(line)]

    def _keys(self) -> Any:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[self.bucket].keys


class UploadedWorld(S3World):
    """Objects of a bucket that keeps no versions, dated by their upload."""

    instant = "uploaded"
    day = None
    versions = False
    lock = False

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.options |= {"prefix": "", "suffix": ".wav", "dates": {"uploaded": {"from": "last_modified"}}}
        self.beside = []
        self.gaps = {
            **self.gaps,
            Gap.DAY: "the storage tells the instant of the upload",
            Gap.UNDATED: "every object was uploaded at some time",
            Gap.REFUSE: "a bucket without object lock refuses by its policy, which is none of a single object",
            Gap.ODD_KEYS: "shown where keys end as they like",
        }

    put_odd = World.put_odd
    refuse = World.refuse

    def upload(self, key: str, body: bytes, moment: datetime | date | None) -> Key:
        if not isinstance(moment, datetime):
            raise NotImplementedError
        super().upload(key, body, moment)
        self._keys()[key].last_modified = moment.replace(tzinfo=None)
        return (key,)
