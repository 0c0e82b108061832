"""What others do to the tree between finding and acting, and during the act."""

from __future__ import annotations

import errno
import fcntl
import gzip
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from connectors.files_support import LONG_AGO, World, cutoff, files_world, hours, leftovers, line, lines_world
from support.nobody import as_nobody

from retentiond.connector import Answer, Answered, ConnectorError, How, Presence, TransientConnectorError
from retentiond_files import connector, exchange, rewrite, session
from retentiond_files.dataset import Dataset
from retentiond_files.tree import Found, Tree, file_system


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "logs"
    root.mkdir()
    return root


@pytest.fixture
def lines(root: Path) -> World:
    return lines_world(root)


@pytest.fixture
def files(root: Path) -> World:
    return files_world(root)


def _set_back(path: Path) -> None:
    os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))


def _append(path: Path, more: bytes) -> None:
    with path.open("ab") as file:
        file.write(more)
    _set_back(path)


def test_a_slice_that_got_another_line_is_left_alone_and_its_neighbours_go(lines: World) -> None:
    at = hours(3)
    path = lines.write("a.log", [line(one) for one in at])
    due = lines.find()
    _append(path, line(at[1], "late"))
    assert lines.delete(due) == [Answer.done(How.UNLINK, 1), Answer.changed(), Answer.done(How.UNLINK, 1)]
    assert path.read_bytes() == line(at[1]) + line(at[1], "late")
    assert lines.present(due) == [Presence.ABSENT, Presence.PRESENT, Presence.ABSENT]


def test_lines_that_came_for_other_hours_are_kept(lines: World) -> None:
    at = hours(3)
    path = lines.write("a.log", [line(at[0])])
    due = lines.find()
    _append(path, line(at[2]))
    assert lines.delete(due) == [Answer.done(How.UNLINK, 1)]
    assert path.read_bytes() == line(at[2])


def test_after_a_rotation_the_old_name_is_not_mistaken_for_the_record(lines: World) -> None:
    at = hours(4)
    lines.write("a.log.1", [line(at[0]), line(at[1])])
    due = lines.find()
    (lines.root / "a.log.1").rename(lines.root / "a.log.2")
    lines.write("a.log.1", [line(at[2])])
    assert lines.present(due) == [Presence.PRESENT, Presence.PRESENT], "all that is asked after a crash"
    assert lines.delete(due) == [Answer.changed(), Answer.changed()]
    assert lines.count() == 3
    assert [ref.key[0] for ref in lines.find()] == ["a.log.2", "a.log.2", "a.log.1"]


def test_after_a_rotation_that_packed_the_file_its_lines_are_still_known(lines: World) -> None:
    at = hours(2)
    path = lines.write("a.log.1", [line(one) for one in at])
    due = lines.find()
    lines.write("a.log.2.gz", path.read_bytes())
    path.unlink()
    assert lines.present(due) == [Presence.PRESENT, Presence.PRESENT], "all that is asked after a crash"
    assert lines.delete(due) == [Answer.changed(), Answer.changed()]
    assert lines.count() == 2


def test_lines_of_a_file_that_went_are_not_claimed(lines: World) -> None:
    lines.write("a.log", [line(hours(1)[0])])
    due = lines.find()
    (lines.root / "a.log").unlink()
    assert lines.delete(due) == [Answer.not_found()]
    assert lines.present(due) == [Presence.ABSENT]


def test_a_renamed_file_is_left_alone_and_not_called_absent(files: World) -> None:
    files.write("a.1", b"one")
    due = files.find()
    (files.root / "a.1").rename(files.root / "a.2")
    assert files.present(due) == [Presence.PRESENT]
    assert files.delete(due) == [Answer.changed()]
    assert (files.root / "a.2").read_bytes() == b"one"


def test_another_file_under_the_old_name_is_left_alone(files: World) -> None:
    files.write("a.1", b"one")
    due = files.find()
    (files.root / "a.1").rename(files.root / "a.2")
    files.write("a.1", b"two")
    assert files.delete(due) == [Answer.changed()]
    assert (files.root / "a.1").read_bytes() == b"two"


@pytest.mark.parametrize(
    "change", [lambda path: _append(path, b"x"), lambda path: os.utime(path, (1e9, 1e9))], ids=["longer", "touched"]
)
def test_a_file_that_changed_is_left_alone(files: World, change: Callable[[Path], None]) -> None:
    path = files.write("a", b"one")
    due = files.find()
    change(path)
    assert files.delete(due) == [Answer.changed()]
    assert path.exists()


@pytest.mark.parametrize("make", [lines_world, files_world])
def test_a_directory_swapped_for_a_symlink_leads_nowhere(root: Path, tmp_path: Path, make: Callable[[Path], World]) -> None:
    world = make(root)
    path = world.write("inner/a.log", [line(hours(1)[0])])
    due = world.find()
    outside = tmp_path / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)
    assert world.delete(due) == [Answer.changed()]
    assert world.present(due) == [Presence.PRESENT]
    assert (outside / "a.log").read_bytes() == line(hours(1)[0])
    assert world.count() == 0


@pytest.mark.parametrize("make", [lines_world, files_world])
def test_a_file_swapped_for_a_symlink_is_not_followed(root: Path, tmp_path: Path, make: Callable[[Path], World]) -> None:
    world = make(root)
    path = world.write("a.log", [line(hours(1)[0])])
    due = world.find()
    outside = tmp_path / "outside.log"
    path.rename(outside)
    path.symlink_to(outside)
    assert world.delete(due) == [Answer.changed()]
    assert path.is_symlink()
    assert outside.read_bytes() == line(hours(1)[0])


@pytest.mark.parametrize("make", [lines_world, files_world])
def test_a_file_with_a_further_hard_link_is_refused(root: Path, tmp_path: Path, make: Callable[[Path], World]) -> None:
    world = make(root)
    path = world.write("a.log", [line(hours(1)[0])])
    (tmp_path / "backup.log").hardlink_to(path)
    assert world.delete(world.find()) == [Answer.failed("unsupported")]
    assert path.exists()
    assert any("further hard links" in finding.what for finding in world.preflight())


@pytest.mark.parametrize("make", [lines_world, files_world])
def test_a_live_file_is_found_and_refused(root: Path, make: Callable[[Path], World]) -> None:
    world = make(root)
    world.settings["live"] = ["a.log", "**/live.log"]
    for name in ("a.log", "deep/live.log", "b.log"):
        world.write(name, [line(hours(1)[0])])
    due = world.find()
    assert {ref.key[0]: answer for ref, answer in zip(due, world.delete(due), strict=True)} == {
        "a.log": Answer.failed("refused"),
        "deep/live.log": Answer.failed("refused"),
        "b.log": Answer.done(How.UNLINK, None if make is files_world else 1),
    }


@pytest.mark.parametrize("make", [lines_world, files_world])
def test_a_file_written_to_just_now_counts_as_live_unless_the_options_say_otherwise(
    root: Path, make: Callable[[Path], World]
) -> None:
    world = make(root)
    path = world.write("a.log", [line(hours(1)[0])])
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert world.delete(world.find()) == [Answer.failed("refused")]
    world.settings["quiet_minutes"] = 0
    assert world.delete(world.find())[0].said is Answered.DONE


@pytest.mark.parametrize("make", [lines_world, files_world])
def test_a_file_that_a_process_holds_open_for_writing_is_refused(root: Path, make: Callable[[Path], World]) -> None:
    """As after a rotation that the server was not told of: what it writes next must not go to a file that is gone."""
    world = make(root)
    path = world.write("a.log", [line(hours(1)[0])])
    due = world.find()
    with path.open("ab") as server:
        assert world.delete(due) == [Answer.failed("refused")]
        server.write(line(hours(2)[1]))
    assert path.read_bytes() == line(hours(1)[0]) + line(hours(2)[1])
    _set_back(path)
    with path.open("rb"):
        assert world.delete(world.find(cutoff(by=world.options.date_name)))[0].said is Answered.DONE


def test_where_every_file_seems_to_be_open_that_says_nothing(files: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS and CIFS grant no lease of their own accord, open or not."""
    path = files.write("a.log", b"x")
    with path.open("rb") as file:
        monkeypatch.setattr(session, "LENT_BY_A_SERVER", frozenset({file_system(file.fileno())}))
    with path.open("ab"):
        assert files.delete(files.find()) == [Answer.done(How.UNLINK)]


def test_the_kind_of_file_system_is_known() -> None:
    with Path("/proc/self/status").open("rb") as file:
        assert file_system(file.fileno()) == "proc"


@pytest.mark.parametrize("make", [lines_world, files_world])
def test_a_file_that_a_file_server_has_lent_out_fails_alone(root: Path, make: Callable[[Path], World]) -> None:
    """Samba does so for a client that has it open: until it gives it back, nobody else opens the file."""
    world = make(root)
    world.settings["source"] = {"from": "content", "format": "nginx-combined"}
    lent = world.write("a.log", [line(hours(1)[0])])
    world.write("b.log", [line(hours(1)[0])])
    due = world.find()
    with lent.open("rb+") as server:
        fcntl.fcntl(server, fcntl.F_SETSIG, signal.SIGURG)  # not SIGIO, which would end the test
        fcntl.fcntl(server, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert [ref.key[0] for ref in world.find()] == ["b.log"]
        assert [ref.key[0] for ref in world.undated()] == ["a.log"]
        assert [answer.said for answer in world.delete(due)] == [Answered.FAILED, Answered.DONE]
        assert world.present(due) == [Presence.PRESENT, Presence.ABSENT]
    assert lent.exists()


def test_a_line_written_during_the_rewrite_is_not_lost(lines: World, monkeypatch: pytest.MonkeyPatch) -> None:
    at = hours(2)
    path = lines.write("a.log", [line(at[0]), line(at[1])])
    real = exchange.exchange

    def late(directory: int, one: str, other: str) -> None:
        monkeypatch.setattr(rewrite, "exchange", real)
        _append(path, line(at[1], "late"))
        real(directory, one, other)

    monkeypatch.setattr(rewrite, "exchange", late)
    assert lines.delete(lines.find(cutoff(at[1]))) == [Answer.changed()]
    assert path.read_bytes() == line(at[0]) + line(at[1]) + line(at[1], "late")
    assert leftovers(lines.root) == []


def test_a_rotation_during_the_rewrite_loses_neither_file(lines: World, monkeypatch: pytest.MonkeyPatch) -> None:
    at = hours(2)
    path = lines.write("a.log", [line(at[0]), line(at[1])])
    content = path.read_bytes()
    real = exchange.exchange

    def rotated(directory: int, one: str, other: str) -> None:
        monkeypatch.setattr(rewrite, "exchange", real)
        path.rename(path.with_name("a.log.1"))
        path.write_bytes(b"a new live file\n")
        real(directory, one, other)

    monkeypatch.setattr(rewrite, "exchange", rotated)
    assert lines.delete(lines.find(cutoff(at[1]))) == [Answer.changed()]
    assert path.read_bytes() == b"a new live file\n"
    assert path.with_name("a.log.1").read_bytes() == content
    assert leftovers(lines.root) == []


@pytest.mark.parametrize("make", [lines_world, files_world])
def test_a_rotation_during_an_unlink_loses_neither_file(
    root: Path, make: Callable[[Path], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(root)
    if make is lines_world:
        world.settings["when_empty"] = "delete"
    due = line(hours(1)[0])
    path = world.write("a.log", due)
    real = exchange.move_to_free_name

    def rotated(*names: int | str) -> None:
        monkeypatch.setattr(exchange, "move_to_free_name", real)
        path.rename(path.with_name("a.log.1"))
        path.write_bytes(b"a new live file")
        real(*names)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(exchange, "move_to_free_name", rotated)
    assert world.delete(world.find()) == [Answer.changed()]
    assert path.read_bytes() == b"a new live file"
    assert path.with_name("a.log.1").read_bytes() == due
    assert leftovers(root) == []


def test_without_the_rename_to_a_free_name_an_ordinary_unlink_does_it(files: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_names: int | str) -> None:
        raise exchange.NotOffered

    monkeypatch.setattr(exchange, "move_to_free_name", refuse)
    files.write("a", b"x")
    assert files.delete(files.find()) == [Answer.done(How.UNLINK)]
    assert files.count() == 0


def test_an_unlink_the_kernel_refuses_leaves_the_file_under_its_name(files: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.write("a", b"x")

    def refuse(_name: str, *, dir_fd: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(dir_fd))

    monkeypatch.setattr(os, "unlink", refuse)
    assert files.delete(files.find()) == [Answer.failed("forbidden")]
    assert path.read_bytes() == b"x"


def test_a_crash_during_an_unlink_leaves_what_the_next_act_removes(files: World) -> None:
    files.write("a", b"x")
    due = files.find()
    child = os.fork()
    if child == 0:
        setattr(os, "unlink", lambda *_args, **_names: os._exit(7))  # noqa: B010 - in a process that ends here
        files.delete(due)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert len(leftovers(files.root)) == 1
    assert any("leftovers of an interrupted act" in finding.what for finding in files.preflight())
    assert files.delete(due) == [Answer.not_found()]
    assert list(files.root.iterdir()) == []


def test_a_leftover_of_another_owner_is_told_and_removed_too(root: Path) -> None:
    """As with the advised set-up: retentiond has the right to change the directory, and the files belong to the server."""
    ours = root / (".retentiond-" + "a" * 32 + ".tmp")
    ours.write_bytes(b"due")
    ours.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(ours, 12345, 12345)
    root.chmod(0o777)
    files = files_world(root)

    def ask() -> bool:
        told = any("leftovers of an interrupted act" in finding.what for finding in files.preflight())
        return told and files.delete([]) == [] and not ours.exists()

    assert as_nobody(root, ask)


def test_without_the_swap_an_ordinary_rename_does_it(lines: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_directory: int, _one: str, _other: str) -> None:
        raise exchange.NotOffered

    monkeypatch.setattr(rewrite, "exchange", refuse)
    at = hours(2)
    path = lines.write("a.log", [line(one) for one in at])
    assert lines.delete(lines.find(cutoff(at[1]))) == [Answer.done(How.UNLINK, 1)]
    assert path.read_bytes() == line(at[1])
    assert leftovers(lines.root) == []


def _die_after_the_swap() -> None:
    real = exchange.exchange

    def swap(directory: int, one: str, other: str) -> None:
        real(directory, one, other)
        os._exit(7)

    setattr(rewrite, "exchange", swap)  # noqa: B010 - the name is not rewrite's to give


def _crashing(world: World, moment: str) -> None:
    """Delete all that is due in a child process that dies at `moment`."""
    child = os.fork()
    if child == 0:
        try:
            if moment == "exchange":
                _die_after_the_swap()
            else:
                setattr(os, moment, lambda *_args, **_names: os._exit(7))
            world.delete(world.find(cutoff(hours(4)[2])))
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


@pytest.mark.parametrize("moment", ["fchmod", "utime", "fsync", "unlink", "exchange"])
@pytest.mark.parametrize("name", ["a.log", "a.log.gz"])
def test_a_crash_leaves_the_file_whole_and_one_leftover_that_the_next_act_removes(lines: World, moment: str, name: str) -> None:
    path = lines.write(name, [line(at) for at in hours(4)])
    _crashing(lines, moment)
    data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    assert data in {b"".join(map(line, hours(4))), b"".join(map(line, hours(4)[2:]))}
    assert len(leftovers(lines.root)) == 1
    assert lines.count() in {2, 4}, "a leftover is no record"
    assert any("leftovers of an interrupted act" in finding.what for finding in lines.preflight())
    assert {answer.said for answer in lines.delete(lines.find(cutoff(hours(4)[2])))} <= {Answered.DONE}
    assert leftovers(lines.root) == []
    assert lines.count() == 2


def test_only_our_own_leftovers_are_removed(lines: World) -> None:
    ours = ".retentiond-" + "a" * 32 + ".tmp"
    names = [".retentiond-notes.tmp", ours.upper(), f"{ours}.bak", f"x{ours}", f"{ours}.kept"]
    for name in names:
        lines.write(name, b"kept")
    lines.write(f"inner/{ours}", b"gone")
    lines.delete([])
    assert {path.name for path in lines.root.iterdir()} == {*names, "inner"}
    assert list((lines.root / "inner").iterdir()) == []


def test_a_file_that_lost_its_name_in_a_race_is_told_where_no_rule_would_find_it(lines: World) -> None:
    lines.settings["include"] = ["*.log"]
    lines.write(".retentiond-" + "a" * 32 + ".tmp.kept", b"of somebody")
    assert any("1 files below" in finding.what and "tmp.kept" in finding.what for finding in lines.preflight())


def test_a_temporary_file_that_is_in_use_is_no_leftover(lines: World) -> None:
    """Another session may be at work on a root that holds this one, or lies in it."""
    ours = lines.write(".retentiond-" + "a" * 32 + ".tmp", b"half done")
    with ours.open("ab"):
        lines.delete([])
        assert ours.exists()
    lines.delete([])
    assert not ours.exists()


def test_one_session_at_a_time_acts_on_a_root(lines: World) -> None:
    assert connector.deleter is not None
    with (
        connector.deleter(lines.connection, lines.options, "t"),  # type: ignore[arg-type] # shown in a message only
        pytest.raises(TransientConnectorError, match="Another session of retentiond acts on"),
    ):
        connector.deleter(lines.connection, lines.options, "t")  # type: ignore[arg-type] # shown in a message only
    lines.delete([])


def test_readers_work_beside_a_session_that_acts(lines: World) -> None:
    lines.write("a.log", [line(hours(1)[0])])
    assert connector.deleter is not None
    with connector.deleter(lines.connection, lines.options, "t"):  # type: ignore[arg-type] # shown in a message only
        assert lines.count() == 1


def test_a_root_that_is_a_symlink_or_missing_is_an_error(tmp_path: Path, root: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(ConnectorError, match="is no directory, or a symlink"):
        lines_world(tmp_path / "link").count()
    with pytest.raises(ConnectorError, match="cannot be opened: No such file or directory"):
        lines_world(tmp_path / "none").count()


@pytest.mark.parametrize("record", ["file", "line"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_a_listing_misses_because_it_is_renamed_beside_it_is_not_called_absent(
    root: Path, monkeypatch: pytest.MonkeyPatch, record: str, times: int
) -> None:
    world = files_world(root) if record == "file" else lines_world(root)
    path = world.write("sub/a.log", [line(hours(1)[0])])
    due = world.find()
    rotated = [path.rename(root / "a.log.1")]
    real = Dataset.files

    def missed(
        self: Dataset, entered: Callable[[Tree, Found], None] = lambda _tree, _found: None
    ) -> Iterator[tuple[Tree, Found]]:
        for one in real(self, entered):
            if len(rotated) <= times:
                rotated.append(rotated[-1].rename(root / f"a.log.{len(rotated) + 1}"))
            else:
                yield one

    monkeypatch.setattr(Dataset, "files", missed)
    assert world.present(due) == [Presence.PRESENT]


@pytest.mark.parametrize("record", ["file", "line"])
def test_where_new_names_come_all_the_time_what_is_gone_is_still_called_absent(
    root: Path, monkeypatch: pytest.MonkeyPatch, record: str
) -> None:
    world = files_world(root) if record == "file" else lines_world(root)
    path = world.write("a.log", [line(hours(1)[0])])
    due = world.find()
    path.unlink()
    walks = 0
    real = Dataset.files

    def busy(self: Dataset, entered: Callable[[Tree, Found], None] = lambda _tree, _found: None) -> Iterator[tuple[Tree, Found]]:
        nonlocal walks
        walks += 1
        yield from real(self, entered)
        (root / f"upload-{walks}").touch()

    monkeypatch.setattr(Dataset, "files", busy)
    assert world.present(due) == [Presence.ABSENT]
    assert walks == 3
