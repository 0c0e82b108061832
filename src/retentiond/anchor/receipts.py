"""The receipts of anchors, kept in the state directory: what was handed over, and what came back."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retentiond.audit.place import ANCHORS
from retentiond.errors import StateError

CHECKPOINT = "checkpoint"
"""Beside the receipts of a size lies the checkpoint itself, which a time stamp can be compared with."""

_RECEIPT = re.compile(r"(0|[1-9][0-9]{0,17})-([a-z0-9]+)")
_CONTRADICTION = re.compile(r"contradicted-([a-z0-9]+)")


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """One receipt, as its name tells."""

    size: int
    """How many entries the checkpoint covers."""
    type: str

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.size}-{self.type}"


def folder_of(state: Path) -> Path:
    """Where the receipts lie."""
    return state / ANCHORS


def receipts(state: Path) -> Mapping[str, bytes]:
    """Every receipt and every checkpoint that was handed over, by the name of its file; raises `StateError`."""
    return {one.name: read(state, one.name) for one in kept(state, checkpoints=True)}


def kept(state: Path, *, checkpoints: bool = False) -> list[Kept]:
    """The receipts that are there, by size; with `checkpoints`, also the checkpoints themselves."""
    found = (_RECEIPT.fullmatch(name) for name in _names(state))
    listed = sorted(Kept(int(match[1]), match[2]) for match in found if match)
    return [one for one in listed if checkpoints or one.type != CHECKPOINT]


def contradictions(state: Path) -> Mapping[str, str]:
    """Which anchors contradict the log, as sentences, until they take a checkpoint again."""
    found = (_CONTRADICTION.fullmatch(name) for name in _names(state))
    return {match[1]: read(state, match[0]).decode("utf-8", "replace").strip() for match in found if match}


def contradict(state: Path, kind: str, sentence: str) -> None:
    """Remember that an anchor contradicts the log: nothing runs until it no longer does."""
    keep(state, f"contradicted-{kind}", f"{sentence}\n".encode())


def agree(state: Path, kind: str) -> None:
    """The anchor took a checkpoint: whatever it had against the log is over."""
    (folder_of(state) / f"contradicted-{kind}").unlink(missing_ok=True)


def read(state: Path, name: str) -> bytes:
    """One file; raises `StateError`."""
    try:
        return (folder_of(state) / name).read_bytes()
    except OSError as error:
        raise StateError(f"{folder_of(state) / name} cannot be read ({error.strerror}).") from None


def keep(state: Path, name: str, content: bytes) -> None:
    """Write one file (mode 0600) durably and as a whole; raises `StateError`."""
    folder = folder_of(state)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        part = folder / f".{name}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.rename(folder / name)
        sync_folder(folder)
        sync_folder(state)
    except OSError as error:
        raise StateError(f"{folder / name} cannot be written ({error.strerror}).") from None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _names(state: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder_of(state).iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"{folder_of(state)} cannot be read ({error.strerror}).") from None
