"""What gets into a message, and what never does."""

from __future__ import annotations

import json
import logging
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import pytest
import structlog

from retentiond.errors import ConnectorError, GuardRefused
from retentiond.logs import SAFE_FIELDS, WITHHELD, configure, get_logger

CANARY = "canary-anna.muster@example.org"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    yield
    structlog.reset_defaults()
    root.handlers[:], threading.excepthook, logging.raiseExceptions = handlers, hook, raising
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_a_message_goes_to_stderr_and_never_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "info")
    get_logger().info("run ended", run="r1", done=3, status="all done")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(' info    run ended  run=r1 done=3 status="all done"\n')


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    get_logger().warning("run ended", run="r\n1", at=datetime(2026, 1, 2, tzinfo=UTC))
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"event": "run ended", "level": "warning", "run": "r\n1", "at": "2026-01-02T00:00:00+00:00"}


def test_what_is_less_urgent_than_asked_for_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "warning")
    get_logger().info("run ended")
    assert capsys.readouterr().err == ""


def test_before_it_is_configured_nothing_unredacted_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    get_logger().warning("run ended", key=CANARY)
    out, err = capsys.readouterr()
    assert out == ""
    assert CANARY not in err


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_field_nobody_vouched_for_is_withheld(form: Literal["text", "json"], capsys: pytest.CaptureFixture[str]) -> None:
    configure(form, "debug")
    log = get_logger()
    log.info("run ended", key=CANARY, run="r1")
    log.info("run ended", **{CANARY: 1})
    log.info("run ended", run=[CANARY], rule={"a": CANARY}, batch=(CANARY,), digest=object())
    log.bind(name=CANARY).info("run ended")
    log.info(CANARY)
    log.info("run of " + CANARY + " ended")  # noqa: G003 - just what nobody should do
    err = capsys.readouterr().err
    assert CANARY not in err
    assert len(err.splitlines()) == 6
    assert WITHHELD in err


def test_the_text_of_a_foreign_exception_is_withheld_and_its_class_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    try:
        int(CANARY)
    except ValueError:
        get_logger().exception("run failed")
    told = json.loads(capsys.readouterr().err)
    assert CANARY not in str(told)
    assert told["error"] == "ValueError"
    assert told["where"].startswith("test_logs.py:")
    assert "message" not in told


def test_the_text_of_our_own_exception_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    get_logger().error("run failed", exc_info=GuardRefused("Too many."))
    get_logger().error("run failed", exc_info=ConnectorError("Not today.", "timeout"))
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["error"], first["message"]) == ("GuardRefused", "Too many.")
    assert (second["error"], second["message"], second["code"]) == ("ConnectorError", "Not today.", "timeout")


def test_of_what_a_library_says_only_its_name_remains(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "debug")
    library = logging.getLogger("sqlalchemy.engine")
    library.info("SELECT %s", CANARY)
    library.warning("SELECT %s", CANARY)
    try:
        open(CANARY)  # noqa: PTH123, SIM115 - only to fail with the name in the text
    except OSError:
        logging.getLogger("apscheduler.executors").exception("failed for %s", CANARY)
    err = capsys.readouterr().err
    assert CANARY not in err
    first, second = map(json.loads, err.splitlines())
    assert (first["level"], first["logger"]) == ("warning", "sqlalchemy.engine")
    assert (second["level"], second["logger"], second["error"]) == ("error", "apscheduler.executors", "FileNotFoundError")


def test_warnings_of_libraries_are_withheld_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)  # catch_warnings put its own hook back; take it over once more
        logging.captureWarnings(capture=True)
        warnings.warn(CANARY, stacklevel=1)
        logging.captureWarnings(capture=False)
    err = capsys.readouterr().err
    assert CANARY not in err
    assert json.loads(err)["logger"] == "py.warnings"


def test_a_thread_that_dies_is_told_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")

    def die() -> None:
        raise ValueError(CANARY)

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    told = json.loads(capsys.readouterr().err)
    assert (told["event"], told["error"]) == ("a thread died", "ValueError")
    assert CANARY not in str(told)


def test_a_control_character_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "info")
    get_logger().info("run ended", reason="x\n2026 info all is well \x1b[2J")
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "\x1b" not in err


def test_a_closed_stderr_stops_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    configure("text", "info")

    class Broken:
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Broken())
    get_logger().info("run ended")


def test_configuring_again_takes_the_place_of_before(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "info")
    configure("json", "error")
    logging.getLogger("library").error("x")
    get_logger().warning("run ended")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["logger"] == "library"


def test_no_field_that_could_hold_a_record_is_vouched_for() -> None:
    assert not SAFE_FIELDS & {"key", "record", "ref", "name", "value", "exception", "args", "sql", "file", "email", "by"}
