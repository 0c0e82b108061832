from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from connectors.files_support import LONG_AGO, TARGET, World, cutoff, hours, leftovers, line, lines_world
from hypothesis import given
from hypothesis import settings as sizes
from hypothesis import strategies as st

from retentiond.connector import Action, Answer, Answered, How, Presence
from retentiond_files import connector


@pytest.fixture
def world(tmp_path: Path) -> World:
    root = tmp_path / "logs"
    root.mkdir()
    return lines_world(root)


def test_a_record_is_the_lines_of_one_hour_dated_by_the_newest(world: World) -> None:
    first = datetime(2025, 1, 10, 5, 1, tzinfo=UTC)
    world.write("access.log", [line(first), line(first + timedelta(minutes=58)), line(first + timedelta(hours=1))])
    refs = world.find()
    assert [(ref.key, ref.dates, ref.rows) for ref in refs] == [
        (("access.log", "2025-01-10T05Z"), {"entry": first + timedelta(minutes=58)}, 2),
        (("access.log", "2025-01-10T06Z"), {"entry": first + timedelta(hours=1)}, 1),
    ]
    assert world.count() == 2


def test_lines_are_found_strictly_before_the_cutoff_and_oldest_first_over_all_files(world: World) -> None:
    at = hours(6)
    world.write("b.log", [line(at[4]), line(at[0])])
    world.write("deep/er/a.log", [line(at[2]), line(at[5])])
    world.write("c.log.gz", [line(at[1]), line(at[3])])
    found = [ref.dates["entry"] for ref in world.find(cutoff(at[4]))]
    assert found == at[:4]
    assert [ref.dates["entry"] for ref in world.find(cutoff(at[4] + timedelta(microseconds=1)))] == at[:5]


def test_another_date_than_the_offered_one_finds_nothing_and_leaves_everything_undated(world: World) -> None:
    world.write("a.log", [line(at) for at in hours(3)])
    assert world.find(cutoff(by="written")) == []


def test_deleting_drops_exactly_the_lines_wherever_they_stand(world: World) -> None:
    at = hours(3)
    lines = [line(at[1], "a"), line(at[0], "b"), line(at[2], "c"), line(at[0], "d"), line(at[1], "e")]
    path = world.write("access.log", lines)
    due = world.find(cutoff(at[1]))
    assert world.delete(due) == [Answer.done(How.UNLINK, 2)]
    assert path.read_bytes() == lines[0] + lines[2] + lines[4]
    assert world.present(due) == [Presence.ABSENT]
    assert leftovers(world.root) == []


def test_a_second_delete_of_the_same_records_finds_nothing(world: World) -> None:
    path = world.write("access.log", [line(at) for at in hours(4)])
    due = world.find(cutoff(hours(4)[2]))
    world.delete(due)
    left = path.read_bytes()
    assert world.delete(due) == [Answer.not_found(), Answer.not_found()]
    assert path.read_bytes() == left


def test_a_traceback_goes_and_stays_with_the_line_above_it(world: World) -> None:
    at = hours(2)
    old = [line(at[0]), b"Traceback (most recent call last):\n", b'  File "x.py"\n', line(at[0])]
    young = [line(at[1]), b"  caused by\n", line(at[1])]
    path = world.write("app.log", old + young)
    due = world.find(cutoff(at[1]))
    assert [ref.rows for ref in due] == [4]
    world.delete(due)
    assert path.read_bytes() == b"".join(young)


def test_lines_without_a_date_may_be_as_young_as_the_next_one_that_has_one(world: World) -> None:
    """Be it a traceback or the lines of another format: what is not known to be old does not go."""
    at = [datetime(2025, 1, day, tzinfo=UTC) for day in (1, 14, 15)]
    path = world.write("app.log", [line(at[0]), b'{"time": "2025-01-13"}\n', line(at[1]), line(at[2])])
    assert world.find(cutoff(at[1])) == []
    due = world.find(cutoff(at[2]))
    assert [ref.dates["entry"] for ref in due] == [at[1], at[1]]
    world.delete(due)
    assert path.read_bytes() == line(at[2])


def test_lines_with_nothing_dated_above_are_listed_as_undated_and_stay(world: World) -> None:
    path = world.write("app.log", [b"# head\n", b"# of the file\n", line(hours(1)[0])])
    undated = world.undated()
    assert [(ref.key, ref.dates, ref.rows) for ref in undated] == [(("app.log", "undated"), {"entry": None}, 2)]
    assert world.count() == 2
    world.delete(world.find())
    assert path.read_bytes() == b"# head\n# of the file\n"


def test_an_undated_record_is_left_alone_even_when_asked_for(world: World) -> None:
    path = world.write("app.log", b"no date\n")
    before = path.read_bytes()
    assert world.delete(world.undated()) == [Answer.changed()]
    assert path.read_bytes() == before


def test_a_long_run_without_dates_is_no_traceback_and_is_undated(world: World) -> None:
    at = hours(2)
    other_format = [b'{"no": "date"}\n'] * 1001
    path = world.write("app.log", [line(at[0]), *other_format, line(at[1]), b"last\n"])
    assert [(ref.key[1], ref.rows) for ref in world.undated()] == [("undated", 1001)]
    world.delete(world.find(cutoff(at[1])))
    assert path.read_bytes() == b"".join([*other_format, line(at[1]), b"last\n"])


def test_lines_after_the_last_dated_one_may_be_as_young_as_the_file(world: World) -> None:
    old = datetime(2025, 1, 10, tzinfo=UTC)
    world.write("app.log", [line(old), b"who knows when\n"], written=LONG_AGO)
    assert [ref.dates["entry"] for ref in world.find()] == [LONG_AGO]


@pytest.mark.parametrize(
    "odd",
    [b"caf\xe9 \xff\xfe\n", b"nul \x00 byte\n", b"crlf\r\n", b"x" * 3_000_000 + b"\n", b"\n", b"\xef\xbb\xbfbom\n"],
    ids=["latin-1", "nul", "crlf", "long", "empty", "bom"],
)
def test_bytes_pass_through_untouched(world: World, odd: bytes) -> None:
    at = hours(2)
    kept = [line(at[1]), odd, line(at[1])]
    for name in ("a.log", "b.log.gz"):
        path = world.write(name, [line(at[0]), *kept])
        assert {answer.said for answer in world.delete(world.find(cutoff(at[1])))} == {Answered.DONE}
        data = path.read_bytes()
        assert (gzip.decompress(data) if name.endswith(".gz") else data) == b"".join(kept)
        path.unlink()


@pytest.mark.parametrize("last_goes", [True, False])
def test_a_missing_last_line_break_stays_missing(world: World, last_goes: bool) -> None:
    at = hours(2) if not last_goes else hours(2)[::-1]
    path = world.write("a.log", line(at[0]) + line(at[1]).removesuffix(b"\n"))
    world.delete(world.find(cutoff(max(at))))
    assert path.read_bytes() == (line(at[0]) if last_goes else line(at[1]).removesuffix(b"\n"))


def test_a_file_whose_last_line_went_stays_empty(world: World) -> None:
    for name in ("a.log", "b.log.gz"):
        world.write(name, [line(at) for at in hours(3)])
    world.delete(world.find())
    assert (world.root / "a.log").read_bytes() == b""
    assert gzip.decompress((world.root / "b.log.gz").read_bytes()) == b""
    assert (world.count(), world.undated()) == (0, [])


def test_a_file_whose_last_line_went_is_deleted_where_the_options_say_so(world: World) -> None:
    world.settings["when_empty"] = "delete"
    world.write("a.log", [line(at) for at in hours(3)])
    refs = world.find()
    assert [answer.said for answer in world.delete(refs)] == [Answered.DONE] * 3
    assert list(world.root.iterdir()) == []
    assert world.present(refs) == [Presence.ABSENT] * 3


def test_each_file_is_rewritten_once_for_a_whole_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("a.log", [line(at) for at in hours(20)])
    world.write("b.log", [line(at) for at in hours(20)])
    flushed: list[int] = []
    real = os.fsync

    def watched(handle: int) -> None:
        flushed.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", watched)
    world.delete(world.find())
    assert len(flushed) == 4, "two files and twice their directory"


def test_gzip_of_several_members_is_read_and_written_whole(world: World) -> None:
    at = hours(3)
    path = world.write("a.log.gz", b"")
    path.write_bytes(b"".join(gzip.compress(line(one)) for one in at))
    os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    assert world.count() == 3
    world.delete(world.find(cutoff(at[1])))
    assert gzip.decompress(path.read_bytes()) == line(at[1]) + line(at[2])


@pytest.mark.parametrize("harm", ["torn", "broken", "plain"])
def test_a_gzip_that_cannot_be_read_is_listed_and_never_touched(world: World, harm: str) -> None:
    path = world.write("a.log.gz", [line(at, os.urandom(40).hex()) for at in hours(500)])
    data = bytearray(path.read_bytes())
    match harm:
        case "torn":
            data = data[: len(data) // 2]
        case "broken":
            data[len(data) // 2] ^= 0xFF
        case "plain":
            data = bytearray(line(hours(1)[0]))
    path.write_bytes(data)
    world.write("b.log", [line(hours(1)[0])])
    assert [ref.key for ref in world.undated()] == [("a.log.gz", "unreadable")]
    assert [ref.key[0] for ref in world.find()] == ["b.log"]
    assert world.count() == 2
    assert [answer.said for answer in world.delete(world.find() + world.undated())] == [Answered.DONE, Answered.FAILED]
    assert path.read_bytes() == data
    assert world.present(world.undated()) == [Presence.PRESENT]


def test_a_gzip_torn_between_finding_and_acting_fails_alone(world: World) -> None:
    path = world.write("a.log.gz", [line(at, os.urandom(40).hex()) for at in hours(500)])
    world.write("b.log", [line(hours(1)[0])])
    due = world.find(cutoff(hours(2)[1]))
    torn = path.read_bytes()[:2000]
    path.write_bytes(torn)
    os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    assert dict(zip([ref.key[0] for ref in due], world.delete(due), strict=True)) == {
        "a.log.gz": Answer.failed("unreadable"),
        "b.log": Answer.done(How.UNLINK, 1),
    }
    assert path.read_bytes() == torn
    assert dict(zip([ref.key[0] for ref in due], world.present(due), strict=True)) == {
        "a.log.gz": Presence.PRESENT,
        "b.log": Presence.ABSENT,
    }


def test_a_line_beyond_all_measure_makes_its_file_unreadable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retentiond_files.lines.LONGEST", 1000)
    world.write("a.log", [line(hours(1)[0]), b"x" * 1001 + b"\n"])
    assert [ref.key[1] for ref in world.undated()] == ["unreadable"]


def test_a_file_that_came_to_hold_gzip_under_a_plain_name_is_read_as_such(world: World) -> None:
    path = world.write("a.log", gzip.compress(line(hours(1)[0])))
    assert world.count() == 1
    world.delete(world.find())
    assert gzip.decompress(path.read_bytes()) == b""


def test_the_explained_record_is_the_found_one(world: World) -> None:
    world.write("deep/access.log", [line(at) for at in hours(3)])
    for ref in world.find():
        assert world.explain(*ref.key) == ref
    assert world.explain("deep/access.log", "2031-01-01T00Z") is None
    assert world.explain("deep/none.log", "2025-01-10T00Z") is None
    assert world.explain("../logs/deep/access.log", "2025-01-10T00Z") is None


def test_every_file_system_name_has_a_key_that_is_plain_text(world: World) -> None:
    names = [b"caf\xe9.log", b"caf\xc3\xa9.log", b"back\\xe9slash.log", b"new\nline.log", b"at@2025-01-10T00Z", b" ", b"%s{}"]
    for name in names:
        world.write(os.fsdecode(name), [line(hours(1)[0])])
    refs = world.find()
    assert len({ref.key for ref in refs}) == len(names)
    assert all("/".join(ref.key).encode() for ref in refs)
    assert [answer.said for answer in world.delete(refs)] == [Answered.DONE] * len(names)
    assert world.count() == 0


def test_equal_lines_of_two_files_are_two_records(world: World) -> None:
    for name in ("a.log", "b.log"):
        world.write(name, [line(hours(1)[0])])
    with connector.reader(world.connection, world.options, TARGET) as reader:
        due = [ref for page in reader.find(cutoff(), Action.DELETE) for ref in page]
        assert world.delete(due[:1])[0].said is Answered.DONE
        assert reader.present(due) == [Presence.ABSENT, Presence.PRESENT]


def test_a_search_keeps_its_order_while_what_it_found_is_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retentiond_files.reader.PAGE", 7)
    world.write("a.log", [line(at) for at in hours(100)])
    world.write("b.log", [line(at) for at in hours(100)])
    seen = 0
    with connector.reader(world.connection, world.options, None) as reader:  # type: ignore[arg-type] # no message is made
        for page in reader.find(cutoff(), Action.DELETE):
            seen += len(page)
            assert {answer.said for answer in world.delete(page)} == {Answered.DONE}
            assert set(reader.present(page)) == {Presence.ABSENT}
    assert (seen, world.count()) == (200, 0)


LINES = st.lists(
    st.one_of(
        st.integers(0, 30).map(
            lambda hour: (hour, line(datetime(2025, 1, 10, tzinfo=UTC) + timedelta(hours=hour, minutes=hour)))
        ),
        st.binary(max_size=12).filter(lambda text: b"\n" not in text).map(lambda text: (None, text + b"\n")),
        st.just((None, b"  at somewhere\r\n")),
    ),
    max_size=40,
)


@given(lines=LINES, border=st.integers(0, 31), zipped=st.booleans(), bare=st.booleans())
@sizes(max_examples=60)
def test_exactly_the_expected_lines_remain_in_order_and_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[int | None, bytes]], border: int, zipped: bool, bare: bool
) -> None:
    world = lines_world(tmp_path_factory.mktemp("logs"))
    texts = [text for _, text in lines]
    if bare and texts:
        texts[-1] = texts[-1].removesuffix(b"\n")
    written = datetime(2025, 1, 10, tzinfo=UTC)
    name = "a.log.gz" if zipped else "a.log"
    path = world.write(name, texts, written)
    hours_of: list[int | None] = []
    for hour, _ in lines:
        hours_of.append(hours_of[-1] if hour is None and hours_of else hour)
    newest: dict[int | None, int] = {}
    bound = -1  # behind the last dated line the mtime counts, which here is as old as any
    for (hour, _), above in zip(lines[::-1], hours_of[::-1], strict=True):
        bound = 61 * hour if hour is not None else bound  # in minutes
        newest[above] = max(newest.get(above, bound), bound)
    expected = [text for text, above in zip(texts, hours_of, strict=True) if above is None or newest[above] >= 60 * border]
    due = world.find(cutoff(datetime(2025, 1, 10, tzinfo=UTC) + timedelta(hours=border)))
    assert {answer.said for answer in world.delete(due)} <= {Answered.DONE}
    data = path.read_bytes()
    assert (gzip.decompress(data) if zipped else data) == b"".join(expected)
