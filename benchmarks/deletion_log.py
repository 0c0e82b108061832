"""What does the deletion log cost, and how fast does it answer? Each figure against something bare in the same run.

Writes a log of so many records in a SQLite file, in batches of a thousand, and prints

* writing: intents and conclusions, against bare inserts of the same leaves, one commit a thousand;
* signing: what a checkpoint costs that hashes everything anew, against that writing;
* `verify_log`: against bare hashing of the same leaves into one root, and `full`, which also opens every commitment;
* proving one record: its share of a second, with the log opened and its keys read;
* bytes for each record in all tables and indexes, before and after pruning.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.deletion_log import (  # noqa: E402 - found only after the line above
    CONFIRMED,
    NOW,
    ORIGIN,
    TARGET,
    behind_its_back,
    intent_of,
    leaves_of,
)

from retentiond.audit import DeletionLog, LogPlace, open_log, read_log, verify_log  # noqa: E402 - as above
from retentiond.audit.tree import Range  # noqa: E402 - as above
from retentiond.model.record import RecordRef  # noqa: E402 - as above

BATCH = 1000


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        place = LogPlace(Path(folder) / "state", None, ORIGIN)
        with open_log(place, NOW, "retentiond benchmark") as log:
            writing = timed(lambda: write(log, records))
            signing = timed(lambda: log.checkpoint(NOW))
        with behind_its_back(place) as connection:
            leaves = leaves_of(connection)
        bare = timed(lambda: insert(Path(folder) / "bare.db", leaves))
        print(f"{records:>9,} records: writing {writing:.1f} s, bare inserts {bare:.1f} s, ratio {bare / writing:.3f}")
        print(f"signing, everything hashed anew: {signing / writing:.1%} of writing")
        hashing = timed(lambda: Range().grown(leaves))
        verifying = min(timed(lambda: in_order(place, full=False)) for _ in range(2))
        fully = timed(lambda: in_order(place, full=True))
        print(f"verify: x {verifying / hashing:.2f} of bare hashing, x {fully / hashing:.2f} with --full")
        proving = timed(lambda: prove(place, records // 2))
        print(f"proving one record of {records:,}: {proving:.3f} s")
        print(f"bytes for each record: {size(place) / records:.1f}")
        with open_log(place, NOW, "retentiond benchmark") as log:
            log.prune("benchmark@0", lambda _at: True, lambda _fields: True, NOW)
        vacuum(place)
        print(f"bytes for each record after pruning: {size(place) / records:.1f}")
    return 0


def write(log: DeletionLog, records: int) -> None:
    """As a run does, but for the act."""
    for start in range(0, records, BATCH):
        some = [RecordRef((str(n),), fingerprint="f" * 64, identity=(f"2019-{n}",)) for n in range(start, start + BATCH)]
        batch = log.intend(intent_of(), some, NOW)
        log.conclude(batch, [CONFIRMED] * len(some), NOW)


def insert(file: Path, leaves: Sequence[bytes]) -> None:
    """The same leaves as rows, kept as durably."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE leaves (idx INTEGER PRIMARY KEY, leaf)"
    )
    for start in range(0, len(leaves), BATCH):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO leaves (leaf) VALUES (?)", [(leaf,) for leaf in leaves[start : start + BATCH]])
        connection.execute("COMMIT")
    connection.close()


def in_order(place: LogPlace, *, full: bool) -> None:
    """Verify, and stop where anything is amiss."""
    if verify_log(place, full=full).problems:
        raise SystemExit("The log does not verify.")


def prove(place: LogPlace, number: int) -> None:
    """The proofs of one record, from opening the log on."""
    with read_log(place) as log:
        (outcome,) = log.find(TARGET, (str(number),))
        log.proof(outcome.index)
        log.proof(int(outcome.fields["i"]))
        log.find_openings(TARGET, (str(number),), [outcome])


def size(place: LogPlace) -> int:
    """Bytes of the log's database, its write-ahead log included."""
    return sum(file.stat().st_size for file in place.state.glob("log.db*"))


def vacuum(place: LogPlace) -> None:
    """Give free pages back, so that the file tells what is in it."""
    connection = sqlite3.connect(place.state / "log.db", isolation_level=None)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
