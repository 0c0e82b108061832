"""A run that is asked to stop finishes the batch in hand, and the next one goes on from there."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from support.program import OLD, PROGRAM, open_office

MANY = 4000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_leaves_no_batch_in_doubt_and_the_next_finishes(tmp_path: Path, number: signal.Signals) -> None:
    office = open_office(tmp_path, [(f"{place:05}", OLD) for place in range(MANY)], batch_size=10)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    process = subprocess.Popen(
        [*PROGRAM, "run", "--json"], env=office.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with closing(sqlite3.connect(f"file:{tmp_path}/office.db?mode=ro", uri=True, timeout=60)) as connection:
        while process.poll() is None:
            (left,) = connection.execute("SELECT count(*) FROM letters").fetchone()
            if left < MANY:
                process.send_signal(number)
                break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert '"status": "interrupted"' in out
    assert "batch in hand" in err
    left = len(office.letters())
    assert 0 < left < MANY
    assert left % 10 == 0

    found = office.json("audit", "verify")
    assert (found["trustworthy"], found["open_batches"]) == (True, 0)
    run = office.json("run")
    assert run["reconciled"] == []
    assert run["steps"][0]["outcomes"] == {"confirmed": left}
    assert office.letters() == []
