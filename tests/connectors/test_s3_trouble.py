"""One clear sentence where a storage cannot be asked, or asks to come again; and nothing of it is touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.certificates import Authority
from support.s3_world import Storage, UploadedWorld
from support.webserver import Answered, serving

from retentiond.connector import Action, ConnectorError, TransientConnectorError
from retentiond.connector.named import NamePattern
from retentiond.testing.world import NOON, Bench
from retentiond_s3.moments import told
from retentiond_s3.options import S3Connection


@pytest.fixture
def world(object_storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadedWorld]:
    monkeypatch.setenv("KIT_S3_KEY", "retentiond")
    monkeypatch.setenv("KIT_S3_SECRET", "secret")
    made = UploadedWorld(object_storage)
    made.put(1, NOON)
    yield made
    assert len(made.all_keys()) == 1


def told_by(world: UploadedWorld, **connection: Any) -> ConnectorError:
    """The one error, whatever is asked; and nothing is done."""
    bench = Bench(world)
    refs = bench.find()
    world.connection = {**world.connection, **connection}
    errors = []
    for ask in (bench.find, lambda: bench.present(refs), lambda: bench.act(Action.DELETE, refs)):
        with pytest.raises(ConnectorError) as raised:
            ask()
        errors.append(raised.value)
    assert len({str(error) for error in errors}) == 1
    assert "anna" not in str(errors[0])
    return errors[0]


@pytest.mark.parametrize(
    ("status", "word", "code", "sentence"),
    [
        (403, "InvalidAccessKeyId", "forbidden", "does not know our key, or it has expired"),
        (403, "SignatureDoesNotMatch", "forbidden", "does not know our key, or it has expired"),
        (400, "ExpiredToken", "forbidden", "does not know our key, or it has expired"),
        (403, "RequestTimeTooSkewed", "forbidden", "Set the clock that is wrong"),
        (403, "AccessDenied", "forbidden", "Check its rights"),
        (404, "NoSuchBucket", "unavailable", "is not there"),
        (400, "IllegalLocationConstraintException", "refused", "Look at endpoint, region"),
        (400, "anna@person.example", "refused", "refuses (HTTP 400)"),
        (429, "TooManyRequests", "unavailable", "passes by itself"),
        (500, "InternalError", "unavailable", "passes by itself"),
    ],
)
def test_a_refusal_is_told_by_what_has_to_be_done(world: UploadedWorld, status: int, word: str, code: str, sentence: str) -> None:
    door = world.door
    with pytest.MonkeyPatch.context() as patch:
        bench = Bench(world)
        refs = bench.find()
        patch.setattr(door, "refuses", lambda _line: (status, word))
        for ask in (bench.find, lambda: bench.present(refs), lambda: bench.act(Action.DELETE, refs)):
            with pytest.raises(ConnectorError) as raised:
                ask()
            assert raised.value.code == code
            assert sentence in str(raised.value)
            assert "anna" not in str(raised.value)
            assert isinstance(raised.value, TransientConnectorError) is (status in {429, 500})


def test_nobody_listens(world: UploadedWorld) -> None:
    assert isinstance(told_by(world, endpoint="http://127.0.0.1:9"), TransientConnectorError)


def test_what_answers_is_no_storage(world: UploadedWorld) -> None:
    with serving(lambda _asked: Answered(200, b"<html><b>Hello anna", "text/html")) as address:
        assert told_by(world, endpoint=address).code in {"malformed", "unavailable"}


def test_an_answer_without_a_list_is_no_empty_bucket(world: UploadedWorld) -> None:
    with serving(lambda _asked: Answered(200, b"", "application/xml")) as address:
        assert told_by(world, endpoint=address).code == "malformed"


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(world: UploadedWorld, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    served = authority.server()
    asked = []
    with serving(lambda one: asked.append(one) or Answered(503), tls=served.server()) as address:  # type: ignore[func-returns-value]
        error = told_by(world, endpoint=address)
    assert "name that file in `certificate`" in str(error)
    assert asked == []


def test_a_certificate_that_is_named_is_trusted_and_no_other(world: UploadedWorld, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    served = authority.server()
    with serving(lambda _one: Answered(503), tls=served.server()) as address:
        assert "cannot answer now" in str(told_by(world, endpoint=address, certificate=str(authority.file)))


def test_a_certificate_that_is_not_there(world: UploadedWorld, tmp_path: Path) -> None:
    assert "is not there" in str(told_by(world, certificate=str(tmp_path / "none.pem")))


def test_an_endpoint_elsewhere_is_never_spoken_to_openly() -> None:
    key = {"environment": "KIT_S3_KEY"}
    with pytest.raises(ValidationError, match="must be https"):
        S3Connection.model_validate({"endpoint": "http://storage.example", "access_key": key, "secret_key": key})


@given(st.dates(date(1000, 1, 1)), st.text(st.characters(exclude_characters="/")), st.sampled_from(["x", "_", ".wav"]))
def test_a_date_in_a_key_is_read_as_it_stands_or_not_at_all(day: date, before: str, after: str) -> None:
    read = NamePattern.parse("*-%Y-%m-%d*").moment(f"calls/{before}-{day.isoformat()}{after}", None)
    assert read in {day, None}
    if not any(character.isdigit() for character in before):
        assert read == day


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-15", date(2026, 1, 15)),
        (" 2026-01-15T10:00:00+01:00 ", datetime(2026, 1, 15, 9, tzinfo=UTC)),
        ("2026-01-15T10:00:00Z", datetime(2026, 1, 15, 10, tzinfo=UTC)),
        ("2026-01-15T10:00:00", None),  # no zone
        ("15.01.2026", None),
        ("2026-02-30", None),
        ("1768467600", None),
        ("", None),
    ],
)
def test_metadata_is_a_date_only_where_it_says_all_of_it(text: str, moment: object) -> None:
    assert told(text) == moment


@pytest.mark.parametrize(
    ("pattern", "key", "zone", "moment"),
    [
        ("*-%Y%m%d*", "a/call-20260101-20260202.wav", None, None),  # two readings
        ("*%Y%m%d*", "a/call-0692026010112.wav", None, None),  # within a longer number
        ("*-%Y%m%d.wav", "a/call-20260101-20260202.wav", None, date(2026, 2, 2)),
        ("a/%Y/%m/*", "a/2026/02/call.wav", None, date(2026, 2, 28)),
        ("a/%Y/%m/*", "b/2026/02/call.wav", None, None),
        ("%Y%%%m", "2026%13", None, None),
        ("%Y%m%dT%H*", "20260115T12.wav", "Europe/Berlin", datetime(2026, 1, 15, 11, 59, 59, 999_999, tzinfo=UTC)),
        ("%Y%m%dT%H%M*", "20260115T1230.wav", "UTC", datetime(2026, 1, 15, 12, 30, 59, 999_999, tzinfo=UTC)),
        ("%Y%m%dT%H%M%S*", "20261025T023000.wav", "Europe/Berlin", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("%Y*", "2026\nx", None, date(2026, 12, 31)),
    ],
)
def test_a_key_tells_its_date_in_one_way_or_not_at_all(pattern: str, key: str, zone: str | None, moment: object) -> None:
    assert NamePattern.parse(pattern).moment(key, None if zone is None else ZoneInfo(zone)) == moment


@pytest.mark.parametrize("pattern", ["%m-%d", "%Y-%d", "%Y %Y", "%q%Y", "%H"])
def test_a_pattern_that_names_no_whole_date_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"knows|must name"):
        NamePattern.parse(pattern)
