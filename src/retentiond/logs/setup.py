"""Sends messages to stderr or to the journal, and takes over from libraries that would write on their own."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

import structlog

from retentiond.logs.journal import Journal
from retentiond.logs.redaction import tell_exception, withhold

Format = Literal["text", "json", "journal"]
Level = Literal["debug", "info", "warning", "error"]

_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def configure(format: Format, level: Level) -> None:  # noqa: A002 - the setting's own name
    """Send messages of at least `level` where `format` says; what libraries say is reduced to who said it.

    Where the journal cannot be reached they go to stderr as text, and the first one says so.
    """
    journal: Journal | None = None
    unreachable: str | None = None
    if format == "journal":
        try:
            journal = Journal()
        except OSError as error:
            unreachable = type(error).__name__
    before = structlog.get_config()["logger_factory"]
    if isinstance(before, _Sink):
        before.close()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            tell_exception,
            withhold,
            lambda _logger, _method, event: ((event,), {}),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=_Sink(journal, as_json if format == "json" else as_text),
        cache_logger_on_first_use=False,
    )
    _take_over_libraries()
    if unreachable is not None:
        get_logger().error(
            "journal unreachable", error=unreachable, reason="The journal cannot be reached; messages go to stderr."
        )


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """A logger for events: `get_logger().info("run ended", run=…, status=…)`; the event's name is fixed text."""
    if not structlog.is_configured():
        # structlog's own default would print everything, to stdout.
        configure("text", "warning")
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def as_text(event: Mapping[str, Any]) -> str:
    """One line for a person."""
    return f"{event.get('timestamp', '')} {event.get('level', ''):<7} {_words(event)}"


def as_json(event: Mapping[str, Any]) -> str:
    """One line of JSON."""
    return json.dumps(event, ensure_ascii=True, separators=(",", ":"))


class _Sink:
    """Where finished events go; all loggers share it."""

    def __init__(self, journal: Journal | None, render: Callable[[Mapping[str, Any]], str]) -> None:
        self._journal = journal
        self._render = render

    def __call__(self, *_names: Any) -> _Sink:
        return self

    def close(self) -> None:
        """Give up the connection to the journal."""
        if self._journal is not None:
            self._journal.close()

    def _write(self, event: Mapping[str, Any]) -> None:
        if self._journal is not None:
            try:
                self._journal.send(_words(event), _PRIORITY.get(str(event.get("level")), 6), event)
            except OSError:
                pass  # stderr hears it instead, just below
            else:
                return
        # A run must not break off in the middle of a batch because nobody reads its messages.
        with suppress(OSError, ValueError):
            sys.stderr.write(self._render(event) + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg = _write


class _Libraries(logging.Handler):
    """Takes what libraries say; passes on who said it and how bad it is."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on the logger's name and the class of the exception; the text may quote anything."""
        say = get_logger().error if record.levelno >= logging.ERROR else get_logger().warning
        say("a library reported something", logger=record.name, exc_info=record.exc_info)


def _take_over_libraries() -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Libraries)]:
        root.removeHandler(handler)
    root.addHandler(_Libraries(logging.WARNING))
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # its report of a failure would print the message in full
    threading.excepthook = _thread_died


def _thread_died(died: threading.ExceptHookArgs) -> None:
    if died.exc_type is not SystemExit:
        get_logger().error("a thread died", exc_info=died.exc_value)


def _words(event: Mapping[str, Any]) -> str:
    rest = " ".join(f"{name}={_word(value)}" for name, value in event.items() if name not in {"timestamp", "level", "event"})
    return f"{event['event']}  {rest}".rstrip()


def _word(value: Any) -> str:
    text = str(value)
    # A control character could rewrite the line on a terminal; a space would end the value.
    return text if text.isprintable() and text and not set(text) & set(' "=') else json.dumps(text)
