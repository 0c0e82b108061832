"""Documents whose dates stand in a sidecar: what is read, what is left alone, and what goes with them."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from connectors.files_support import LONG_AGO, TARGET, cutoff, files_world
from connectors.sidecar_support import SOURCE, Archive, archive, give_to_nobody, put
from pydantic import ValidationError
from support.nobody import as_nobody

from retentiond.connector import (
    Action,
    Answer,
    Answered,
    ConnectorError,
    Cutoff,
    How,
    Moment,
    Offer,
    OutcomeUnknownError,
    Presence,
    RecordRef,
    subject,
)
from retentiond_files import bundleacts, connector
from retentiond_files.bundles import Survey, survey
from retentiond_files.dataset import Dataset
from retentiond_files.options import FilesConnection, FilesOptions
from retentiond_files.pointer import at, parsed


@pytest.fixture
def world(tmp_path: Path) -> Archive:
    return archive(tmp_path)


def test_each_date_of_a_document_is_told_by_its_sidecar_and_never_by_the_file(world: Archive) -> None:
    world.voucher(
        "a.pdf", issued_on="2025-12-30", closed="2026-03-01T10:00:00+02:00", dunning=3, customer={"email": "A@B.example "}
    )
    [ref] = world.due()
    assert ref.dates == {"issued_on": date(2025, 12, 30), "closed_at": datetime(2026, 3, 1, 8, tzinfo=UTC)}
    assert ref.facts == {"dunning": 3}
    assert ref.subjects == {subject("email", "a@b.example")}
    assert (ref.key, ref.rows, ref.blocked) == (("a.pdf",), 2, False)
    assert world.find(Cutoff("issued_on", datetime(2300, 1, 1, tzinfo=UTC), date(2025, 12, 30))) == []
    assert world.find(Cutoff("closed_at", datetime(2026, 3, 1, 8, 0, 1, tzinfo=UTC), date(1980, 1, 1))) == [ref]


def test_what_a_data_set_offers_is_what_its_sidecars_tell() -> None:
    options = FilesOptions.model_validate({"include": ["*"], "record": "file", "source": SOURCE})
    connection = FilesConnection.model_validate({"root": "/srv/x"})
    assert connector.offer(connection, options) == Offer(
        frozenset({"issued_on", "closed_at"}), frozenset({Action.DELETE}), frozenset({"dunning"}), frozenset({"email"})
    )


@pytest.mark.parametrize(
    ("kind", "written", "moment"),
    [
        ("day", "2025-02-28", date(2025, 2, 28)),
        ("day", "2025-02-29", None),
        ("day", "20250228", None),
        ("day", "2025-W09-5", None),
        ("day", "28.02.2025", None),
        ("day", "2025-02-28T00:00:00Z", None),
        ("day", "٢٠٢٥-02-28", None),
        ("day", " 2025-02-28", None),
        ("day", "", None),
        ("day", None, None),
        ("day", 20250228, None),
        ("day", True, None),
        ("day", ["2025-02-28"], None),
        ("instant", "2025-02-28T10:00:00Z", datetime(2025, 2, 28, 10, tzinfo=UTC)),
        ("instant", "2025-02-28 10:00:00+01:00", datetime(2025, 2, 28, 9, tzinfo=UTC)),
        ("instant", "2025-02-28T10:00Z", datetime(2025, 2, 28, 10, 0, 59, tzinfo=UTC)),
        ("instant", "2025-02-28T10:00:00.123Z", datetime(2025, 2, 28, 10, 0, 0, 123_000, tzinfo=UTC)),
        ("instant", "2025-02-28T10:00:00.999999001Z", datetime(2025, 2, 28, 10, 0, 1, tzinfo=UTC)),
        ("instant", "2025-02-28T10:00:00", datetime(2025, 2, 28, 9, tzinfo=UTC)),
        ("instant", "2025-10-26T02:30:00", datetime(2025, 10, 26, 1, 30, tzinfo=UTC)),
        ("instant", "2025-02-28", None),
        ("instant", "2025-02-30T10:00:00Z", None),
        ("instant", "2025-02-28T10:00:00+25:00", None),
        ("instant", "0001-01-01T00:00:00+10:00", None),
        ("instant", "9999-12-31T23:59:59-10:00", None),
        ("instant", "9999-12-31T23:59:59.9999999Z", None),
        ("instant", 1740736800, None),
    ],
)
@pytest.mark.usefixtures("far_from_utc")
def test_a_date_that_is_not_told_plainly_is_unknown(tmp_path: Path, kind: str, written: object, moment: Moment | None) -> None:
    world = archive(
        tmp_path, dates={"it": {"at": "/it", "kind": kind}, "other": {"at": "/x", "kind": "instant"}}, zone="Europe/Berlin"
    )
    world.tell("a.pdf", it=written)
    ref = world.explain("a.pdf")
    assert ref is not None
    assert ref.dates["it"] == moment


def test_an_instant_without_offset_is_unknown_where_no_zone_is_declared(world: Archive) -> None:
    world.voucher("a.pdf", closed="2025-02-28T10:00:00")
    assert world.unknown("closed_at") == ["a.pdf"]


@pytest.mark.parametrize(
    "sidecar",
    [
        b"",
        b"{",
        b"[]",
        b'"2010-01-01"',
        b"null",
        b'{"issued_on": "2010-01-01"} {}',
        b'{"issued_on": "2010-01-01", "issued_on": "2030-01-01"}',
        b'{"customer": {"email": "a", "email": "b"}, "issued_on": "2010-01-01"}',
        b'{"issued_on": "2010-01-01", "x": "\xff"}',
        b"[" * 100_000,
        b'{"issued_on": "2010-01-01", "x": "' + b"x" * (1 << 20) + b'"}',
        b'{"issued_on": "2010-01-01"}' + b" " * (1 << 20),
        b'{"issued_on": "2010-01-01", "x": ' + b"9" * 5000 + b"}",
    ],
)
def test_an_unreadable_sidecar_makes_an_undated_record_and_no_empty_answer(world: Archive, sidecar: bytes) -> None:
    world.voucher("good.pdf", customer={"email": "anna@person.example"})
    put(world.root / "bad.pdf", b"x")
    put(world.root / "bad.pdf.json", sidecar)
    assert [ref.key for ref in world.due()] == [("good.pdf",)]
    assert world.unknown() == ["bad.pdf"]
    assert world.count() == 2
    [finding] = [one for one in world.preflight() if "no JSON object" in one.what]
    assert finding.what.startswith("1 sidecars")
    person = subject("email", "anna@person.example")
    assert person is not None
    found = world.about(person)
    assert next(found).key == ("good.pdf",)
    with pytest.raises(ConnectorError, match="nobody knows whom their documents are about") as caught:
        next(found)
    assert caught.value.code == "unreadable"
    assert "anna" not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "clear"),
    [
        ({"email": "Anna@person.example"}, True),
        ({"email": ["x@y.example", None, "anna@person.example"]}, True),
        ({"email": None}, True),
        ({}, True),
        (None, True),
        ({"email": {"work": "anna@person.example"}}, False),
        ({"email": 1.5}, False),
        ({"email": [True]}, False),
    ],
)
def test_whom_a_document_is_about_is_told_by_texts_and_lists_of_them(world: Archive, told: Any, clear: bool) -> None:
    world.voucher("a.pdf", customer=told)
    person = subject("email", "anna@person.example")
    assert person is not None
    if not clear:
        with pytest.raises(ConnectorError):
            list(world.about(person))
        return
    found = [ref.key for ref in world.about(person)]
    assert found == ([("a.pdf",)] if "nna@person.example" in json.dumps(told) else [])


def test_a_document_without_a_sidecar_is_listed_and_never_touched(world: Archive) -> None:
    world.voucher("told.pdf")
    put(world.root / "untold.pdf", b"x")
    assert [ref.key for ref in world.due()] == [("told.pdf",)]
    assert world.unknown() == ["untold.pdf"]
    ref = world.explain("untold.pdf")
    assert ref is not None
    assert world.delete([ref]) == [Answer.changed()]
    assert world.block([ref]) == [Answer.changed()]
    assert "root/untold.pdf" in world.there()
    assert any(one.what.startswith("1 documents") and not one.refuses for one in world.preflight())


def test_a_sidecar_without_its_document_is_the_record_until_it_goes(world: Archive) -> None:
    world.voucher("a.pdf", "a.pdf.txt")
    (world.root / "a.pdf").unlink()
    [ref] = world.due()
    assert (ref.key, ref.rows) == (("a.pdf",), 2)
    assert world.explain("a.pdf") == ref
    assert world.present([ref]) == [Presence.PRESENT]
    assert world.count() == 1
    assert any(one.what.startswith("1 sidecars") and "have no document" in one.what for one in world.preflight())
    assert world.delete([ref]) == [Answer.done(How.UNLINK, 2)]
    assert world.present([ref]) == [Presence.ABSENT]
    assert world.there() == []


def test_what_was_derived_from_a_document_goes_with_it_and_nothing_else_does(world: Archive) -> None:
    world.settings["include"] = ["**"]
    world.voucher("in/a.pdf", "in/a.pdf.txt", "in/thumbs/a.pdf.png")
    world.voucher("in/ab.pdf", "in/ab.pdf.txt")
    put(world.root / "in/a.pdf.txt.bak", b"x")
    [due, _] = world.due()
    assert (due.key, due.rows, world.count()) == (("in/a.pdf",), 4, 3)
    assert world.unknown() == ["in/a.pdf.txt.bak"]
    assert world.explain("in/a.pdf.txt") is None
    assert world.explain("in/a.pdf.json") is None
    assert world.delete([due]) == [Answer.done(How.UNLINK, 4)]
    assert world.there() == ["root/in/a.pdf.txt.bak", "root/in/ab.pdf", "root/in/ab.pdf.json", "root/in/ab.pdf.txt"]


def test_a_pattern_for_parts_leads_nowhere_that_the_documents_do_not(tmp_path: Path) -> None:
    world = archive(tmp_path)
    world.settings["include"] = ["in/*.pdf"]
    world.voucher("in/a.pdf", "in/thumbs/a.pdf.png")
    put(world.root / "out/thumbs/a.pdf.png", b"x")
    (world.root / "out").chmod(0)
    give_to_nobody(world)
    assert as_nobody(world.root, lambda: [ref.rows for ref in world.due()] == [3] and world.count() == 1)


@pytest.mark.parametrize("exclude", [["**/*.json"], ["**/thumbs"], ["**/*.txt", "**/*.json", "thumbs"]])
def test_an_excluded_name_is_no_document_and_goes_with_its_own_all_the_same(world: Archive, exclude: list[str]) -> None:
    world.settings |= {"include": ["**"], "exclude": exclude}
    world.voucher("a.pdf", "a.pdf.txt", "thumbs/a.pdf.png")
    (world.root / "a.pdf").unlink()
    [due] = world.due()
    assert world.delete([due])[0].said is Answered.DONE
    assert world.there() == []


@pytest.mark.parametrize(
    "told",
    [
        {"issued_on": "2011-01-01"},
        {"issued_on": "2010-01-01", "dunning": 4},
        {"issued_on": "2010-01-01", "customer": {"email": "z@b.example"}},
    ],
)
def test_a_date_fact_or_person_that_changed_is_noticed_even_where_inode_size_and_mtime_are_the_same(
    world: Archive, told: dict[str, Any]
) -> None:
    before: dict[str, Any] = {"issued_on": "2010-01-01", "dunning": 3, "customer": {"email": "a@b.example"}}
    world.voucher("a.pdf", **before)
    due = world.due()
    inode = (world.root / "a.pdf.json").stat().st_ino
    world.tell("a.pdf", **before | told)
    assert (world.root / "a.pdf.json").stat().st_ino == inode
    for act in (world.delete, world.block):
        assert act(due) == [Answer.changed()]
    assert world.there() == ["root/a.pdf", "root/a.pdf.json"]


@pytest.mark.parametrize("name", ["a.pdf", "a.pdf.json"])
def test_a_document_or_sidecar_that_was_written_anew_is_left_alone(world: Archive, name: str) -> None:
    world.voucher("a.pdf")
    due = world.due()
    os.utime(world.root / name, (1, 1))
    for act in (world.delete, world.block):
        assert act(due) == [Answer.changed()]
    assert world.present(due) == [Presence.PRESENT]


@pytest.mark.parametrize("name", ["a.pdf", "a.pdf.txt", "thumbs/a.pdf.png", "a.pdf.json"])
@pytest.mark.parametrize(
    ("trouble", "answer"),
    [
        ("link", Answer.failed("unsupported")),
        ("symlink", Answer.changed()),
        ("written", Answer.failed("refused")),
        ("directory", Answer.changed()),
    ],
)
def test_one_file_in_the_way_and_none_of_the_record_is_touched(world: Archive, name: str, trouble: str, answer: Answer) -> None:
    world.voucher("a.pdf", "a.pdf.txt", "thumbs/a.pdf.png")
    due = world.due()
    file = world.root / name
    held = None
    match trouble:
        case "link":
            os.link(file, world.root / "elsewhere")
        case "symlink":
            file.rename(world.root / "elsewhere")
            file.symlink_to(world.root / "elsewhere")
        case "directory":
            file.unlink()
            file.mkdir()
        case _:
            held = file.open("ab")
    before = world.there()
    for act in (world.delete, world.block):
        assert act(due) == [answer]
    if held is not None:
        held.close()
    assert world.there() == before
    assert world.present(due) == [Presence.PRESENT]


@pytest.mark.parametrize("settings", [{"live": ["a.pdf"]}, {"quiet_minutes": 10_000_000}])
def test_a_live_document_is_left_alone_with_all_that_belongs_to_it(world: Archive, settings: dict[str, Any]) -> None:
    world.settings |= settings
    world.voucher("a.pdf")
    assert world.delete(world.due()) == [Answer.failed("refused")]
    assert world.there() == ["root/a.pdf", "root/a.pdf.json"]


@pytest.mark.parametrize("name", ["a.pdf", "a.pdf.txt", "a.pdf.json"])
def test_what_changes_in_the_last_moment_is_noticed_before_anything_goes(
    world: Archive, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.voucher("a.pdf", "a.pdf.txt")
    due = world.due()

    def meanwhile(*_: object) -> bool:
        file = world.root / name
        put(file, file.read_bytes() + b" and more")
        return False

    monkeypatch.setattr(bundleacts, "is_live", meanwhile)
    for act in (world.delete, world.block):
        assert act(due) == [Answer.changed()]
    assert world.there() == ["root/a.pdf", "root/a.pdf.json", "root/a.pdf.txt"]


def test_a_sidecar_that_changes_while_it_is_listed_tells_nothing(world: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it tells now is not what it told when inode, size and mtime were seen, so the two would make no fingerprint."""
    world.voucher("a.pdf")

    def meanwhile(dataset: Dataset) -> Survey:
        found = survey(dataset)
        world.tell("a.pdf", issued_on="2010-01-02", more=1)
        return found

    monkeypatch.setattr("retentiond_files.bundlereader.survey", meanwhile)
    assert world.due() == []
    assert world.unknown() == ["a.pdf"]


def test_what_lies_astray_under_the_name_is_never_told_as_gone(world: Archive) -> None:
    world.voucher("a.pdf")
    due = world.due()
    (world.root / "a.pdf.json").unlink()
    (world.root / "a.pdf").rename(world.root.parent / "outside")
    (world.root / "a.pdf").symlink_to(world.root.parent / "outside")
    assert world.present(due) == [Presence.PRESENT]
    assert world.explain("a.pdf") is None


def test_a_document_that_was_renamed_is_not_told_as_deleted_with_its_sidecar(world: Archive) -> None:
    world.voucher("a.pdf")
    due = world.due()
    (world.root / "a.pdf").rename(world.root / "b.pdf")
    assert world.delete(due) == [Answer.changed()]
    (world.root / "a.pdf.json").rename(world.root / "b.pdf.json")
    assert world.delete(due) == [Answer.changed()]
    assert world.present(due) == [Presence.PRESENT]
    assert world.there() == ["root/b.pdf", "root/b.pdf.json"]


@pytest.mark.parametrize(
    ("parts", "files", "keys"),
    [
        (["{stem}.txt"], ["a.pdf", "a.pdf.json", "a.wav", "a.wav.json", "a.txt"], ["a.pdf", "a.wav"]),
        (["{name}.pdf"], ["a", "a.json", "a.pdf", "a.pdf.json"], ["a", "a.pdf"]),
        ([], ["a", "a.json", "a.json.json"], ["a", "a.json"]),
    ],
)
def test_a_file_that_could_belong_to_two_records_goes_with_neither(
    tmp_path: Path, parts: list[str], files: list[str], keys: list[str]
) -> None:
    world = archive(tmp_path, parts=parts)
    world.settings["include"] = ["**"]
    for name in files:
        put(world.root / name, b'{"issued_on": "2010-01-01"}')
    due = world.due()
    assert [ref.key[0] for ref in due] == keys
    for act in (world.delete, world.block):
        assert act(due) == [Answer.failed("referenced")] * 2
    assert len(world.there()) == len(files)
    assert any(one.what.startswith("2 records") and "share a file" in one.what for one in world.preflight())


def test_a_waveform_that_ends_like_a_sidecar_goes_with_its_recording(tmp_path: Path) -> None:
    world = archive(tmp_path, parts=["{stem}.wav.json"])
    world.settings["include"] = ["*.mp3"]
    world.voucher("call.1.mp3", "call.1.wav.json")
    assert world.count() == 1
    assert world.delete(world.due()) == [Answer.done(How.UNLINK, 3)]
    assert world.there() == []


def test_a_part_that_comes_later_is_within_reach_until_it_is_blocked_too(world: Archive) -> None:
    world.voucher("a.pdf")
    assert world.block(world.due(Action.BLOCK))[0].said is Answered.DONE
    assert world.due(Action.BLOCK) == []
    put(world.root / "thumbs/a.pdf.png", b"x")
    late = world.due(Action.BLOCK)
    assert world.present(late) == [Presence.PRESENT]
    assert world.block(late) == [Answer.done(How.UNLINK)]
    assert world.present(late) == [Presence.BLOCKED]
    assert world.there() == ["blocked/a.pdf", "blocked/a.pdf.json", "blocked/thumbs/a.pdf.png"]
    assert (world.blocked / "thumbs").stat().st_mode & 0o777 == 0o700


def test_a_name_that_is_taken_in_both_places_is_left_alone_and_told(world: Archive) -> None:
    world.voucher("a.pdf")
    world.block(world.due())
    world.voucher("a.pdf")
    due = world.due()
    for act in (world.delete, world.block):
        assert act(due) == [Answer.failed("constraint")]
    assert len(world.there()) == 4
    assert any(one.refuses and "in use again" in one.what for one in world.preflight())


def test_what_refuses_midway_is_in_doubt_and_stops_no_other(world: Archive) -> None:
    for name in ("a", "b", "c"):
        world.voucher(f"{name}.pdf", *(["thumbs/b.pdf.png"] if name == "b" else []))
    due = world.due()
    give_to_nobody(world)
    (world.root / "thumbs").chmod(0o500)

    def ask() -> bool:
        with pytest.raises(
            OutcomeUnknownError, match="1 records of webserver/access-log are gone from their place in part"
        ) as caught:
            world.delete(due)
        return ".pdf" not in str(caught.value)

    assert as_nobody(world.root, ask)
    assert world.there() == ["root/b.pdf.json", "root/thumbs/b.pdf.png"]
    assert world.present(due) == [Presence.ABSENT, Presence.PRESENT, Presence.ABSENT]
    (world.root / "thumbs").chmod(0o700)
    assert world.delete(world.due()) == [Answer.done(How.UNLINK, 2)]


def test_a_sidecar_that_may_not_be_read_is_an_error_and_not_nothing_due(world: Archive) -> None:
    world.voucher("Erika.pdf")
    (world.root / "Erika.pdf.json").chmod(0)
    give_to_nobody(world)

    def ask() -> bool:
        for look in (world.due, world.unknown, lambda: world.explain("Erika.pdf")):
            with pytest.raises(ConnectorError, match="cannot be read: Permission denied") as caught:
                look()
            if "Erika" in str(caught.value) or caught.value.code != "forbidden":
                return False
        return any(one.refuses and "Permission denied" in one.what for one in world.preflight())

    assert as_nobody(world.root, ask)


@pytest.mark.parametrize(
    "key", ["../a.pdf", "a.pdf.json", "/etc/passwd.pdf", "a.pdf\0", "", "thumbs/a.pdf.png", "x" * 300 + ".pdf"]
)
def test_a_key_that_is_no_documents_leads_nowhere(world: Archive, key: str) -> None:
    world.voucher("a.pdf", "thumbs/a.pdf.png")
    [due] = world.due()
    asked = RecordRef((key,), due.dates, "")
    assert world.delete([asked]) == [Answer.not_found()]
    assert world.explain(key) is None
    assert len(world.there()) == 3


def test_the_longest_name_has_no_sidecar_and_is_undated(world: Archive) -> None:
    name = "n" * 250 + ".pdf"
    put(world.root / name, b"x")
    assert world.unknown() == [name]
    ref = world.explain(name)
    assert ref is not None
    assert world.present([ref]) == [Presence.PRESENT]
    assert world.delete([ref]) == [Answer.changed()]


def test_nothing_of_a_record_is_shown(world: Archive) -> None:
    world.voucher("Mustermann.pdf", customer={"email": "mustermann@person.example"}, dunning="Mustermann")
    put(world.root / "Mustermann-2.pdf", b"x")
    world.tell("Mustermann-3.pdf")
    told = repr(world.due()) + repr(world.preflight()) + repr(world.delete(world.due()))
    assert "mustermann" not in told.lower()


def test_files_dated_otherwise_keep_their_fingerprints(tmp_path: Path) -> None:
    """An approved plan, and the log of what was done, tell of them by these very digests."""
    files = files_world(tmp_path)
    state = files.write("a", b"x").stat()
    stamp = hashlib.sha256(f"{state.st_ino} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:32]
    [ref] = files.find()
    assert ref.fingerprint == stamp + hashlib.sha256(str(LONG_AGO).encode()).hexdigest()[:32]


def test_an_open_reader_reads_a_sidecar_once_and_anew_when_it_changed(world: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    world.voucher("a.pdf")
    reads: list[int] = []
    real = os.pread

    def watched(handle: int, most: int, place: int) -> bytes:
        reads.append(place)
        return real(handle, most, place)

    monkeypatch.setattr(os, "pread", watched)
    with connector.reader(world.connection, world.options, TARGET) as reader:
        for _ in range(3):
            assert len([*reader.find(cutoff(by="issued_on"), Action.DELETE)]) == 1
        assert len(reads) == 2  # its content, and its end
        world.tell("a.pdf")
        assert [*reader.find(cutoff(by="issued_on"), Action.DELETE)] == []


FILES = {"include": ["*"], "record": "file"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": {"from": "sidecar"}}, "Field required"),
        ({"source": {"from": "sidecar", "dates": {}}}, "at least 1 item"),
        ({"source": SOURCE, "record": "line"}, "records of lines need source"),
        ({"source": SOURCE, "date": "issued_on"}, "leave out date"),
        ({"source": SOURCE, "identity": "mtime"}, "say identity: key"),
        ({"source": {**SOURCE, "dates": {"Issued": "/x"}}}, "must be a word"),
        ({"source": {**SOURCE, "dates": {"it": "issued_on"}}}, "JSON pointer"),
        ({"source": {**SOURCE, "dates": {"it": ""}}}, "JSON pointer"),
        ({"source": {**SOURCE, "dates": {"it": "/a~2"}}}, "JSON pointer"),
        ({"source": {**SOURCE, "dates": {"it": {"at": "/x", "kind": "month"}}}}, "'day' or 'instant'"),
        ({"source": {**SOURCE, "dates": {"it": "/x"}, "zone": "Europe/Berlin"}}, "only where a date has kind: instant"),
        ({"source": {**SOURCE, "zone": "Europe/Bärlin"}}, "no IANA time zone"),
        ({"source": {**SOURCE, "subjects": {"E-Mail": ["/x"]}}}, "small letters"),
        ({"source": {**SOURCE, "subjects": {"email": []}}}, "at least 1 item"),
        ({"source": {**SOURCE, "suffix": ""}}, "added to a document's name"),
        ({"source": {**SOURCE, "suffix": "/x"}}, "added to a document's name"),
        ({"source": {**SOURCE, "suffix": "."}}, "added to a document's name"),
        ({"source": {**SOURCE, "parts": ["thumb.png"]}}, r"\{name\} or \{stem\} once"),
        ({"source": {**SOURCE, "parts": ["{name}{stem}"]}}, r"\{name\} or \{stem\} once"),
        ({"source": {**SOURCE, "parts": ["{name}/a.png"]}}, r"\{name\} or \{stem\} once"),
        ({"source": {**SOURCE, "parts": ["{date}.png"]}}, r"\{name\} or \{stem\} once"),
        ({"source": {**SOURCE, "parts": ["../{name}.png"]}}, "relative to the document"),
        ({"source": {**SOURCE, "parts": ["/x/{name}.png"]}}, "relative to the document"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FilesOptions.model_validate({**FILES, **options})


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/a/b", 1),
        ("/a/x", None),
        ("/l/1", "y"),
        ("/l/01", None),
        ("/l/2", None),
        ("/l/-", None),
        ("/~0~1", 2),
        ("/", 3),
        ("/a/b/c", None),
    ],
)
def test_a_pointer_leads_to_one_place_or_nowhere(pointer: str, value: object) -> None:
    assert at({"a": {"b": 1}, "l": ["x", "y"], "~/": 2, "": 3}, parsed(pointer)) == value
