"""A vendor's settings are told in the words of a policy, asked anew each time; what the vendor did not say is not told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai as openai_client
import pytest
from connectors.rest_support import TARGET, Dataset, dataset
from support.vendors import bunny, limesurvey, openai

from retentiond.connector import ConfigurationError, ConnectorError
from retentiond_rest import connector
from retentiond_rest.loading import load
from retentiond_rest.settings import Setting


def told(data: Dataset) -> dict[str, str]:
    assert connector.attestor is not None
    with connector.attestor(data.connection, data.options, TARGET) as attestor:
        return {one.name: one.value for one in attestor.attest()}


def zone(folder: Path, url: str, key: str = "7") -> Dataset:
    return dataset(folder, url, "bunny", bunny.ACCOUNT, "pull-zone", values={"pull-zone": key})


def test_a_pull_zone_tells_what_it_keeps_and_drift_shows_at_once(tmp_path: Path) -> None:
    fake = bunny.Account()
    fake.put(7)
    with fake.served() as url:
        data = zone(tmp_path, url)
        offer = connector.offer(data.connection, data.options)
        expected = {
            "logging": "on",
            "retention": "P3D",
            "ip-anonymization": "on",
            "permanent-storage": "off",
            "forwarding": "off",
        }
        assert told(data) == expected
        assert offer.attests == expected.keys()
        assert offer.actions == frozenset()
        fake.zones["7"] |= {"LoggingSaveToStorage": True, "LoggingIPAnonymizationEnabled": False, "EnableLogging": False}
        assert told(data) == {
            **expected,
            "logging": "off",
            "retention": "PT0S",
            "ip-anonymization": "off",
            "permanent-storage": "on",
        }
    assert {asked.method for asked in fake.seen} == {"GET"}


@pytest.mark.parametrize("value", [None, "", "false", 0, 2, "Erika Canaria", [], {}])
def test_what_is_missing_or_unheard_of_is_not_told_and_never_off(tmp_path: Path, value: object) -> None:
    fake = bunny.Account()
    fake.put(7, LoggingIPAnonymizationEnabled=value)
    with fake.served() as url:
        assert "ip-anonymization" not in told(zone(tmp_path, url))
        del fake.zones["7"]["LoggingIPAnonymizationEnabled"]
        assert "ip-anonymization" not in told(zone(tmp_path, url))


@pytest.mark.parametrize("trouble", ["key", "zone", "page", "rights", "busy"])
def test_where_the_vendor_cannot_be_asked_nothing_is_told(tmp_path: Path, trouble: str) -> None:
    fake = bunny.Account(page="<html>Erika Canaria</html>" if trouble == "page" else "")
    fake.put(7)
    fake.lost = frozenset({trouble})
    fake.stumbling = trouble == "busy"
    with fake.served() as url:
        data = zone(tmp_path, url, "8" if trouble == "zone" else "7")
        if trouble == "key":
            (tmp_path / "secret").write_text("another")
        with pytest.raises(ConnectorError) as raised:
            told(data)
    assert "anaria" not in str(raised.value)


def test_settings_alone_hold_no_record(tmp_path: Path) -> None:
    fake = bunny.Account()
    fake.put(7)
    with fake.served() as url:
        data = zone(tmp_path, url)
        assert data.count() == 0
        del fake.zones["7"]
        with pytest.raises(ConnectorError):
            data.count()


@pytest.mark.parametrize(
    ("kind", "vendor", "expected"),
    [
        ("organization-retention", "zero_data_retention", {"abuse-monitoring": "PT0S", "store": "off"}),
        ("organization-retention", "modified_abuse_monitoring", {"abuse-monitoring": "P30D"}),
        ("organization-retention", "something_new", {}),
        ("project-retention", "none", {"abuse-monitoring": "P30D"}),
        ("project-retention", "organization_default", {}),
        ("project-retention", "enhanced_zero_data_retention", {"abuse-monitoring": "PT0S", "store": "off"}),
    ],
)
def test_openai_tells_what_is_configured(tmp_path: Path, kind: str, vendor: str, expected: dict[str, str]) -> None:
    fake = openai.OpenAI(retention=vendor, project_retention=vendor)
    with fake.served() as url:
        values = {"project": "proj-1"} if kind.startswith("project") else {}
        assert told(dataset(tmp_path, url, "openai", openai.KEY, kind, values=values)) == expected


def test_the_settings_at_openai_have_the_shape_of_its_own_client() -> None:
    fake = openai.OpenAI(retention="zero_data_retention")
    with fake.served() as url, openai_client.OpenAI(admin_api_key=openai.KEY, api_key="x", base_url=f"{url}/v1") as client:
        assert client.admin.organization.data_retention.retrieve().type == "zero_data_retention"


def test_a_survey_tells_whether_it_keeps_addresses(tmp_path: Path) -> None:
    fake = limesurvey.LimeSurvey()
    fake.put(1, "2020-01-01 00:00:00")
    values = {"survey": str(limesurvey.SURVEY), "zone": "UTC"}
    with fake.served() as url:
        data = dataset(tmp_path, url, "limesurvey", limesurvey.PASSWORD, "responses", user=limesurvey.USER, values=values)
        assert told(data) == {"ip-addresses": "off", "anonymized": "on"}
        fake.permitted = False
        with pytest.raises(ConnectorError):
            told(data)


@pytest.mark.parametrize(
    ("counts", "value", "expected"),
    [
        *(("days", 3, "P3D"), ("days", 0, "P0D"), ("seconds", 90, "PT90S"), ("number", 7, "7")),
        *(("days", wrong, None) for wrong in (-1, True, "3", 1.5)),
    ],
)
def test_a_number_is_told_as_what_it_counts(counts: str, value: Any, expected: str | None) -> None:
    assert Setting.model_validate({"path": "/x", "at": "/y", "counts": counts}).told(value) == expected


def test_a_setting_needs_a_meaning_and_only_reads(tmp_path: Path) -> None:
    for wrong in ({}, {"counts": "days", "words": [{"is": 1, "tell": "on"}]}, {"counts": "days", "method": "POST"}):
        with pytest.raises(ValueError, match=r"say exactly one|must change nothing"):
            Setting.model_validate({"path": "/x", "at": "/y", **wrong})
    text = (Path(load("bunny").path)).read_text().replace("    attest:", "    list: {path: /x, pages: {by: none}}\n    attest:")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match="records need `key`"):
        load(str(tmp_path / "mine.yaml"))
