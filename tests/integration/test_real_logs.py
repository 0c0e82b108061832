"""Logs of nginx, Apache and an application, turned over by logrotate: what is older than 14 days goes, entry by entry."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from connectors.files_support import World, cutoff
from support.loghost import CLIENT, START, Host, ask, told, until, weeks

from retentiond.connector import Action, Answered
from retentiond.testing.acting import said

DAYS = 20
HOURS = ((5, 30), (6, 30), (18, 30))
NOW = START + timedelta(days=DAYS, hours=6)
BOUND = NOW - timedelta(days=14)
LOGS = {
    "nginx/access.log": {"format": "nginx-combined"},
    "nginx/error.log": {"format": "nginx-error", "zone": "UTC"},
    "apache/access.log": {"format": "apache-combined"},
    "apache/error.log": {"format": "apache-error", "zone": "UTC"},
    "app/app.log": {"format": "iso8601"},
    "app/events.log": {"format": "json", "field": "time"},
}


def visits(since: datetime) -> set[tuple[int, int]]:
    """The day and hour of each visit from then on."""
    every = [START + timedelta(days=day, hours=hour, minutes=minute) for day in range(DAYS) for hour, minute in HOURS]
    return {((at - START).days, at.hour) for at in every if at >= since}


def dataset(root: Path, log: str, **more: Any) -> World:
    folder, name = log.split("/")
    source = {"from": "content", **LOGS[log]}
    return World(root / folder, {"include": [f"{name}*"], "record": "line", "source": source, "quiet_minutes": 0, **more})


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with weeks(DAYS, HOURS) as made:
        yield made


@pytest.fixture
def logs(host: Host, tmp_path: Path) -> Path:
    """A copy of the logs, of a test's own."""
    return Path(shutil.copytree(host.logs, tmp_path / "logs"))


def apart(root: Path, log: str) -> Path:
    """A directory with the files of one log alone, which others lie beside."""
    folder, name = log.split("/")
    alone = root.parent / "alone" / log
    shutil.rmtree(alone, ignore_errors=True)
    alone.mkdir(parents=True)
    for file in (root / folder).glob(f"{name}*"):
        shutil.copy2(file, alone)
    return alone


def test_deleting_old_files_leaves_entries_of_fifteen_days(host: Host, logs: Path) -> None:
    """By hand: `find -mtime +14 -delete`, which counts whole days of whole files."""
    host.set(NOW)
    subprocess.run(["find", str(logs), "-type", "f", "-mtime", "+14", "-delete"], env=host.time, check=True)
    left = told(apart(logs, "nginx/access.log"))
    oldest = min(START + timedelta(days=day, hours=hour, minutes=30) for day, hour in left)
    assert NOW - oldest > timedelta(days=15)
    assert left > visits(BOUND)


@pytest.mark.parametrize("log", LOGS)
def test_exactly_the_entries_of_more_than_14_days_go(logs: Path, log: str) -> None:
    """logrotate keeps 30 days, most of them compressed, and the bound lies within a file."""
    files = [file.name for file in apart(logs, log).iterdir()]
    assert len(files) > DAYS - 2
    assert sum(name.endswith(".gz") for name in files) > DAYS - 4
    assert told(apart(logs, log)) == visits(START)
    world = dataset(logs, log)
    refs = world.find(cutoff(BOUND))
    assert set(said(world.delete(refs))) == {Answered.DONE}
    assert told(apart(logs, log)) == visits(BOUND)
    assert world.find(cutoff(BOUND)) == []
    assert world.undated() == []


def test_a_file_and_its_compressed_twin_lose_the_same_entries(logs: Path) -> None:
    """logrotate was stopped between compressing a file and removing it."""
    packed = next(file for file in (logs / "nginx").glob("access.log.*.gz") if b"/d6h5" in gzip.decompress(file.read_bytes()))
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    world = dataset(logs, "nginx/access.log")
    assert set(said(world.delete(world.find(cutoff(BOUND))))) == {Answered.DONE}
    for content in (gzip.decompress(packed.read_bytes()), packed.with_suffix("").read_bytes()):
        assert b"/d6h5" not in content
        assert b"/d6h6" in content


@pytest.mark.parametrize("log", ["nginx/error.log", "apache/error.log", "nginx/access.log", "app/events.log"])
def test_addresses_of_what_stays_are_truncated_in_all_kinds_of_logs(logs: Path, log: str) -> None:
    """Error logs have whole addresses within their texts."""
    world = dataset(logs, log, anonymize={"ipv4": 24, "ipv6": 48})
    alone = apart(logs, log)
    assert any(CLIENT.encode() in _content(file) for file in alone.iterdir())
    assert set(said(world.anonymize(world.find(cutoff(NOW), Action.ANONYMIZE)))) == {Answered.DONE}
    alone = apart(logs, log)
    assert not any(CLIENT.encode() in _content(file) for file in alone.iterdir())
    assert told(alone) == visits(START)


def test_a_file_that_the_server_still_writes_to_is_told_and_goes_after_its_rotation(host: Host) -> None:
    """Rotation stopped: what is due lies in a file that is held open. Once it goes on, the next run does it."""
    host.visit(START + timedelta(days=DAYS, hours=7, minutes=30))
    world = dataset(host.logs, "nginx/access.log")
    late = START + timedelta(days=DAYS + 15)
    refs = [ref for ref in world.find(cutoff(late)) if ref.key[0] == "access.log"]
    live = host.logs / "nginx/access.log"
    before = live.read_bytes()
    assert b"/d20h7" in before
    answers = world.delete(refs)
    assert {(answer.said, answer.code) for answer in answers} == {(Answered.FAILED, "refused")}
    assert live.read_bytes() == before

    host.rotate(late, "--force")

    def reopened() -> bool:
        ask(host.ports["nginx"], "/d99h1")
        return b"/d99h1" in live.read_bytes()

    until(reopened)
    turned = live.with_name("access.log.1")
    assert b"/d20h7" in turned.read_bytes()
    until(lambda: _done(world, late))  # an old worker may hold it for a moment yet
    assert b"/d20h7" not in turned.read_bytes()
    ask(host.ports["nginx"], "/d99h2")
    assert b"/d99h2" in live.read_bytes()


def test_a_log_that_is_copied_and_truncated_keeps_what_is_written_on(host: Host) -> None:
    """The application goes on in the file that it has open; only copies of it are ever rewritten."""
    at = START + timedelta(days=DAYS, hours=8, minutes=30)
    host.visit(at)
    world = dataset(host.logs, "app/app.log")
    refs = world.find(cutoff(at + timedelta(hours=1)))
    answers = dict(zip([ref.key for ref in refs], world.delete(refs), strict=True))
    held = [answer for key, answer in answers.items() if key[0] == "app.log"]
    assert [answer.code for answer in held] == ["refused"] * len(held)
    assert held
    assert {answer.said for key, answer in answers.items() if key[0] != "app.log"} <= {Answered.DONE}
    host.app["app.log"].write("2026-04-01T00:00:00+00:00 INFO /d31h0\n")
    assert b"/d31h0" in (host.logs / "app/app.log").read_bytes()


def _done(world: World, late: datetime) -> bool:
    refs = [ref for ref in world.find(cutoff(late)) if ref.key[0] == "access.log.1"]
    return set(said(world.delete(refs))) <= {Answered.DONE}


def _content(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
