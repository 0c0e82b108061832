"""Where a system lists nothing the application's own table tells the ids; one that looks broken is an error."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from connectors.rest_support import TARGET, dataset
from support.vendors import openai

from retentiond.connector import Answered, ConnectorError
from retentiond_rest.options import Ids
from retentiond_rest.rows import rows


def read(folder: Path, name: str, text: str, **more: Any) -> list[str]:
    (folder / name).write_text(text, encoding="utf-8")
    return list(rows(Ids.model_validate({"file": str(folder / name), "id": "id", **more}), TARGET))


@pytest.mark.parametrize(
    ("name", "text", "keys"),
    [
        ("ids.csv", 'id,closed_at\nresp_1,2026-01-01\n"a,b",\n', ["resp_1", "a,b"]),
        ("ids.csv", "\ufeffid\n1\n\n", ["1"]),
        ("ids.jsonl", '{"id": "resp_1"}\n\n{"id": 7, "x": [1]}\n{"id": null}\n{"id": ""}\n', ["resp_1", "7"]),
        ("ids.jsonl", '{"id": "same", "n": 1}\n{"id": "same", "n": 2}\n', ["same"]),
    ],
)  # fmt: skip
def test_each_id_is_told_once(tmp_path: Path, name: str, text: str, keys: list[str]) -> None:
    assert read(tmp_path, name, text) == keys


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("ids.csv", "", "names none"),
        ("ids.csv", "id\n", "names none"),
        ("ids.csv", "key\nresp_1\n", "has no 'id'"),
        ("ids.csv", 'id\n"resp_1\n', "is broken"),
        ("ids.jsonl", "", "names none"),
        ("ids.jsonl", '{"id": "resp_1"}\n{"id": "re', "is broken"),
        ("ids.jsonl", "[1]\n", "is broken"),
        ("ids.jsonl", '{"id": true}\n', "neither text nor a whole number"),
        ("ids.jsonl", '{"key": "x"}\n', "has no 'id'"),
    ],
)
def test_a_table_that_looks_broken_is_an_error(tmp_path: Path, name: str, text: str, what: str) -> None:
    with pytest.raises(ConnectorError, match=what) as raised:
        read(tmp_path, name, text)
    assert raised.value.code == "unreadable"
    assert "resp_1" not in str(raised.value)


def test_a_table_may_be_said_to_be_empty_at_times(tmp_path: Path) -> None:
    assert read(tmp_path, "ids.jsonl", "", may_be_empty=True) == []


def test_a_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="FileNotFoundError"):
        rows(Ids(file=tmp_path / "none.csv", id="id"), TARGET)


@pytest.mark.parametrize(
    "told", [{"id": "x"}, {"id": "x", "file": "/a.txt"}, {"id": "x", "file": "a.csv"}, {"id": "x", "table": "t"}]
)
def test_a_table_is_a_file_or_lies_in_a_database(told: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="say "):
        Ids.model_validate(told)


def test_a_table_in_a_database_tells_when_a_chat_was_closed(tmp_path: Path) -> None:
    fake = openai.OpenAI()
    fake.put_file("file-canary", 1_500_000_000)
    for key in ("resp_closed", "resp_open", "resp_unknown"):
        fake.put_response(key, 1_600_000_000)
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.execute("CREATE TABLE chats (response TEXT, closed_at TIMESTAMP)")
        database.execute("INSERT INTO chats VALUES ('resp_closed', '2025-01-10 10:05:00'), ('resp_open', NULL), (NULL, NULL)")
    database.close()
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path}/app.db")
    ids = {"database": {"file": str(tmp_path / "url")}, "table": "chats", "id": "response"}
    with fake.served() as url:
        data = dataset(tmp_path, url, "openai", openai.KEY, "responses", values={"canary": "file-canary"}, ids=ids)
        refs = data.find("closed_at")
        assert [ref.key for ref in refs] == [("resp_closed",)]
        assert str(refs[0].dates["closed_at"]) == "2025-01-10 10:05:00+00:00"
        assert [answer.said for answer in data.delete(refs)] == [Answered.DONE]
    assert set(fake.responses) == {"resp_open", "resp_unknown"}


def test_a_database_whose_driver_is_missing_or_that_is_none_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for address, what in (
        ("postgresql+psycopg://nobody:canary@127.0.0.1:1/x", "driver is missing"),
        ("sqlite:////nowhere/canary.db", "OperationalError"),
        (f"sqlite:///{tmp_path}/empty.db", "NoSuchTableError"),
        ("canary", "ArgumentError"),
    ):
        (tmp_path / "url").write_text(address)
        ids = Ids.model_validate({"database": {"file": str(tmp_path / "url")}, "table": "chats", "id": "response"})
        with pytest.raises(ConnectorError, match=what) as raised:
            rows(ids, TARGET)
        assert "canary" not in str(raised.value)


def test_a_chat_that_was_opened_again_is_left_alone(tmp_path: Path) -> None:
    """The row decides, too: it is read again just before the act."""
    fake = openai.OpenAI()
    fake.put_file("file-canary", 1_500_000_000)
    fake.put_response("resp_1", 1_600_000_000)
    table = tmp_path / "ids.csv"
    table.write_text("id,closed_at\nresp_1,2025-01-10T10:05:00Z\n")
    ids = {"file": str(table), "id": "id"}
    with fake.served() as url:
        data = dataset(tmp_path, url, "openai", openai.KEY, "responses", values={"canary": "file-canary"}, ids=ids)
        refs = data.find("closed_at")
        table.write_text("id,closed_at\nresp_1,\n")
        assert [answer.said for answer in data.delete(refs)] == [Answered.CHANGED]
    assert set(fake.responses) == {"resp_1"}


def test_what_two_rows_tell_differently_is_not_known(tmp_path: Path) -> None:
    """One chat of two is still open: the response is kept."""
    (tmp_path / "ids.csv").write_text("id,closed_at,app\nresp_1,2025-01-10T10:05:00Z,web\nresp_1,,web\nresp_2,2025-01-10,web\n")
    found = rows(Ids(file=tmp_path / "ids.csv", id="id"), TARGET, ["closed_at", "app"])
    assert found == {"resp_1": {"closed_at": None, "app": "web"}, "resp_2": {"closed_at": "2025-01-10", "app": "web"}}


def test_no_other_column_is_kept(tmp_path: Path) -> None:
    (tmp_path / "ids.jsonl").write_text('{"id": "resp_1", "closed_at": null, "text": "I am Erika"}\n')
    assert rows(Ids(file=tmp_path / "ids.jsonl", id="id"), TARGET, ["closed_at"]) == {"resp_1": {"closed_at": None}}


def test_an_answer_about_another_record_is_an_error(tmp_path: Path) -> None:
    fake = openai.OpenAI()
    fake.put_file("file-canary", 1_500_000_000)
    fake.put_response("resp_1", 1_600_000_000)
    fake.responses["resp_1"]["id"] = "resp_2"
    (tmp_path / "ids.csv").write_text("id\nresp_1\n")
    ids = {"file": str(tmp_path / "ids.csv"), "id": "id"}
    with fake.served() as url:
        data = dataset(tmp_path, url, "openai", openai.KEY, "responses", values={"canary": "file-canary"}, ids=ids)
        with pytest.raises(ConnectorError, match="another record"):
            data.find("created")


def test_a_wrong_key_does_not_make_every_response_absent(tmp_path: Path) -> None:
    """A key of another project gets 404 for all of them; the file that is kept is not seen by it either."""
    fake = openai.OpenAI(lost=frozenset({"sight"}))
    fake.put_file("file-canary", 1_500_000_000)
    fake.put_response("resp_1", 1_600_000_000)
    (tmp_path / "ids.csv").write_text("id\nresp_1\n")
    ids = {"file": str(tmp_path / "ids.csv"), "id": "id"}
    with fake.served() as url:
        data = dataset(tmp_path, url, "openai", openai.KEY, "responses", values={"canary": "file-canary"}, ids=ids)
        for ask in (data.count, lambda: data.find("created")):
            with pytest.raises(ConnectorError):
                ask()
