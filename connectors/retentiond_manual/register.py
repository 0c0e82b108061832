"""The register of one data set: a file that is written whole, durably, and by one writer at a time."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from retentiond.connector import ConnectorError, OutcomeUnknownError, Target, TransientConnectorError

VERSION = 1
LARGEST = 64 * 2**20
"""Bytes: so large no register of a person's tasks is."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Word:
    """That a person said it is done, and on what that rests."""

    at: str
    by: str
    evidence: str
    document: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """One task as it stands in the register."""

    dates: Mapping[str, date | None]
    word: Word | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """All of one data set."""

    tasks: Mapping[str, Kept] = field(default_factory=dict)
    """By key, in the order in which they were added."""
    settled: date | None = None
    """The date of the last recurring task that is over; None before the first."""
    word: Word | None = None
    """Of the recurring task that is open."""


def file_of(folder: Path, target: Target) -> Path:
    """Where the register of a data set lies."""
    return folder / f"{target.system}.{target.dataset}.json"


def read(folder: Path, target: Target) -> Register:
    """The register as it is now, empty before the first word; raises `ConnectorError` where that cannot be told."""
    file = file_of(folder, target)
    try:
        if not folder.is_dir():
            raise ConnectorError(f"The register of {target} is not there; make its directory, or bring it back.", "unavailable")
        if not file.exists():
            return Register()
        if file.is_symlink() or file.stat().st_size > LARGEST:
            raise ConnectorError(f"The register of {target} is no file that retentiond wrote. Restore it.", "unreadable")
        told = json.loads(file.read_bytes())
        return _register(told, target)
    except OSError as error:
        raise ConnectorError(f"The register of {target} cannot be read ({type(error).__name__}).", "unavailable") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ConnectorError(f"The register of {target} is damaged; restore it from a backup.", "unreadable") from None


@contextmanager
def alone(folder: Path, target: Target) -> Iterator[None]:
    """Hold the register for writing; raises `TransientConnectorError` where somebody else does."""
    try:
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConnectorError(f"The register of {target} cannot be locked ({type(error).__name__}).", "unavailable") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise TransientConnectorError(f"The register of {target} is being written by somebody else.", "unavailable") from None
    try:
        yield
    finally:
        os.close(descriptor)


def write(folder: Path, target: Target, register: Register) -> None:
    """Put this in place of what is there, durably; to be called by whoever holds it `alone`.

    Raises `ConnectorError` where nothing was changed, `OutcomeUnknownError` where that cannot be told.
    """
    file = file_of(folder, target)
    beside = file.with_name(f".{file.name}.new")
    body = json.dumps(_told(register, target), ensure_ascii=True, indent=1, sort_keys=True).encode()
    try:
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(body)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise ConnectorError(f"The register of {target} cannot be written ({type(error).__name__}).", "refused") from None
    try:
        beside.replace(file)
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise OutcomeUnknownError(
            f"Whether the register of {target} was written cannot be told ({type(error).__name__}).", "unavailable"
        ) from None


def _told(register: Register, target: Target) -> dict[str, Any]:
    return {
        "version": VERSION,
        "dataset": str(target),
        "settled": None if register.settled is None else register.settled.isoformat(),
        "word": _word_told(register.word),
        "tasks": [
            {
                "key": key,
                "dates": {name: None if day is None else day.isoformat() for name, day in kept.dates.items()},
                "word": _word_told(kept.word),
            }
            for key, kept in register.tasks.items()
        ],
    }


def _word_told(word: Word | None) -> dict[str, str | None] | None:
    if word is None:
        return None
    return {"at": word.at, "by": word.by, "evidence": word.evidence, "document": word.document}


def _register(told: Any, target: Target) -> Register:
    """What was read, strictly; raises one of the errors of a wrong shape."""
    if told["version"] != VERSION or told["dataset"] != str(target):
        raise ValueError
    tasks = {
        _text(one["key"]): Kept({_text(name): _day(day) for name, day in one["dates"].items()}, _word(one["word"]))
        for one in told["tasks"]
    }
    if len(tasks) != len(told["tasks"]):
        raise ValueError
    return Register(tasks, _day(told["settled"]), _word(told["word"]))


def _word(told: Any) -> Word | None:
    if told is None:
        return None
    document = told["document"]
    if document is not None and _DIGEST.fullmatch(document) is None:
        raise ValueError
    return Word(_text(told["at"]), _text(told["by"]), _text(told["evidence"]), document)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _day(value: Any) -> date | None:
    return None if value is None else date.fromisoformat(_text(value))
