"""Full, broken, read-only and torn disks under the deletion log: nothing is done that it does not tell of, and it recovers."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.apsw_driver import use_apsw
from support.deletion_log import NOW, ORIGIN, delete, intent_of, records_of, written
from support.faulty import ERRORS, FaultyVFS
from support.program import NEW, OLD, open_office
from support.workbench import Workbench

from retentiond import failpoint
from retentiond.audit import DeletionLog, LogPlace, open_log, remains, verify_log
from retentiond.database import open_database
from retentiond.errors import AuditError, StateError

GONE = {"confirmed", "already-absent", "pending-copies"}
KEYS = [f"lead {number}" for number in range(6)]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """Six leads that are due, in batches of two, and the word for their rule."""
    bench = Workbench(tmp_path, batch_size=2)
    for key in KEYS:
        bench.lead(key, 500)
    bench.approve()
    return bench


@pytest.fixture
def disk(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyVFS]:
    """The disk that the log of this bench lies on."""
    vfs = FaultyVFS(f"faulty-{bench.folder.name}", "/log.db")
    use_apsw(monkeypatch, vfs.name)
    yield vfs
    vfs.unregister()


def stopped_by(bench: Workbench) -> AuditError | None:
    """Make a run; what it was stopped by."""
    try:
        bench.run()
    except AuditError as error:
        return error
    return None


def check_truth(bench: Workbench) -> None:
    """What is gone the log tells of, as done or as intended; what is there it does not call gone."""
    assert bench.problems() == ()
    with open_log(LogPlace(bench.folder / "state", None, "bench.example/retentiond/test"), bench.now, "retentiond 0") as log:
        intended = {ref.key[0] for batch in log.open_batches() for ref in batch.records}
    for key, said in bench.all_said(KEYS).items():
        if key in bench.leads():
            assert not GONE & set(said), "called gone, and still there"
        else:
            assert GONE & set(said) or key in intended, "gone, and the log does not tell of it"


def test_a_disk_that_fails_at_any_write_stops_the_run_and_the_next_start_recovers(bench: Workbench, disk: FaultyVFS) -> None:
    approved = bench.folder / "approved"
    shutil.copytree(bench.folder / "state", approved)
    bench.run()
    writes, tried, stopped = disk.written, 0, 0
    assert writes > 40
    for number in range(0, writes, STEP):
        shutil.rmtree(bench.folder / "state")
        shutil.copytree(approved, bench.folder / "state")
        for key in KEYS:
            bench.lead(key, 500)
        disk.kind = list(ERRORS)[tried % len(ERRORS)]
        disk.written, disk.fails_from = 0, number
        error = stopped_by(bench)
        stopped += error is not None
        assert error is None or (error.exit_status, "own words" in str(error)) == (5, False)
        disk.fails_from = None
        check_truth(bench)
        bench.run()
        assert bench.leads() == set()
        check_truth(bench)
        tried += 1
    assert stopped > tried / 2, "the disk hardly ever failed where it matters"


STEP = int(os.environ.get("EVERY", "5"))
"""Every so many writes; `EVERY=1` tries all of them."""


def test_an_engine_that_goes_on_after_its_log_failed_is_found_out(
    bench: Workbench, disk: FaultyVFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    intend = DeletionLog.intend

    def careless(log: DeletionLog, *words: object) -> object:
        try:
            return intend(log, *words)  # type: ignore[arg-type]
        except AuditError:
            bench.crm.datasets["leads"].clear()
            raise

    monkeypatch.setattr(DeletionLog, "intend", careless)
    monkeypatch.setattr(failpoint, "hook", lambda name: setattr(disk, "fails_from", 0) if name == "planned" else None)
    with pytest.raises(AuditError):
        bench.run()
    disk.fails_from = None
    with pytest.raises(AssertionError, match="does not tell"):
        check_truth(bench)


@pytest.mark.parametrize("step", ["open", "fsync", "rename"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_disk_that_is_full_for_keys_and_the_signed_file_stops_the_run(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, step: str, nth: int
) -> None:
    real, passed = getattr(os, step), []

    def full(first: object, *more: object, **named: object) -> object:
        about = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else str(first)  # noqa: PTH115
        if ("last-signed" in about or about.endswith("work.part")) and not (step == "open" and not about.endswith(".part")):
            passed.append(about)
            if len(passed) == nth:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(first, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        if nth <= 2:
            with pytest.raises(AuditError, match="No space left"):
                bench.run()
        else:
            bench.run()
            assert len(passed) < nth
    check_truth(bench)
    bench.run()
    assert bench.leads() == set()


TORN: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda content: content[: len(content) // 2],
    "cut within a page": lambda content: content[:-100],
    "a page of zeros": lambda content: content[:4096] + bytes(4096) + content[8192:],
    "pages of another file": lambda content: content[:8192] + os.urandom(len(content) - 8192),
    "empty": lambda _content: b"",
    "no database": lambda _content: b"something else entirely" * 400,
}


@pytest.mark.parametrize("how", TORN)
def test_a_damaged_log_stops_everything_with_status_5(tmp_path: Path, how: str) -> None:
    office = open_office(tmp_path, [("a", OLD), ("b", NEW)])
    office.run("approve", "rule", "--all", "--by", "staff-1")
    log = office.state / "log.db"
    log.write_bytes(TORN[how](log.read_bytes()))
    done = office.run("run", status=5)
    assert done.stderr.strip().endswith((".", ")"))
    assert "Traceback" not in done.stderr
    assert office.letters() == ["a", "b"]


def test_an_older_log_than_was_signed_is_neither_signed_nor_acted_on(tmp_path: Path) -> None:
    office = open_office(tmp_path, [("a", OLD), ("b", NEW)])
    office.run("approve", "rule", "--all", "--by", "staff-1")
    shutil.copy(office.state / "log.db", tmp_path / "older.db")
    office.run("hold", "place", "--system", "office", "--dataset", "letters", "--type", "litigation", "--by", "staff-1", status=2)
    office.run("approve", "rule", "--all", "--by", "staff-2")
    office.run("audit", "checkpoint")
    signed = (office.state / "last-signed").read_text()
    shutil.copy(tmp_path / "older.db", office.state / "log.db")
    office.run("run", status=5)
    assert (office.state / "last-signed").read_text() == signed
    assert office.letters() == ["a", "b"]


@pytest.mark.parametrize(
    ("setting", "value"), [("synchronous", 1), ("synchronous", 0), ("journal_mode", "delete"), ("secure_delete", 0)]
)
def test_a_library_that_does_not_take_a_setting_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: object
) -> None:
    """A SQLite library that was made without something answers a pragma with what it does instead."""
    connect = sqlite3.connect

    class Deaf(sqlite3.Connection):
        def execute(self, sql: str, *more: object) -> sqlite3.Cursor:
            return super().execute(f"PRAGMA {setting}={value}" if sql.startswith(f"PRAGMA {setting}=") else sql, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(sqlite3, "connect", lambda *words, **more: connect(*words, factory=Deaf, **more))
    with pytest.raises(StateError, match=rf"does not take the setting {setting}="):
        open_database(tmp_path / "log.db")
    with pytest.raises(AuditError, match=setting), open_log(LogPlace(tmp_path / "state", None, ORIGIN), NOW, "retentiond 0"):
        pass


def test_what_a_reader_keeps_from_being_cleared_is_told_and_cleared_the_next_time(tmp_path: Path) -> None:
    place = LogPlace(tmp_path / "state", None, ORIGIN)
    written(place)
    assert not remains(place)
    with open_log(place, NOW, "retentiond 0") as log, closing(sqlite3.connect(place.state / "log.db")) as reader:
        log._engine.dispose()
        database_patience(log, 0)
        delete(log, "gerda")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM log_head").fetchone()
        delete(log, "heinz")
        log.checkpoint(NOW)
        assert (log.cleared, remains(place)) == (False, True)
        reader.rollback()
        log.checkpoint(NOW)
        assert (log.cleared, remains(place)) == (True, False)


def database_patience(log: DeletionLog, milliseconds: int) -> None:
    with log._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={milliseconds}")


def test_a_commit_that_a_killed_writer_left_on_the_server_is_waited_for_and_seen(tmp_path: Path, postgresql: sa.URL) -> None:
    place = LogPlace(tmp_path / "state", postgresql, ORIGIN)
    written(place)
    arrived, leave = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        if name == "appended" and threading.current_thread() is orphan:
            arrived.set()
            assert leave.wait(30)

    def write() -> None:
        engine_log.intend(intent_of(), records_of("gerda"), NOW)

    orphan = threading.Thread(target=write)
    failpoint.hook = hold
    try:
        with open_log(place, NOW, "retentiond 0") as engine_log:
            orphan.start()
            assert arrived.wait(30)
            # Its process is dead, so nobody holds the lock file; only the server has not noticed yet.
            (place.state / "log.lock").unlink()
            threading.Timer(0.3, leave.set).start()
            with open_log(place, NOW, "retentiond 0") as log:
                assert [batch.records[0].key for batch in log.open_batches()] == [("gerda",)]
            orphan.join()
    finally:
        failpoint.hook = lambda _name: None
    assert verify_log(place, full=True).problems == ()
