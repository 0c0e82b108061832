"""What `systems --live` learns of each system, and what it must not call covered."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from support.workbench import Workbench, rule

from retentiond.connector import ConnectorError
from retentiond.engine.survey import SystemSurvey, survey
from retentiond.report.systems import live_json, live_text
from retentiond.store import Attestation, AttestationResult

SYSTEMS = """\
systems:
  crm: {holder: Some Vendor, role: processor, connector: memory}
  cdn: {holder: Some CDN, role: processor, connector: rest}
  fax: {holder: Nobody Knows, role: processor, connector: manual}
attestations:
  - id: cdn.log
    data_kind: {de: Protokoll, en: log}
    categories: [ip-address]
    system: cdn
    every: P1M
    expect: {retention: at most P3D}
rules:
"""


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path, rule(), rule("crm.letter", dataset="letters", starts="written"))
    policy = tmp_path / "policies" / "made-up.yaml"
    policy.write_text(policy.read_text(encoding="utf-8").replace("rules:\n", SYSTEMS, 1), encoding="utf-8")
    bench.lead("a", 10)
    return bench


def asked(bench: Workbench, *made: Attestation) -> dict[str, SystemSurvey]:
    return {one.name: one for one in survey(bench.workplace(), made, bench.now, lambda: bench.now)}


def text(bench: Workbench, one: SystemSurvey) -> str:
    out = io.StringIO()
    console = Console(file=out, width=130)
    for line in live_text(one, bench.now):
        console.print(line)
    return out.getvalue()


def evidence(bench: Workbench, result: AttestationResult = AttestationResult.MET, days: float = 1) -> Attestation:
    return Attestation("cdn.log", result, "file-7", "staff-1", bench.now, bench.now + timedelta(days=days))


def test_each_system_of_settings_and_policies_is_told_once(bench: Workbench) -> None:
    assert list(asked(bench)) == ["cdn", "crm", "fax", "shop"]


def test_a_system_that_answers_is_told_with_its_records_its_clock_and_what_is_permitted(bench: Workbench) -> None:
    bench.crm.clock = bench.now + timedelta(hours=2)
    crm = asked(bench)["crm"]
    leads, letters = crm.datasets
    assert (leads.records, letters.records, leads.ahead) == (1, 0, timedelta(hours=2))
    assert next((one.action, one.rules, one.ready) for one in leads.permitted) == ("delete", ("crm.leads",), True)
    told = text(bench, crm)
    assert "crm, Some Vendor (processor)" in told
    assert "leads (memory): reachable, 1 record, its clock is 2 hours ahead of ours" in told
    assert "survives a delete: backup, nobody has said until when" in told


def test_a_system_that_cannot_be_asked_stops_no_other_and_is_refused(bench: Workbench) -> None:
    bench.crm.unreachable = ConnectorError("The store refuses the credentials.", "forbidden")
    told = asked(bench)
    assert all(data.refused and data.records is None for data in told["crm"].datasets)
    assert not any(data.refused for data in told["shop"].datasets)
    assert "leads (memory): NOT REACHABLE. The store refuses the credentials." in text(bench, told["crm"])


def test_a_system_that_nothing_reaches_and_nobody_attests_is_not_covered(bench: Workbench) -> None:
    fax = asked(bench)["fax"]
    assert fax.uncovered
    assert "NOT COVERED" in text(bench, fax)
    assert not asked(bench)["cdn"].uncovered


@pytest.mark.parametrize(
    ("result", "days", "said"),
    [
        (AttestationResult.MET, 1, "good until"),
        (AttestationResult.MET, -1, "EXPIRED"),
        (AttestationResult.NOT_MET, 1, "NOT"),
        (None, 0, "NEVER ATTESTED"),
    ],
)
def test_only_evidence_that_is_good_today_counts(
    bench: Workbench, result: AttestationResult | None, days: float, said: str
) -> None:
    cdn = asked(bench, *([evidence(bench, result, days)] if result else []))["cdn"]
    assert cdn.lapsed(bench.now) == (said != "good until")
    assert said in text(bench, cdn)
    (shown,) = live_json([cdn], bench.now)["systems"][0]["attestations"]
    assert shown["good"] == (said == "good until")


def test_a_program_is_told_the_same(bench: Workbench) -> None:
    told = live_json(list(asked(bench).values()), bench.now)
    crm = next(one for one in told["systems"] if one["system"] == "crm")
    assert crm["holder"] == "Some Vendor"
    assert crm["datasets"][1]["copies"] == [{"name": "backup", "until": None}]
    assert crm["datasets"][0]["permitted"][0] == {"action": "delete", "rules": ["crm.leads"], "ready": True, "findings": []}
