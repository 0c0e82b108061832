"""Whole journal files and their entries: none goes too early, and what stays too long is told."""

from __future__ import annotations

import os
import struct
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from connectors.test_journald_conformance import JournaldWorld
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journals import ARCHIVED, OFFLINE, ONLINE, journal, sound

from retentiond.connector import Action, Answered, Presence
from retentiond.testing.acting import said
from retentiond.testing.world import NOON, Bench
from retentiond_journald.journal import TornError, read

DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def world(tmp_path: Path) -> JournaldWorld:
    return JournaldWorld(tmp_path)


def archived(world: JournaldWorld, number: int, *ages: timedelta, stream: str = "system") -> Path:
    """A journal under a name as journald gives it, with entries of these ages."""
    first = (NOW - ages[0] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    name = f"{stream}@{number:032x}-{1:016x}-{first:016x}.journal"
    return journal(world.folder / name, [NOW - age for age in ages])


def due(world: JournaldWorld, by: str = "last_entry") -> list[str]:
    bench = Bench(world)
    world.instant = by
    return [Path(ref.key[0]).name for ref in bench.find(bench.before(NOW - 14 * DAY))]


def findings(world: JournaldWorld) -> str:
    with Bench(world).reader() as reader:
        return "\n".join(finding.what for finding in reader.preflight(Action.DELETE))


def test_the_journals_of_these_tests_are_sound(world: JournaldWorld) -> None:
    """systemd wrote them, and finds nothing wrong with their new times."""
    path = archived(world, 1, 15 * DAY, 14.5 * DAY)
    assert sound(path)
    shown = subprocess.run(["journalctl", "--header", "--file", path], capture_output=True, text=True, check=True).stdout
    assert "State: ARCHIVED" in shown
    path.write_bytes(path.read_bytes()[:-4096].replace(b"hello", b"hxllo"))
    assert not sound(path)


def test_vacuuming_takes_too_much_and_too_little_and_we_do_neither(world: JournaldWorld) -> None:
    """By hand: a young entry goes with an old one, and old entries stay in the file that is written to."""

    def build() -> tuple[Path, Path, Path]:
        world.empty()
        mixed = archived(world, 1, 40 * DAY, 1 * DAY)
        old = archived(world, 2, 40 * DAY, 39.5 * DAY)
        live = journal(world.folder / "system.journal", [NOW - 40 * DAY, NOW - 39 * DAY], state=ONLINE)
        return mixed, old, live

    mixed, old, live = build()
    subprocess.run(["journalctl", "-D", str(world.root), "--vacuum-time=14d"], check=True, capture_output=True)
    assert [path.exists() for path in (mixed, old, live)] == [False, False, True]

    mixed, old, live = build()
    bench = Bench(world)
    refs = bench.find(bench.before(NOW - 14 * DAY))
    assert [Path(ref.key[0]).name for ref in refs] == [old.name, live.name]
    answers = bench.act(Action.DELETE, refs)
    assert said(answers) == [Answered.DONE, Answered.FAILED]
    assert answers[1].code == "refused"
    assert [path.exists() for path in (mixed, old, live)] == [True, False, True]
    told = findings(world)
    assert "1 files of kit/records span more than 25 hours, the longest 936 hours" in told
    assert "MaxFileSec=1day" in told


def test_by_its_first_entry_only_a_short_file_goes(world: JournaldWorld) -> None:
    short = archived(world, 1, 14.5 * DAY, 13.8 * DAY)
    archived(world, 2, 40 * DAY, 1 * DAY)
    assert due(world, "first_entry") == [short.name]
    assert due(world, "last_entry") == []


def test_after_the_clock_was_set_the_youngest_entry_still_decides(world: JournaldWorld) -> None:
    """The first and the last one in the file are old, and one between them is not."""
    archived(world, 1, 40 * DAY, 2 * DAY, 39 * DAY)
    assert due(world) == []


def test_streams_tell_the_data_sets_of_a_journal_apart(world: JournaldWorld) -> None:
    archived(world, 1, 20 * DAY)
    other = archived(world, 2, 20 * DAY, stream="user-1000")
    world.options = {"streams": ["user-*"]}
    assert due(world) == [other.name]


@pytest.mark.parametrize("state", [OFFLINE, ONLINE])
def test_a_file_that_was_set_aside_goes_and_one_in_use_does_not(world: JournaldWorld, state: int) -> None:
    journal(world.folder / "system@0005-0001.journal~", [NOON], state=state)
    journal(world.folder / "system.journal", [NOON], state=state)
    bench = Bench(world)
    answers = dict(zip([ref.key[0][33:] for ref in bench.find()], bench.act(Action.DELETE, bench.find()), strict=True))
    assert answers["system@0005-0001.journal~"].said is Answered.DONE
    assert answers["system.journal"].code == "refused"


def test_a_second_link_a_symlink_and_a_strange_file_are_left_alone(world: JournaldWorld, tmp_path: Path) -> None:
    bench = Bench(world)
    (key,) = bench.put(1)
    refs = bench.find()
    os.link(world.root / key[0], tmp_path / "second.journal")
    assert [answer.code for answer in bench.act(Action.DELETE, refs)] == ["unsupported"]
    assert "further hard links" in findings(world)
    (world.root / key[0]).unlink()
    (world.root / key[0]).symlink_to(tmp_path / "second.journal")
    assert said(bench.act(Action.DELETE, refs)) == [Answered.FAILED]
    assert bench.present(refs) == [Presence.PRESENT]
    assert (tmp_path / "second.journal").exists()


def test_what_journald_was_told_is_looked_at(world: JournaldWorld, tmp_path: Path) -> None:
    archived(world, 1, 1 * DAY)
    folders = [tmp_path / "lib", tmp_path / "etc"]
    for folder in folders:
        (folder / "journald.conf.d").mkdir(parents=True)
    world.connection = {**world.connection, "config": [str(folder) for folder in folders]}
    told = findings(world)
    assert "MaxFileSec is not set" in told
    assert "ForwardToSyslog=no" in told
    assert "MaxRetentionSec" not in told
    (folders[0] / "journald.conf").write_text("[Journal]\nMaxRetentionSec=14day\nMaxFileSec=1month\n")
    assert "(MaxRetentionSec)" in findings(world)
    assert "not known to be a day" in findings(world)
    (folders[1] / "journald.conf.d/a.conf").write_text("[Journal]\nMaxFileSec=1day\nMaxRetentionSec=0\nForwardToSyslog=no\n")
    assert findings(world) == ""


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 300) | st.integers(3_728_000, 3_735_300), noise=st.binary(min_size=1, max_size=40))
def test_whatever_is_written_over_a_journal_it_is_read_or_torn(
    tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes
) -> None:
    """In its head, or among its entries: the reader neither fails otherwise nor loops."""
    path = tmp_path_factory.getbasetemp() / "torn.journal"
    journal(path, [NOON, NOON + DAY], state=ARCHIVED)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(noise)
    with path.open("rb") as file:
        try:
            told = read(file.fileno())
        except TornError:
            return
    assert told.entries >= 0


@pytest.mark.parametrize("size", [0, 7, 207, 300, 200_000])
def test_a_file_that_ends_early_is_torn(size: int, tmp_path: Path) -> None:
    path = journal(tmp_path / "cut.journal", [NOON])
    os.truncate(path, size)
    with path.open("rb") as file, pytest.raises(TornError):
        read(file.fileno())


def test_a_list_of_entries_that_leads_back_is_torn(tmp_path: Path) -> None:
    """It is empty and names itself as the next one: the reader would go on for ever."""
    path = journal(tmp_path / "loop.journal", [NOON, NOON + DAY])
    content = bytearray(path.read_bytes())
    (array,) = struct.unpack_from("<Q", content, 176)
    struct.pack_into("<QQ", content, array + 8, 24, array)
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(TornError):
        read(file.fileno())
