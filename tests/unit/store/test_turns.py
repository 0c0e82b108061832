"""Runs and changes of the registers keep out of each other's way: across threads, processes and, with PostgreSQL, machines."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from retentiond import lock
from retentiond.errors import StateError
from retentiond.store import Store, open_store, turns

PATIENCE = 30

HOLDER = """
import pathlib, sys
from retentiond.store import open_store
with open_store(pathlib.Path(sys.argv[1]), None) as store, getattr(store, sys.argv[2])():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The store, in SQLite and in PostgreSQL."""
    url: sa.URL | None = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    with open_store(tmp_path / "state", url) as opened:
        yield opened


def _holder(state: Path, how: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOLDER, str(state), how]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_runs_act_together(store: Store) -> None:
    with store.acting(), store.acting():
        pass


def test_a_change_waits_for_the_batch_in_hand_of_another_process_and_says_so_once(tmp_path: Path) -> None:
    told: list[int] = []
    with open_store(tmp_path / "state", None) as store, _holder(tmp_path / "state", "acting") as run:

        def waiting() -> None:
            told.append(run.poll() is None)
            assert run.stdin is not None
            run.stdin.close()

        with store.changing(waiting):
            assert run.wait(PATIENCE) == 0
    assert told == [True]


def test_a_batch_waits_for_the_change_in_hand_and_no_message_is_needed_where_nobody_waits(store: Store) -> None:
    order: list[str] = []

    def act() -> None:
        with store.acting():
            order.append("act")

    with store.changing(lambda: order.append("waited")):
        run = threading.Thread(target=act)
        run.start()
        order.append("changed")
    run.join(PATIENCE)
    assert order == ["changed", "act"]


@pytest.mark.parametrize("how", ["acting", "changing"])
def test_a_killed_holder_is_no_hindrance(tmp_path: Path, how: str) -> None:
    with open_store(tmp_path / "state", None) as store:
        with _holder(tmp_path / "state", how) as process:
            process.send_signal(signal.SIGKILL)
            process.wait()
        with store.changing(lambda: pytest.fail("somebody dead was waited for")):
            pass


def test_a_change_is_not_starved_by_runs_that_follow_on_one_another(store: Store) -> None:
    """While a change waits, no further batch begins, although runs act together otherwise."""
    order: list[str] = []
    waits, acted = threading.Event(), threading.Event()

    def change() -> None:
        with store.changing(waits.set):
            order.append("change")

    def act() -> None:
        with store.acting():
            order.append("act")
            acted.set()

    writer, run = threading.Thread(target=change), threading.Thread(target=act)
    with store.acting():
        writer.start()
        assert waits.wait(PATIENCE)
        if store._engine.dialect.name == "postgresql":
            _until_one_queues(store)
        run.start()
        assert not acted.wait(0.5)
    writer.join(PATIENCE)
    run.join(PATIENCE)
    assert order == ["change", "act"]


def _until_one_queues(store: Store) -> None:
    """The change asks anew after its first second; until then it stands in no queue."""
    while True:
        with store._engine.connect() as connection:
            queue = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if connection.execute(queue).scalar_one():
                return


def test_who_waits_too_long_is_told_and_nothing_is_done(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LONGEST_WAIT", 2)
    monkeypatch.setattr(turns, "LONGEST_WAIT", 1)
    with (
        store.acting(),
        pytest.raises(StateError, match=r"held for 2 seconds; nothing was done|other hands for 1 seconds; nothing was done"),
        store.changing(),
    ):
        pass
    with store.changing():  # whoever gave up is not in the way
        pass


def test_an_error_within_a_turn_ends_it(store: Store) -> None:
    for turn in (store.changing, store.acting):
        with pytest.raises(ZeroDivisionError), turn():
            raise ZeroDivisionError
    with store.changing():
        pass
