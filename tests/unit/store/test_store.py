"""What survives a restart: the same promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import stat
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from retentiond.database import translated
from retentiond.errors import StateError
from retentiond.store import Approval, ClockReading, Heartbeat, PlanHeader, RuleVersion, RunRow, StepRow, Store, open_store, plans
from retentiond.store.open import NEWEST
from retentiond.store.plans import AT_ONCE
from retentiond.store.tables import metadata

NOW = datetime(2026, 11, 24, 3, 17, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> sa.URL | None:
    """None for SQLite in the state directory, or the URL of a fresh PostgreSQL database."""
    if request.param == "sqlite":
        return None
    found: sa.URL = request.getfixturevalue("postgresql")
    return found


@pytest.fixture
def store(tmp_path: Path, url: sa.URL | None) -> Iterator[Store]:
    with open_store(tmp_path / "state", url) as opened:
        yield opened


def _step(action: str = "delete", status: str = "done", **more: int) -> StepRow:
    return StepRow("crm.lead", "d1", "crm", "leads", action, status, **more)  # type: ignore[arg-type]  # all of them are int


def _header(digest: str = "p1", expires: datetime = NOW + DAY) -> PlanHeader:
    return PlanHeader(digest, "crm.lead", "d1", "delete", NOW - HOUR, NOW, expires, {"due": 2, "kept": 5})


def _records(start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(start, end):
        yield number.to_bytes(32, "big"), (number + 1).to_bytes(32, "little")


# --- runs


def test_a_run_is_remembered_from_its_beginning_to_its_end(store: Store) -> None:
    store.begin_run("r1", "schedule", "digest", NOW)
    assert store.last_run() == RunRow("r1", "schedule", "digest", NOW, None, None, {})
    store.end_run("r1", "done", {"confirmed": 3}, NOW + HOUR)
    assert store.last_run() == RunRow("r1", "schedule", "digest", NOW, NOW + HOUR, "done", {"confirmed": 3})


def test_nothing_is_remembered_before_the_first_run(store: Store) -> None:
    assert (store.last_run(), store.last_success(), store.runs(), store.results("r1")) == (None, None, [], [])


def test_moments_come_back_in_utc_whatever_zone_they_came_in(store: Store) -> None:
    store.begin_run("r1", "command", "d", NOW.astimezone(timezone(timedelta(hours=5, minutes=45))))
    run = store.last_run()
    assert run is not None
    assert run.started_at == NOW
    assert run.started_at.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(sa.exc.StatementError, match="aware"):
        store.begin_run("r1", "command", "d", NOW.replace(tzinfo=None))


def test_runs_come_newest_first(store: Store) -> None:
    for number in range(5):
        store.begin_run(f"r{number}", "command", "d", NOW - number * DAY)
    assert [run.run for run in store.runs(3)] == ["r4", "r3", "r2"]


def test_only_a_run_that_did_everything_is_a_success(store: Store) -> None:
    for number, status in enumerate(["done", "incomplete", "report", "failed"]):
        store.begin_run(f"r{number}", "command", "d", NOW)
        store.end_run(f"r{number}", status, {}, NOW)
    success = store.last_success()
    assert success is not None
    assert success.run == "r0"


def test_a_run_cannot_end_twice_or_without_having_begun(store: Store) -> None:
    store.begin_run("r1", "command", "d", NOW)
    store.end_run("r1", "done", {}, NOW)
    for run in ("r1", "r2"):
        with pytest.raises(StateError, match=f"knows no run {run} that is under way"):
            store.end_run(run, "failed", {}, NOW)


def test_runs_that_a_crash_left_open_are_closed(store: Store) -> None:
    store.begin_run("r1", "command", "d", NOW)
    store.end_run("r1", "done", {}, NOW)
    store.begin_run("r2", "command", "d", NOW)
    store.begin_run("r3", "command", "d", NOW)
    assert store.close_abandoned_runs(NOW + HOUR) == 2
    assert [(run.status, run.ended_at) for run in store.runs()] == [("interrupted", NOW + HOUR)] * 2 + [("done", NOW)]
    assert store.close_abandoned_runs(NOW + HOUR) == 0


# --- what steps did


def test_results_come_back_as_they_were_and_in_order(store: Store) -> None:
    store.begin_run("r1", "command", "d", NOW)
    steps = [
        StepRow("b", "d2", "crm", "leads", "block", "refused", 1, 2, 3, 4, 5, 6, "Zu viele, mehr als 25 %."),
        StepRow("a", "d1", "crm", "leads", "delete", "done", 3_000_000_000),
    ]
    for step in steps:
        store.record_result("r1", step, NOW)
    assert store.results("r1") == steps


def test_a_result_without_its_run_is_refused(store: Store) -> None:
    with pytest.raises(StateError):
        store.record_result("nowhere", _step(), NOW)


def test_history_tells_of_runs_that_were_allowed_to_act_newest_first(store: Store) -> None:
    store.begin_run("r1", "command", "d", NOW)
    for number, status in enumerate(
        ["done", "report", "refused", "failed", "incomplete", "awaiting-approval", "interrupted", "done"]
    ):
        store.record_result("r1", _step(status=status, done=0 if status in {"report", "refused", "failed"} else number), NOW)
    store.record_result("r1", _step(action="block", done=99), NOW)
    store.record_result("r1", _step(status="failed", done=8), NOW)
    assert store.history("crm.lead", "delete") == [8, 7, 6, 5, 4, 0]
    assert store.history("crm.lead", "delete", 2) == [8, 7]
    assert store.history("crm.other", "delete") == []


def test_an_approval_stands_for_exactly_what_it_names(store: Store) -> None:
    given = Approval("rule", "crm.lead", "d1", "staff-7", NOW, None)
    store.approve(given)
    assert store.approval("rule", "crm.lead", "d1", NOW + 1000 * DAY) == given
    assert store.approval("rule", "crm.lead", "d2", NOW) is None
    assert store.approval("rule", "crm.other", "d1", NOW) is None
    assert store.approval("plan", "crm.lead", "d1", NOW) is None


def test_an_approval_expires_at_its_moment(store: Store) -> None:
    store.approve(Approval("clock", "clock", "", "staff-7", NOW, NOW + HOUR))
    assert store.approval("clock", "clock", "", NOW + HOUR - timedelta(microseconds=1)) is not None
    assert store.approval("clock", "clock", "", NOW + HOUR) is None


def test_the_newest_approval_counts(store: Store) -> None:
    store.approve(Approval("rule", "crm.lead", "d1", "staff-7", NOW, None))
    newer = Approval("rule", "crm.lead", "d1", "staff-8", NOW + HOUR, None)
    store.approve(newer)
    assert store.approval("rule", "crm.lead", "d1", NOW) == newer
    assert [approval.by for approval in store.approvals()] == ["staff-7", "staff-8"]


def test_a_version_of_a_rule_stays_as_it_was_first_kept(store: Store) -> None:
    first = RuleVersion("crm.lead", "d1", "m1", {"zone": "UTC", "rule": {"id": "crm.lead", "holds": None}}, NOW)
    other = RuleVersion("crm.lead", "d2", "m1", {}, NOW + HOUR)
    store.keep_version(other)
    store.keep_version(first)
    store.keep_version(RuleVersion("crm.lead", "d1", "m2", {"zone": "Europe/Berlin"}, NOW + DAY))
    assert store.versions() == [first, other]


def test_what_was_revoked_stands_no_more_until_it_is_approved_again(store: Store) -> None:
    for digest in ("d1", "d2"):
        store.approve(Approval("rule", "crm.lead", digest, "staff-7", NOW, None))
    store.approve(Approval("rule", "crm.other", "d1", "staff-7", NOW, None))
    assert store.revoke("rule", "crm.lead", NOW) == 2
    assert store.revoke("rule", "crm.lead", NOW) == 0
    assert store.approval("rule", "crm.lead", "d1", NOW) is None
    assert [approval.name for approval in store.approvals()] == ["crm.other"]
    store.approve(Approval("rule", "crm.lead", "d1", "staff-8", NOW, None))
    assert store.approval("rule", "crm.lead", "d1", NOW) is not None


# --- plans


def test_a_plan_comes_back_with_what_it_names(store: Store) -> None:
    store.save_plan(_header(), _records(0, 1203))
    assert store.plan("p1") == _header()
    asked = [number.to_bytes(32, "big") for number in (0, 1202, 1203, 5)]
    assert store.plan_lists("p1", asked) == dict([*_records(0, 1), *_records(5, 6), *_records(1202, 1203)])
    assert store.plan_lists("p1", []) == {}
    assert store.plan_lists("p2", asked) == {}
    assert store.plan("p2") is None


def test_more_handles_than_one_statement_takes_can_be_asked_for(store: Store) -> None:
    store.save_plan(_header(), _records(0, 2000))
    assert len(store.plan_lists("p1", [ref for ref, _ in _records(0, 3000)])) == 2000


def test_a_plan_saved_again_takes_its_own_place(store: Store) -> None:
    store.save_plan(_header(), _records(0, 10))
    store.save_plan(_header(expires=NOW + 2 * DAY), _records(5, 7))
    plan = store.plan("p1")
    assert plan is not None
    assert plan.expires_at == NOW + 2 * DAY
    assert len(store.plan_lists("p1", [ref for ref, _ in _records(0, 10)])) == 2


def test_a_plan_whose_records_break_off_is_not_kept_at_all(store: Store) -> None:
    def broken() -> Iterator[tuple[bytes, bytes]]:
        yield from _records(0, AT_ONCE + 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.save_plan(_header(), broken())
    assert store.plan("p1") is None
    assert store.plan_lists("p1", [ref for ref, _ in _records(0, 10)]) == {}
    store.save_plan(_header(), _records(0, 3))
    assert len(store.plan_lists("p1", [ref for ref, _ in _records(0, 10)])) == 3


def test_others_can_use_the_store_while_a_plan_is_being_saved(store: Store, tmp_path: Path, url: sa.URL | None) -> None:
    def slow() -> Iterator[tuple[bytes, bytes]]:
        yield from _records(0, AT_ONCE)
        with open_store(tmp_path / "state", url) as other:
            other.beat(NOW, 1, "running")
            assert other.plan("p1") is None
        yield from _records(AT_ONCE, AT_ONCE + 5)

    store.save_plan(_header(), slow())
    assert len(store.plan_lists("p1", [ref for ref, _ in _records(AT_ONCE - 5, AT_ONCE + 9)])) == 10


def test_expired_plans_go_with_all_they_name(store: Store) -> None:
    store.save_plan(_header("old", NOW), _records(0, 3))
    store.save_plan(_header("new", NOW + HOUR), _records(0, 3))
    assert store.drop_plans(NOW) == 1
    assert store.plan("old") is None
    assert store.plan_lists("old", [ref for ref, _ in _records(0, 3)]) == {}
    assert len(store.plan_lists("new", [ref for ref, _ in _records(0, 3)])) == 3


def test_a_big_plan_takes_no_more_memory_than_a_small_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "AT_ONCE", 500)
    store.save_plan(_header("small"), _records(0, 500))
    tracemalloc.start()
    try:
        store.save_plan(_header("big"), _records(0, 20_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000  # the handles alone would be more, were they held at once


# --- clock and sign of life


def test_the_last_clock_reading_takes_the_place_of_the_one_before(store: Store) -> None:
    assert store.clock_reading() is None
    for number in range(2):
        reading = ClockReading(NOW + number * DAY, f"boot-{number}", 12.000000001 + number)
        store.record_clock(reading)
        assert store.clock_reading() == reading


def test_the_last_sign_of_life_takes_the_place_of_the_one_before(store: Store) -> None:
    assert store.heartbeat() is None
    for number in range(2):
        store.beat(NOW + number * HOUR, 4000 + number, "idle")
        assert store.heartbeat() == Heartbeat(NOW + number * HOUR, 4000 + number, "idle")


def test_a_sign_of_life_that_cannot_be_kept_is_never_passed_over(store: Store) -> None:
    with store._engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM heartbeats"))
    with pytest.raises(StateError, match="lost the row of its table heartbeats"):
        store.beat(NOW, 1, "idle")
    with pytest.raises(StateError, match="lost the row"):
        store.heartbeat()


# --- opening


def test_everything_is_still_there_after_a_restart(tmp_path: Path, url: sa.URL | None) -> None:
    with open_store(tmp_path / "state", url) as store:
        store.begin_run("r1", "command", "d", NOW)
    with open_store(tmp_path / "state", url) as store:
        assert [run.run for run in store.runs()] == ["r1"]


def test_the_migrations_build_just_the_tables_that_the_code_knows(store: Store) -> None:
    built = sa.MetaData()
    built.reflect(store._engine)
    assert {name for name in built.tables if not name.endswith("_version")} == set(metadata.tables)
    for name, table in metadata.tables.items():
        there = built.tables[name]
        assert {(column.name, column.nullable, column.primary_key) for column in there.columns} == {
            (column.name, column.nullable, column.primary_key) for column in table.columns
        }
        assert {index.name for index in there.indexes} >= {index.name for index in table.indexes}


def test_many_may_use_the_store_at_once(store: Store, tmp_path: Path, url: sa.URL | None) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with open_store(tmp_path / "state", url) as own:
                for turn in range(10):
                    own.begin_run(f"r{number}-{turn}", "command", "d", NOW)
                    own.beat(NOW, number, "running")
        except BaseException as error:  # noqa: BLE001 - handed over to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.runs(100)) == 40


def test_the_newest_version_is_that_of_the_newest_migration(store: Store) -> None:
    with store._engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM store_version")).scalar_one() == NEWEST


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path, url: sa.URL | None) -> None:
    with open_store(tmp_path / "state", url) as store, store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE store_version SET version_num = '9999'"))
    with pytest.raises(StateError, match="newer retentiond"), open_store(tmp_path / "state", url):
        pass


def test_no_text_of_a_driver_is_in_an_error(store: Store) -> None:
    store.begin_run("canary", "command", "d", NOW)
    with pytest.raises(StateError) as caught:
        store.begin_run("canary", "command", "d", NOW)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_state_directory_is_made_for_nobody_else(tmp_path: Path) -> None:
    with open_store(tmp_path / "a" / "state", None):
        pass
    assert stat.S_IMODE((tmp_path / "a" / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "state" / "state.db").stat().st_mode) == 0o600


def test_a_state_directory_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateError, match=r"The state directory .*state cannot be made"), open_store(tmp_path / "state", None):
        pass


def test_a_damaged_store_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, but long enough to be looked at " * 100)
    with pytest.raises(StateError, match="restore it from a backup"), open_store(tmp_path, None):
        pass


def test_a_store_that_became_read_only_is_a_clear_error(tmp_path: Path) -> None:
    with open_store(tmp_path, None) as store:
        with store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only=1")
        with pytest.raises(StateError, match="cannot be written"):
            store.beat(NOW, 1, "idle")


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    with open_store(tmp_path, None) as store:
        with store._engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StateError, match="no room left"):
            store.save_plan(_header(), _records(0, 30_000))
        assert store.plan("p1") is None


def test_a_disk_that_is_too_full_to_open_the_store_is_told_as_full() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_SHMSIZE, "SQLITE_IOERR_SHMSIZE"
    with pytest.raises(StateError, match="no room left"), translated():
        raise error


def test_an_unreachable_server_is_a_clear_error(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    nowhere = sa.URL.create("postgresql+psycopg", "u", database="d", query={"host": str(tmp_path)})
    with pytest.raises(StateError, match="cannot be reached"), open_store(tmp_path / "state", nowhere):
        pass


def test_nothing_but_marks_and_what_is_sealed_is_kept_as_bytes(store: Store) -> None:
    """Of single records and persons the store speaks by keyed digests, or under its seal."""
    built = sa.inspect(store._engine)
    binary = {
        (table, column["name"])
        for table in built.get_table_names()
        for column in built.get_columns(table)
        if isinstance(column["type"], sa.LargeBinary)
    }
    marks = {("plan_records", "ref"), ("plan_records", "fingerprint"), ("suppressions", "mark"), ("findings", "mark")}
    assert binary == marks | {("requests", "persons"), ("requests", "found"), ("reviews", "key"), ("holds", "scope")}
