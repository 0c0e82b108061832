"""A batch on a system that is reached by HTTP: each record for itself, and nothing claimed that is not known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from connectors.rest_support import TARGET, Dataset, dataset
from support.vendors import openai
from support.vendors.crm import KEY, Crm
from support.vendors.fake import told
from support.webserver import Answered, Asked

from retentiond.connector import Answered as Said
from retentiond.connector import (
    ConnectorError,
    OutcomeUnknownError,
    TransientConnectorError,
)
from retentiond_rest import connector
from retentiond_rest.acting import Acting
from retentiond_rest.requests import Act
from retentiond_rest.session import Session

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "describe-a-rest-system.md"


class Hours:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def fake() -> Crm:
    fake = Crm()
    for number in range(5):
        fake.put(f"lead-{number}", f"2020-01-0{number + 1}T00:00:00+00:00", "erika@canaria.example")
    return fake


@pytest.fixture
def leads(fake: Crm, tmp_path: Path) -> Iterator[Dataset]:
    text = PAGE.read_text(encoding="utf-8").partition("```yaml file=crm.yaml\n")[2].partition("```\n")[0]
    (tmp_path / "crm.yaml").write_text(text)
    with fake.served() as url:
        yield dataset(tmp_path, url, str(tmp_path / "crm.yaml"), KEY, "leads")


def acted(leads: Dataset, hours: Hours, key: str = "lead-0") -> list[Said]:
    """Delete one record by the clock of a test."""
    refs = [ref for ref in leads.find("created") if ref.key == (key,)]
    session = Session(leads.connection, leads.options, TARGET, acts=True)
    act = session.kind.delete
    assert act is not None
    try:
        answers = Acting(session, sleep=hours.sleep, clock=hours.clock).act(refs, act, lambda _now: None)
    finally:
        session.close()
    return [answer.said for answer in answers]


def test_an_act_that_was_merely_accepted_is_waited_for(leads: Dataset, fake: Crm) -> None:
    fake.patience = 4
    hours = Hours()
    assert acted(leads, hours) == [Said.DONE]
    assert hours.now == 6.0
    assert "lead-0" not in fake.leads


def test_an_act_that_does_not_end_in_time_is_in_doubt(leads: Dataset, fake: Crm) -> None:
    fake.patience = 1000
    hours = Hours()
    with pytest.raises(OutcomeUnknownError, match="did not finish it in time"):
        acted(leads, hours)
    assert 60.0 <= hours.now <= 62.0


def test_an_act_whose_end_cannot_be_looked_up_is_in_doubt(leads: Dataset, fake: Crm) -> None:
    whole = fake.routes()
    fake.routes = lambda: {**whole, "GET /api/leads/([^/]+)/removal": lambda _, _key: Answered(403, b"{}")}  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknownError, match="may have been done"):
        acted(leads, Hours())


def test_where_the_system_gets_busy_in_the_middle_the_rest_is_due_again(leads: Dataset, fake: Crm) -> None:
    """What was done is told as done; the engine tries the others again in its next run."""
    refs = leads.find("created")
    answered = fake._routed

    def busy(asked: Asked) -> Answered:
        if len(fake.leads) == 3:
            return Answered(429, b"{}", headers={"Retry-After": "60"})
        return answered(asked)

    fake._routed = busy  # type: ignore[method-assign]
    answers = leads.delete(refs)
    assert [answer.said for answer in answers] == [Said.DONE] * 2 + [Said.FAILED] * 3
    assert {answer.code for answer in answers[2:]} == {"unavailable"}
    assert set(fake.leads) == {"lead-2", "lead-3", "lead-4"}


def test_where_the_system_is_busy_before_anything_was_done_it_says_how_long(leads: Dataset, fake: Crm) -> None:
    refs = leads.find("created")
    fake.stumbling = 1
    with pytest.raises(TransientConnectorError) as raised:
        leads.delete(refs)
    assert raised.value.retry_after == 7.0
    assert len(fake.leads) == 5


def test_where_the_right_goes_in_the_middle_nothing_more_is_done(leads: Dataset, fake: Crm) -> None:
    refs = leads.find("created")
    answered = fake._routed

    def losing(asked: Asked) -> Answered:
        return Answered(403, b"{}") if len(fake.leads) == 4 else answered(asked)

    fake._routed = losing  # type: ignore[method-assign]
    answers = leads.delete(refs)
    assert [answer.said for answer in answers] == [Said.DONE] + [Said.FAILED] * 4
    assert {answer.code for answer in answers[1:]} == {"forbidden"}


def test_a_lost_answer_in_the_middle_leaves_the_whole_batch_in_doubt(leads: Dataset, fake: Crm) -> None:
    refs = leads.find("created")
    answered = fake._routed

    def cut(asked: Asked) -> Answered:
        answer = answered(asked)
        return Answered(hang_up=True) if asked.method == "DELETE" and len(fake.leads) == 3 else answer

    fake._routed = cut  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknownError):
        leads.delete(refs)


def test_an_accepted_act_that_is_not_confirmed_is_in_doubt(tmp_path: Path) -> None:
    fake = openai.OpenAI()
    for key in ("file-canary", "file-1"):
        fake.put_file(key, 1_500_000_000)
    whole = fake.routes()
    odd = [told({"id": "file-1", "deleted": False}), told({"id": "file-1"}), Answered(200, b"<html>", "text/html")]
    for answer in odd:
        fake.routes = lambda answer=answer: {  # type: ignore[method-assign, misc]
            **whole,
            "DELETE /v1/files/([^/]+)": lambda _, _key: answer,
        }
        with fake.served() as url:
            data = dataset(tmp_path, url, "openai", openai.KEY, "files", values={"canary": "file-canary"})
            with pytest.raises(OutcomeUnknownError):
                data.delete(data.find("created"))


def test_a_part_that_is_refused_keeps_its_whole(tmp_path: Path) -> None:
    """Without its items gone the conversation is not deleted: nobody could list them any more."""
    fake = openai.OpenAI(refused={"/msg_conv_0"})
    fake.put_file("file-canary", 1_500_000_000)
    fake.put_conversation("conv", 1_500_000_000, "a", "b", "c")
    (tmp_path / "ids.csv").write_text("id,closed_at\nconv,\n")
    ids = {"file": str(tmp_path / "ids.csv"), "id": "id"}
    with fake.served() as url:
        data = dataset(tmp_path, url, "openai", openai.KEY, "conversations", values={"canary": "file-canary"}, ids=ids)
        (answer,) = data.delete(data.find("created"))
    assert (answer.said, answer.code) == (Said.FAILED, "refused")
    assert "conv" in fake.conversations
    assert [item["id"] for item in fake.items["conv"]] == ["msg_conv_0"]


def test_a_part_that_is_said_to_be_deleted_and_is_still_there_keeps_its_whole(tmp_path: Path) -> None:
    fake = openai.OpenAI()
    fake.put_file("file-canary", 1_500_000_000)
    fake.put_conversation("conv", 1_500_000_000, "a")
    whole = fake.routes()
    fake.routes = lambda: {  # type: ignore[method-assign]
        **whole,
        "DELETE /v1/conversations/([^/]+)/items/([^/]+)": lambda _, key, _item: told(fake.conversations[key]),
    }
    (tmp_path / "ids.csv").write_text("id,closed_at\nconv,\n")
    ids = {"file": str(tmp_path / "ids.csv"), "id": "id"}
    with fake.served() as url:
        data = dataset(tmp_path, url, "openai", openai.KEY, "conversations", values={"canary": "file-canary"}, ids=ids)
        (answer,) = data.delete(data.find("created"))
    assert answer.said is Said.FAILED
    assert "conv" in fake.conversations


def test_a_forbidden_request_is_not_sent_whoever_asks(leads: Dataset, fake: Crm) -> None:
    session = Session(leads.connection, leads.options, TARGET, acts=True)
    try:
        with pytest.raises(ConnectorError, match="never sent"):
            session.ask(Act(method="DELETE", path="/api/leads", accept=(200,)), {})
    finally:
        session.close()
    assert fake.seen == []


def test_no_answer_of_the_system_is_logged_or_kept(leads: Dataset, fake: Crm, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        refs = leads.find("created")
        leads.delete(refs)
    assert "canaria" not in caplog.text.lower()
    assert "canaria" not in repr(refs).lower()
    assert len(fake.leads) == 0


def test_a_batch_is_small_so_that_progress_is_seen() -> None:
    assert connector.batch_size == 50
