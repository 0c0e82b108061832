"""When a line, or a name, says that it was written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from connectors.files_support import LONG_AGO, World, cutoff, lines_world

from retentiond.connector import Moment
from retentiond.connector.named import NamePattern
from retentiond_files.formats import parser
from retentiond_files.options import Content


def _read(line: bytes, format: str, zone: str | None = None, written: datetime = LONG_AGO) -> datetime | None:  # noqa: A002 - the option's name
    content: dict[str, Any] = {"from": "content", "format": format, **({"zone": zone} if zone else {})}
    return parser(Content.model_validate(content), written)(line)


COMBINED = [
    (b'192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1\n', datetime(2000, 10, 10, 20, 55, 36, tzinfo=UTC)),
    (b'2001:db8::1 - frank [29/Feb/2024:23:59:60 +0000] "-" 400 0\n', datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    (b'example.org:443 192.0.2.1 - - [01/Jan/2025:00:00:00 +0545] "GET /"\n', datetime(2024, 12, 31, 18, 15, tzinfo=UTC)),
    (b'192.0.2.1 - \xff\xfe [01/Jan/2025:00:00:00 +0000] "GET /"\n', datetime(2025, 1, 1, tzinfo=UTC)),
    # A client chooses its user name, and quotes in it are escaped: the date behind counts.
    (b'192.0.2.1 - x [01/Jan/1999:00:00:00 +0000] [02/Jan/2025:00:00:00 +0000] "GET /"\n', datetime(2025, 1, 2, tzinfo=UTC)),
    (b'192.0.2.1 - x [01/Jan/1999:00:00:00 +0000] \\" [02/Jan/2025:00:00:00 +0000] "GET /"\n', datetime(2025, 1, 2, tzinfo=UTC)),
    (b'192.0.2.1 - - [31/Feb/2025:00:00:00 +0000] "GET /"\n', None),
    (b'192.0.2.1 - - [01/Jan/2025:00:00:00 +2500] "GET /"\n', None),
    (b'192.0.2.1 - - [01/Jan/2025:24:00:00 +0000] "GET /"\n', None),
    (b'192.0.2.1 - - [01/Jan/2025:00:00:00] "GET /"\n', None),
    (b'192.0.2.1 - - "GET /?[01/Jan/2025:00:00:00 +0000]"\n', None),
    (b"192.0.2.1 - - [01/Jan/2025:00:0", None),
    (b"\n", None),
    (b'192.0.2.1 - - [01/Jan/0001:00:00:00 +1400] "GET /"\n', None),
]


@pytest.mark.parametrize(("line", "instant"), COMBINED)
@pytest.mark.parametrize("name", ["nginx-combined", "apache-combined"])
@pytest.mark.usefixtures("far_from_utc")
def test_combined(line: bytes, instant: datetime | None, name: str) -> None:
    assert _read(line, name) == instant


@pytest.mark.parametrize(
    ("line", "zone", "instant"),
    [
        (b"2025-03-30T01:59:59Z x\n", None, datetime(2025, 3, 30, 1, 59, 59, tzinfo=UTC)),
        (b"2025-03-30 01:59:59,123 +0200 x\n", None, datetime(2025, 3, 29, 23, 59, 59, 123000, tzinfo=UTC)),
        (b"[2025-03-30T01:59:59.123456789+02:00] x\n", None, datetime(2025, 3, 29, 23, 59, 59, 123456, tzinfo=UTC)),
        (b"2025-03-30 01:59:59+02 x\n", None, datetime(2025, 3, 29, 23, 59, 59, tzinfo=UTC)),
        (b"2025-03-30 01:59:59 UTC [7] x\n", "Europe/Berlin", datetime(2025, 3, 30, 1, 59, 59, tzinfo=UTC)),
        (b"<34>1 2025-10-11T22:14:15.003Z host app\n", None, datetime(2025, 10, 11, 22, 14, 15, 3000, tzinfo=UTC)),
        (b"2025-07-01 12:00:00 x\n", "Europe/Berlin", datetime(2025, 7, 1, 10, tzinfo=UTC)),
        (b"2025-07-01 12:00:00 x\n", "Asia/Kathmandu", datetime(2025, 7, 1, 6, 15, tzinfo=UTC)),
        (b"2025-07-01 12:00:00 x\n", None, None),
        # The hour that comes twice, and the one that never comes, count as late as they can.
        (b"2025-10-26 02:30:00 x\n", "Europe/Berlin", datetime(2025, 10, 26, 1, 30, tzinfo=UTC)),
        (b"2025-03-30 02:30:00 x\n", "Europe/Berlin", datetime(2025, 3, 30, 1, 30, tzinfo=UTC)),
        (b"2025-07-01t12:00:00z x\n", "Europe/Berlin", datetime(2025, 7, 1, 12, tzinfo=UTC)),
        (b"2025-07-01T12:00:00-03:30\n", "Europe/Berlin", datetime(2025, 7, 1, 15, 30, tzinfo=UTC)),
        (b"\xef\xbb\xbf2025-07-01 12:00:00 x\n", "UTC", datetime(2025, 7, 1, 12, tzinfo=UTC)),
        (b"2025-07-01 12:00:00 +0200: x\n", "UTC", datetime(2025, 7, 1, 10, tzinfo=UTC)),
        (b"2025-07-01 12:00:00 - x\n", "UTC", datetime(2025, 7, 1, 12, tzinfo=UTC)),
        (b"2025-07-01T12:00:00-3 x\n", "Europe/Berlin", None),
        (b"2025-07-01T12:00:00-030 x\n", "Europe/Berlin", None),
        (b"2025-07-01T12:00:00-03:3 x\n", "Europe/Berlin", None),
        (b"2025-07-01T12:00:00Zulu x\n", "Europe/Berlin", None),
        (b"2025-07-01 x\n", "UTC", None),
        (b"on 2025-07-01 12:00:00 x\n", "UTC", None),
        (b"2025-07-01 12:00:001 x\n", "UTC", None),
        (b"2025-13-01 12:00:00 x\n", "UTC", None),
    ],
)
@pytest.mark.usefixtures("far_from_utc")
def test_iso8601(line: bytes, zone: str | None, instant: datetime | None) -> None:
    assert _read(line, "iso8601", zone) == instant


@pytest.mark.parametrize(
    ("line", "zone", "instant"),
    [
        (b'{"level": 30, "time": "2025-07-01T12:00:00.5Z"}\n', None, datetime(2025, 7, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        (b'{"time":"2025-07-01 12:00:00"}\r\n', "Asia/Kathmandu", datetime(2025, 7, 1, 6, 15, tzinfo=UTC)),
        (b'{"time":"2025-07-01 12:00:00"}\n', None, None),
        (b'{"msg": {"time": "2025-07-01T12:00:00Z"}}\n', "UTC", None),  # another one's time, told within
        (b'{"msg": "\\"time\\": \\"2025-07-01T12:00:00Z\\""}\n', "UTC", None),
        (b'{"time": 1751371200000}\n', "UTC", None),
        (b'{"time": "2025-07-01T12:00:00Z"\n', "UTC", None),
        (b'["time", "2025-07-01T12:00:00Z"]\n', "UTC", None),
        (b'{"time": "\\ud800"}\n', "UTC", None),
        (b"[" * 100_000 + b"\n", "UTC", None),
        (b"\xff\n", "UTC", None),
        (b"\n", "UTC", None),
    ],
)
@pytest.mark.usefixtures("far_from_utc")
def test_lines_of_json(line: bytes, zone: str | None, instant: datetime | None) -> None:
    content = Content.model_validate({"from": "content", "format": "json", "field": "time", "zone": zone})
    assert parser(content, LONG_AGO)(line) == instant


@pytest.mark.parametrize("wrong", [{"format": "json"}, {"format": "iso8601", "field": "time"}])
def test_only_lines_of_json_need_a_field(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="needs a field"):
        Content.model_validate({"from": "content", **wrong})


@pytest.mark.usefixtures("far_from_utc")
def test_error_logs() -> None:
    expected = datetime(2025, 1, 7, 13, 12, 21, tzinfo=UTC)
    assert _read(b"2025/01/07 14:12:21 [error] 7#7: *1 x\n", "nginx-error", "Europe/Berlin") == expected
    line = b"[Tue Jan 07 14:12:21.5 2025] [core:error] x\n"
    assert _read(line, "apache-error", "Europe/Berlin") == expected.replace(microsecond=500000)


@pytest.mark.parametrize(
    ("line", "written", "instant"),
    [
        (b"Dec 31 23:59:59 host x\n", datetime(2026, 1, 2, tzinfo=UTC), datetime(2025, 12, 31, 22, 59, 59, tzinfo=UTC)),
        (b"Jan 1 00:00:01 host x\n", datetime(2026, 1, 2, tzinfo=UTC), datetime(2025, 12, 31, 23, 0, 1, tzinfo=UTC)),
        (b"Jan  1 00:00:01 host x\n", datetime(2026, 1, 2, tzinfo=UTC), datetime(2025, 12, 31, 23, 0, 1, tzinfo=UTC)),
        (b"Jan  1 00:00:01 host x\n", datetime(2025, 12, 31, 23, 0, 2, tzinfo=UTC), datetime(2025, 12, 31, 23, 0, 1, tzinfo=UTC)),
        (b"<13>Feb 29 12:00:00 host x\n", datetime(2026, 3, 1, tzinfo=UTC), datetime(2024, 2, 29, 11, tzinfo=UTC)),
        (b"Jan  3 12:00:00 host x\n", datetime(2026, 1, 2, 12, tzinfo=UTC), datetime(2026, 1, 3, 11, tzinfo=UTC)),
        # A host whose clock is fast: not a year ago. What is too far ahead to be that is of the year before.
        (b"Jan 30 12:00:00 host x\n", datetime(2026, 1, 2, 10, tzinfo=UTC), datetime(2026, 1, 30, 11, tzinfo=UTC)),
        (b"Feb  4 12:00:00 host x\n", datetime(2026, 1, 2, 10, tzinfo=UTC), datetime(2025, 2, 4, 11, tzinfo=UTC)),
        (b"Foo  4 12:00:00 host x\n", datetime(2026, 1, 2, tzinfo=UTC), None),
        (b"Feb 30 12:00:00 host x\n", datetime(2026, 1, 2, tzinfo=UTC), None),
    ],
)
@pytest.mark.usefixtures("far_from_utc")
def test_a_syslog_line_is_of_the_latest_year_that_is_not_after_the_file(
    line: bytes, written: datetime, instant: datetime | None
) -> None:
    assert _read(line, "syslog", "Europe/Berlin", written) == instant


def _syslog(tmp_path: Path) -> World:
    return lines_world(tmp_path, source={"from": "content", "format": "syslog", "zone": "Europe/Berlin"})


def test_syslog_lines_over_the_turn_of_the_year(tmp_path: Path) -> None:
    world = _syslog(tmp_path)
    old, young = b"Dec 30 10:00:00 host a\nDec 31 23:30:00 host b\n", b"Jan  1 00:30:00 host c\n"
    path = world.write("syslog", old + young, datetime(2025, 12, 31, 23, 30, tzinfo=UTC))
    due = world.find(cutoff(datetime(2025, 12, 31, 23, tzinfo=UTC)))
    assert [ref.key[1] for ref in due] == ["2025-12-30T09Z", "2025-12-31T22Z"]
    world.delete(due)
    assert path.read_bytes() == young


def test_a_syslog_line_of_a_host_whose_clock_is_fast_is_young(tmp_path: Path) -> None:
    world = _syslog(tmp_path)
    lines = b"Nov 20 10:00:00 host a\nNov 23 10:00:00 fast b\nNov 20 10:01:00 host c\n"
    world.write("syslog", lines, datetime(2026, 11, 20, 9, 1, tzinfo=UTC))
    assert world.find(cutoff(datetime(2026, 11, 20, 9, tzinfo=UTC))) == []
    assert world.count() == 2


@pytest.mark.parametrize("written", [datetime(2026, 6, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)])
def test_syslog_lines_are_undated_where_the_files_last_change_does_not_fit(tmp_path: Path, written: datetime) -> None:
    world = _syslog(tmp_path)
    world.write("syslog", b"Dec 30 10:00:00 host a\nDec 31 23:30:00 host b\n", written)
    assert world.find() == []
    assert len(world.undated()) == world.count() == 2


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("pattern", "path", "zone", "moment"),
    [
        ("access-%Y-%m-%d.log*", ("access-2025-02-28.log.gz",), None, date(2025, 2, 28)),
        ("access-%Y-%m-%d.log", ("deep", "access-2025-02-28.log"), None, date(2025, 2, 28)),
        ("access-%Y-%m-%d.log", ("access-2025-02-28.log.gz",), None, None),
        ("access-%Y-%m-%d.log", ("access-2025-02-29.log",), None, None),
        ("export-%Y-%m.csv", ("export-2024-02.csv",), None, date(2024, 2, 29)),
        ("%Y%%.csv", ("2024%.csv",), None, date(2024, 12, 31)),
        ("%Y/%m/%d/*.wav", ("2024", "02", "03", "a.wav"), None, date(2024, 2, 3)),
        ("call-%Y%m%d-%H%M%S*.mp3", ("call-20250701-120000-7.mp3",), BERLIN, datetime(2025, 7, 1, 10, tzinfo=UTC)),
        ("%Y%m%d%H.log", ("2025070112.log",), BERLIN, datetime(2025, 7, 1, 10, 59, 59, 999999, tzinfo=UTC)),
        ("%Y%m%d%H%M.log", ("202507011230.log",), BERLIN, datetime(2025, 7, 1, 10, 30, 59, 999999, tzinfo=UTC)),
        ("%Y%m%d%H%M.log", ("202510260230.log",), BERLIN, datetime(2025, 10, 26, 1, 30, 59, 999999, tzinfo=UTC)),
        ("%Y%m%d%H%M.log", ("202507012430.log",), BERLIN, None),
        ("%Y.log", ("٢٠٢٥.log",), None, date(2025, 12, 31)),
        # Which of two dates it is, nobody knows; and a number is no date because it holds one.
        ("*%Y%m%d*.mp3", ("20261124-born-19800102.mp3",), None, None),
        ("*%Y%m%d*.mp3", ("19990101-20261124-19990101.mp3",), None, None),
        ("*%Y%m%d.mp3", ("20261124-born-19800102.mp3",), None, date(1980, 1, 2)),
        ("%Y%m%d*.mp3", ("20261124-born-19800102.mp3",), None, date(2026, 11, 24)),
        ("*-%Y%m%d-*.mp3", ("call-20261124-7.mp3",), None, date(2026, 11, 24)),
        ("*%Y%m%d*.mp3", ("call-4917620140101-7.mp3",), None, None),
        ("*/%Y%m%d*/*", ("20250101", "20261124-x", "20240101"), None, date(2026, 11, 24)),
    ],
)
@pytest.mark.usefixtures("far_from_utc")
def test_a_name_that_leaves_something_open_is_taken_at_its_latest(
    pattern: str, path: tuple[str, ...], zone: ZoneInfo | None, moment: Moment | None
) -> None:
    assert NamePattern.parse(pattern).moment("/".join(path), zone) == moment
