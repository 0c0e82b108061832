"""An act on a document, its parts and its sidecar that is cut off anywhere: never lost, never told as done, always completed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from connectors.sidecar_support import Archive, Crash, archive, crash_after
from hypothesis import given
from hypothesis import settings as sizes
from hypothesis import strategies as st

from retentiond.connector import Action, Answered, Presence, RecordRef

MOST = 40
"""More steps than deleting a record with all its files takes."""


def act(world: Archive, action: Action, steps: int, *, anew: bool, refs: list[RecordRef]) -> list[Answered] | None:
    """What was answered; None where the process died after so many steps."""
    again = [ref for ref in world.due(action) if ref.key == refs[0].key] if anew else refs
    try:
        with crash_after(steps):
            answers = world.delete(again) if action is Action.DELETE else world.block(again)
    except Crash:
        return None
    return [answer.said for answer in answers]


def check(world: Archive, refs: list[RecordRef], kept: list[str]) -> bool:
    """True where something of the record is there; fails where that is lost, or told as gone or blocked."""
    there = world.there()
    assert set(kept) <= set(there), "an act hit a neighbour"
    left = sorted(set(there) - set(kept))
    named = [one for one in left if ".retentiond-" not in one]
    [presence] = world.present(refs)
    assert (presence is Presence.ABSENT) == (not left), "told as gone, and something is left; or the other way round"
    if presence is Presence.BLOCKED:
        assert not [one for one in left if one.startswith("root/")], "told as blocked, and something is within reach"
    if named:
        found = [ref for ref in world.due() if ref.key == refs[0].key]
        assert len(found) == 1, "what is left is not found by its date"
        assert found[0].blocked == (presence is Presence.BLOCKED)
    return bool(left)


@given(
    parts=st.booleans(),
    cuts=st.lists(st.tuples(st.sampled_from([Action.BLOCK, Action.DELETE]), st.integers(0, 14), st.booleans()), max_size=5),
    anew=st.booleans(),
)
@sizes(max_examples=60)
def test_however_often_it_is_cut_off_all_goes_in_the_end_and_nothing_is_lost_meanwhile(
    parts: bool,
    cuts: list[tuple[Action, int, bool]],
    anew: bool,
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sidecar"))
    try:
        world = archive(folder)
        world.voucher("in/b.pdf")
        kept = world.there()
        world.voucher("in/a.pdf", *(["in/a.pdf.txt", "in/thumbs/a.pdf.png"] if parts else []))
        refs = [ref for ref in world.due() if ref.key == ("in/a.pdf",)]
        for action, steps, by_search in cuts:
            said = act(world, action, steps, anew=by_search, refs=refs)
            if not check(world, refs, kept):
                assert said in (None, [Answered.DONE], [Answered.NOT_FOUND], [])
        said = act(world, Action.DELETE, MOST, anew=anew, refs=refs)
        assert said in ([Answered.DONE], [Answered.NOT_FOUND], [])
        assert world.there() == kept
        assert world.present(refs) == [Presence.ABSENT]
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("action", [Action.DELETE, Action.BLOCK])
def test_after_each_single_step_the_next_session_completes_the_act(tmp_path: Path, action: Action) -> None:
    for steps in range(MOST):
        folder = tmp_path / str(steps)
        folder.mkdir()
        world = archive(folder)
        world.voucher("a.pdf", "a.pdf.txt", "thumbs/a.pdf.png")
        refs = world.due(action)
        if act(world, action, steps, anew=False, refs=refs) == [Answered.DONE]:
            break
        check(world, refs, [])
        assert act(world, action, MOST, anew=False, refs=refs) in ([Answered.DONE], [Answered.NOT_FOUND])
        assert world.present(refs) == [Presence.ABSENT if action is Action.DELETE else Presence.BLOCKED]
        assert [one for one in world.there() if one.startswith("root/")] == []
    assert 8 <= steps < MOST, "the act has fewer steps than it has files, or never ended"


def test_the_sidecar_goes_last_and_only_once_all_else_is_gone_for_good(tmp_path: Path) -> None:
    seen = []
    for steps in range(MOST):
        folder = tmp_path / str(steps)
        folder.mkdir()
        world = archive(folder)
        world.voucher("a.pdf", "a.pdf.txt")
        if act(world, Action.DELETE, steps, anew=False, refs=world.due()) is not None:
            break
        left = [one for one in world.there() if ".retentiond-" not in one]
        seen += [left] if left not in seen else []
    assert seen == [
        ["root/a.pdf", "root/a.pdf.json", "root/a.pdf.txt"],
        ["root/a.pdf.json", "root/a.pdf.txt"],
        ["root/a.pdf.json"],
        [],
    ]
