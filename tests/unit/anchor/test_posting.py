"""What is posted goes where the settings say and nowhere else, and what comes back is taken for no more than it is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from retentiond.anchor.posting import post
from retentiond.errors import ConnectorError, TransientConnectorError


@contextmanager
def saying(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says the same to everybody and hangs up; its URL, and what it heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        thread.join()


def test_the_whole_of_the_url_is_asked_for() -> None:
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (url, heard):
        answer = post(f"{url}/a/b?c=d", b"body", {"Content-Type": "text/plain"}, None)
    assert (answer.status, answer.body) == (200, b"ok")
    assert heard[0].startswith(b"POST /a/b?c=d HTTP/1.1\r\n")
    assert b"Content-Length: 4\r\n" in heard[0]


def test_nobody_is_followed_elsewhere() -> None:
    with saying(b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as (url, _):
        assert post(url, b"", {}, None).status == 307


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, _):
        assert post(url, b"", {}, None).status == 200


@pytest.mark.parametrize("answer", [b"Ada Muster\r\n\r\n", b"HTTP/9 many\r\n\r\n"])
def test_what_is_no_http_is_told(answer: bytes) -> None:
    with saying(answer) as (url, _), pytest.raises(ConnectorError, match="something else than HTTP") as told:
        post(url, b"", {}, None)
    assert "Ada" not in str(told.value)


def test_a_connection_that_breaks_may_hold_another_time() -> None:
    with saying(b"") as (url, _), pytest.raises(TransientConnectorError, match="cannot be reached"):
        post(url, b"", {}, None)


def test_an_answer_that_is_cut_off_is_none() -> None:
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok") as (url, _), pytest.raises(TransientConnectorError):
        post(url, b"", {}, None)
