"""Dates and persons of messages: read strictly, so that nonsense is unknown and nothing goes too early."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.connector import Target, subject
from retentiond_imap.claims import matches
from retentiond_imap.dates import mail_instant, moment_in
from retentiond_imap.fetched import Message, read_messages
from retentiond_imap.headers import parse, people
from retentiond_imap.keys import typed_key
from retentiond_imap.options import ImapConnection, ImapOptions
from retentiond_imap.records import Copied, Found, Place, dataset_of, record
from retentiond_imap.session import exactly
from retentiond_imap.trouble import FAILURES

ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1), timezones=ZONES))  # noqa: DTZ001 - the strategy adds the zone
def test_what_mail_programs_write_is_read_to_the_second(moment: datetime) -> None:
    assert mail_instant(format_datetime(moment)) == moment.replace(microsecond=0).astimezone(UTC)


@given(st.text(max_size=40))
def test_whatever_stands_in_a_header_is_a_moment_in_utc_or_unknown(text: str) -> None:
    told = moment_in(text)
    assert told is None or not isinstance(told, datetime) or told.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Thu, 15 Jan 2026 10:30:00 +0100 (CET)", datetime(2026, 1, 15, 9, 30, tzinfo=UTC)),
        ("15 Jan 2026 10:30 GMT", datetime(2026, 1, 15, 10, 30, tzinfo=UTC)),
        ("15 Jan 2026 10:30:00 -0000", datetime(2026, 1, 15, 10, 30, tzinfo=UTC)),
        ("Wed, 31 Dec 2025 23:59:60 +0000", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-15", date(2026, 1, 15)),
        ("2026-01-15T10:30:00+01:00", datetime(2026, 1, 15, 9, 30, tzinfo=UTC)),
        ("2026-01-15T10:30:00", None),
        ("Thu, 15 Jan 2026 10:30:00", None),
        ("Thu, 15 Jan 26 10:30:00 +0100", None),
        ("Thu, 32 Jan 2026 10:30:00 +0100", None),
        ("Thu, 15 Foo 2026 10:30:00 +0100", None),
        ("Thu, 15 Jan 2026 10:30:00 +9900", None),
        ("Thu, 15 Jan 2026 10:30:00 XYZ", None),
        ("15 Jan 2026 10:30:00 +0100 and more", None),
        ("01 Jan 0001 00:00:00 +1400", None),
        ("2026-02-30", None),
        ("", None),
    ],
)
def test_a_date_without_a_zone_and_nonsense_are_unknown(text: str, told: object) -> None:
    assert moment_in(text) == told


def found(options: dict[str, Any], *copies: tuple[bytes, set[str]], received: datetime | None = None) -> Found:
    """The record that these messages make, each of headers and marks."""
    connection = ImapConnection.model_validate(
        {"host": "localhost", "user": "u", "password": {"environment": "X"}, "security": "plain"}
    )
    told = ImapOptions.model_validate({"folders": ["INBOX"], **options})
    made = [
        Copied(
            Message(uid, received, None, 100, frozenset(marks), block, parse(block)),
            (Place("INBOX", "INBOX", blocked=False, validity=1, uid=uid),),
            frozenset(marks),
            blocked=False,
        )
        for uid, (block, marks) in enumerate(copies, 1)
    ]
    return record(dataset_of(connection, told, Target("mailbox", "kit")), ("INBOX", "<a@b>", ""), made)


SENT = {"dates": {"sent": {"from": "header", "header": "Date"}}}


def test_a_header_that_is_there_twice_tells_no_date() -> None:
    one = b"Date: 15 Jan 2026 10:30:00 GMT\r\n"
    assert found(SENT, (one, set())).ref.dates["sent"] is not None
    assert found(SENT, (one + one, set())).ref.dates["sent"] is None


def test_of_several_keywords_with_dates_the_latest_counts_and_one_without_makes_it_unknown() -> None:
    options = {"dates": {"resolved": {"from": "keyword", "prefix": "Resolved-"}}}
    both = {"resolved-2026-01-15", "resolved-2026-02-01"}
    assert found(options, (b"", both)).ref.dates["resolved"] == date(2026, 2, 1)
    assert found(options, (b"", both | {"resolved-soon"})).ref.dates["resolved"] is None
    assert found(options, (b"", {"unresolved-2026-01-15"})).ref.dates["resolved"] is None


def test_a_day_is_that_of_its_zone() -> None:
    options = {"dates": {"received_on": {"from": "received", "day": "Europe/Berlin"}}}
    late = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert found(options, (b"", set()), received=late).ref.dates["received_on"] == date(2026, 1, 1)
    assert found(options, (b"", set())).ref.dates["received_on"] is None


@pytest.mark.parametrize(
    ("marks", "told"),
    [({"letter"}, True), ({"no-letter"}, False), (set(), None), ({"letter", "no-letter"}, None)],
)
def test_a_fact_is_known_where_just_one_keyword_tells_it(marks: set[str], told: bool | None) -> None:
    options = {**SENT, "facts": {"letter": {"true_if": "Letter", "false_if": "no-letter"}}}
    assert found(options, (b"", marks)).ref.facts == {"letter": told}


def test_copies_that_differ_are_as_unknown_as_the_least_known() -> None:
    options = {**SENT, "facts": {"letter": {"true_if": "letter"}}, "unmarked": ["claim"]}
    dated, nonsense = b"Date: 15 Jan 2026 10:30:00 GMT\r\nTo: a@x.example\r\n", b"Date: soon\r\nTo: b@x.example\r\n"
    one = found(options, (dated, {"letter"}), (nonsense, set()))
    assert one.claimed
    assert (one.ref.dates["sent"], one.ref.facts["letter"], one.ref.rows) == (None, None, 2)
    assert {person.value for person in one.ref.subjects} == {"a@x.example", "b@x.example"}
    assert not found(options, (dated, set()), (dated, {"claim"})).claimed


def test_marks_that_decide_nothing_leave_the_fingerprint() -> None:
    options = {**SENT, "unmarked": ["claim"]}
    plain = found(options, (b"", set())).ref.fingerprint
    assert found(options, (b"", {"\\seen", "\\deleted", "todo"})).ref.fingerprint == plain
    assert found(options, (b"", {"claim"})).ref.fingerprint != plain


@pytest.mark.parametrize(
    ("header", "persons"),
    [
        (
            b'From: "Anna, A." <Anna@Person.example>, Berta <berta@person.example>',
            {"anna@person.example", "berta@person.example"},
        ),
        (b"From: =?utf-8?q?boss=40firm=2Eexample?= <anna@person.example>", {"anna@person.example"}),
        (b'From: "boss@firm.example" <anna@person.example>', {"anna@person.example"}),
        (b"From: Team: anna@person.example, berta@person.example;", {"anna@person.example", "berta@person.example"}),
        (b"From: anna@person.example (the boss@firm.example)", {"anna@person.example"}),
        (b"From: Anna\r\n <anna@person.example>", {"anna@person.example"}),
        (b"From: anna@person.example>", {"anna@person.example"}),
        (b"From: M\xfcller <anna@person.example>", {"anna@person.example"}),
        (b"From: ", set()),
        (b"Reply-To: anna@person.example", set()),
    ],
)
def test_the_addresses_of_a_header_are_those_of_its_persons(header: bytes, persons: set[str]) -> None:
    assert people(parse(header), ["From"]) == {subject("email", person) for person in persons}


@given(st.sets(st.integers(1, 400), min_size=1))
def test_a_set_of_numbers_is_written_exactly(uids: set[int]) -> None:
    read: set[int] = set()
    for part in exactly(sorted(uids)).split(","):
        first, _, last = part.partition(":")
        read |= set(range(int(first), int(last or first) + 1))
    assert read == uids


def test_a_key_is_read_as_it_is_typed() -> None:
    key = ("Archive/Old mail", "<a b@c>", "2026-01-15T09:30:00Z")
    assert typed_key('["Archive/Old mail", "<a b@c>", "2026-01-15T09:30:00Z"]') == key
    assert typed_key("2026-01-15T09:30:00Z <ab@c> Archive/Old mail") == (key[0], "<ab@c>", key[2])
    assert typed_key("[x]==") == ("[x]==",)


@pytest.mark.parametrize(
    ("pattern", "folder", "told"),
    [
        ("Archive/*", "Archive/2020", True),
        ("Archive/*", "Archive/2020/May", True),
        ("Archive/*", "Archive", False),
        ("Archive/*", "Archived/2020", False),
        ("Archive", "Archive/2020", False),
        ("INBOX", "INBOX", True),
    ],
)
def test_a_pattern_takes_what_lies_below(pattern: str, folder: str, told: bool) -> None:
    assert matches([pattern], folder) is told


@pytest.mark.parametrize(
    "wrong",
    [
        {"folders": []},
        {"folders": ["*"]},
        {"folders": ["Arch*ive"]},
        {"folders": ["50%"]},
        {"marked": ["claim"], "unmarked": ["Claim"]},
        {"dates": {}},
        {"dates": {"Sent At": {"from": "received"}}},
        {"dates": {"sent": {"from": "header", "header": "Date: x"}}},
        {"dates": {"sent": {"from": "received", "day": "Mars/Crater"}}},
        {"dates": {"moved_at": {"from": "saved"}}, "block": {"folder": "Restricted"}},
        {"block": {"folder": "Restricted/*"}},
        {"facts": {"letter": {"true_if": "letter", "false_if": "LETTER"}}},
        {"mailbox": "INBOX"},
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ImapOptions.model_validate({"folders": ["INBOX"], "dates": {"received": {"from": "received"}}, **wrong})


HEAD = b'3 (UID 7 FLAGS (\\Seen claim) INTERNALDATE " 9-Sep-2001 07:31:40 +0545" RFC822.SIZE 99 '


def test_an_answer_in_another_order_is_read_as_the_usual_one() -> None:
    """With quoted headers, other items between, or news of another message: it is the same message."""
    block = b"Message-ID: <a@b>\r\n\r\n"
    usual: list[Any] = [(HEAD + b"BODY[HEADER.FIELDS (MESSAGE-ID)] {21}", block), b")"]
    turned: list[Any] = [
        (b"3 (BODY[HEADER.FIELDS (MESSAGE-ID)] {21}", block),
        b' RFC822.SIZE 99 INTERNALDATE "09-Sep-2001 01:46:40 +0000" FLAGS (claim \\Seen) UID 7)',
    ]
    (one,) = read_messages(usual)
    assert read_messages(turned) == [one]
    assert read_messages([*usual, b"9 (UID 12 FLAGS (\\Deleted))"]) == [one]
    assert read_messages([b"9 (UID 12 FLAGS (\\Deleted))", *usual]) == [one]
    assert (one.uid, one.size, sorted(one.marks)) == (7, 99, ["\\seen", "claim"])
    assert one.received == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    assert read_messages([None]) == []


@given(st.lists(st.one_of(st.binary(max_size=30), st.tuples(st.binary(max_size=30), st.binary(max_size=30))), max_size=3))
def test_nonsense_for_an_answer_tells_no_message_or_fails(answer: list[Any]) -> None:
    try:
        assert read_messages(answer) == []
    except FAILURES:
        return
