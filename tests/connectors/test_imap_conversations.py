"""Dates of conversations: a message stays as long as the conversation that it belongs to is young."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import bridge_world
from support.bridge_world import BridgeWorld
from support.dovecot import PASSWORD, Dovecot
from support.imap_world import ImapWorld, message

from retentiond.connector import Action, Answered
from retentiond.testing.acting import said
from retentiond.testing.world import Bench
from retentiond_imap.conversation import conversing
from retentiond_imap.fetched import Message
from retentiond_imap.headers import parse
from retentiond_imap.records import Copied

OLD = datetime(2020, 3, 1, 9, 30, tzinfo=UTC)
DATES = {"received": {"from": "received", "conversation": True}}


@pytest.fixture(params=["dovecot", "bridge"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: ImapWorld | BridgeWorld
    if request.param == "bridge":
        monkeypatch.setenv("KIT_IMAP_PASSWORD", bridge_world.PASSWORD)
        made = BridgeWorld()
        made.options = {"folders": ["INBOX"], "dates": DATES}
    else:
        monkeypatch.setenv("KIT_IMAP_PASSWORD", PASSWORD)
        server: Dovecot = request.getfixturevalue("dovecot")
        made = ImapWorld(server)
        made.truth.create("Sent")
        made.options = {"folders": ["INBOX"], "dates": DATES, "answers": ["Sent"]}
        made.instant, made.day = "received", None
    made.beside = []
    try:
        yield made
    finally:
        made.close()


def put(world: Any, number: int, days: int, folder: str = "INBOX", answers: int | None = None) -> None:
    headers = ["From: anna@person.example"]
    if answers is not None:
        headers.append(f"References: <{answers}@kit.example>")
    text, received = message(number, *headers), OLD + timedelta(days=days)
    if isinstance(world, BridgeWorld):
        world.bridge.add(text, received, folder)
    else:
        world.truth.append(folder, "", f'"{received:%d-%b-%Y %H:%M:%S +0000}"', text)


def due(world: Any, days: int) -> list[Any]:
    bench = Bench(world)
    return bench.find(bench.before(OLD + timedelta(days=days)))


def test_an_old_message_stays_as_long_as_its_conversation_is_young(world: Any) -> None:
    put(world, 1, 0)
    put(world, 2, 1)
    put(world, 3, 100, answers=1)
    assert [ref.dates["received"] for ref in due(world, 50)] == [OLD + timedelta(days=1)]
    assert len(due(world, 101)) == 3


def test_an_answer_in_another_folder_counts_and_is_no_record(world: Any) -> None:
    put(world, 1, 0)
    put(world, 3, 100, "Sent", answers=1)
    assert due(world, 50) == []
    (ref,) = due(world, 101)
    assert said(Bench(world).act(Action.DELETE, [ref])) == [Answered.DONE]


def test_an_answer_that_comes_after_the_plan_keeps_the_message(world: Any) -> None:
    put(world, 1, 0)
    put(world, 2, 1)
    refs = due(world, 50)
    put(world, 3, 100, "Sent", answers=1)
    assert said(Bench(world).act(Action.DELETE, refs)) == [Answered.CHANGED, Answered.DONE]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sets(st.integers(0, 9), max_size=3), st.integers(0, 500)), max_size=12),
)
def test_whoever_is_reached_by_names_is_of_one_age(told: list[tuple[int, set[int], int]]) -> None:
    """Against reaching each message from each other one, step by step."""
    made = []
    for number, (name, references, days) in enumerate(told, 1):
        block = f"Message-ID: <{name}@x>\r\nReferences: {' '.join(f'<{one}@x>' for one in sorted(references))}\r\n\r\n".encode()
        text = Message(number, OLD + timedelta(days=days), None, 1, frozenset(), block, parse(block))
        made.append(Copied(text, (), frozenset(), blocked=False))
    for number, one in enumerate(conversing(made)):
        names, before = {told[number][0], *told[number][1]}, set[int]()
        while names != before:
            before = set(names)
            for name, references, _ in told:
                if names & {name, *references}:
                    names |= {name, *references}
        assert one.youngest == OLD + timedelta(days=max(days for name, _, days in told if name in names))
