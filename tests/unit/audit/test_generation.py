"""A lost or rolled-back log is refused, and another begun only when told, under another name."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from support.deletion_log import NOW, TARGET, behind_its_back, delete, leaves_of, put, written

from retentiond import failpoint
from retentiond.audit import LogPlace, begin_generation, open_log, read_log, verify_log
from retentiond.errors import AuditError, ConfigurationError

SECOND = "log.example.org/retentiond/second"


def rolled_back(place: LogPlace) -> None:
    written(place)
    with behind_its_back(place) as connection:
        size = connection.execute(sa.text("SELECT size FROM log_checkpoints ORDER BY size LIMIT 1")).scalar_one()
        put(connection, leaves_of(connection)[:size], rehashed=True)
        connection.execute(sa.text("DELETE FROM log_batches WHERE idx >= :size"), {"size": size})
        connection.execute(sa.text("DELETE FROM log_checkpoints WHERE size > :size"), {"size": size})


def test_a_new_log_tells_what_it_follows_and_the_old_one_is_kept(place: LogPlace) -> None:
    rolled_back(place)
    signed = place.last_signed.read_text()
    second = replace(place, origin=SECOND)
    with pytest.raises(AuditError, match="rolled back"), open_log(place, NOW, "retentiond 0"):
        pass
    folder = begin_generation(second)
    with open_log(second, NOW, "retentiond 0") as log:
        delete(log, "gerd")
        log.checkpoint(NOW)
    assert verify_log(second, full=True).problems == ()
    with read_log(second) as log:
        first = log.entry(0).fields
        assert len(log.find(TARGET, ("gerd",))) == 1
    origin, size, _ = signed.split("\n")[:3]
    assert (first["generation"], first["prev_origin"], first["prev_size"]) == (2, origin, int(size))
    assert (folder / "last-signed").read_text() == signed
    assert not (place.state / "next-generation").exists()


def test_a_second_history_is_never_signed_under_the_old_name(place: LogPlace) -> None:
    rolled_back(place)
    with pytest.raises(ConfigurationError, match="no second history"):
        begin_generation(place)
    with pytest.raises(AuditError, match="rolled back"), open_log(place, NOW, "retentiond 0"):
        pass


def test_where_no_log_was_there_is_none_to_follow(place: LogPlace) -> None:
    with pytest.raises(ConfigurationError, match="No log was signed"):
        begin_generation(place)


def test_a_third_generation_follows_the_second(sqlite_place: LogPlace) -> None:
    written(sqlite_place)
    for number in (2, 3):
        place = replace(sqlite_place, origin=f"{SECOND}/{number}")
        assert begin_generation(place).name == f"generation-{number - 1}"
        with open_log(place, NOW, "retentiond 0") as log:
            log.checkpoint(NOW)
        with read_log(place) as reader:
            assert reader.entry(0).fields["generation"] == number


@pytest.mark.parametrize("name", ["generation-marked", "generation-moved"])
@pytest.mark.parametrize("times", range(1, 6))
def test_a_crash_in_between_is_made_good_by_telling_it_again(
    place: LogPlace, name: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(place)
    second = replace(place, origin=SECOND)
    passed = iter(range(1, 100))

    class Crash(BaseException):
        pass

    def crash(now: str) -> None:
        if now == name and next(passed) == times:
            raise Crash

    monkeypatch.setattr(failpoint, "hook", crash)
    try:
        begin_generation(second)
    except Crash:
        monkeypatch.undo()
        if place.last_signed.exists():
            with pytest.raises(AuditError), open_log(second, NOW, "retentiond 0"):
                pass
            begin_generation(second)
    monkeypatch.undo()
    with open_log(second, NOW, "retentiond 0") as log:
        log.checkpoint(NOW)
    with read_log(second) as reader:
        assert reader.entry(0).fields["generation"] == 2
    assert verify_log(second).problems == ()
