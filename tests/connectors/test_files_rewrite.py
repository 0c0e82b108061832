"""What a rewritten file keeps, and what stops a rewrite."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from connectors.files_support import LONG_AGO, World, cutoff, hours, leftovers, line, lines_world
from support.nobody import as_nobody

from retentiond.connector import Answer, How, OutcomeUnknownError, Presence

ROOT = os.geteuid() == 0


@pytest.fixture
def world(tmp_path: Path) -> World:
    root = tmp_path / "logs"
    root.mkdir()
    return lines_world(root)


def _drop_the_first(world: World) -> list[Answer]:
    return world.delete(world.find(cutoff(hours(2)[1])))


def _two_lines(world: World, name: str = "a.log") -> Path:
    return world.write(name, [line(at) for at in hours(2)])


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444, 0o2660])
@pytest.mark.parametrize("name", ["a.log", "a.log.gz"])
def test_owner_mode_and_times_are_kept(world: World, mode: int, name: str) -> None:
    path = _two_lines(world, name)
    if ROOT:
        os.chown(path, 12345, 54321)
    path.chmod(mode)
    os.utime(path, ns=(1_700_000_000_123_456_789, 1_600_000_000_987_654_321))
    before = path.stat()
    assert _drop_the_first(world) == [Answer.done(How.UNLINK, 1)]
    after = path.stat()
    kept = ("st_uid", "st_gid", "st_mode", "st_atime_ns", "st_mtime_ns", "st_nlink")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert after.st_ino != before.st_ino


def _attribute(path: Path, name: str, value: bytes) -> dict[str, bytes]:
    """Set an attribute where the file system has such; what the file has then."""
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return {}
    return {name: value}


def test_extended_attributes_are_kept(world: World) -> None:
    path = _two_lines(world)
    kept = _attribute(path, "user.origin", b"web-3\x00")
    _drop_the_first(world)
    assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == kept


# version 2; owner rw-, user 12345 r--, group r--, mask r--, others ---
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in [(1, 6, 0xFFFFFFFF), (2, 4, 12345), (4, 4, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
)


def test_an_access_control_list_is_kept(world: World) -> None:
    path = _two_lines(world)
    kept = _attribute(path, "system.posix_acl_access", ACL)
    _drop_the_first(world)
    assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == kept


def test_a_default_access_control_list_of_the_directory_lets_nobody_in(world: World) -> None:
    path = _two_lines(world)
    _attribute(world.root, "system.posix_acl_default", ACL)
    before, path_mode = os.listxattr(path), path.stat().st_mode
    assert _drop_the_first(world) == [Answer.done(How.UNLINK, 1)]
    assert (os.listxattr(path), path.stat().st_mode) == (before, path_mode)


def test_attributes_that_cannot_be_kept_stop_the_rewrite(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _two_lines(world)
    before = path.read_bytes()

    def refuse(_handle: int, _mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "fchmod", refuse)
    assert _drop_the_first(world) == [Answer.failed("forbidden")]
    assert path.read_bytes() == before
    assert leftovers(world.root) == []


def test_the_new_file_is_private_until_it_has_its_owner(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _two_lines(world)
    path.chmod(0o666)
    seen: list[int] = []
    real = os.fchmod

    def watched(handle: int, mode: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        real(handle, mode)

    monkeypatch.setattr(os, "fchmod", watched)
    _drop_the_first(world)
    assert seen == [0o600]


def test_reading_leaves_no_trace_in_the_access_times(world: World) -> None:
    path = world.write("inner/a.log", [line(at) for at in hours(2)])
    os.utime(path, ns=(1_000_000_000, LONG_AGO.timestamp().__int__() * 1_000_000_000))
    os.utime(path.parent, ns=(1_000_000_000, 1_000_000_000))
    before = [(one.stat().st_atime_ns, one.stat().st_ctime_ns) for one in (path, path.parent)]
    world.count()
    world.present(world.find())
    world.undated()
    world.preflight()
    assert [(one.stat().st_atime_ns, one.stat().st_ctime_ns) for one in (path, path.parent)] == before


@pytest.fixture
def no_file_beyond_64k() -> Iterator[None]:
    """As on a full disk, the kernel refuses to write on; here because of a limit on the size of files."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
    signal.signal(signal.SIGXFSZ, handler)


def _full(world: World) -> list[Path]:
    return [
        world.write("big.log", [line(at, os.urandom(700).hex()) for at in hours(60)]),
        world.write("small.log", [line(hours(1)[0])]),
    ]


def test_a_write_the_kernel_refuses_fails_that_file_alone(world: World, request: pytest.FixtureRequest) -> None:
    big, small = _full(world)
    before = big.read_bytes()
    due = world.find(cutoff(hours(2)[1]))
    request.getfixturevalue("no_file_beyond_64k")
    assert dict(zip([ref.key[0] for ref in due], world.delete(due), strict=True)) == {
        "big.log": Answer.failed("no-space"),
        "small.log": Answer.done(How.UNLINK, 1),
    }
    assert big.read_bytes() == before
    assert small.read_bytes() == b""
    assert leftovers(world.root) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB; where none can be mounted, a directory with files of at most 180 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ROOT and not subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False).returncode
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
    signal.signal(signal.SIGXFSZ, handler)
    if mounted:
        subprocess.run(["umount", disk], check=True)


def _fill(disk: Path) -> None:
    if disk.is_mount():
        room = os.statvfs(disk)
        (disk / "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize - 4 * 4096))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.mark.parametrize("name", ["big.log", "big.log.gz"])
def test_on_a_full_disk_the_file_stays_and_nothing_else_is_left(small_disk: Path, name: str) -> None:
    world = lines_world(small_disk, include=["*.log*"])
    path = world.write(name, [line(at, os.urandom(900).hex()) for at in hours(60)])
    before = path.read_bytes()
    _fill(small_disk)
    told = any("less room left than the largest file" in finding.what for finding in world.preflight())
    assert told == small_disk.is_mount()
    assert _drop_the_first(world) == [Answer.failed("no-space")]
    assert path.read_bytes() == before
    assert leftovers(small_disk) == []


def test_a_read_only_file_system_is_told_before_and_fails_the_act(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = lines_world(small_disk)
    path = _two_lines(world)
    if small_disk.is_mount():
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    else:
        _feign_read_only(monkeypatch)
    assert any(finding.refuses and "mounted read-only" in finding.what for finding in world.preflight())
    assert _drop_the_first(world) == [Answer.failed("forbidden")]
    assert path.exists()


def _feign_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    real_state, real_open = os.fstatvfs, os.open

    def state(handle: int) -> os.statvfs_result:
        told = real_state(handle)
        return os.statvfs_result((*told[:8], told.f_flag | os.ST_RDONLY, told[9]))

    def opened(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "fstatvfs", state)
    monkeypatch.setattr(os, "open", opened)


def test_a_flush_that_fails_before_the_swap_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _two_lines(world)
    before = path.read_bytes()

    def fail(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert _drop_the_first(world) == [Answer.failed("no-space")]
    assert path.read_bytes() == before
    assert leftovers(world.root) == []


def test_a_flush_that_fails_after_the_swap_is_no_certainty(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _two_lines(world)
    real = os.fsync

    def fail(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutcomeUnknownError, match="the disk did not confirm it") as caught:
        _drop_the_first(world)
    assert "a.log" not in str(caught.value)


def test_without_the_right_to_write_the_directory_is_told_and_the_record_fails(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    root.mkdir()
    world = lines_world(root)
    path = _two_lines(world)

    def ask() -> bool:
        closed = any(finding.refuses and "may not be written to" in finding.what for finding in world.preflight())
        return closed and _drop_the_first(world) == [Answer.failed("forbidden")]

    root.chmod(0o555)
    try:
        assert as_nobody(root, ask)
    finally:
        root.chmod(0o755)
    assert path.exists()


def test_200_000_lines_fit_into_constant_memory(world: World) -> None:
    path = world.root / "a.log"
    with path.open("wb") as file:
        file.writelines(line(hours(20)[number // 10_000]) for number in range(200_000))
    os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    child = os.fork()  # for a peak of its own
    if child == 0:
        status = 1
        try:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            due = world.find(cutoff(hours(20)[10]))
            answers = world.delete(due)
            gone = world.present(due) == [Presence.ABSENT] * 10
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            # The file has 18 MB; what grows are buffers, and pages shared with the parent before.
            status = 7 if gone and [answer.rows for answer in answers] == [10_000] * 10 and grown < 10_000 else 8
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(ended) == 7
    assert path.read_bytes().count(b"\n") == 100_000
