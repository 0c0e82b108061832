"""The fakes answer the vendors' own clients, so that requests and answers have the shape that somebody else gave them."""

from __future__ import annotations

import httpx
import listmonk as listmonk_client
import openai as openai_client
import pytest
from citric import Client as LimeSurveyClient
from citric.exceptions import LimeSurveyError
from mailchimp_marketing import Client as MailchimpClient
from mailchimp_marketing.api_client import ApiClientError
from support.vendors import brevo, bunny, formbricks, limesurvey, listmonk, mailchimp, meetergo, openai


def test_openai_by_its_own_client() -> None:
    fake = openai.OpenAI()
    for number in range(7):
        fake.put_file(f"file-{number}", 1_600_000_000 + number)
    fake.put_store("vs-1", 1_600_000_000, "file-1", "file-2")
    fake.put_response("resp-1", 1_600_000_000)
    fake.put_conversation("conv-1", 1_600_000_000, *"abcdefg")
    fake.put_chat("chat-1", 1_600_000_000)
    with fake.served() as url:
        with openai_client.OpenAI(api_key=openai.KEY, base_url=f"{url}/v1", max_retries=0) as client:
            assert [file.id for file in client.files.list()] == [f"file-{number}" for number in reversed(range(7))]
            assert client.files.retrieve("file-1").purpose == "assistants"
            assert client.files.delete("file-1").deleted is True
            with pytest.raises(openai_client.NotFoundError):
                client.files.retrieve("file-1")
            assert [file.id for file in client.vector_stores.files.list("vs-1")] == ["file-2"]
            assert client.vector_stores.files.delete("file-2", vector_store_id="vs-1").deleted is True
            assert "file-2" in fake.files
            assert client.vector_stores.delete("vs-1").deleted is True
            assert client.responses.retrieve("resp-1").created_at == 1_600_000_000
            client.responses.delete("resp-1")
            with pytest.raises(openai_client.NotFoundError):
                client.responses.retrieve("resp-1")
            items = list(client.conversations.items.list("conv-1"))
            assert len(items) == 7
            client.conversations.items.delete(str(items[0].id), conversation_id="conv-1")
            assert client.conversations.delete("conv-1").deleted is True
            assert len(fake.items["conv-1"]) == 6  # the naive delete leaves them
            assert [chat.id for chat in client.chat.completions.list()] == ["chat-1"]
            assert client.chat.completions.delete("chat-1").deleted is True
            fake.stumbling = 1
            with pytest.raises(openai_client.RateLimitError):
                client.files.list()
        stranger = openai_client.OpenAI(api_key="sk-wrong", base_url=f"{url}/v1", max_retries=0)
        with stranger, pytest.raises(openai_client.AuthenticationError):
            stranger.files.list()


def test_limesurvey_by_citric() -> None:
    fake = limesurvey.LimeSurvey()
    fake.put(1, "2020-01-01 00:30:00")
    fake.put(2, "1980-01-01 00:00:00")
    with fake.served() as url:
        address = f"{url}/index.php/admin/remotecontrol"
        with LimeSurveyClient(address, limesurvey.USER, limesurvey.PASSWORD) as client:
            told = client.export_responses_dict(limesurvey.SURVEY)
            assert [row["submitdate"] for row in told] == ["2020-01-01 00:30:00", "1980-01-01 00:00:00"]
            assert client.get_survey_properties(limesurvey.SURVEY, properties=["active"]) == {"active": "Y"}
            client.delete_response(limesurvey.SURVEY, 1)
            assert set(fake.responses) == {2}
            fake.permitted = False
            with pytest.raises(LimeSurveyError):
                client.export_responses_dict(limesurvey.SURVEY)
        with pytest.raises(LimeSurveyError):
            LimeSurveyClient(address, limesurvey.USER, "wrong")


def test_listmonk_by_its_client() -> None:
    fake = listmonk.Listmonk(most=500)
    for number in range(1, 6):
        fake.put(number, "2020-01-01T00:00:00+01:00", f"erika{number}@example.org")
    with fake.served() as url:
        listmonk_client.set_url_base(url)
        assert listmonk_client.login(listmonk.USER, listmonk.TOKEN)
        assert len(listmonk_client.subscribers()) == 5
        found = listmonk_client.subscriber_by_id(3)
        assert found is not None
        assert found.email == "erika3@example.org"
        assert listmonk_client.delete_subscriber("erika3@example.org") is True
        assert listmonk_client.subscriber_by_email("erika3@example.org") is None
        assert listmonk_client.delete_subscriber(overriding_subscriber_id=3) is True  # nobody was there


def test_mailchimp_by_its_own_client() -> None:
    fake = mailchimp.Mailchimp(most=2)
    for number in range(5):
        fake.put("news", f"erika{number}@example.org", "2020-01-01T00:00:00+00:00")
    one, another = (mailchimp.hashed(f"erika{number}@example.org") for number in (1, 2))
    with fake.served() as url:
        client = MailchimpClient({"api_key": mailchimp.KEY})
        client.api_client.host = f"{url}/3.0"
        client.api_client.server = ""
        assert [told["id"] for told in client.lists.get_all_lists()["lists"]] == ["news"]
        assert client.lists.get_list_members_info("news", count=2, offset=4)["total_items"] == 5
        client.lists.delete_list_member("news", one)
        assert client.lists.get_list_member("news", one)["status"] == "archived"  # the naive delete
        client.lists.delete_list_member_permanent("news", another)
        with pytest.raises(ApiClientError) as raised:
            client.lists.get_list_member("news", another)
        assert raised.value.status_code == 404


def test_the_others_as_their_documentation_asks_for() -> None:
    """There is no client of theirs that could be used, so these are the requests of their pages."""
    cases = [
        (brevo.Brevo(), {"api-key": brevo.KEY}, "/v3/contacts?limit=50&offset=0", "contacts"),
        (formbricks.Formbricks(), {"x-api-key": formbricks.KEY}, "/api/v2/management/responses?limit=50&skip=0", "data"),
        (bunny.Storage(), {"AccessKey": bunny.PASSWORD}, f"/{bunny.ZONE}/", None),
        (
            meetergo.Meetergo(),
            {"Authorization": f"Bearer {meetergo.KEY}", "x-meetergo-api-user-id": meetergo.USER},
            "/v4/appointment/paginated",
            "appointments",
        ),
    ]
    for fake, headers, path, name in cases:
        with fake.served() as url:
            answer = httpx.get(f"{url}{path}", headers=headers)
            assert answer.status_code == 200
            assert (answer.json() if name is None else answer.json()[name]) == []
            assert httpx.get(f"{url}{path}").status_code == 401
            fake.stumbling = 1
            assert httpx.get(f"{url}{path}", headers=headers).headers["Retry-After"] == "7"
