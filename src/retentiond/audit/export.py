"""Writes an export: one directory with the signed log in it, which somebody can check who has nothing of retentiond."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path, PurePosixPath
from string import Template
from typing import Protocol

from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note
from retentiond.audit.proving import Signed
from retentiond.audit.tile import WIDTH, TileError, bundle_path, full_bundle, hash_at_of, split_bundle, tiles_of
from retentiond.audit.tree import DIGEST, root
from retentiond.errors import AuditError, ConfigurationError, StateError

OURS = frozenset({"README.txt", "verify.py", "log.vkey", "log", "checkpoints"})
"""What lies in every export; other files have other names."""


class Published(Protocol):
    """A log as it is published; `LogReader` is one."""

    @property
    def newest(self) -> Signed:
        """The newest checkpoint."""

    def notes(self) -> Mapping[int, str]:
        """Every checkpoint that was signed, by its size."""

    def tile(self, level: int, n: int) -> bytes:
        """The stored hashes of one tile, those behind the checkpoint included."""

    def bundle(self, n: int) -> bytes | None:
        """The stored bundle of entries, those behind the checkpoint included; None where it was pruned."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    size: int
    """How many entries the newest checkpoint covers."""
    entries: int
    """How many of them are in the export; of the others only the hashes are."""


def write_export(
    folder: Path,
    log: Published,
    key: VerifierKey,
    now: datetime,
    period: range | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> Exported:
    """Write the log to `folder`, which must not exist, whole or not at all; `now` (aware) stands in its README.

    With `period`, only the bundles with entries of these indexes are written; hashes and checkpoints always are. `extra` are
    further files, by their names from the export's root: proofs, policies, receipts. Raises `ConfigurationError` where there is
    something at `folder` or an extra file would lie in the wrong place, `StateError` where nothing was signed yet or the disk
    does not take it, `AuditError` where the log is not what was signed.
    """
    if os.path.lexists(folder):
        raise ConfigurationError(f"{folder} exists already; name a directory that does not. Nothing was written.")
    _check_names(extra or {})
    checkpoint = _checked(log, key)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            entries = _fill(beside, log, checkpoint, key, now, period, extra or {})
            _sync(beside)
            beside.rename(folder)
            _sync_one(folder.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise StateError(f"The export {folder} cannot be written ({error.strerror}); nothing is left of it.") from None
    return Exported(checkpoint.size, entries)


def _checked(log: Published, key: VerifierKey) -> Checkpoint:
    """The newest checkpoint, if the key is right and the tiles lead to its root: what would not verify is not handed out."""
    try:
        checkpoint = Checkpoint.parse(open_note(log.newest.note, key))
        if checkpoint.origin == key.name and root(checkpoint.size, hash_at_of(log.tile)) == checkpoint.root:
            return checkpoint
    except (NoteError, TileError):
        pass
    raise AuditError(
        "The deletion log is not as its newest checkpoint has it; run `retentiond audit verify`. Nothing was exported."
    )


def _fill(
    folder: Path,
    log: Published,
    checkpoint: Checkpoint,
    key: VerifierKey,
    now: datetime,
    period: range | None,
    extra: Mapping[str, bytes],
) -> int:
    size, seen = checkpoint.size, list[range]()
    for tile in tiles_of(0, size):
        _write(folder / "log" / tile.path, log.tile(tile.level, tile.n)[: DIGEST * tile.width])
    for begin in range(0, size, WIDTH):
        end = min(size, begin + WIDTH)
        wanted = period is None or max(begin, period.start) < min(end, period.stop)
        bundle = log.bundle(begin // WIDTH) if wanted else None
        if bundle is not None:
            _write(folder / "log" / bundle_path(begin // WIDTH, end - begin), _first(bundle, end - begin))
            seen.append(range(begin, end))
    for signed, note in log.notes().items():
        _write(folder / "checkpoints" / str(signed), note.encode())
    _write(folder / "log" / "checkpoint", log.newest.note.encode())
    _write(folder / "log.vkey", f"{key}\n".encode())
    here = files("retentiond.audit")
    _write(folder / "verify.py", here.joinpath("verify_export.py").read_bytes())
    text = Template(here.joinpath("export_readme.txt").read_text(encoding="utf-8"))
    _write(folder / "README.txt", text.substitute(_words(checkpoint, seen, now)).encode())
    for name, body in extra.items():
        _write(folder / name, body)
    return sum(map(len, seen))


def _words(checkpoint: Checkpoint, seen: list[range], now: datetime) -> Mapping[str, object]:
    """What the README tells of this export."""
    return {
        "origin": checkpoint.origin,
        "made": f"{now.astimezone(UTC):%Y-%m-%d %H:%M}",
        "size": checkpoint.size,
        "entries": ", ".join(f"{one.start} to {one.stop - 1}" for one in _joined(seen)) or "none",
    }


def _joined(seen: Iterable[range]) -> list[range]:
    joined: list[range] = []
    for one in seen:
        begin = joined.pop().start if joined and joined[-1].stop == one.start else one.start
        joined.append(range(begin, one.stop))
    return joined


def _first(bundle: bytes, count: int) -> bytes:
    """The first `count` entries of a bundle."""
    try:
        entries = split_bundle(bundle)
    except TileError:
        entries = []
    if len(entries) < count:
        raise AuditError("A bundle of the deletion log cannot be read; run `retentiond audit verify`. Nothing was exported.")
    return full_bundle(entries[:count])


def _check_names(extra: Mapping[str, bytes]) -> None:
    for name in extra:
        parts = PurePosixPath(name).parts
        if not parts or parts[0] in OURS or parts[0] == "/" or ".." in parts:
            raise ConfigurationError(f"In an export, there is no place for a file “{name}”. Nothing was written.")


def _write(file: Path, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as opened:
        opened.write(body)


def _sync(folder: Path) -> None:
    for one in _below(folder):  # after all was written, so that the disk can do much at once
        _sync_one(one)


def _below(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder, topdown=False):
        yield from (Path(where, name) for name in names)
        yield Path(where)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
