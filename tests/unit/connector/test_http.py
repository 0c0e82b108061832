"""What a connector learns of a server by HTTP, and what it never says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.certificates import Authority
from support.webserver import Answered, Asked, serving

from retentiond.connector import ConfigurationError, ConnectorError, OutcomeUnknownError, TransientConnectorError
from retentiond.connector.budget import WINDOW, Budget
from retentiond.connector.http import Http, HttpConnection, Method

CANARY = "Erika Canaria"


def asked(url: str, method: Method = "GET", *, reads: bool = False, expect: tuple[int, ...] = (200,), **more: object) -> object:
    connection = HttpConnection.model_validate({"url": url, **more})
    session = Http(connection, "crm", {"Authorization": f"token {CANARY}"})
    try:
        return session.ask(
            method, "/things", data={"name": CANARY} if method == "POST" else None, reads=reads, expect=expect
        ).json()
    finally:
        session.close()


@pytest.mark.parametrize(
    ("status", "of_read", "of_write"),
    [
        (301, ConnectorError, ConnectorError),
        (400, ConnectorError, ConnectorError),
        (401, ConnectorError, ConnectorError),
        (403, ConnectorError, ConnectorError),
        (404, ConnectorError, ConnectorError),
        (429, TransientConnectorError, TransientConnectorError),
        (503, TransientConnectorError, TransientConnectorError),
        (500, TransientConnectorError, OutcomeUnknownError),
        (502, TransientConnectorError, OutcomeUnknownError),
        (504, TransientConnectorError, OutcomeUnknownError),
        (202, ConnectorError, OutcomeUnknownError),
        (None, TransientConnectorError, OutcomeUnknownError),
    ],
)
def test_what_was_not_expected_is_an_error_that_tells_whether_something_may_have_happened(
    status: int | None, of_read: type[ConnectorError], of_write: type[ConnectorError]
) -> None:
    body = json.dumps({"exception": CANARY}).encode()
    with serving(lambda _: Answered(status or 200, body, headers={"X-Name": "Canaria"}, hang_up=status is None)) as url:
        for method, reads, wanted in (("GET", False, of_read), ("POST", True, of_read), ("POST", False, of_write)):
            with pytest.raises(ConnectorError) as raised:
                asked(url, method, reads=reads)  # type: ignore[arg-type] # the methods of HTTP
            assert type(raised.value) is wanted
            assert "Canaria" not in f"{raised.value!r} {raised.value.__cause__!r}"
            assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_page_instead_of_json_is_an_error_and_never_an_empty_answer() -> None:
    with serving(lambda _: Answered(200, b"<html>Log in, Erika Canaria</html>", "text/html; charset=utf-8")) as url:
        with pytest.raises(ConnectorError, match="a web page instead of JSON") as raised:
            asked(url)
        assert raised.value.code == "malformed"


def test_nobody_is_followed_elsewhere_with_the_credentials() -> None:
    seen: list[Asked] = []

    def elsewhere(request: Asked) -> Answered:
        seen.append(request)
        return Answered(200, b"[]")

    with serving(elsewhere) as other, serving(lambda _: Answered(302, headers={"Location": f"{other}/things"})) as url:
        with pytest.raises(ConnectorError, match="points elsewhere"):
            asked(url)
        assert seen == []


def test_a_certificate_that_nobody_vouches_for_is_refused_until_it_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.server("localhost")
    with serving(lambda _: Answered(200, b"[]"), server.server()) as url:
        with pytest.raises(ConnectorError, match="name a file of it under `certificate`") as raised:
            asked(url)
        assert not isinstance(raised.value, TransientConnectorError)
        assert asked(url, certificate=str(authority.file)) == []
        assert asked(url, certificate=str(server.certificate)) == []


def test_what_does_not_speak_tls_is_told_so() -> None:
    with serving(lambda _: Answered(200, b"[]")) as url, pytest.raises(ConnectorError, match="may not speak TLS"):
        asked(url.replace("http:", "https:"))


def test_a_certificate_that_cannot_be_read_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="`certificate` names a file in PEM"):
        asked("https://127.0.0.1:1", certificate=str(tmp_path / "nothing.pem"))


def test_a_server_that_is_not_there_is_worth_another_try_whatever_was_asked() -> None:
    with serving(lambda _: Answered()) as url:
        pass
    for method in ("GET", "POST"):
        with pytest.raises(TransientConnectorError, match="cannot be reached"):
            asked(url, method)


@pytest.mark.parametrize(
    "url", ["http://crm.example.org", "ftp://127.0.0.1", "https://", "https://a:b@example.org", "https://a/?x=1"]
)
def test_an_address_that_is_unsafe_or_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        HttpConnection(url=url)


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("9999999999", 3600.0), ("soon", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)]
)
def test_the_wait_that_is_asked_for_is_passed_on(header: str, wait: float | None) -> None:
    with (
        serving(lambda _: Answered(429, headers={"Retry-After": header})) as url,
        pytest.raises(TransientConnectorError) as raised,
    ):
        asked(url)
    assert raised.value.retry_after == wait


class Times:
    """A clock that only moves when it is told to, or slept on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@given(st.integers(1, 5), st.lists(st.tuples(st.floats(0, 40), st.floats(0, 5)), min_size=1, max_size=60))
def test_no_minute_of_the_server_ever_sees_more_requests_than_the_budget(most: int, paces: list[tuple[float, float]]) -> None:
    times = Times()
    budget = Budget(most, clock=times.clock, sleep=times.sleep)
    earliest, latest = [], []
    for idle, lasts in paces:
        times.now += idle
        with budget.spend():
            earliest.append(times.now)  # the server sees it somewhen between the two
            times.now += lasts
            latest.append(times.now)
    for number in range(len(paces) - most):
        assert earliest[number + most] - latest[number] >= WINDOW - 1e-6


def test_the_budget_is_used_up_entirely_and_no_longer_wait_is_made_than_needed() -> None:
    times = Times()
    budget = Budget(10, clock=times.clock, sleep=times.sleep)
    begun = []
    for _ in range(30):
        with budget.spend():
            begun.append(times.now - 1000)
    assert begun == [0.0] * 10 + [60.0] * 10 + [120.0] * 10
