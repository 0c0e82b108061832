"""The s3 connector keeps every promise of the kit: in a versioned bucket with object lock, and in one without versions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.s3_world import S3World, Storage, UploadedWorld

from retentiond.testing import ConformanceKit, World


@pytest.fixture(params=[S3World, UploadedWorld])
def world(request: pytest.FixtureRequest, object_storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("KIT_S3_KEY", "retentiond")
    monkeypatch.setenv("KIT_S3_SECRET", "secret")
    monkeypatch.setattr("retentiond_s3.reader.PAGE", 3)
    monkeypatch.setattr("retentiond_s3.versions.PAGE", 3)
    made: S3World = request.param(object_storage)
    yield made
    assert made.forbidden() == []


class TestS3(ConformanceKit):
    pass
