"""Messages as the journal's own fields."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from retentiond.logs import configure, get_logger
from retentiond.logs import setup as logs_setup
from retentiond.logs.journal import Journal


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    yield
    configure("text", "info")  # closes a journal that is still open
    structlog.reset_defaults()
    root.handlers[:], threading.excepthook, logging.raiseExceptions = handlers, hook, raising
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def listening(place: Path) -> socket.socket:
    """A journal that only listens."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(place))
    listener.settimeout(5)
    return listener


def parsed(datagram: bytes) -> dict[str, str]:
    """The fields of a datagram, read as the journal reads them."""
    fields: dict[str, str] = {}
    while datagram:
        head, _, rest = datagram.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if equals:
            fields[name.decode()], datagram = value.decode(), rest
        else:
            size = int.from_bytes(rest[:8], "little")
            fields[name.decode()] = rest[8 : 8 + size].decode()
            assert rest[8 + size : 9 + size] == b"\n"
            datagram = rest[9 + size :]
    return fields


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "j"
    monkeypatch.setattr(logs_setup, "Journal", lambda: Journal(str(path)))
    return path


def test_each_field_arrives_by_itself(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listening(place) as listener:
        configure("journal", "info")
        get_logger().warning("run ended", run="r1", done=3, reason="Zwei\nZeilen: ✓", code=None)
        fields = parsed(listener.recv(65536))
    assert capsys.readouterr().err == ""
    fields.pop("RETENTIOND_TIMESTAMP")
    assert fields.pop("MESSAGE").startswith("run ended  run=r1 done=3")
    assert fields == {
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "retentiond",
        "RETENTIOND_EVENT": "run ended",
        "RETENTIOND_LEVEL": "warning",
        "RETENTIOND_RUN": "r1",
        "RETENTIOND_DONE": "3",
        "RETENTIOND_REASON": "Zwei\nZeilen: ✓",
    }


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "7"), ("info", "6"), ("warning", "4"), ("error", "3"), ("critical", "2")]
)
def test_urgency_becomes_a_priority(place: Path, level: str, priority: str) -> None:
    with listening(place) as listener:
        configure("journal", "debug")
        getattr(get_logger(), level)("run ended")
        assert parsed(listener.recv(65536))["PRIORITY"] == priority


def test_a_second_line_cannot_pose_as_a_field(place: Path) -> None:
    with listening(place) as listener:
        journal = Journal(str(place))
        journal.send("harmless\nPRIORITY=0", 6, {"reason": "x\nRETENTIOND_RUN=forged"})
        journal.close()
        fields = parsed(listener.recv(65536))
    assert fields["PRIORITY"] == "6"
    assert "RETENTIOND_RUN" not in fields


def test_without_a_journal_messages_go_to_stderr_and_say_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del place
    configure("journal", "info")
    get_logger().info("run ended", run="r1")
    first, second = capsys.readouterr().err.splitlines()
    assert "journal unreachable  error=FileNotFoundError" in first
    assert "run ended  run=r1" in second


def test_a_journal_that_was_started_anew_is_found_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listening_before = listening(place)
    configure("journal", "info")
    listening_before.close()
    place.unlink()
    with listening(place) as listener:
        get_logger().info("run ended", run="r2")
        assert parsed(listener.recv(65536))["RETENTIOND_RUN"] == "r2"
    assert capsys.readouterr().err == ""


def test_a_journal_that_dies_loses_no_message(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listener = listening(place)
    configure("journal", "info")
    listener.close()
    place.unlink()
    get_logger().info("run ended", run="r3")
    get_logger().info("run ended", run="r4")
    err = capsys.readouterr().err
    assert "run=r3" in err
    assert "run=r4" in err
    with listening(place) as back:
        get_logger().info("run ended", run="r5")
        assert parsed(back.recv(65536))["RETENTIOND_RUN"] == "r5"


def test_withheld_fields_do_not_reach_the_journal_either(place: Path) -> None:
    with listening(place) as listener:
        configure("journal", "info")
        get_logger().info("run ended", key="canary")
        datagram = listener.recv(65536)
    assert b"canary" not in datagram
    json.dumps(parsed(datagram))
