"""The anchor `file`: checkpoints one after another in a file on storage that belongs to somebody else; only ever added to."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from retentiond.anchor.handover import Handover
from retentiond.anchor.reading import notes_of
from retentiond.anchor.receipts import folder_of, keep, read, sync_folder
from retentiond.errors import AuditError, ConnectorError
from retentiond.settings import FileAnchor

MEMORY = "file.memory"
"""Beside the receipts: how long the file was, and its digest, so that any change of it is seen."""

LARGEST = 256 * 2**20
"""Bytes; no file of checkpoints gets so large in a lifetime."""


@dataclass(frozen=True, slots=True)
class _Memory:
    path: str
    length: int = 0
    digest: str = hashlib.sha256().hexdigest()
    pending: str = ""
    """What was about to be added; a crash or a full disk may have cut it off."""

    @classmethod
    def of(cls, path: Path, content: bytes, pending: bytes = b"") -> _Memory:
        return cls(str(path), len(content), hashlib.sha256(content).hexdigest(), pending.decode())


def hand_over(anchor: FileAnchor, what: Handover) -> bytes:
    """Add the checkpoint to the file and make it durable; the receipt is what was added.

    Raises `AuditError` where the file is not as it was left, or tells another history than the log; `ConnectorError` where it
    cannot be read or written.
    """
    before = _remembered(what.state, anchor.path)
    content = _content(anchor.path, before)
    if hashlib.sha256(content[: before.length]).hexdigest() != before.digest:
        raise AuditError(
            f"The anchor file {anchor.path} is not as it was left: it was cut or changed. Find out by whom, and restore it; "
            f"what it held is in {folder_of(what.state)}. To begin another file, name another path."
        )
    since, pending = content[before.length :], before.pending.encode()
    if since and pending.startswith(since):
        # A crash or a full disk cut it off; what was written cannot be taken back there, so the rest goes behind it.
        _append(anchor.path, pending[len(since) :])
        content += pending[len(since) :]
    _refuse_foreign(anchor.path, content[before.length :], what)
    added = f"{what.note}\n".encode()
    _remember(what.state, _Memory.of(anchor.path, content, pending=added))
    _append(anchor.path, added)
    _remember(what.state, _Memory.of(anchor.path, content + added))
    return what.note.encode()


def _refuse_foreign(path: Path, since: bytes, what: Handover) -> None:
    """What was added by us, but is not remembered (the state came from a backup), has to fit to the log as well."""
    notes = notes_of(since)
    if notes is None:
        raise AuditError(
            f"The anchor file {path} holds what retentiond did not write. Restore it; to begin another file, name another path."
        )
    for note in notes:
        if told := what.objection(note):
            raise AuditError(f"The anchor file {path} {told}. Nothing more is done until that is cleared up.")


def _remembered(state: Path, path: Path) -> _Memory:
    if not (folder_of(state) / MEMORY).exists():
        return _Memory(str(path))
    match _json(read(state, MEMORY)):
        case {"path": str() as told, "length": int() as length, "digest": str() as digest, "pending": str() as pending}:
            return _Memory(told, length, digest, pending) if told == str(path) else _Memory(str(path))
        case _:
            raise AuditError(f"{folder_of(state) / MEMORY} is damaged. Restore the state directory from its backup.")


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _remember(state: Path, memory: _Memory) -> None:
    told = {"path": memory.path, "length": memory.length, "digest": memory.digest, "pending": memory.pending}
    keep(state, MEMORY, json.dumps(told).encode())


def _content(path: Path, before: _Memory) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if before.length:
            raise ConnectorError(
                f"The anchor file {path} is gone. Mount its storage, or restore it; to begin another file, name another path."
            ) from None
        return b""
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _unusable(path, error) from None
    if len(content) > LARGEST:
        raise ConnectorError(f"The anchor file {path} is larger than any file of checkpoints. Name another path.")
    return content


def _append(path: Path, added: bytes) -> None:
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o644)
        try:
            while added:
                added = added[os.write(descriptor, added) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(path.parent)
    except OSError as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: OSError) -> ConnectorError:
    return ConnectorError(
        f"The anchor file {path} cannot be used ({error.strerror}). Look whether its storage is mounted, has room, "
        f"and lets retentiond add to the file."
    )
