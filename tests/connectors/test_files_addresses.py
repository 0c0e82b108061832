"""No whole address is left in a line, wherever it stands and however it is written."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from connectors.files_support import World, cutoff, hours, line, lines_world
from hypothesis import example, given
from hypothesis import settings as sizes
from hypothesis import strategies as st

from retentiond.connector import Action, Answer, Answered, How, Presence
from retentiond_files.addresses import truncation
from retentiond_files.options import Truncation

usual = truncation(Truncation())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"192.0.2.17 - - [", b"192.0.2.0 - - ["),
        (b"::ffff:192.0.2.17 -", b"::ffff:192.0.2.0 -"),
        (b"::ffff:c000:0211 -", b"::ffff:192.0.2.0 -"),
        (b"2001:db8:1:2:3:4:5:6 -", b"2001:db8:1:: -"),
        (b"2001:0DB8:0001:0002:0003:0004:0005:0006", b"2001:db8:1::"),
        (b"[2001:db8:1:2::6]:443", b"[2001:db8:1::]:443"),
        (b"2001:db8:1:2:3:4:5:6:443", b"2001:db8:1:::443"),
        (b"192.0.2.17:51234,", b"192.0.2.0:51234,"),
        (b'"192.0.2.17, 198.51.100.4,2001:db8:1:2::7"', b'"192.0.2.0, 198.51.100.0,2001:db8:1::"'),
        (b'"GET /?ip=192.0.2.17&x=2001:db8:1:2::7 HTTP/1.1"', b'"GET /?ip=192.0.2.0&x=2001:db8:1:: HTTP/1.1"'),
        (b"http://[2001:db8:1:2::7]/a", b"http://[2001:db8:1::]/a"),
        (b"client 2001:db8:1:2::7: closed", b"client 2001:db8:1::: closed"),
        (b"from 192.0.2.17.", b"from 192.0.2.0."),
        (b"192.0.2.17.443 > 10.9.8.7.80", b"192.0.2.0.443 > 10.9.8.0.80"),
        (b"ip6:2001:db8:1:2::7", b"ip6:2001:db8:1::"),
        (b"[IPv6:2001:db8:1:2:3:4:5:6]", b"[IPv6:2001:db8:1::]"),
        (b"fe80::1%eth0", b"fe80::%eth0"),
        (b"fe80::1%25eth0", b"fe80::%25eth0"),
        (b"::1 -", b":: -"),
        (b"2002:c000:211::1", b"2002:c000:200::"),
        (b"010.001.002.003", b"010.001.002.0"),
        (b'for="[2001:db8:1:2::7]:80";by=192.0.2.17', b'for="[2001:db8:1::]:80";by=192.0.2.0'),
        (b"\xff192.0.2.17\xfe2001:db8:1:2::7\x00", b"\xff192.0.2.0\xfe2001:db8:1::\x00"),
        (b"x" * 70 + b":" * 70 + b"192.0.2.17", b"x" * 70 + b":" * 70),
        (b"a::b(), which is one", b"a::(), which is one"),
        # Behind an escape, as in {"ip":"…"}, which a browser and nginx write each in its way.
        (b"%7B%22ip%22%3A%22192.0.2.17%22%7D", b"%7B%22ip%22%3A%22192.0.2.0%22%7D"),
        (rb"{\x22ip\x22:\x22192.0.2.17\x22}", rb"{\x22ip\x22:\x22192.0.2.0\x22}"),
        (rb"\u0022192.0.2.17\u0022", rb"\u0022192.0.2.0\u0022"),
        (b"?a=%20192.0.2.17", b"?a=%20192.0.2.0"),
        (b"/%5B2001:db8:1:2:3:4:5:6%5D/", b"/%5B2001:db8:1::%5D/"),
        (rb"\x222001:db8:1:2::7\x22", rb"\x222001:db8:1::\x22"),
        (rb"a\t2001:db8:1:2::7\n", rb"a\t2001:db8:1::\n"),
        (b"?ip=2001%3Adb8%3a1%3A2%3A%3A7&x=%3A%3A1", b"?ip=2001%3Adb8%3A1%3A%3A&x=%3A%3A"),
        (b"?ip=%3A%3Affff%3A192.0.2.17", b"?ip=%3A%3Affff%3A192.0.2.0"),
        # Glued to a word.
        (b"x_2001:db8:1:2::7", b"x_2001:db8:1::"),
        (b"id2001:db8:1:2:3:4:5:6Z", b"id2001:db8:1::Z"),
        # Several that run into one another: of these nothing is left that could be cut a second time.
        (b"GET /::1::1::1", b"GET /::"),
        (b" 0:1::0f0::20: ", b" :: "),
    ],
)
def test_it_is_truncated(before: bytes, after: bytes) -> None:
    assert usual(before) == after
    assert usual(after) == after


@pytest.mark.parametrize(
    "text",
    [
        b"[10/Oct/2000:13:55:36 -0700]",
        b"std::cout << f::g::method() Foo::Bar",
        b"aa:bb:cc:dd:ee:ff",
        b"GET /a%3Ab%20c%3A%2F%2Fhost/12%3A34%3A56",
        b"Chrome/120.0.6099.109 Safari/537.36",
        b"Windows NT 10.0.19045.3803",
        b"999.1.2",
        b"192.0.2.0 2001:db8:1::",
        b"",
    ],
)
def test_what_is_no_address_or_is_truncated_already_stays(text: bytes) -> None:
    assert usual(text) == text


@given(
    address=st.ip_addresses(),
    bits=st.tuples(st.integers(0, 31), st.integers(0, 127)),
    glue=st.sampled_from([b" ", b",", b"=", b"[", b"\xff"]),
)
@sizes(max_examples=200)
def test_no_address_survives_and_twice_is_once(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: tuple[int, int], glue: bytes
) -> None:
    ipv4, ipv6 = bits
    truncate = truncation(Truncation(ipv4=ipv4, ipv6=ipv6))
    exploded = address.exploded.encode()
    for text in (str(address).encode(), exploded, exploded.upper()):
        once = truncate(b"x" + glue + text + b"]")
        assert truncate(once) == once
        left = ipaddress.ip_address(once[1 + len(glue) : -1].decode())
        if isinstance(address, ipaddress.IPv4Address):
            assert left == ipaddress.ip_network((address, ipv4), strict=False).network_address
        elif address.ipv4_mapped is None and address.sixtofour is None:
            assert left == ipaddress.ip_network((address, ipv6), strict=False).network_address


@given(text=st.text("012f:.%3A2x\\\\ gu", max_size=60))
@example("%0::1%3A%3A2:1.2.3.4::\\\\x2::")
@sizes(max_examples=1000)
def test_whatever_a_client_sends_twice_is_once(text: str) -> None:
    """Otherwise a made-up request would be read back as not anonymized, and anonymized again for ever."""
    once = usual(text.encode())
    assert usual(once) == once


@pytest.fixture
def world(tmp_path: Path) -> World:
    return lines_world(tmp_path, anonymize={})


def test_only_the_due_lines_are_anonymized_and_all_stay_in_their_order(world: World) -> None:
    at = hours(3)
    forwarded = b"  X-Forwarded-For: 192.0.2.9\n"
    path = world.write("a.log", [line(at[0]), line(at[2]), forwarded, line(at[1], address="2001:db8:1:2::7")])
    due = world.find(cutoff(at[2]), Action.ANONYMIZE)
    assert world.anonymize(due) == [Answer.done(How.UNLINK, 1)] * 2
    assert path.read_bytes() == b"".join(
        [line(at[0], address="192.0.2.0"), line(at[2]), forwarded, line(at[1], address="2001:db8:1::")]
    )
    assert world.present(due) == [Presence.ANONYMIZED, Presence.ANONYMIZED]
    assert world.count() == 3


def test_what_is_anonymized_is_found_for_deleting_only(world: World) -> None:
    at = hours(2)
    world.write("a.log", [line(at[0], address="192.0.2.0"), line(at[1])])
    assert [ref.dates["entry"] for ref in world.find(awaiting=Action.ANONYMIZE)] == at[1:]
    assert len(world.find(awaiting=Action.DELETE)) == 2


def test_anonymizing_twice_finds_nothing_and_touches_nothing(world: World) -> None:
    path = world.write("a.log", [line(at) for at in hours(2)])
    due = world.find(awaiting=Action.ANONYMIZE)
    world.anonymize(due)
    before = path.stat()
    assert world.anonymize(due) == [Answer.not_found()] * 2
    assert path.stat().st_ino == before.st_ino
    assert world.find(awaiting=Action.ANONYMIZE) == []


def test_anonymizing_keeps_the_dates(world: World) -> None:
    world.write("a.log.gz", [line(at) for at in hours(2)])
    before = [(ref.key, ref.dates) for ref in world.find()]
    world.anonymize(world.find())
    assert [(ref.key, ref.dates) for ref in world.find()] == before


def test_a_slice_that_got_a_line_is_not_anonymized(world: World) -> None:
    written = datetime(2025, 3, 1, tzinfo=UTC)
    path = world.write("a.log", [line(hours(1)[0])], written)
    due = world.find()
    world.write("a.log", path.read_bytes() + line(hours(1)[0], "late"), written)
    assert [answer.said for answer in world.anonymize(due)] == [Answered.CHANGED]
    assert path.read_bytes().count(b"192.0.2.17") == 2
