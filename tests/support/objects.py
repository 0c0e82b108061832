"""An S3-compatible storage on this machine, with object lock."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage, and how its owner reaches it."""

    endpoint: str
    owner: Any
    bucket: str

    def objects(self) -> dict[str, str]:
        """What lies in the bucket, newest versions only."""
        listed = self.owner.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {one["Key"]: self.owner.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read().decode() for one in listed}


@contextmanager
def storage(*, lock: bool = True) -> Iterator[Storage]:
    """A storage with one bucket, which has object lock or not."""
    bucket = f"checkpoints-{uuid.uuid4()}"  # within one process all such servers share what they hold
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        owner = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="owner",
            aws_secret_access_key="secret",  # noqa: S106 - that of a test
        )
        owner.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=lock)
        yield Storage(endpoint, owner, bucket)
        owner.close()
    finally:
        server.stop()
