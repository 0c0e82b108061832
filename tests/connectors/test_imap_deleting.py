"""Deleting on a real Dovecot: exactly what was asked for, whatever others do in the same mailbox meanwhile."""

from __future__ import annotations

import imaplib
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.dovecot import PASSWORD, Dovecot
from support.imap_world import ImapWorld, message

from retentiond.connector import Action, Answered, ConnectorError, OutcomeUnknownError, Presence, TransientConnectorError
from retentiond.testing.acting import said
from retentiond.testing.world import Bench
from retentiond_imap.fetched import read_messages

DELETE, BLOCK = Action.DELETE, Action.BLOCK
OLD = datetime(2020, 3, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
def world(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImapWorld]:
    monkeypatch.setenv("KIT_IMAP_PASSWORD", PASSWORD)
    made = ImapWorld(dovecot)
    try:
        yield made
        assert made.forbidden() == []
    finally:
        made.close()


def put_raw(world: ImapWorld, text: bytes, *, folder: str = "INBOX", flags: str = "", received: datetime = OLD) -> None:
    done, _ = world.truth.append(f'"{folder}"', f"({flags})", imaplib.Time2Internaldate(received), text)
    assert done == "OK"


def texts(world: ImapWorld, *folders: str) -> Counter[bytes]:
    """How often each message is there, in these folders together."""
    found: Counter[bytes] = Counter()
    for folder in folders or ("INBOX",):
        world.truth.select(f'"{folder}"', readonly=True)
        _, told = world.truth.uid("FETCH", "1:*", "(BODY.PEEK[])")
        found.update(part[1] for part in told if isinstance(part, tuple))
    return found


def flags_of(world: ImapWorld) -> list[set[str]]:
    """The flags of each message in INBOX."""
    world.truth.select("INBOX", readonly=True)
    _, told = world.truth.uid("FETCH", "1:*", "(FLAGS)")
    lines = [part.decode() for part in told if isinstance(part, bytes)]
    return [set(re.findall(r"FLAGS \(([^)]*)\)", line)[0].split()) - {"\\Recent"} for line in lines]


def test_what_somebody_else_marked_as_deleted_stays(world: ImapWorld) -> None:
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2, 3))
    world._flag(refs[1].key, "\\Deleted")
    before = world.content(refs[1].key)
    assert said(bench.act(DELETE, [refs[0]])) == [Answered.DONE]
    assert world.content(refs[1].key) == before
    with bench.reader() as reader:
        reader.count()
    assert world.all_keys() == {refs[1].key, refs[2].key}


def test_a_message_that_was_marked_before_is_deleted_when_it_is_due(world: ImapWorld) -> None:
    bench = Bench(world)
    (ref,) = bench.refs(bench.put(1))
    world._flag(ref.key, "\\Deleted")
    assert said(bench.act(DELETE, [ref])) == [Answered.DONE]
    assert world.all_keys() == set()


def test_without_uidplus_nothing_is_deleted_and_the_preflight_says_why(world: ImapWorld, dovecot: Dovecot) -> None:
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2))
    world.connection = {**world.connection, "host": "127.0.0.1", "port": _poor(world, dovecot)}
    before = bench.snapshot()
    with pytest.raises(ConnectorError, match="lacks UIDPLUS"):
        bench.act(DELETE, refs)
    with pytest.raises(ConnectorError, match="lacks MOVE"):
        bench.act(BLOCK, refs)
    assert bench.snapshot() == before
    with bench.reader() as reader:
        assert [finding.refuses for finding in reader.preflight(DELETE)] == [True]
        assert any("MOVE" in finding.what and finding.refuses for finding in reader.preflight(BLOCK))


def _poor(world: ImapWorld, dovecot: Dovecot) -> int:
    world.wire._server = ("127.0.0.3", dovecot.port)
    return world.wire.port


def test_the_same_message_twice_in_a_folder_is_one_record_of_two_rows(world: ImapWorld) -> None:
    bench = Bench(world)
    keys = bench.put(1, 1, 2)
    assert keys[0] == keys[1]
    refs = bench.find()
    assert [(ref.key, ref.rows) for ref in refs] == [(keys[0], 2), (keys[2], 1)]
    (answer,) = bench.act(DELETE, [refs[0]])
    assert (answer.said, answer.rows) == (Answered.DONE, 2)
    assert world.all_keys() == {keys[2]}


def test_of_two_messages_under_one_name_the_younger_date_counts(world: ImapWorld) -> None:
    bench = Bench(world)
    for day in (1, 9):
        put_raw(world, message(day, f"Date: {day} Mar 2020 09:00:00 +0000", message_id="<same@kit.example>"))
    (ref,) = bench.find()
    assert ref.dates["sent"] == datetime(2020, 3, 9, 9, tzinfo=UTC)
    assert ref.rows == 2


def test_messages_under_one_name_received_at_other_times_are_two_records(world: ImapWorld) -> None:
    bench = Bench(world)
    for day in (1, 9):
        text = message(1, f"Date: {day} Mar 2020 09:00:00 +0000", message_id="<same@kit.example>", body=f"{day}")
        put_raw(world, text, received=OLD + timedelta(days=day))
    refs = bench.find()
    assert [ref.rows for ref in refs] == [1, 1]
    assert said(bench.act(DELETE, refs[:1])) == [Answered.DONE]
    assert [text[-1:] for text in texts(world)] == [b"9"]


def test_a_message_without_a_name_is_found_and_deleted_like_any_other(world: ImapWorld) -> None:
    bench = Bench(world)
    for number in (1, 2):
        put_raw(world, f"Date: {number} Mar 2020 09:00:00 +0000\r\nFrom: x@example.com\r\n\r\nNo name.".encode())
    refs = bench.find()
    assert said(bench.act(DELETE, refs[:1])) == [Answered.DONE]
    assert bench.find() == refs[1:]
    assert sum(texts(world).values()) == 1


def test_a_message_that_was_moved_to_another_folder_has_changed_and_stays(world: ImapWorld) -> None:
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2))
    world.truth.create("Kept")
    world.truth.select("INBOX")
    world.truth._simple_command("MOVE", "1", "Kept")
    assert said(bench.act(DELETE, refs)) == [Answered.CHANGED, Answered.DONE]
    assert sum(texts(world, "Kept").values()) == 1


def test_a_folder_that_is_none_of_ours_to_read_stops_nothing(world: ImapWorld, dovecot: Dovecot) -> None:
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2))
    world.truth.create("Private")
    acl = dovecot.folder / "homes" / world.user / "mail" / "mailboxes" / "Private" / "dbox-Mails" / "dovecot-acl"
    acl.write_text(f"user={world.user} l\n")
    world.remove(refs[0].key)
    assert said(bench.act(DELETE, refs)) == [Answered.NOT_FOUND, Answered.DONE]


def test_a_copy_in_another_folder_stays(world: ImapWorld) -> None:
    bench = Bench(world)
    refs = bench.refs(bench.put(1))
    world.truth.create("Kept")
    world.truth.select("INBOX")
    world.truth.copy("1", "Kept")
    assert said(bench.act(DELETE, refs)) == [Answered.DONE]
    assert bench.present(refs) == [Presence.ABSENT]
    assert sum(texts(world, "Kept").values()) == 1
    assert any(copy.lives is None for copy in world.connector.copies(bench.connection, bench.options))


def test_a_folder_that_was_made_anew_deletes_no_stranger_under_an_old_number(world: ImapWorld) -> None:
    """UIDVALIDITY changes, and the UID that our message had is somebody else's now."""
    world.truth.create("Archive")
    world.folder = "Archive"
    world.options["folders"] = ["Archive"]
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2))
    world.truth.select("INBOX")
    world.truth.delete("Archive")
    world.truth.create("Archive")
    stranger = world.put(77, OLD)
    world.put(1, bench.moment(1))
    assert bench.present(refs) == [Presence.PRESENT, Presence.ABSENT]
    assert said(bench.act(DELETE, refs)) == [Answered.DONE, Answered.NOT_FOUND]
    assert world.all_keys() == {stranger}


def test_a_mark_that_comes_in_the_last_moment_saves_the_message(world: ImapWorld) -> None:
    """After the last look, and before our mark: it is seen, ours is taken back, and nothing is expunged."""
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2))

    def interfere(line: bytes) -> bool:
        if b"+FLAGS" in line:
            world.wire.stumbles = lambda _line: False
            world._flag(refs[0].key, "archived")
        return False

    world.wire.stumbles = interfere
    assert said(bench.act(DELETE, refs)) == [Answered.CHANGED, Answered.DONE]
    assert flags_of(world) == [{"archived"}]


@pytest.mark.parametrize("command", [rb"\S+ UID STORE", rb"\S+ UID FETCH \S+ \(FLAGS\)", rb"\S+ UID EXPUNGE", rb"\S+ UID MOVE"])
def test_a_connection_that_breaks_in_the_act_leaves_a_doubt(world: ImapWorld, command: bytes) -> None:
    bench = Bench(world)
    action = BLOCK if b"MOVE" in command else DELETE
    refs = bench.refs(bench.put(1, 2), action)
    world.wire.lose_answer(re.compile(command))
    with pytest.raises(OutcomeUnknownError):
        bench.act(action, refs)


@pytest.mark.parametrize("command", [rb"\S+ LOGIN", rb"\S+ LIST", rb"\S+ SELECT", rb"\S+ UID (SEARCH|FETCH)"])
def test_a_connection_that_breaks_before_the_act_can_be_tried_again(world: ImapWorld, command: bytes) -> None:
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2))
    before = bench.snapshot()
    world.wire.lose_answer(re.compile(command))
    with pytest.raises(TransientConnectorError):
        bench.act(DELETE, refs)
    assert bench.snapshot() == before


@pytest.mark.parametrize("rights", ["lr", "lrs", "lrw", "lrwt"])
def test_a_folder_without_the_rights_refuses_the_act(world: ImapWorld, dovecot: Dovecot, rights: str) -> None:
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2))
    acl = dovecot.folder / "homes" / world.user / "mail" / "mailboxes" / "INBOX" / "dbox-Mails" / "dovecot-acl"
    acl.write_text(f"user={world.user} {rights}\n")
    before = bench.snapshot()
    try:
        codes = {answer.code for answer in bench.act(DELETE, refs)}
    except ConnectorError as error:
        codes = {error.code}
    assert codes <= {"forbidden", "refused"}
    assert bench.snapshot() == before
    with bench.reader() as reader:
        assert [finding.of_rights for finding in reader.preflight(DELETE)] == [True]


def test_a_message_that_the_server_does_not_tell_about_is_an_error_and_not_absent(
    world: ImapWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(world)
    refs = bench.refs(bench.put(1, 2))
    monkeypatch.setattr("retentiond_imap.session.read_messages", lambda answer: read_messages(answer)[1:])
    with bench.reader() as reader, pytest.raises(ConnectorError) as caught:
        reader.present(refs)
    assert caught.value.code == "unreadable"
    with pytest.raises(ConnectorError):
        bench.act(DELETE, refs)


def test_what_another_data_set_has_blocked_is_no_part_of_this_one(world: ImapWorld) -> None:
    for place in ("Archive", "Archive/Restricted", "Archive/Restricted/INBOX"):
        world.truth.create(place)
    world.options = {"folders": ["Archive/*", "Archive"], "dates": {"received": {"from": "received"}}}
    world.beside = [
        {"folders": ["INBOX"], "dates": {"received": {"from": "received"}}, "block": {"folder": "Archive/Restricted"}}
    ]
    world.instant, world.day = "received", None
    put_raw(world, message(1), folder="Archive/Restricted/INBOX")
    put_raw(world, message(2), folder="Archive")
    assert [ref.key[:2] for ref in Bench(world).find()] == [("Archive", "<2@kit.example>")]


@pytest.fixture
def two(world: ImapWorld) -> ImapWorld:
    """A message in each of two folders of the data set, Archive before INBOX in the order of work."""
    world.truth.create("Archive")
    world.options = {**world.options, "folders": ["INBOX", "Archive"]}
    world.put(1, OLD)
    put_raw(world, message(2, "Date: 1 Mar 2020 09:00:00 +0000"), folder="Archive")
    return world


@pytest.mark.parametrize("action", [DELETE, BLOCK])
@pytest.mark.parametrize("closed", ["INBOX", "Archive"])
def test_a_folder_that_refuses_stops_no_other(two: ImapWorld, dovecot: Dovecot, action: Action, closed: str) -> None:
    bench = Bench(two)
    refs = bench.find(awaiting=action)
    acl = dovecot.folder / "homes" / two.user / "mail" / "mailboxes" / closed / "dbox-Mails" / "dovecot-acl"
    acl.write_text(f"user={two.user} lr\n")
    answers = {ref.key[0]: answer for ref, answer in zip(refs, bench.act(action, refs), strict=True)}
    other = ({"INBOX", "Archive"} - {closed}).pop()
    assert (answers[closed].said, answers[other].said) == (Answered.FAILED, Answered.DONE)
    assert (sum(texts(two, closed).values()), sum(texts(two, other).values())) == (1, 0)


@pytest.mark.parametrize("command", [rb"\S+ SELECT", rb"\S+ UID FETCH", rb"\S+ UID SEARCH"])
def test_a_connection_that_breaks_after_the_first_folder_leaves_a_doubt(two: ImapWorld, command: bytes) -> None:
    bench = Bench(two)
    refs = bench.find()

    def later(line: bytes) -> bool:
        if b" UID EXPUNGE " in line:
            two.wire.lose_answer(re.compile(command))
        return False

    two.wire.stumbles = later
    with pytest.raises(OutcomeUnknownError):
        bench.act(DELETE, refs)
    assert sum(texts(two, "Archive").values()) == 0


PLACES = ("INBOX", "Archive/2019", "Archive/2020", "Kept")


@pytest.fixture
def folders(world: ImapWorld) -> ImapWorld:
    for place in PLACES[1:]:
        world.truth.create(place)
    world.options = {
        "folders": ["INBOX", "Archive/*"],
        "unmarked": ["needed"],
        "dates": {"received": {"from": "received"}},
    }
    world.beside = []
    world.instant, world.day = "received", None
    return world


MAILS = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        st.sampled_from(("<a@x>", "<b@x>", '<it\'s "odd"@x>', "")),
        st.integers(0, 3),
        st.sets(st.sampled_from(("\\Deleted", "\\Seen", "needed")), max_size=2),
        st.integers(0, 2),
    ),
    max_size=10,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mails=MAILS, chosen=st.sets(st.integers(0, 9)))
def test_exactly_the_chosen_records_go(folders: ImapWorld, mails: list[Any], chosen: set[int]) -> None:
    """Whatever lies where, under one name or none, and whoever marked what: each message that was not chosen stays."""
    world, bench = folders, Bench(folders)
    for place in PLACES:
        world.truth.select(f'"{place}"')
        world.truth.uid("STORE", "1:*", "+FLAGS.SILENT", "(\\Deleted)")
        world.truth.expunge()
    for place, name, day, flags, body in mails:
        head = f"Message-ID: {name}\r\n" if name else ""
        text = f"{head}X-Day: {day}\r\nX-Place: {place}\r\nX-Needed: {'needed' in flags}\r\n\r\n{body}".encode()
        put_raw(world, text, folder=place, flags=" ".join(flags), received=OLD + timedelta(days=day))
    before = texts(world, *PLACES)
    refs = bench.find()
    going = [ref for number, ref in enumerate(refs) if number in chosen]
    assert set(said(bench.act(DELETE, going))) <= {Answered.DONE}
    after = texts(world, *PLACES)
    gone = before - after
    assert after - before == Counter()
    assert sum(gone.values()) == sum(ref.rows for ref in going)
    assert all(b"X-Needed: False" in text and b"X-Place: Kept" not in text for text in gone)
    assert bench.present(refs) == [Presence.ABSENT if ref in going else Presence.PRESENT for ref in refs]


def test_a_thousand_messages_over_several_folders_go_and_as_many_stay(
    folders: ImapWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = folders
    monkeypatch.setattr(world, "told", lambda moment: ([], [], moment))
    for place in PLACES:
        world.folder = place
        world.put_many([OLD + timedelta(hours=number) for number in range(500)])
    bench = Bench(world)
    due = bench.before(OLD + timedelta(hours=333, minutes=1))
    with bench.reader() as reader:
        assert reader.count() == 1500
        for page in reader.find(due, DELETE):
            assert set(said(bench.act(DELETE, page))) == {Answered.DONE}
            assert set(reader.present(page)) == {Presence.ABSENT}
        assert reader.count() == 1500 - 1002
    assert sum(texts(world, "Kept").values()) == 500
