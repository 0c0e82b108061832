"""The anchor file is only ever added to, and every change of it by somebody else is found."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.history import History

from retentiond.anchor.file import MEMORY, _Memory, _remember, hand_over
from retentiond.anchor.reading import notes_of
from retentiond.anchor.receipts import folder_of
from retentiond.errors import AuditError, ConnectorError
from retentiond.settings import FileAnchor


@pytest.fixture
def anchor(tmp_path: Path) -> FileAnchor:
    (tmp_path / "foreign").mkdir()
    return FileAnchor(type="file", path=tmp_path / "foreign" / "checkpoints")


def test_checkpoints_stand_one_after_another(anchor: FileAnchor, state: Path) -> None:
    log = History.of(9)
    receipts = [hand_over(anchor, log.handover(state, size)) for size in (3, 5, 9)]
    assert [note.encode() for note in notes_of(anchor.path.read_bytes()) or ()] == receipts
    assert receipts == [log.note(size).encode() for size in (3, 5, 9)]


def test_what_was_written_is_never_written_again(anchor: FileAnchor, state: Path) -> None:
    log = History.of(9)
    hand_over(anchor, log.handover(state, 3))
    before, inode = anchor.path.read_bytes(), anchor.path.stat().st_ino
    hand_over(anchor, log.handover(state, 9))
    assert anchor.path.read_bytes().startswith(before)
    assert anchor.path.stat().st_ino == inode


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 10)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _replace(path: Path) -> None:
    path.unlink()
    path.write_text(History.of(9, "other").note(3) + "\n")


def _add(path: Path) -> None:
    with path.open("a") as file:
        file.write("and another line\n")


def _add_another_history(path: Path) -> None:
    with path.open("a") as file:
        file.write(History.of(9, "other").note(5) + "\n")


def _add_a_longer_log(path: Path) -> None:
    with path.open("a") as file:
        file.write(History.of(30).note(30) + "\n")


@pytest.mark.parametrize("tamper", [_flip, _cut, _empty, _replace, _add, _add_another_history, _add_a_longer_log])
def test_a_file_that_was_changed_is_an_alarm_and_is_left_as_it_is(
    anchor: FileAnchor, state: Path, tamper: Callable[[Path], None]
) -> None:
    log = History.of(9)
    hand_over(anchor, log.handover(state, 3))
    tamper(anchor.path)
    found = anchor.path.read_bytes()
    with pytest.raises(AuditError, match="The anchor file"):
        hand_over(anchor, log.handover(state, 9))
    assert anchor.path.read_bytes() == found


def test_a_file_that_was_already_there_has_to_be_of_this_log(anchor: FileAnchor, state: Path) -> None:
    anchor.path.write_text(History.of(9, "other").note(3) + "\n")
    with pytest.raises(AuditError, match="another history of the log's first 3 entries"):
        hand_over(anchor, History.of(9).handover(state, 5))


def test_a_file_that_the_state_has_forgotten_is_checked_against_the_log_and_continued(anchor: FileAnchor, state: Path) -> None:
    log = History.of(9)
    hand_over(anchor, log.handover(state, 3))
    (folder_of(state) / MEMORY).unlink()
    hand_over(anchor, log.handover(state, 9))
    assert notes_of(anchor.path.read_bytes()) == (log.note(3), log.note(9))


def test_a_log_that_was_rolled_back_is_found_by_the_file(anchor: FileAnchor, state: Path) -> None:
    hand_over(anchor, History.of(9).handover(state, 9))
    (folder_of(state) / MEMORY).unlink()  # the state came from the same old backup
    with pytest.raises(AuditError, match="9 entries, which the log does not have"):
        hand_over(anchor, History.of(4).handover(state, 4))


def test_a_file_that_is_gone_is_no_beginning(anchor: FileAnchor, state: Path) -> None:
    log = History.of(9)
    hand_over(anchor, log.handover(state, 3))
    anchor.path.unlink()
    with pytest.raises(ConnectorError, match="is gone"):
        hand_over(anchor, log.handover(state, 9))
    assert not anchor.path.exists()


def test_another_path_is_another_file(anchor: FileAnchor, state: Path) -> None:
    log = History.of(9)
    hand_over(anchor, log.handover(state, 3))
    other = FileAnchor(type="file", path=anchor.path.with_name("second"))
    hand_over(other, log.handover(state, 9))
    assert notes_of(other.path.read_bytes()) == (log.note(9),)


@given(cut=st.integers(0, 400), again=st.integers(0, 400))
def test_an_addition_that_a_crash_cut_off_is_completed(tmp_path_factory: pytest.TempPathFactory, cut: int, again: int) -> None:
    folder = tmp_path_factory.mktemp("torn")
    state, log = folder / "state", History.of(9)
    state.mkdir()
    anchor = FileAnchor(type="file", path=folder / "checkpoints")
    hand_over(anchor, log.handover(state, 3))
    _crash(anchor, state, f"{log.note(5)}\n".encode(), cut, again)
    hand_over(anchor, log.handover(state, 9))
    sizes = (3, 5, 9) if cut else (3, 9)
    assert notes_of(anchor.path.read_bytes()) == tuple(log.note(size) for size in sizes)


def test_what_somebody_else_added_after_a_crash_is_not_completed(anchor: FileAnchor, state: Path) -> None:
    log = History.of(9)
    hand_over(anchor, log.handover(state, 3))
    _crash(anchor, state, f"{log.note(5)}\n".encode(), 0)
    _add(anchor.path)
    found = anchor.path.read_bytes()
    with pytest.raises(AuditError, match="holds what retentiond did not write"):
        hand_over(anchor, log.handover(state, 9))
    assert anchor.path.read_bytes() == found


def _crash(anchor: FileAnchor, state: Path, added: bytes, *cuts: int) -> None:
    """The addition is announced, and the machine dies in the middle of it; then again while it is completed."""
    content = anchor.path.read_bytes()
    _remember(state, _Memory.of(anchor.path, content, added))
    for cut in cuts:
        done = anchor.path.stat().st_size - len(content)
        with anchor.path.open("ab") as file:
            file.write(added[done : done + cut])
        if not cut:
            return


def test_a_full_disk_is_told_and_mended_once_there_is_room(anchor: FileAnchor, state: Path) -> None:
    log = History.of(60)
    for size in range(30, 50):
        hand_over(anchor, log.handover(state, size))
    with _room(anchor.path.stat().st_size + 50), pytest.raises(ConnectorError, match="has room"):
        hand_over(anchor, log.handover(state, 50))
    with _room(anchor.path.stat().st_size + 50), pytest.raises(ConnectorError, match="has room"):
        hand_over(anchor, log.handover(state, 51))
    hand_over(anchor, log.handover(state, 60))
    notes = notes_of(anchor.path.read_bytes())
    assert notes is not None
    assert notes[-2:] == (log.note(50), log.note(60))


@contextmanager
def _room(limit: int) -> Iterator[None]:
    """No file can get larger than this, as if the disk was full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("memory", ["", "{", "[]", "{}", '{"path": "x", "length": "1", "digest": "", "pending": ""}'])
def test_a_memory_that_is_damaged_is_an_alarm(anchor: FileAnchor, state: Path, memory: str) -> None:
    log = History.of(9)
    hand_over(anchor, log.handover(state, 3))
    (folder_of(state) / MEMORY).write_text(memory)
    with pytest.raises(AuditError, match="memory is damaged"):
        hand_over(anchor, log.handover(state, 9))


def test_storage_that_cannot_be_used_is_told(anchor: FileAnchor, state: Path) -> None:
    missing = FileAnchor(type="file", path=anchor.path / "deeper" / "file")
    with pytest.raises(ConnectorError, match="Look whether its storage is mounted"):
        hand_over(missing, History.of(9).handover(state, 5))
    link = FileAnchor(type="file", path=anchor.path.with_name("link"))
    link.path.symlink_to(anchor.path)
    with pytest.raises(ConnectorError, match="cannot be used"):
        hand_over(link, History.of(9).handover(state, 5))
