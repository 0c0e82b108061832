"""The site that stands in for Frappe answers plain requests as the real one was seen to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.frappe_site import FrappeSite
from support.webserver import serving

BERTA = "/api/resource/Contact/Berta%20Beispiel"


@pytest.fixture
def site() -> FrappeSite:
    return FrappeSite()


@pytest.fixture
def client(site: FrappeSite) -> Iterator[httpx.Client]:
    headers = {"Authorization": "token manager:s3cret", "Host": "crm.localhost"}
    with serving(site.answer) as url, httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        yield client


def listed(client: httpx.Client, doctype: str, filters: str, fields: str = '["name"]') -> Any:
    query = {"filters": filters, "fields": fields, "order_by": "creation asc, name asc"}
    return client.get(f"/api/resource/{doctype}", params=query).json()["data"]


def test_a_contact_of_a_deal_is_refused_until_the_deal_is_gone_and_leaves_a_copy(site: FrappeSite, client: httpx.Client) -> None:
    site.put("Contact", "Berta Beispiel", "2020-05-04 09:12:33.417201")
    site.put("Contact", "Emil Muster", "2020-06-01 08:00:00")
    deal = site.put("CRM Deal", "CRM-DEAL-2026-00007")
    site.put("CRM Contacts", None, parent=deal, parenttype="CRM Deal", contact="Berta Beispiel")
    old = '[["creation","<","2021-01-01 00:00:00"]]'
    assert [row["name"] for row in listed(client, "Contact", old)] == ["Berta Beispiel", "Emil Muster"]
    refused = client.delete(BERTA)
    assert (refused.status_code, refused.json()["exc_type"]) == (417, "LinkExistsError")
    assert client.delete(f"/api/resource/CRM%20Deal/{deal}").status_code == 202
    gone = client.delete(BERTA)
    assert (gone.status_code, gone.json()) == (202, {"data": "ok"})
    assert client.delete(BERTA).json()["exc_type"] == client.get(BERTA).json()["exc_type"] == "DoesNotExistError"
    (copy,) = listed(client, "Deleted Document", '[["deleted_doctype","=","Contact"]]', '["deleted_name","restored","data"]')
    assert (copy["deleted_name"], copy["restored"]) == ("Berta Beispiel", 0)
    assert "2020-05-04 09:12:33.417201" in copy["data"]
    (comment,) = listed(client, "Comment", '[["subject","=","Contact Berta Beispiel"]]', '["comment_type"]')
    assert comment == {"comment_type": "Deleted"}


def test_a_save_counts_only_with_the_latest_modified_and_leaves_the_old_values(site: FrappeSite, client: httpx.Client) -> None:
    site.put("CRM Lead", "CRM-LEAD-2026-00031", first_name="Emil", email="emil@example.org")
    path = "/api/resource/CRM%20Lead/CRM-LEAD-2026-00031"
    stale = client.put(path, json={"first_name": "Anon", "modified": "2026-01-05 10:00:00"})
    assert (stale.status_code, stale.json()["exc_type"]) == (417, "TimestampMismatchError")
    assert client.put(path, json={"first_name": "Anon", "email": "", "unknown": "ignored"}).status_code == 200
    (version,) = listed(client, "Version", '[["docname","=","CRM-LEAD-2026-00031"]]', '["name","data"]')
    assert "emil@example.org" in version["data"]
    assert client.delete(f"/api/resource/Version/{version['name']}").status_code == 403
    assert client.put(path, json={"email": "redacted"}).json()["exc_type"] == "InvalidEmailAddressError"


def test_a_mail_of_a_deleted_lead_is_not_found_though_it_is_there(site: FrappeSite, client: httpx.Client) -> None:
    site.worker = False
    site.put("CRM Lead", "L1")
    mail = site.put("Communication", None, reference_doctype="CRM Lead", reference_name="L1")
    assert client.delete("/api/resource/CRM%20Lead/L1").status_code == 202
    assert client.get(f"/api/resource/Communication/{mail}").status_code == 404
    assert listed(client, "Communication", f'[["name","=","{mail}"]]') == [{"name": mail}]
    assert client.delete(f"/api/resource/Communication/{mail}").status_code == 202


def test_a_name_that_ends_with_a_slash_can_only_be_deleted_by_its_method(site: FrappeSite, client: httpx.Client) -> None:
    site.put("CRM Lead", "odd/")
    assert client.delete("/api/resource/CRM%20Lead/odd%2F").status_code == 404
    told = {"doctype": "CRM Lead", "name": "odd/"}
    assert client.post("/api/method/frappe.client.delete", json=told).status_code == 200
    assert site.tables["CRM Lead"] == {}


def test_keys_hosts_and_fields_that_are_wrong(site: FrappeSite, client: httpx.Client) -> None:
    assert client.get("/api/resource/Contact", headers={"Authorization": "token a:b"}).status_code == 401
    other = client.get("/api/resource/Contact", headers={"Host": "other.localhost"})
    assert (other.status_code, other.headers["content-type"]) == (404, "text/html")
    assert client.get("/api/resource/Contact", params={"fields": '["unknown"]'}).json()["exc_type"] == "DataError"
    assert client.get("/api/resource/Nonsense").json()["exc_type"] == "DoesNotExistError"
    site.roles["manager:s3cret"] = set()
    site.put("Communication", None)
    assert client.get("/api/resource/Communication").json() == {"data": []}
    assert client.get("/api/resource/Contact").status_code == 403
    assert client.post("/api/method/frappe.client.get_count", json={"doctype": "Communication"}).json() == {"message": 1}
