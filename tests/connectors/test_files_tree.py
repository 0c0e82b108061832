"""What a walk enters, what it leaves out, and how it tells."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from connectors.files_support import World, files_world, hours, line, lines_world
from support.nobody import as_nobody

from retentiond.connector import Action, Answer, Answered, ConnectorError
from retentiond_files import tree
from retentiond_files.patterns import Globs, Selection

ROOT = os.geteuid() == 0


@pytest.fixture
def world(tmp_path: Path) -> World:
    root = tmp_path / "files"
    root.mkdir()
    return files_world(root)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.log", "a.log", True),
        ("*.log", "deep/a.log", False),
        ("*.log", ".a.log", True),
        ("**/*.log", "a.log", True),
        ("**/*.log", "very/deep/a.log", True),
        ("**", "very/deep/a.log", True),
        ("sites/**/access.log*", "sites/access.log.1", True),
        ("sites/**/access.log*", "sites/a/b/access.log", True),
        ("sites/**/access.log*", "access.log", False),
        ("a?[0-9].log", "ab1.log", True),
        ("A.log", "a.log", False),
        ("a.log", "a.log\n", False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert Globs.of([pattern]).match(tuple(path.split("/"))) is matches


def test_excluding_a_directory_excludes_all_below_it() -> None:
    selection = Selection(Globs.of(["**/*.log"]), Globs.of(["cache", "tmp/**"]))
    assert [selection.file(tuple(path.split("/"))) for path in ("a.log", "cache/a.log", "cache/x/a.log", "tmp/x/a.log")] == [
        True,
        False,
        False,
        False,
    ]
    assert not selection.directory(("cache",))


def test_a_tree_may_be_deeper_than_the_interpreters_stack(world: World) -> None:
    """Whoever may upload decides how deep it is."""
    world.settings["include"] = ["**/a/**/x"]
    handle = os.open(world.root, os.O_RDONLY)
    for name in ["a", *["d"] * 400]:
        os.mkdir(name, dir_fd=handle)
        above, handle = handle, os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(above)
    file = os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=handle)
    os.utime(file, (1e9, 1e9))
    os.close(file)
    os.close(handle)
    assert [answer.said for answer in world.delete(world.find())] == [Answered.DONE]
    assert world.count() == 0


def _findings(world: World, action: Action = Action.DELETE) -> str:
    return " ".join(finding.what for finding in world.preflight(action) if not finding.refuses)


def test_symlinks_are_no_records_and_are_told(world: World, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_bytes(b"x")
    world.write("inner/a", b"x")
    (world.root / "to-directory").symlink_to(tmp_path / "outside")
    (world.root / "to-file").symlink_to(tmp_path / "outside/x")
    (world.root / "to-inner").symlink_to("inner")
    (world.root / "broken").symlink_to("nowhere")
    assert [ref.key for ref in world.find()] == [("inner/a",)]
    assert world.count() == 1
    assert "4 symlinks below" in _findings(world)


def test_pipes_and_sockets_are_no_records_and_do_not_hang_the_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(world.root / "pipe")
    monkeypatch.chdir(world.root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        world.write("a", b"x")
        assert [ref.key for ref in world.find()] == [("a",)]
        assert "2 pipes, sockets or devices" in _findings(world)


def test_a_pipe_that_takes_a_records_name_is_left_alone(world: World) -> None:
    path = world.write("a", b"x")
    due = world.find()
    path.unlink()
    os.mkfifo(path)
    assert world.delete(due)[0].code is None
    assert path.is_fifo()


@pytest.mark.parametrize("bound", [False, True], ids=["another file system", "a bind mount of the same"])
def test_what_is_mounted_below_the_root_is_not_entered_and_refused_until_it_is_excluded(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, bound: bool
) -> None:
    outside = files_world(tmp_path / "outside").write("a", b"x")
    inner = world.write("inner/a", b"x")
    world.write("b", b"x")
    due = world.find()
    words = ["--bind", str(outside.parent)] if bound else ["-t", "tmpfs", "tmpfs"]
    mounted = ROOT and not subprocess.run(["mount", *words, inner.parent], check=False).returncode
    if not mounted:  # without the right to mount, the directory is made to look as if it were
        where = inner.parent.stat().st_ino
        monkeypatch.setattr(tree, "_mount", lambda handle: b"other" if os.fstat(handle).st_ino == where else b"root's")
    try:
        assert [ref.key for ref in world.find()] == [("b",)]
        assert world.delete([ref for ref in due if ref.key == ("inner/a",)]) == [Answer.changed()]
        assert [finding.refuses for finding in world.preflight() if "1 directories or files below" in finding.what] == [True]
        excluding = files_world(world.root, exclude=["inner"])
        assert not any("directories or files below" in finding.what for finding in excluding.preflight())
    finally:
        if mounted:
            subprocess.run(["umount", inner.parent], check=True)
    assert outside.exists()


def _raises(act: Callable[[], object]) -> str:
    try:
        act()
    except ConnectorError as error:
        return str(error)
    return ""


def test_a_directory_that_cannot_be_read_is_an_error_and_never_an_empty_answer(world: World) -> None:
    world.write("Erika/a", b"x")
    world.write("b", b"x")
    (world.root / "Erika").chmod(0o300)

    def ask() -> bool:
        said = [_raises(world.count), _raises(world.find), _raises(world.undated)]
        refused = [finding.what for finding in world.preflight() if finding.refuses]
        return (
            all("A directory 1 levels below" in one and "cannot be read (Permission denied)" in one for one in [*said, *refused])
            and bool(refused)
            and "Erika" not in "".join([*said, *refused])
        )

    try:
        assert as_nobody(world.root, ask)
        world.settings["exclude"] = ["Erika"]
        assert as_nobody(world.root, lambda: world.count() == 1)
    finally:
        (world.root / "Erika").chmod(0o755)


def test_a_file_that_may_not_be_read_is_undated_and_told(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    root.mkdir()
    world = lines_world(root)
    world.write("a.log", [line(hours(1)[0])]).chmod(0o000)
    world.write("b.log", [line(hours(1)[0])])

    def ask() -> bool:
        return (
            [ref.key for ref in world.undated()] == [("a.log", "unreadable")]
            and [ref.key[0] for ref in world.find()] == ["b.log"]
            and any("1 files" in finding.what and "may not be read" in finding.what for finding in world.preflight())
        )

    assert as_nobody(world.root, ask)


def test_an_empty_data_set_and_idle_live_patterns_are_told(world: World) -> None:
    world.settings["live"] = ["acess.log"]
    assert "No file below" in _findings(world)
    world.write("access.log", b"x")
    assert "No file below" not in _findings(world)
    assert "matches a `live` pattern" in _findings(world)


def test_a_sound_tree_has_no_findings(world: World) -> None:
    world.write("deep/a", b"x")
    assert world.preflight() == []


def test_an_action_that_the_options_do_not_prepare_is_refused(world: World) -> None:
    world.write("a", b"x")
    for action, word in ((Action.BLOCK, "block.moved_to"), (Action.ANONYMIZE, "add anonymize")):
        [finding] = world.preflight(action)
        assert finding.refuses
        assert word in finding.what
        with pytest.raises(ConnectorError):
            (world.block if action is Action.BLOCK else world.anonymize)(world.find())


def test_a_deep_tree_is_walked(world: World) -> None:
    world.write("/".join(["d"] * 200) + "/a", b"x")
    assert world.count() == 1
    due = world.find()
    world.delete(due)
    assert world.count() == 0


def test_ten_thousand_files_are_found_once_each_in_order(world: World) -> None:
    for number in range(10_000):
        path = world.root / f"{number:05}"
        path.touch()
        os.utime(path, (1_700_000_000 - number, 1_700_000_000 - number))
    found = [ref.key[0] for ref in world.find()]
    assert found == [f"{number:05}" for number in reversed(range(10_000))]
