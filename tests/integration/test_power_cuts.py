"""The power goes at every moment that matters: whatever the disk kept of what was not synced, no commit is lost or in parts.

The log's own code writes to a disk that is recorded (SQLite's files by an APSW file system, the keys and `last-signed` where
Python makes them durable), and the log's own code opens what each cut leaves. As controls, writers that are known to lose
what they acknowledged have to be found out.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.apsw_driver import ApswConnection, use_apsw
from support.deletion_log import CONFIRMED, NOW, ORIGIN, behind_its_back, delete, intent_of, records_of
from support.powercut import Mark, RecordingVFS, Step, Tape, cuts, lay_out, record_files

from retentiond import database, failpoint
from retentiond.audit import LogPlace, open_log, read_log, verify_log
from retentiond.audit import log as log_module
from retentiond.audit.place import write_beside
from retentiond.errors import RetentiondError
from retentiond.model.record import How, Outcome, OutcomeKind

TORN = int(os.environ.get("TORN", "2"))
"""In how many ways what was not synced is torn, beside being lost and being kept, at each cut."""

PARTS = 2
"""So many tests share the cuts, so that several processes can make them."""

LATE = NOW + timedelta(days=4)
ABSENT = Outcome(OutcomeKind.ALREADY_ABSENT, How.PROBE)

SEED = int(os.environ.get("SEED", "20261125"))


@dataclass
class Recorded:
    """What was written, and the tree over the log at each of its sizes."""

    tape: Tape
    folder: Path
    trees: dict[int, bytes]


@dataclass
class Told:
    """What all the cuts did."""

    cuts: int = 0
    amiss: Counter[str] = field(default_factory=Counter)
    """Cuts after which something was wrong, by what was told."""

    @property
    def lost(self) -> int:
        """Cuts after which an acknowledged commit was gone, noticed by the log or not."""
        return sum(number for what, number in self.amiss.items() if what == LOST or "rolled back" in what or "is empty" in what)

    def __str__(self) -> str:
        return f"{self.cuts} power cuts, {self.amiss.total()} with something amiss: {dict(self.amiss)}"


def place_in(folder: Path) -> LogPlace:
    return LogPlace(folder / "state", None, ORIGIN)


def life(place: LogPlace, _tape: Tape) -> None:
    """A log from its first day on: runs, a crash between, a new epoch, pruning and shredding."""
    with open_log(place, NOW, "retentiond 0") as log:
        log.checkpoint(NOW)
        log.event("hold", NOW, hold="h-1", type="litigation", op="placed", scope_digest="ab" * 32, by="staff-1")
        delete(log, "anna", "bert", "carla")
        delete(log, *(f"record {number}" for number in range(300)))
        log.checkpoint(NOW)
        log.intend(intent_of(), records_of("dora", "emil"), NOW)
    with open_log(place, NOW, "retentiond 0") as log:
        (batch,) = log.open_batches()
        log.conclude(batch, [CONFIRMED, CONFIRMED], NOW, resolved=True)
        log.checkpoint(NOW)
        old = log.epochs[0]
        log.rotate(NOW)
        delete(log, "fritz")
        log.checkpoint(NOW)
        late = NOW + timedelta(days=2000)
        log.prune("log@1", lambda at: at < late, lambda _fields: False, late)
        log.event("hold", late, hold="h-1", type="litigation", op="lifted", scope_digest="ab" * 32, by="staff-1")
        log.shred(old, late)
        delete(log, "gerda")
        log.checkpoint(late)


def recorded(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    living: Callable[[LogPlace, Tape], None],
    unsynced: Callable[[str], bool] = lambda _path: False,
) -> Recorded:
    """Let the log live on a disk that is recorded."""
    folder.mkdir()
    tape, trees = Tape(), {0: b""}
    vfs = RecordingVFS(tape, f"recording-{folder.name}")

    def before(connection: ApswConnection) -> None:
        row = None
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'log_head'").fetchone():
            row = connection.execute("SELECT size, tree FROM log_head").fetchone()
        size, tree = row or (0, b"")
        trees[size] = tree
        tape.add(Mark("committing", size))

    def after(_connection: ApswConnection) -> None:
        tape.add(Mark("committed", next(step.size for step in reversed(tape.steps) if isinstance(step, Mark))))

    with monkeypatch.context() as patch:
        use_apsw(patch, vfs.name, before, after)
        record_files(patch, tape, unsynced)
        living(place_in(folder), tape)
    vfs.unregister()
    return Recorded(tape, folder, trees)


def allowed(steps: list[Step]) -> tuple[int, int]:
    """How many entries have to be there after these steps, and how many may be."""
    marks = [step for step in steps if isinstance(step, Mark)]
    least = max((mark.size for mark in marks if mark.what != "committing"), default=0)
    return least, max((mark.size for mark in marks), default=0)


def cut_everywhere(recording: Recorded, scratch: Path, part: int = 0, parts: int = 1, torn: int = 0) -> Told:
    """Open what each cut leaves with the log's own code, look at it whole, and write on."""
    told = Told()
    for number, _how, files in itertools.islice(cuts(recording.tape, SEED, torn), part, None, parts):
        least, most = allowed(recording.tape.steps[:number])
        told.cuts += 1
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        lay_out(files, recording.folder, scratch)
        try:
            amiss = after_the_cut(place_in(scratch), recording.trees, least, most)
        except RetentiondError as error:
            amiss = str(error).replace(str(scratch), "")
        if amiss:
            told.amiss[amiss] += 1
    return told


LOST = "an acknowledged commit is gone"


def after_the_cut(place: LogPlace, trees: dict[int, bytes], least: int, most: int) -> str | None:
    """What is wrong with a log that was opened again, and written to; None where nothing is."""
    with open_log(place, LATE, "retentiond 0") as log:
        with read_log(place) as reader:
            size = reader.size
        if size < least:
            return LOST
        with behind_its_back(place) as connection:
            tree = connection.execute(sa.text("SELECT tree FROM log_head")).scalar_one()
        if least == most == 0 or (least == 0 and size == 1):
            pass  # nobody was told of anything yet: it may begin anew
        elif size > most or tree != trees.get(size):
            return "something is there that was never written"
        for batch in log.open_batches():
            log.conclude(batch, [ABSENT] * len(batch.records), LATE, resolved=True)
        log.checkpoint(LATE)
        delete(log, "heidi")
        log.checkpoint(LATE)
    return "\n".join(verify_log(place, full=True).problems) or None


@pytest.mark.parametrize("part", range(PARTS))
def test_no_acknowledged_commit_is_lost_or_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    recording = recorded(tmp_path / "life", monkeypatch, life)
    told = cut_everywhere(recording, tmp_path / "cut", part, PARTS, TORN)
    print(told)  # noqa: T201 - the figures
    assert not told.amiss
    assert told.cuts * PARTS >= 400, "a handful of cuts would prove nothing"


def day(place: LogPlace, _tape: Tape) -> None:
    """A log's first day, for the controls."""
    with open_log(place, NOW, "retentiond 0") as log:
        log.checkpoint(NOW)
        for name in ("anna", "bert", "carla"):
            delete(log, name)
        log.checkpoint(NOW)
        log.intend(intent_of(), records_of("dora"), NOW)


def test_a_writer_that_syncs_less_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what SQLite does with `synchronous=NORMAL`, which `open_database` refuses."""
    monkeypatch.setitem(database._WRITER, "synchronous", 1)
    told = cut_everywhere(recorded(tmp_path / "life", monkeypatch, day), tmp_path / "cut", torn=TORN)
    print(told)  # noqa: T201 - the figures
    assert told.lost > told.cuts / 10


def test_a_writer_that_acknowledges_before_it_commits_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(place: LogPlace, tape: Tape) -> None:
        with open_log(place, NOW, "retentiond 0") as log:
            for _ in range(3):
                tape.add(Mark("acknowledged", sizes_of(tape) + 1))
                log.event("approval", NOW, subject="clock", digest="ab" * 32, decision="approved", by="staff-1")

    told = cut_everywhere(recorded(tmp_path / "life", monkeypatch, hasty), tmp_path / "cut")
    assert told.lost > 0


def sizes_of(tape: Tape) -> int:
    return allowed(tape.steps)[0]


@pytest.mark.parametrize(
    ("unsynced", "told_of"),
    [
        (lambda path: path.endswith("/state/.last-signed.part"), "last-signed"),
        (lambda path: path.endswith("/keys/.work.part"), "open batch|damaged"),
        (lambda path: path.endswith("/keys"), "cannot be (used|opened)|no key"),
        (lambda path: path.endswith("/state"), "last-signed|folder of keys"),
    ],
    ids=["signed file", "key of a batch", "folder of keys", "state directory"],
)
def test_a_file_that_is_not_synced_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unsynced: Callable[[str], bool], told_of: str
) -> None:
    told = cut_everywhere(recorded(tmp_path / "life", monkeypatch, day, unsynced), tmp_path / "cut")
    assert any(re.search(told_of, one) for one in told.amiss), told


def test_a_row_that_is_signed_before_the_file_beside_it_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[tuple[Path, str]] = []

    def later(name: str) -> None:
        if name == "signed" and waiting:
            write_beside(*waiting.pop())

    monkeypatch.setattr(log_module, "write_beside", lambda file, text: waiting.append((file, text)))
    monkeypatch.setattr(failpoint, "hook", later)
    recording = recorded(tmp_path / "life", monkeypatch, day)
    monkeypatch.undo()
    told = cut_everywhere(recording, tmp_path / "cut")
    assert any("last-signed" in one for one in told.amiss), told
