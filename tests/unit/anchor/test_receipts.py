"""Receipts are kept whole, for nobody else to read; and whatever is shown as one is read without harm."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.history import History

from retentiond.anchor import receipts
from retentiond.anchor.reading import found_in, notes_of
from retentiond.anchor.receipts import Kept, agree, contradict, contradictions, folder_of, keep, kept
from retentiond.errors import StateError


def test_what_is_kept_is_found_again_by_size(state: Path) -> None:
    for name in ("10-file", "9-file", "9-checkpoint", "file.memory", "007-file", "-1-file", "9-file.part", "contradicted-mail"):
        keep(state, name, name.encode())
    assert kept(state) == [Kept(9, "file"), Kept(10, "file")]
    assert receipts(state) == {"9-checkpoint": b"9-checkpoint", "9-file": b"9-file", "10-file": b"10-file"}


def test_nobody_else_can_read_them(state: Path) -> None:
    before = os.umask(0)
    try:
        keep(state, "9-file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder_of(state).stat().st_mode) == 0o700
    assert stat.S_IMODE((folder_of(state) / "9-file").stat().st_mode) == 0o600


def test_no_link_that_somebody_laid_is_followed(state: Path, tmp_path: Path) -> None:
    keep(state, "9-file", b"")
    (folder_of(state) / ".10-file.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="10-file cannot be written"):
        keep(state, "10-file", b"receipt")
    assert not (tmp_path / "elsewhere").exists()


def test_before_the_first_there_are_none(state: Path) -> None:
    assert (kept(state), dict(receipts(state)), dict(contradictions(state))) == ([], {}, {})


def test_what_cannot_be_read_is_told(state: Path) -> None:
    folder_of(state).write_text("no folder")
    with pytest.raises(StateError, match="anchors cannot be read"):
        kept(state)
    with pytest.raises(StateError, match="cannot be written"):
        keep(state, "9-file", b"")


def test_a_contradiction_stays_until_the_anchor_agrees_again(state: Path) -> None:
    contradict(state, "witness", "It saw another history.")
    assert contradictions(state) == {"witness": "It saw another history."}
    agree(state, "file")
    assert len(contradictions(state)) == 1
    agree(state, "witness")
    assert contradictions(state) == {}


@given(sizes=st.lists(st.integers(0, 30), max_size=5))
def test_notes_one_after_another_are_read_back(sizes: list[int]) -> None:
    log = History.of(30)
    notes = tuple(log.note(size) for size in sizes)
    assert notes_of("".join(f"{note}\n" for note in notes).encode()) == notes
    for note in notes:
        assert notes_of(note.encode()) == (note,)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), place=st.integers(0, 200))
@example(content=b"{" * 100_000, place=0)
@example(content=b"old 1\n\n", place=0)
@example(content=b'{"checkpoint": "\\ud800\\n\\n"}', place=0)
@example(
    content=b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Disposition: x; filename=a.checkpoint\r\n\r\n\xff",
    place=0,
)
def test_whatever_is_shown_is_read_without_harm(content: bytes, place: int) -> None:
    note = History.of(3).note(3).encode()
    for shown in (content, note[:place] + content + note[place:], b"old 1\n" + content + b"\n" + note, b"{" + content):
        found = found_in(shown)
        assert found is None or found.notes or found.stamp is not None
