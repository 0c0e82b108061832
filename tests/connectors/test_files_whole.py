"""Records that are whole files: found, deleted, blocked."""

from __future__ import annotations

import gzip
import os
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from connectors.files_support import LONG_AGO, World, cutoff, files_world, hours, line
from support.nobody import NOBODY, as_nobody

from retentiond.connector import Action, Answer, Answered, ConnectorError, Cutoff, How, Presence, RecordRef
from retentiond_files import connector, tree

CONTENT = {"from": "content", "format": "nginx-combined"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    root = tmp_path / "files"
    root.mkdir()
    return files_world(root)


@pytest.fixture
def blocking(world: World, tmp_path: Path) -> World:
    (tmp_path / "blocked").mkdir(mode=0o700)
    world.settings["block"] = {"moved_to": str(tmp_path / "blocked")}
    return world


@pytest.mark.usefixtures("far_from_utc")
def test_files_are_found_by_mtime_in_utc_strictly_before_and_oldest_first(world: World) -> None:
    for name, day in (("b", 2), ("a", 3), ("deep/er/c", 1), ("d", 4)):
        world.write(name, b"x", datetime(2025, 1, day, tzinfo=UTC))
    found = world.find(cutoff(datetime(2025, 1, 4, tzinfo=UTC), "written"))
    assert [(ref.key, ref.dates) for ref in found] == [
        (("deep/er/c",), {"written": datetime(2025, 1, 1, tzinfo=UTC)}),
        (("b",), {"written": datetime(2025, 1, 2, tzinfo=UTC)}),
        (("a",), {"written": datetime(2025, 1, 3, tzinfo=UTC)}),
    ]
    assert world.count() == 4


def test_a_parts_of_a_microsecond_make_a_file_younger_and_never_older(world: World) -> None:
    path = world.write("a", b"x")
    os.utime(path, ns=(0, 1_700_000_000_000_000_001))
    [found] = world.find()
    assert found.dates["written"] == datetime.fromtimestamp(1_700_000_000, UTC) + timedelta(microseconds=1)


def test_files_are_found_by_the_plain_date_in_their_name(world: World) -> None:
    world.settings["source"] = {"from": "name", "pattern": "export-%Y-%m-%d.csv"}
    for name in ("export-2025-01-02.csv", "export-2025-01-01.csv", "export-2025-01-03.csv", "export-2025-02-30.csv", "readme"):
        world.write(name, b"x")
    found = world.find(Cutoff("named", datetime(1980, 1, 1, tzinfo=UTC), date(2025, 1, 3)))
    assert [ref.dates["named"] for ref in found] == [date(2025, 1, 1), date(2025, 1, 2)]
    assert sorted(ref.key for ref in world.undated()) == [("export-2025-02-30.csv",), ("readme",)]
    assert world.count() == 5


def test_a_file_is_as_young_as_its_newest_entry(world: World) -> None:
    world.settings["source"] = CONTENT
    at = hours(3)
    world.write("a.log", [b"# head\n", line(at[2]), line(at[0])])
    world.write("b.log.gz", [line(at[1]), b"  a traceback\n", line(at[0])])
    world.write("c.log", b"no dates\n")
    world.write("d.log", b"")
    world.write("e.log", [line(at[0]), *[b"another format\n"] * 1001])
    world.write("f.log.gz", gzip.compress(line(at[0]))[:20])
    assert [(ref.key[0], ref.dates["entry"]) for ref in world.find()] == [("b.log.gz", at[1]), ("a.log", at[2])]
    assert sorted(ref.key[0] for ref in world.undated()) == ["c.log", "d.log", "e.log", "f.log.gz"]


def test_a_file_whose_status_changed_long_after_its_mtime_may_count_as_undated(world: World) -> None:
    world.settings["source"] = {"from": "mtime", "drift_days": 2}
    world.write("restored", b"x", LONG_AGO)
    fresh = world.root / "fresh"
    fresh.write_bytes(b"x")
    assert [ref.key for ref in world.undated()] == [("restored",)]
    assert [ref.key for ref in world.find()] == [("fresh",)]


def test_blocking_a_file_does_not_make_it_undated(blocking: World) -> None:
    """The move changes its status, years after its mtime maybe; it must be deleted when its time has come all the same."""
    blocking.settings["source"] = {"from": "mtime", "drift_days": 2}
    moved = files_world(Path(blocking.settings["block"]["moved_to"])).write("a", b"x", LONG_AGO)
    due = blocking.find()
    assert [(ref.key, ref.blocked) for ref in due] == [(("a",), True)]
    assert blocking.undated() == []
    assert blocking.delete(due) == [Answer.done(How.UNLINK)]
    assert not moved.exists()


def test_deleting_takes_exactly_the_files_asked_for_and_no_directory(world: World) -> None:
    for name in ("a", "deep/er/b", "deep/c"):
        world.write(name, b"x")
    due = [ref for ref in world.find() if ref.key != ("a",)]
    assert world.delete(due) == [Answer.done(How.UNLINK)] * 2
    assert world.present(due) == [Presence.ABSENT] * 2
    assert world.delete(due) == [Answer.not_found()] * 2
    assert sorted(path.relative_to(world.root).as_posix() for path in world.root.rglob("*")) == ["a", "deep", "deep/er"]


def test_a_deleted_file_is_made_durable_by_its_directory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.write("deep/a", b"x")
    flushed: list[int] = []
    real = os.fsync

    def watched(handle: int) -> None:
        flushed.append(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", watched)
    world.delete(world.find())
    assert flushed == [path.parent.stat().st_ino]


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "a/../a", "./a", "a//b", "", "a\0", "deep", "\\x61", "not-in"])
def test_a_key_that_is_no_files_of_the_data_set_leads_nowhere(world: World, key: str) -> None:
    (world.root.parent / "outside").write_bytes(b"x")
    world.settings["include"] = ["a", "deep/*", "outside"]
    world.write("a", b"x")
    world.write("deep/b", b"x")
    world.write("not-in", b"x")
    [ref, *_] = world.find()
    asked = RecordRef((key,), ref.dates, ref.fingerprint)
    assert world.delete([asked])[0] in {Answer.not_found(), Answer.changed()}
    assert world.explain(key) is None
    assert {path.name for path in world.root.rglob("*")} == {"a", "deep", "b", "not-in"}
    assert (world.root.parent / "outside").exists()


def test_nothing_of_a_file_is_shown(world: World) -> None:
    world.write("Erika Mustermann.wav", b"x")
    assert "Mustermann" not in repr(world.find())
    assert "Mustermann" not in repr(world.delete(world.find()))


def test_a_blocked_file_is_out_of_reach_and_still_a_record(blocking: World, tmp_path: Path) -> None:
    path = blocking.write("deep/a.wav", b"voice")
    due = blocking.find(awaiting=Action.BLOCK)
    assert blocking.block(due) == [Answer.done(How.UNLINK)]
    assert blocking.present(due) == [Presence.BLOCKED]
    assert not path.exists()
    assert (tmp_path / "blocked/deep/a.wav").read_bytes() == b"voice"
    assert (tmp_path / "blocked/deep").stat().st_mode & 0o777 == 0o700
    assert blocking.count() == 1
    assert blocking.find(awaiting=Action.BLOCK) == []
    [blocked] = blocking.find(awaiting=Action.DELETE)
    assert (blocked.key, blocked.dates, blocked.fingerprint, blocked.blocked) == (
        due[0].key,
        due[0].dates,
        due[0].fingerprint,
        True,
    )
    assert blocking.explain(*blocked.key) == blocked


def test_blocking_twice_finds_nothing(blocking: World) -> None:
    blocking.write("a", b"x")
    due = blocking.find()
    blocking.block(due)
    assert blocking.block(due) == [Answer.not_found()]
    assert blocking.present(due) == [Presence.BLOCKED]


def test_a_blocked_file_is_deleted_where_it_lies(blocking: World, tmp_path: Path) -> None:
    blocking.write("a", b"x")
    blocking.block(blocking.find())
    due = blocking.find()
    assert blocking.delete(due) == [Answer.done(How.UNLINK)]
    assert blocking.present(due) == [Presence.ABSENT]
    assert list((tmp_path / "blocked").iterdir()) == []


def test_blocking_never_replaces_a_blocked_file(blocking: World, tmp_path: Path) -> None:
    blocking.write("a", b"first")
    blocking.block(blocking.find())
    blocking.write("a", b"second")
    due = blocking.find(awaiting=Action.BLOCK)
    assert blocking.block(due) == [Answer.failed("constraint")]
    assert (tmp_path / "blocked/a").read_bytes() == b"first"
    assert (blocking.root / "a").read_bytes() == b"second"
    assert any(finding.refuses and "in use again" in finding.what for finding in blocking.preflight(Action.BLOCK))


def test_a_place_for_blocked_files_that_others_can_enter_is_refused(blocking: World, tmp_path: Path) -> None:
    assert not any(finding.refuses for finding in blocking.preflight(Action.BLOCK))
    (tmp_path / "blocked").chmod(0o750)
    assert any(finding.refuses and "mode 0700" in finding.what for finding in blocking.preflight(Action.BLOCK))


def test_a_place_for_blocked_files_below_the_root_holds_no_files_of_the_root(world: World) -> None:
    (world.root / "blocked").mkdir(mode=0o700)
    world.settings["block"] = {"moved_to": str(world.root / "blocked")}
    world.write("a", b"x")
    world.block(world.find())
    assert [(ref.key, ref.blocked) for ref in world.find()] == [(("a",), True)]
    assert world.count() == 1


def test_where_nobody_can_tell_whether_a_blocked_name_is_in_use_again_no_name_is_told(blocking: World) -> None:
    blocking.write("Erika/a", b"x")
    blocking.block(blocking.find(awaiting=Action.BLOCK))
    moved = Path(blocking.settings["block"]["moved_to"])
    (blocking.root / "Erika").chmod(0o444)  # listed as empty, and not entered
    if os.geteuid() == 0:
        for path in (moved, *moved.rglob("*")):
            os.chown(path, NOBODY, NOBODY)

    def ask() -> bool:
        with pytest.raises(ConnectorError) as caught:
            blocking.count()
        return "cannot be looked at: Permission denied" in str(caught.value) and "Erika" not in str(caught.value)

    try:
        assert as_nobody(blocking.root, ask)
    finally:
        (blocking.root / "Erika").chmod(0o755)


def test_a_file_is_explained_under_the_name_it_is_listed_with(world: World) -> None:
    """Also where it may not be read, or is called as lines are."""
    world.settings["source"] = CONTENT
    world.write("a@2025-01-10T00Z", [line(hours(1)[0])])
    closed = world.write("closed", [line(hours(1)[0])])
    closed.chmod(0)

    def ask() -> bool:
        listed = [*world.find(), *world.undated()]
        told = [world.explain(*connector.key("/".join(ref.key))) for ref in listed]
        return sorted(ref.key for ref in listed) == [("a@2025-01-10T00Z",), ("closed",)] and told == listed

    assert as_nobody(world.root, ask)


def test_a_place_for_blocked_files_above_the_root_holds_no_files_of_the_root(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    world = files_world(tmp_path / "files", block={"moved_to": str(tmp_path)})
    world.write("a", b"x")
    assert world.count() == 1
    assert [answer.said for answer in world.block(world.find(awaiting=Action.BLOCK))] == [Answered.DONE]
    assert [ref.key for ref in world.find()] == [("a",)]


def test_a_place_for_blocked_files_that_is_mounted_apart_is_refused(blocking: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `ReadWritePaths=` of systemd does to each of its directories: the kernel moves nothing between them."""
    place = blocking.settings["block"]["moved_to"]
    mounted = os.geteuid() == 0 and not subprocess.run(["mount", "--bind", place, place], check=False).returncode
    if not mounted:  # without the right to mount, each is made to look as if it were
        monkeypatch.setattr(tree, "_mount", lambda handle: str(handle).encode())
    try:
        with pytest.raises(ConnectorError, match="is mounted apart from"):
            blocking.count()
    finally:
        if mounted:
            subprocess.run(["umount", place], check=True)


def test_a_place_for_blocked_files_on_another_file_system_is_refused(world: World) -> None:
    world.settings["block"] = {"moved_to": "/proc"}
    with pytest.raises(ConnectorError, match="another file system"):
        world.count()
