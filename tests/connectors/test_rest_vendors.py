"""What each vendor would keep after a naive delete is gone after ours, or is told as a copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from connectors.rest_support import TARGET, Dataset, dataset
from support.vendors import brevo, bunny, formbricks, limesurvey, listmonk, mailchimp, meetergo, openai

from retentiond.connector import Action, Answered, ConnectorError, How, Presence
from retentiond_rest import connector
from retentiond_rest.loading import load, shipped
from retentiond_rest.session import Session

OLD, YOUNG = 1_500_000_000, 1_790_000_000


def ids_file(folder: Path, **closed: str | None) -> dict[str, Any]:
    """The application's table."""
    path = folder / "ids.jsonl"
    path.write_text("".join(json.dumps({"openai_id": key, "closed_at": told}) + "\n" for key, told in closed.items()))
    return {"file": str(path), "id": "openai_id"}


def deleted(data: Dataset, by: str) -> list[Answered]:
    """Delete all that is due, see that it is gone and that a second time finds nothing."""
    refs = data.find(by)
    assert refs
    answers = data.delete(refs)
    assert data.present(refs) == [Presence.ABSENT] * len(refs)
    assert data.find(by) == []
    assert [answer.said for answer in data.delete(refs)] == [Answered.NOT_FOUND] * len(refs)
    assert {answer.how for answer in answers} == {How.RESPONSE}
    return [answer.said for answer in answers]


def test_the_items_of_a_conversation_go_before_it(tmp_path: Path) -> None:
    """Its own delete leaves them, and takes away the only way to list them."""
    fake = openai.OpenAI()
    fake.put_file("file-canary", OLD)
    for key in ("conv_naive", "conv_old", "conv_open"):
        fake.put_conversation(key, OLD, *(f"Erika {number}" for number in range(7)))
    with fake.served() as url:
        ids = ids_file(tmp_path, conv_naive=None)
        naive = dataset(tmp_path, url, "openai", openai.KEY, "conversations", values={"canary": "file-canary"}, ids=ids)
        session = Session(naive.connection, naive.options, TARGET, acts=True)
        act = session.kind.delete
        assert act is not None
        session.ask(act, {"id": "conv_naive"})
        session.close()
        assert len(fake.items["conv_naive"]) == 7

        ids = ids_file(tmp_path, conv_old="2025-01-10T10:05:00+01:00", conv_open=None, conv_gone="2025-01-10T10:05:00+01:00")
        data = dataset(tmp_path, url, "openai", openai.KEY, "conversations", values={"canary": "file-canary"}, ids=ids)
        assert [ref.key for ref in data.find("closed_at")] == [("conv_old",)]
        assert [ref.key for ref in data.undated("closed_at")] == [("conv_open",)]
        assert deleted(data, "closed_at") == [Answered.DONE]
    assert fake.items["conv_old"] == []
    assert len(fake.items["conv_open"]) == 7
    assert set(fake.conversations) == {"conv_open"}


@pytest.mark.parametrize("kind", ["responses", "files", "vector-stores", "vector-store-files", "chat-completions"])
def test_what_is_stored_at_openai_goes_and_the_rest_stays(tmp_path: Path, kind: str) -> None:
    fake = openai.OpenAI()
    fake.put_file("file-canary", OLD)
    for key, created in (("old", OLD), ("old2", OLD + 1), ("old3", OLD + 2), ("old4", OLD + 3), ("young", YOUNG)):
        fake.put_file(f"file-{key}", created)
        fake.put_store(f"vs-{key}", created, f"file-{key}")
        fake.put_response(f"resp-{key}", created)
        fake.put_chat(f"chat-{key}", created)
    ids = ids_file(tmp_path, **{f"resp-{key}": None for key in ("old", "old2", "old3", "old4", "young")})
    more = {"ids": ids} if kind == "responses" else {}
    with fake.served() as url:
        data = dataset(tmp_path, url, "openai", openai.KEY, kind, values={"canary": "file-canary"}, **more)
        assert deleted(data, "created") == [Answered.DONE] * 4
    left = {
        "responses": set(fake.responses),
        "files": set(fake.files) - {"file-canary"},
        "vector-stores": set(fake.stores),
        "vector-store-files": {key for keys in fake.within.values() for key in keys},
        "chat-completions": set(fake.chats),
    }
    whole = {"old", "old2", "old3", "old4", "young"}
    for other, keys in left.items():
        expected = {"young"} if other == kind else whole
        if other == "vector-store-files" and kind == "files":
            expected = {"young"}  # a file that goes also leaves the stores
        assert {key.split("-")[1] for key in keys} == expected, other


def test_a_response_that_failed_is_a_record_like_any_other(tmp_path: Path) -> None:
    """It tells an error, which is what it holds and not what went wrong with the question."""
    fake = openai.OpenAI()
    fake.put_file("file-canary", OLD)
    fake.put_response("resp-1", OLD)
    fake.responses["resp-1"] |= {"status": "failed", "error": {"code": "server_error", "message": "Erika"}}
    with fake.served() as url:
        ids = ids_file(tmp_path, **{"resp-1": None})
        data = dataset(tmp_path, url, "openai", openai.KEY, "responses", values={"canary": "file-canary"}, ids=ids)
        assert deleted(data, "created") == [Answered.DONE]


def test_listmonk_says_done_where_nobody_was_and_is_not_believed(tmp_path: Path) -> None:
    fake = listmonk.Listmonk()
    fake.put(1, "2020-01-01T00:00:00+01:00", "erika@example.org")
    fake.put(2, "2026-06-01T00:00:00+02:00", "young@example.org")
    fake.put(9, "2019-01-01T00:00:00Z", "canary@example.org")
    with fake.served() as url:
        data = dataset(tmp_path, url, "listmonk", listmonk.TOKEN, "subscribers", user=listmonk.USER, values={"canary": "9"})
        (ref,) = data.find("created")
        del fake.subscribers[1]
        assert [answer.said for answer in data.delete([ref])] == [Answered.NOT_FOUND]
        fake.put(1, "2020-01-01T00:00:00+01:00", "erika@example.org")
        assert deleted(data, "created") == [Answered.DONE]
    assert set(fake.subscribers) == {2, 9}


def test_mailchimp_members_are_deleted_for_good_in_every_audience(tmp_path: Path) -> None:
    """A DELETE merely archives; here who was archived goes, too."""
    fake = mailchimp.Mailchimp()
    for name in ("news", "offers"):
        for number in range(4):
            fake.put(name, f"erika{number}@example.org", "2020-01-01T00:00:00+00:00", "archived" if number else "subscribed")
        fake.put(name, "young@example.org", "2026-06-01T00:00:00+00:00")
        fake.put(name, "imported@example.org", "")
    with fake.served() as url:
        data = dataset(tmp_path, url, "mailchimp", mailchimp.KEY, "members", user="any")
        assert len(data.undated("opted_in")) == 2
        assert deleted(data, "opted_in") == [Answered.DONE] * 8
    left = {member["email_address"] for members in fake.lists.values() for member in members.values()}
    assert left == {"young@example.org", "imported@example.org"}
    assert not any(asked.method == "DELETE" for asked in fake.seen)


def test_brevo_is_asked_for_all_since_it_can_only_tell_what_is_younger(tmp_path: Path) -> None:
    fake = brevo.Brevo()
    for number in range(1, 8):
        fake.put(number, f"202{number}-01-01T00:00:00.000+01:00", f"erika{number}@example.org", objected=number == 2)
    with fake.served() as url:
        data = dataset(tmp_path, url, "brevo", brevo.KEY, "contacts")
        assert [ref.facts["objected"] for ref in data.find("created")] == [False, True, False, False, False, False]
        assert deleted(data, "created") == [Answered.DONE] * 6
    assert set(fake.contacts) == {7}


def test_formbricks_tells_what_it_deleted_and_nobody_repeats_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The files of questions that the survey has no more stay: that is a copy, and told."""
    fake = formbricks.Formbricks(removed=frozenset({"old-question.pdf"}))
    for number in range(7):
        fake.put(f"r{number}", f"2020-01-0{number + 1}T00:00:00.000Z", "erika@example.org")
    fake.put("young", "2026-06-01T00:00:00.000Z")
    fake.files = {"cv.pdf": "r1", "old-question.pdf": "r1", "other.pdf": "young"}
    with fake.served() as url, caplog.at_level("DEBUG"):
        data = dataset(tmp_path, url, "formbricks", formbricks.KEY, "responses", values={"survey": formbricks.SURVEY})
        assert deleted(data, "created") == [Answered.DONE] * 7
    assert set(fake.responses) == {"young"}
    assert set(fake.files) == {"old-question.pdf", "other.pdf"}
    assert any("uploads" in copy.name for copy in connector.copies(data.connection, data.options))
    assert "Erika" not in caplog.text
    assert "erika" not in caplog.text


def survey(tmp_path: Path, url: str, **more: Any) -> Dataset:
    values = {"survey": str(limesurvey.SURVEY), "zone": "Europe/Berlin", **more}
    return dataset(tmp_path, url, "limesurvey", limesurvey.PASSWORD, "responses", user=limesurvey.USER, values=values)


def test_an_anonymous_answer_of_1980_is_undated_and_never_due(tmp_path: Path) -> None:
    fake = limesurvey.LimeSurvey()
    fake.put(1, "1980-01-01 00:00:00")
    fake.put(2, "2020-01-01 00:30:00")
    fake.put(3, None, "2020-01-01 00:00:00")
    fake.put(4, "2026-06-01 00:00:00")
    with fake.served() as url:
        data = survey(tmp_path, url)
        (ref,) = data.find("submitted")
        assert str(ref.dates["submitted"]) == "2019-12-31 23:30:00+00:00"
        assert [ref.key for ref in data.undated("submitted", "started")] == [("1",)]
        assert deleted(data, "submitted") == [Answered.DONE]
        assert set(fake.responses) == {1, 3, 4}
        assert fake.keys == set()


def test_the_last_answer_of_a_survey_goes_and_the_empty_survey_is_believed(tmp_path: Path) -> None:
    fake = limesurvey.LimeSurvey()
    fake.put(2, "2020-01-01 00:30:00")
    with fake.served() as url:
        assert deleted(survey(tmp_path, url), "submitted") == [Answered.DONE]


@pytest.mark.parametrize("trouble", ["permitted", "active"])
def test_a_survey_that_is_not_active_or_not_ours_is_an_error_and_not_empty(tmp_path: Path, trouble: str) -> None:
    fake = limesurvey.LimeSurvey()
    fake.put(2, "2020-01-01 00:30:00")
    with fake.served() as url:
        data = survey(tmp_path, url)
        refs = data.find("submitted")
        setattr(fake, trouble, False)
        for ask in (data.count, lambda: data.find("submitted"), lambda: data.present(refs), lambda: data.delete(refs)):
            with pytest.raises(ConnectorError):
                ask()
    assert set(fake.responses) == {2}


def test_wrong_credentials_that_come_with_200_are_refused(tmp_path: Path) -> None:
    fake = limesurvey.LimeSurvey()
    with fake.served() as url:
        data = survey(tmp_path, url)
        (tmp_path / "secret").write_text("wrong")
        with pytest.raises(ConnectorError, match="refuses the credentials"):
            data.count()


def bucket(tmp_path: Path, url: str, kind: str) -> Dataset:
    values = {"zone": bunny.ZONE, "canary": "canary.txt"}
    return dataset(tmp_path, url, "bunny-storage", bunny.PASSWORD, kind, values=values)


def storage() -> bunny.Storage:
    fake = bunny.Storage()
    fake.put("canary.txt", "2019-01-01T00:00:00.000")
    fake.put("exports/a/old.csv", "2020-01-01T10:00:00.123")
    fake.put("exports/a/young.csv", "2026-06-01T10:00:00.123")
    fake.put("pullzone-logs/web/2020/01/02_1.gzip", "2020-01-02T11:00:00.5")
    fake.put("pullzone-logs/web/2020/01/03_1_worker_x.gzip", "2026-06-02T11:00:00.5")  # copied, or wrongly named
    fake.put("pullzone-logs/web/2026/06/02_1.gzip", "2026-06-02T11:00:00.5")
    fake.put("pullzone-logs/web/readme.txt", "2020-01-01T00:00:00.5")
    return fake


def test_log_parts_at_bunny_go_by_the_day_in_their_path_where_it_agrees_with_when_they_were_written(tmp_path: Path) -> None:
    fake = storage()
    before = set(fake.files)
    with fake.served() as url:
        data = bucket(tmp_path, url, "log-parts")
        assert {ref.key[0] for ref in data.undated("logged")} == {"web/2020/01/03_1_worker_x.gzip", "web/readme.txt"}
        assert deleted(data, "logged") == [Answered.DONE]
    assert before - set(fake.files) == {"pullzone-logs/web/2020/01/02_1.gzip"}
    assert not any(asked.path.endswith("/") for asked in fake.seen if asked.method == "DELETE")


def test_files_at_bunny_are_found_in_every_folder_and_a_folder_is_never_deleted(tmp_path: Path) -> None:
    fake = storage()
    with fake.served() as url:
        data = bucket(tmp_path, url, "files")
        assert [ref.key[0] for ref in data.find("changed")] == [
            *("pullzone-logs/web/readme.txt", "exports/a/old.csv", "pullzone-logs/web/2020/01/02_1.gzip")
        ]
        session = Session(data.connection, data.options, TARGET, acts=True)
        before = dict(fake.files)
        act = session.kind.delete
        assert act is not None
        for folder in ("exports/", "exports/a/", "", "exports//", "exports/.."):
            with pytest.raises(ConnectorError) as raised:
                session.ask(act, {"path": folder})
            assert raised.value.code == "unsupported"
        with pytest.raises(ConnectorError, match="never sent"):
            session.ask(act.model_copy(update={"path": "/logs/exports/"}), {})
        session.close()
        assert fake.files == before
        assert deleted(data, "changed") == [Answered.DONE] * 3


def test_meetergo_shows_what_should_be_gone_and_offers_no_action(tmp_path: Path) -> None:
    fake = meetergo.Meetergo()
    for number in range(5):
        fake.put(f"a{number}", f"2020-01-0{number + 1}T10:00:00.000Z", "erika@example.org")
    fake.put("c", "2026-06-01T10:00:00.000Z", "erika@example.org", "2025-06-01T10:00:00.000Z")
    with fake.served() as url:
        data = dataset(tmp_path, url, "meetergo", meetergo.KEY, "appointments", values={"user": meetergo.USER})
        offer = connector.offer(data.connection, data.options)
        assert offer.actions == frozenset()
        assert len(data.find("ended_at")) == 5
        assert [ref.key for ref in data.find("cancelled_at")] == [("c",)]
        assert {one.value for ref in data.find("cancelled_at") for one in ref.subjects} == {
            "erika@example.org",
            "host@example.org",
        }
        assert {answer.code for answer in data.delete(data.find("ended_at"))} == {"unsupported"}
    assert {asked.method for asked in fake.seen} == {"GET"}


def test_every_shipped_manifest_states_its_copies_and_how_it_sees() -> None:
    for name in shipped():
        manifest = load(name).manifest
        for kind in manifest.kinds.values():
            assert Action.DELETE not in kind.actions() or kind.copies, name
