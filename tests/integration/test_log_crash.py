"""Killed while the log begins, turns to a new key, is pruned or shredded: it stays whole, and the work can be done again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from support.crash import Kill, in_child
from support.deletion_log import NOW, ORIGIN, delete, written

from retentiond.audit import DeletionLog, LogPlace, open_log, verify_log
from retentiond.errors import AuditError, ConfigurationError

LATE = NOW + timedelta(days=2000)


def begin(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        log.checkpoint(NOW)


def rotate(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        log.rotate(NOW)


def prune(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        log.prune("log@1", lambda at: at < LATE, lambda _fields: False, LATE)


def shred(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        if len(log.epochs) == 1:
            log.rotate(NOW)
        shred_first(log)


def shred_first(log: DeletionLog) -> None:
    try:
        log.shred("2026-1", LATE)
    except ConfigurationError:  # a start before has finished it
        assert "2026-1" not in log.epochs


WORK = {"begin": begin, "rotate": rotate, "prune": prune, "shred": shred}

KILLS = [
    *(("begin", name, nth) for name, nth in [("key-beside", 1), ("appended", 1), ("signed-beside", 1), ("signed", 1)]),
    *(("rotate", name, nth) for name, nth in [("appended", 1), ("epoch-told", 1)]),
    *(("prune", name, nth) for name, nth in [("appended", 1), ("signed-beside", 1), ("prune-signed", 1), ("pruned", 1)]),
    *(
        ("shred", name, nth)
        for name, nth in [
            *(("epoch-told", 1), ("appended", 2), ("signed-beside", 1), ("shredding-signed", 1), ("handles-shredded", 1)),
            *(("kek-made", 1), ("epoch-rewrapped", 1), ("kek-destroyed", 1), ("appended", 3)),
        ]
    ),
]


@pytest.mark.parametrize(("what", "name", "nth"), KILLS)
def test_a_kill_leaves_a_log_that_is_whole_and_the_work_to_be_done_again(tmp_path: Path, what: str, name: str, nth: int) -> None:
    place = LogPlace(tmp_path / "state", None, ORIGIN)
    if what != "begin":
        written(place)
    assert not in_child(lambda: WORK[what](place), Kill(name, nth)), "the failpoint is passed as often as that"
    if what != "begin":
        assert verify_log(place).problems == ()
    WORK[what](place)
    with open_log(place, LATE, "retentiond 0") as log:
        delete(log, "gerda")
        log.checkpoint(LATE)
    assert verify_log(place, full=True).problems == ()


def test_a_key_that_is_lost_with_the_kill_is_told(tmp_path: Path) -> None:
    """The control: what is looked at afterwards can fail."""
    place = LogPlace(tmp_path / "state", None, ORIGIN)
    written(place)
    assert not in_child(lambda: shred(place), Kill("epoch-rewrapped", 1))
    (place.state / "keys" / "kek.next").unlink()
    with pytest.raises(AuditError):
        shred(place)
