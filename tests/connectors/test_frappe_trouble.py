"""What the frappe connector says of a wrong key, a wrong site, hidden records, nonsense and traps; and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from pydantic import ValidationError
from support.frappe_site import FrappeSite
from support.frappe_world import LEAD, LeadWorld
from support.webserver import Answered, serving

from retentiond.connector import Action, ConnectorError, Cutoff, TransientConnectorError
from retentiond.connector import Answered as Said
from retentiond.testing.world import Bench
from retentiond_frappe import connector
from retentiond_frappe.records import moment
from retentiond_frappe.remains import from_or_to, like

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def site() -> FrappeSite:
    return FrappeSite()


@pytest.fixture
def world(site: FrappeSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[LeadWorld]:
    monkeypatch.setenv("KIT_FRAPPE_SECRET", "s3cret")
    with serving(site.answer) as url:
        made = LeadWorld(site, url)
        made.put(1, datetime(2020, 1, 1, tzinfo=UTC))
        yield made


def told(world: LeadWorld) -> ConnectorError:
    """The error that a search ends with; it names nobody and carries no word of the site."""
    with pytest.raises(ConnectorError) as caught:
        Bench(world).find()
    message = str(caught.value)
    assert message.endswith((".", "?"))
    assert "Secret" not in message
    assert "Anna" not in message
    return caught.value


def test_a_wrong_key_is_told(world: LeadWorld) -> None:
    world.connection["key"] = "nobody"
    error = told(world)
    assert error.code == "forbidden"
    assert "credentials" in str(error)


def test_a_wrong_host_is_told_as_a_wrong_site_and_never_as_absence(world: LeadWorld) -> None:
    world.connection["site"] = "other.localhost"
    assert "`site`" in str(told(world))


def test_records_that_a_user_permission_hides_are_an_error(world: LeadWorld) -> None:
    world.put(2, datetime(2020, 1, 2, tzinfo=UTC))
    world.site.narrowed = {(LEAD, "CRM-LEAD-2026-1")}
    error = told(world)
    assert error.code == "forbidden"
    assert "only some" in str(error)
    with Bench(world).reader() as reader, pytest.raises(ConnectorError):
        reader.preflight(Action.DELETE)


def test_mails_that_are_hidden_without_a_word_keep_everything_from_being_deleted(world: LeadWorld) -> None:
    bench = Bench(world)
    refs = bench.find()
    on = {"reference_doctype": LEAD, "reference_name": "CRM-LEAD-2026-1"}
    world.site.put("Communication", None, content="there", **on)
    seen = world.site._seen
    world.site._seen = lambda doctype, token: [] if doctype == "Communication" else seen(doctype, token)  # type: ignore[method-assign]
    with pytest.raises(ConnectorError) as caught:
        bench.act(Action.DELETE, refs)
    assert caught.value.code == "forbidden"
    assert len(world.all_keys()) == 1


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'{"message": 7}', b'{"message": [{"name": "x"}]}', b"<html>", b'{"data": "x"}']
)
def test_nonsense_is_an_error(world: LeadWorld, body: bytes) -> None:
    world.site.next = [Answered(200, body)] * 30
    told(world)


def test_an_unknown_field_is_told(world: LeadWorld) -> None:
    world.options["unchanged"] = ["custom_unknown"]
    assert "fields" in str(told(world))


def test_an_unknown_doctype_is_told(world: LeadWorld) -> None:
    world.options |= {"doctype": "Nonsense"}
    world.beside = []
    assert "DocType" in str(told(world))


def test_a_rate_limit_tells_how_long_to_wait(world: LeadWorld) -> None:
    world.stumble()
    error = told(world)
    assert isinstance(error, TransientConnectorError)
    assert error.retry_after == 7


def test_a_rate_limit_in_the_middle_of_a_batch_leaves_the_others_for_later(world: LeadWorld) -> None:
    world.put(2, datetime(2020, 1, 2, tzinfo=UTC))
    bench = Bench(world)
    refs = bench.find()
    remove = world.site.remove

    def limited(doctype: str, name: str, user: str) -> None:
        remove(doctype, name, user)
        if doctype == LEAD:
            world.site.next = [Answered(429, b"{}", headers={"Retry-After": "7"})]
            world.site.remove = remove  # type: ignore[method-assign]

    world.site.remove = limited  # type: ignore[method-assign]
    answers = bench.act(Action.DELETE, refs)
    assert {answer.code for answer in answers if answer.said is Said.FAILED} <= {"unavailable"}
    left = bench.find()
    assert {answer.said for answer in bench.act(Action.DELETE, left)} <= {Said.DONE}
    assert world.all_keys() == set()


def test_a_lack_of_rights_is_named_by_the_preflight(world: LeadWorld) -> None:
    may = world.site._may
    lacking = {"CRM Task", "Deleted Document"}
    world.site._may = lambda doctype, right, token: (  # type: ignore[method-assign]
        not (doctype in lacking and right == "delete") and may(doctype, right, token)
    )
    with Bench(world).reader() as reader:
        (finding,) = reader.preflight(Action.DELETE)
    assert "delete CRM Task" in finding.what
    assert "delete Deleted Document" in finding.what
    assert finding.of_rights


def test_an_empty_date_is_unknown_though_the_site_takes_it_for_the_oldest(world: LeadWorld) -> None:
    world.put(3, None)
    keys = [ref.key for ref in Bench(world).find()]
    assert keys == [("CRM-LEAD-2026-1",)]
    told_by_site = httpx.get(
        f"{world.connection['url']}/api/resource/CRM%20Lead",
        params={"filters": '[["custom_contacted_at","<","2000-01-01"]]'},
        headers={"Authorization": "token manager:s3cret", "Host": "crm.localhost"},
    )
    assert told_by_site.json() == {"data": [{"name": "CRM-LEAD-2026-3"}]}


def test_the_zone_is_the_sites_and_of_a_double_hour_the_later_one_counts() -> None:
    assert moment("2026-10-25 02:30:00", BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert moment("2026-07-01 02:30:00.5", BERLIN) == datetime(2026, 7, 1, 0, 30, 0, 500000, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, "", "yesterday", "0001-01-01 00:00:00", "2026-01-01T10:00:00Z", "2026-01-01", 7])
def test_what_nobody_can_have_meant_is_unknown(text: object) -> None:
    assert moment(text, BERLIN) is None


def test_a_plain_day_is_no_instant() -> None:
    assert moment("2026-01-31", BERLIN, day=True) == date(2026, 1, 31)
    assert moment("2026-01-31 00:00:00", BERLIN, day=True) is None


def test_last_contact_is_the_newest_mail_or_call_and_tells_who_answered(world: LeadWorld) -> None:
    on = {"reference_doctype": LEAD, "reference_name": "CRM-LEAD-2026-1"}
    world.site.put("Communication", None, communication_date="2021-05-05 10:00:00", sent_or_received="Sent", **on)
    world.beside = []
    world.options = {"doctype": LEAD, "dates": {"last": {"newest": "contact"}}, "answered": False}
    ref = Bench(world).explained(("CRM-LEAD-2026-1",))
    assert ref.dates == {"last": datetime(2021, 5, 5, 4, 30, tzinfo=UTC)}
    call = {"reference_doctype": LEAD, "reference_docname": "CRM-LEAD-2026-1"}
    world.site.put("CRM Call Log", "c1", start_time="2022-05-05 10:00:00", type="Incoming", **call)
    early = Cutoff("last", datetime(2023, 1, 1, tzinfo=UTC), date(2023, 1, 1))
    assert Bench(world).find(early) == []  # somebody answered, so it is none of the silent ones
    world.options |= {"answered": True}
    (answered,) = Bench(world).find(early)
    assert answered.dates == {"last": datetime(2022, 5, 5, 4, 30, tzinfo=UTC)}


def test_a_mail_tells_when_the_relation_of_what_it_refers_to_ended(world: LeadWorld) -> None:
    world.site.put("CRM Organization", "Org", custom_ended_on="2026-06-30")
    on = {"reference_doctype": "CRM Organization", "reference_name": "Org"}
    world.site.put("Communication", "m1", communication_date="2026-01-01 10:00:00", **on)
    world.beside = []
    ended = {"referenced": {"CRM Organization": "custom_ended_on"}, "day": True}
    world.options = {"doctype": "Communication", "dates": {"sent": {"field": "communication_date"}, "ended": ended}}
    assert Bench(world).explained(("m1",)).dates["ended"] == date(2026, 6, 30)


def test_an_address_is_never_taken_by_a_part_of_it() -> None:
    (anna,) = connector_subjects("anna@x.example")
    assert from_or_to({"sender": "Anna <ANNA@x.example>"}, {anna})
    assert not from_or_to({"sender": "hanna@x.example", "cc": "anna@x.example.org"}, {anna})
    assert not from_or_to({"sender": "anna@x.example", "reference_name": "CRM-LEAD-1"}, {anna})


def connector_subjects(text: str) -> list[Any]:
    from retentiond.connector import subject  # noqa: PLC0415 - one place

    return [subject("email", text)]


def test_a_pattern_is_wider_than_the_name() -> None:
    assert like("Zoë 100%_\\") == "%Zo% 100%%%%"


@pytest.mark.parametrize(
    "wrong",
    [
        {"doctype": "Contact", "anonymize": {"fields": {"first_name": "Anon"}}},
        {"doctype": "CRM Deal", "parts": ["deals"]},
        {"doctype": LEAD, "mail_by_address": True},
        {"doctype": LEAD, "block": {"field": "modified"}, "unchanged": ["modified"]},
    ],
)
def test_settings_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        connector.options.model_validate({"dates": {"created": {"field": "creation"}}, **wrong})


def test_nothing_is_anonymized_without_a_second_key(world: LeadWorld) -> None:
    del world.connection["administrator"]
    assert Action.ANONYMIZE not in Bench(world).offer.actions
