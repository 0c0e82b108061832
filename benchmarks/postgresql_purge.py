"""How much does the proof cost? An audited purge on PostgreSQL against a bare batched DELETE of the same rows.

Starts its own PostgreSQL server, fills twin tables, half of each due, and runs in turn

* peer: a loop of `DELETE … WHERE id IN (SELECT … ORDER BY created, id LIMIT 1000)`, one commit a batch, no log;
* ours: `retentiond run` as a process, planning, guards, deletion log, read-back and verification included.

Prints the ratio of the two, and of ours the seconds that its own process reckoned and its peak memory, at a tenth of the rows
and at all of them. On a machine that does something else at the same time only the seconds of its own mean anything.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

Result = TypeVar("Result")
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.services import Server, fresh_postgresql, postgresql_server  # noqa: E402 - found only after the line above

SETTINGS = """\
policies: policies
state: state
origin: benchmark.example/retentiond/purge
guards: {{records: 100000000}}
systems:
  store:
    connector: sql
    connection: {{url: "{url}", copies: []}}
    datasets:
      records:
        table: records
        key: [id]
        dates:
          created: {{column: created, kind: timestamp}}
"""

POLICY = """\
policy: purge
title: {de: Messung, en: benchmark}
purpose: Messung
basis: ["Art. 5(1)(e) GDPR"]
notice: benchmark
zone: Europe/Berlin
valid_from: "2020-01-01"
rules:
  - id: purge.records
    data_kind: {de: Datensätze, en: records}
    categories: [master-data]
    target: {system: store, dataset: records}
    starts: created
    keep_at_least: none
    delete_after: {period: P3Y, counted: day-end}
    action: delete
    limits: {share: 60%, records: 100000000, undatable: 1%}
    approval: rule
"""

FILL = """
CREATE TABLE records (id bigint PRIMARY KEY, name text NOT NULL, mail text NOT NULL, created timestamptz NOT NULL, note text);
INSERT INTO records
SELECT n, 'Name ' || n, 'person' || n || '@example.org',
       now() - interval '6 years' + (n::float8 / {rows}) * interval '6 years', repeat('x', 100)
FROM generate_series(1, {rows}) AS n;
CREATE INDEX records_created ON records (created, id);
ANALYZE records;
"""

BARE = """
DELETE FROM records WHERE id IN (
    SELECT id FROM records WHERE created < now() - interval '3 years' ORDER BY created, id LIMIT 1000)
"""


def main() -> int:
    """Measure and print; status 1 where a purge did not do its work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    serving = postgresql_server.__wrapped__()  # the fixture's own generator
    server = next(serving)
    try:
        peaks = []
        for size in (rows // 10, rows):
            bare = on_fresh_table(server, size, purge_bare)
            ours, reckoning, peak = on_fresh_table(server, size, purge_audited)
            peaks.append(peak)
            print(
                f"{size:>9,} rows, half due: bare {bare:6.1f} s, "
                f"retentiond {ours:6.1f} s ({reckoning:.1f} s of its own), ratio {bare / ours:.3f}, peak {peak:.0f} MB"
            )
        print(f"peak memory at {rows:,} rows against {rows // 10:,}: x {peaks[1] / peaks[0]:.3f}")
    finally:
        serving.close()
    return 0


def on_fresh_table(server: Server, rows: int, purge: Callable[[sa.URL], Result]) -> Result:
    """Fill a table in a new database and have it purged."""
    making = fresh_postgresql(server)
    url = next(making)
    try:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(FILL.format(rows=rows))
            result = purge(url)
            left = connection.exec_driver_sql("SELECT count(*) FROM records").scalar_one()
        if abs(left - rows / 2) > rows / 100:
            raise SystemExit(f"{left:,} of {rows:,} rows are left; half of them should be.")
        return result
    finally:
        making.close()


def purge_bare(url: sa.URL) -> float:
    """Seconds of the bare loop."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        started = time.perf_counter()
        while connection.exec_driver_sql(BARE).rowcount:
            pass
        return time.perf_counter() - started


def purge_audited(url: sa.URL) -> tuple[float, float, float]:
    """Seconds of `retentiond run`, those of them that its process reckoned, and its peak resident memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "policies").mkdir()
        (home / "policies" / "purge.yaml").write_text(POLICY, encoding="utf-8")
        (home / "settings.yaml").write_text(
            SETTINGS.format(url=url.set(drivername="postgresql").render_as_string()), encoding="utf-8"
        )
        program = [str(Path(sys.executable).with_name("retentiond")), "--settings", str(home / "settings.yaml")]
        subprocess.run([*program, "approve", "rule", "purge.records", "--by", "bench"], check=True, stdout=subprocess.DEVNULL)
        started = time.perf_counter()
        process = subprocess.Popen([*program, "run"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"retentiond run ended with {os.waitstatus_to_exitcode(status)}.")
        return seconds, usage.ru_utime + usage.ru_stime, peak_megabytes(usage)


def peak_megabytes(usage: resource.struct_rusage) -> float:
    """Peak resident memory; Linux counts in KiB."""
    return usage.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
