"""Deleting and blocking behind Proton Bridge, played by a fake that other clients drive, too."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import imapclient
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.bridge import STARRED, TRASH, WHOLE
from support.bridge_world import ASIDE, PASSWORD, BridgeWorld
from support.imap_world import message

from retentiond.connector import Action, Answered, ConnectorError, OutcomeUnknownError, Presence
from retentiond.testing.acting import said
from retentiond.testing.world import Bench, Key

DELETE, BLOCK = Action.DELETE, Action.BLOCK
OLD = datetime(2020, 3, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[BridgeWorld]:
    monkeypatch.setenv("KIT_IMAP_PASSWORD", PASSWORD)
    made = BridgeWorld()
    made.options["folders"] = ["INBOX", "Folders/*", "Sent", "Archive"]
    made.bridge.folders += ["Folders/Clients", "Labels/Keep-6", "Labels/resolved-2020-02-02"]
    try:
        yield made
        assert list(made.forbidden()) == []
    finally:
        made.close()


def put(world: BridgeWorld, number: int, *labels: str, flags: tuple[str, ...] = ()) -> Key:
    return (world.bridge.add(message(number, "From: x@example.com"), OLD, *labels, flags=flags).name,)


@pytest.fixture(params=["IMAPClient", "imaplib"])
def client(request: pytest.FixtureRequest, world: BridgeWorld) -> Iterator[Any]:
    """A client of another maker, logged in, that speaks as its user would."""
    if request.param == "imaplib":
        plain = imaplib.IMAP4("127.0.0.1", world.bridge.port)
        plain.login("office@example.com", PASSWORD)
        yield plain
        plain.logout()
    else:
        with imapclient.IMAPClient("127.0.0.1", world.bridge.port, ssl=False) as rich:
            rich.login("office@example.com", PASSWORD)
            yield rich


def naive_delete(client: Any) -> None:
    """What a script does that was written for other servers: mark everything in INBOX, and expunge."""
    if isinstance(client, imaplib.IMAP4):
        client.select("INBOX")
        client.uid("STORE", "1:*", "+FLAGS", "(\\Deleted)")
        client.expunge()
    else:
        client.select_folder("INBOX")
        client.delete_messages(client.search())
        client.expunge()


def seen_in(client: Any, folder: str) -> int:
    """How many messages a client sees in a folder."""
    if isinstance(client, imaplib.IMAP4):
        client.select(f'"{folder}"', readonly=True)
        return len(client.uid("SEARCH", None, "ALL")[1][0].split())  # type: ignore[arg-type]
    client.select_folder(folder, readonly=True)
    return len(client.search())


def test_a_naive_delete_leaves_the_message_in_all_mail_and_ours_leaves_nothing(world: BridgeWorld, client: Any) -> None:
    put(world, 1, "INBOX")
    naive_delete(client)
    assert (seen_in(client, "INBOX"), seen_in(client, WHOLE)) == (0, 1)

    put(world, 2, "INBOX")
    bench = Bench(world)
    (ref,) = bench.find()
    assert said(bench.act(DELETE, [ref])) == [Answered.DONE]
    assert (seen_in(client, "INBOX"), seen_in(client, TRASH), seen_in(client, WHOLE)) == (0, 0, 1)
    assert ref.key[0] not in world.bridge.mails


def test_a_naive_delete_out_of_trash_is_stopped_by_a_label_and_ours_is_not(world: BridgeWorld) -> None:
    (name,) = put(world, 1, "INBOX", "Labels/Keep-6", flags=("\\Flagged",))
    with imapclient.IMAPClient("127.0.0.1", world.bridge.port, ssl=False) as rich:
        rich.login("office@example.com", PASSWORD)
        rich.select_folder("INBOX")
        rich.move(rich.search(), TRASH)
        rich.select_folder(TRASH)
        rich.delete_messages(rich.search())
        rich.expunge()
    assert name in world.bridge.mails
    world.bridge.mails[name].labels = {"INBOX", "Labels/Keep-6"}

    bench = Bench(world)
    assert said(bench.act(DELETE, bench.find())) == [Answered.DONE]
    assert world.bridge.mails == {}


@pytest.mark.parametrize("late", [0, 1, 7, 40])
def test_what_shows_late_is_waited_for(world: BridgeWorld, late: int) -> None:
    keys = [
        put(world, 1, "INBOX"),
        put(world, 2, "Folders/Clients", "Labels/Keep-6", "Labels/archived"),
        put(world, 3, "Sent", flags=("\\Flagged",)),
        put(world, 4, "Archive", "Labels/Keep-6"),
    ]
    stays = put(world, 5, "INBOX", "Labels/Keep-6")
    bench = Bench(world)
    refs = [ref for ref in bench.find() if ref.key in keys]
    world.bridge.late = late
    assert said(bench.act(DELETE, refs)) == [Answered.DONE] * 4
    assert world.all_keys() == {stays}
    assert bench.present(refs) == [Presence.ABSENT] * 4


def test_what_never_shows_is_a_doubt_and_not_done(world: BridgeWorld) -> None:
    put(world, 1, "INBOX")
    bench = Bench(world)
    refs = bench.find()
    world.bridge.keeps.add(refs[0].key[0])
    with pytest.raises(OutcomeUnknownError, match="All Mail"):
        bench.act(DELETE, refs)
    assert bench.present(refs) == [Presence.PRESENT]


@pytest.mark.parametrize("late", [0, 5])
def test_an_expunge_that_is_refused_half_way_tells_each_message_truly(world: BridgeWorld, late: int) -> None:
    keys = [put(world, number, "INBOX") for number in range(5)]
    bench = Bench(world)
    refs = bench.refs(keys)
    world.bridge.sticks.add(keys[2][0])
    world.bridge.late = late
    answers = said(bench.act(DELETE, refs))
    assert answers[:3] == [Answered.DONE, Answered.DONE, Answered.FAILED]
    there = [Answered.FAILED if key in world.all_keys() else Answered.DONE for key in keys]
    assert answers == there
    assert world.bridge.deleted[TRASH] == set()


def test_new_numbers_between_finding_and_deleting_delete_no_stranger(world: BridgeWorld) -> None:
    due = put(world, 1, "INBOX")
    bench = Bench(world)
    refs = bench.find()
    strangers = {put(world, number, "INBOX", "Labels/Keep-6") for number in range(2, 9)}
    world.bridge.synchronise_anew()
    assert said(bench.act(DELETE, refs)) == [Answered.DONE]
    assert world.all_keys() == strangers
    assert due not in strangers


def test_new_numbers_in_the_middle_of_deleting_stop_it(world: BridgeWorld) -> None:
    """Bridge numbers anew after our look and before our move: what the old numbers name now is not touched."""
    put(world, 1, "INBOX")
    others = [put(world, number, "INBOX") for number in range(2, 9)]
    bench = Bench(world)
    refs = bench.find()[:1]

    def anew(line: bytes) -> bool:
        if b" SELECT " in line:
            world.wire.stumbles = lambda _line: False
            world.bridge.synchronise_anew()
        return False

    world.wire.stumbles = anew
    assert said(bench.act(DELETE, refs)) == [Answered.FAILED]
    assert world.all_keys() == {refs[0].key, *others} - set()
    assert {tuple(mail.labels) for mail in world.bridge.mails.values()} == {("INBOX",)}


def test_a_message_that_no_folder_holds_goes_out_of_all_mail(world: BridgeWorld) -> None:
    world.options["folders"] = [WHOLE]
    put(world, 1)
    put(world, 2, "Labels/Keep-6")
    world.options["block"] = None
    world.beside = []
    bench = Bench(world)
    assert said(bench.act(DELETE, bench.find())) == [Answered.DONE] * 2
    assert world.bridge.mails == {}


def test_drafts_and_trash_are_deleted_where_they_lie(world: BridgeWorld) -> None:
    world.options["folders"] = ["Drafts", TRASH, STARRED]
    put(world, 1, "Drafts")
    put(world, 2, TRASH, "Labels/Keep-6")
    put(world, 3, "INBOX", flags=("\\Flagged",))
    stays = put(world, 4, "INBOX")
    bench = Bench(world)
    assert said(bench.act(DELETE, bench.find())) == [Answered.DONE] * 3
    assert world.all_keys() == {stays}


def test_what_others_marked_in_trash_stays(world: BridgeWorld) -> None:
    other = put(world, 9, TRASH)
    world.bridge.deleted[TRASH] = {other[0]}
    put(world, 1, "INBOX")
    bench = Bench(world)
    assert said(bench.act(DELETE, bench.find())) == [Answered.DONE]
    assert world.all_keys() == {other}


def test_a_delete_that_was_cut_short_goes_on_from_trash(world: BridgeWorld) -> None:
    put(world, 1, "INBOX")
    bench = Bench(world)
    refs = bench.find()
    world.lose_answer()
    with pytest.raises(OutcomeUnknownError):
        bench.act(DELETE, refs)
    assert bench.present(refs) == [Presence.PRESENT]
    assert said(bench.act(DELETE, refs)) == [Answered.DONE]
    assert world.bridge.mails == {}


@pytest.mark.parametrize(("hidden", "told"), [(WHOLE, "All Mail"), (TRASH, "no Trash")])
def test_without_all_mail_or_trash_nothing_is_done(world: BridgeWorld, hidden: str, told: str) -> None:
    put(world, 1, "INBOX")
    bench = Bench(world)
    refs = bench.find()
    world.bridge.hidden.add(hidden)
    before = bench.snapshot()
    with bench.reader() as reader:
        assert [finding.refuses for finding in reader.preflight(DELETE) if told in finding.what] == [True]
    with pytest.raises(ConnectorError, match=told):
        bench.act(DELETE, refs)
    assert bench.snapshot() == before


@pytest.mark.parametrize("lacking", ["UIDPLUS", "MOVE"])
def test_without_a_capability_nothing_is_done(world: BridgeWorld, lacking: str) -> None:
    put(world, 1, "INBOX")
    bench = Bench(world)
    refs = bench.find()
    world.bridge.capabilities = world.bridge.capabilities.replace(lacking, "IDLE")
    with pytest.raises(ConnectorError, match=lacking):
        bench.act(DELETE, refs)
    with bench.reader() as reader:
        assert any(lacking in finding.what and finding.refuses for finding in reader.preflight(DELETE))


def test_a_server_that_is_no_bridge_is_told(world: BridgeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    put(world, 1, "INBOX")
    monkeypatch.setattr("support.bridge.Mail.whole", lambda mail: mail.text)
    with pytest.raises(ConnectorError, match="flavour: plain"):
        Bench(world).find()


def test_a_bridge_that_is_taken_for_a_plain_server_deletes_nothing(world: BridgeWorld) -> None:
    put(world, 1, "INBOX")
    world.connection = {**world.connection, "flavour": "plain"}
    bench = Bench(world)
    before = bench.snapshot()
    with pytest.raises(ConnectorError, match="flavour: proton"):
        bench.act(DELETE, bench.find())
    assert bench.snapshot() == before


def test_another_server_with_a_folder_of_all_mail_is_refused_even_where_it_is_hidden(world: BridgeWorld) -> None:
    put(world, 1, "INBOX")
    world.connection = {**world.connection, "flavour": "plain"}
    world.bridge.hidden.add(WHOLE)
    world.bridge.capabilities += " X-GM-EXT-1"
    bench = Bench(world)
    with bench.reader() as reader:
        assert any("folder of all mail" in finding.what and finding.refuses for finding in reader.preflight(DELETE))
    with pytest.raises(ConnectorError, match="other servers of this kind"):
        bench.act(DELETE, bench.find())


def test_a_label_is_a_keyword_and_tells_a_date(world: BridgeWorld) -> None:
    world.options["dates"] = {"resolved_on": {"from": "keyword", "prefix": "resolved-"}, "received": {"from": "received"}}
    world.options["unmarked"] = ["Keep-6"]
    due = put(world, 1, "INBOX", "Labels/resolved-2020-02-02")
    put(world, 2, "INBOX", "Labels/resolved-2020-02-02", "Labels/Keep-6")
    bench = Bench(world)
    (ref,) = bench.find()
    assert ref.key == due
    assert str(ref.dates["resolved_on"]) == "2020-02-02"
    assert said(bench.act(DELETE, [ref])) == [Answered.DONE]


def test_a_labelled_message_is_not_blocked_because_the_label_would_show_it(world: BridgeWorld) -> None:
    keys = [put(world, 1, "INBOX", "Labels/Keep-6"), put(world, 2, "INBOX", flags=("\\Flagged",)), put(world, 3, "INBOX")]
    bench = Bench(world)
    refs = bench.refs(keys, BLOCK)
    answers = bench.act(BLOCK, refs)
    assert [answer.code for answer in answers] == ["constraint", "constraint", None]
    assert [world.state(key) for key in keys] == [Presence.PRESENT, Presence.PRESENT, Presence.BLOCKED]
    assert world.bridge.mails[keys[2][0]].labels == {ASIDE}


def test_a_blocked_message_is_kept_below_the_folder_that_it_came_from(world: BridgeWorld) -> None:
    places = ("Archive", "Folders/Clients")
    keys = [put(world, number, place) for number, place in enumerate(places)]
    bench = Bench(world)
    refs = bench.refs(keys, BLOCK)
    assert said(bench.act(BLOCK, refs)) == [Answered.DONE] * 2
    assert [world.bridge.mails[key[0]].labels for key in keys] == [{f"Folders/Restricted/{place}"} for place in places]
    assert bench.present(refs) == [Presence.BLOCKED] * 2
    assert said(bench.act(Action.UNBLOCK, bench.refs(keys))) == [Answered.DONE] * 2
    assert [world.bridge.mails[key[0]].labels for key in keys] == [{place} for place in places]


def test_a_folder_that_cannot_be_made_fails_the_block_and_changes_nothing(world: BridgeWorld) -> None:
    world.bridge.folders.append("Folders/Clients/Old")
    key = put(world, 1, "Folders/Clients/Old")
    bench = Bench(world)
    assert said(bench.act(BLOCK, bench.refs([key], BLOCK))) == [Answered.FAILED]
    assert world.bridge.mails[key[0]].labels == {"Folders/Clients/Old"}


FOLDERS = ("INBOX", "Sent", "Archive", "Folders/Clients", "Drafts", TRASH, "Spam")
MAILS = st.lists(
    st.tuples(
        st.sampled_from(FOLDERS),
        st.sets(st.sampled_from(("Labels/Keep-6", "Labels/archived"))),
        st.sets(st.sampled_from(("\\Flagged", "\\Seen"))),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mails=MAILS, chosen=st.sets(st.integers(0, 7)), late=st.integers(0, 12))
def test_exactly_the_chosen_messages_go(world: BridgeWorld, mails: list[Any], chosen: set[int], late: int) -> None:
    """Whatever holds them, whatever others marked, and however late it shows: each message that was not chosen is as it was."""
    world.bridge.late = 0
    world.empty()
    world.bridge.deleted.clear()
    world.options["folders"] = [*FOLDERS]
    for number, (folder, labels, flags, marked) in enumerate(mails):
        (name,) = put(world, number, folder, *labels, flags=tuple(flags))
        if marked:
            world.bridge.deleted.setdefault(folder, set()).add(name)
    bench = Bench(world)
    refs = bench.find()
    before = bench.snapshot()
    going = [ref for number, ref in enumerate(refs) if number in chosen]
    world.bridge.late = late
    assert set(said(bench.act(DELETE, going))) <= {Answered.DONE}
    world.bridge.late = 0
    kept = before.keys() - {ref.key for ref in going}
    assert bench.snapshot() == {key: before[key] for key in kept}


def test_the_fake_refuses_what_bridge_refuses(world: BridgeWorld) -> None:
    """Seen by a client of another maker: moves into All Mail, and between INBOX and Sent; one bad date ends a search."""
    put(world, 1, "INBOX")
    with imapclient.IMAPClient("127.0.0.1", world.bridge.port, ssl=False) as rich:
        rich.login("office@example.com", PASSWORD)
        assert {b"UIDPLUS", b"MOVE", b"UNSELECT"} <= set(rich.capabilities())
        rich.select_folder("INBOX")
        (uid,) = rich.search()
        for to in (WHOLE, "Sent", "Nowhere"):
            with pytest.raises(imapclient.exceptions.IMAPClientError):
                rich.move([uid], to)
        with pytest.raises(imapclient.exceptions.IMAPClientError):
            rich.search(["SENTBEFORE", "01-Jan-2021"])
        rich.move([uid], "Labels/Keep-6")
        assert rich.search() == [uid]
        rich.append("Archive", message(7), msg_time=OLD)
    assert max(mail.time for mail in world.bridge.mails.values()).year > 2020
