"""The fields of `--json` are a promise: the page lists exactly those that the code can write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from retentiond.report import (
    anchors,
    answer,
    difference,
    duties,
    fate,
    holds,
    log,
    plan,
    proof,
    replay,
    requests,
    reviews,
    run,
    status,
    systems,
    tasks,
    taxes,
)

MODULES = (
    anchors,
    answer,
    difference,
    duties,
    fate,
    holds,
    log,
    plan,
    proof,
    replay,
    requests,
    reviews,
    run,
    status,
    systems,
    tasks,
    taxes,
)
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"

SHAPES: dict[str, Any] = {
    "`plan --json`": plan.PlanJson,
    "A step of a plan": plan.StepJson,
    "A surviving copy": plan.CopyJson,
    "A finding": plan.FindingJson,
    "The totals of a plan": plan.TotalsJson,
    "`run --json`": run.RunJson,
    "What a vendor said": run.AskedJson,
    "An interrupted batch": run.ReconciledJson,
    "A step of a run": run.RunStepJson,
    "`replay --json`": replay.ReplayJson,
    "What came back": replay.ReturnedJson,
    "A step of a replay": replay.RedoneJson,
    "`explain --json`": fate.ExplainJson,
    "A fate": fate.FateJson,
    "A bound": fate.BoundJson,
    "A suspension": fate.SuspensionJson,
    "A trigger": fate.TriggerJson,
    "A trace": log.TraceJson,
    "`hold list --json`": holds.HoldsJson,
    "A hold": holds.HoldJson,
    "`tax list --json`": taxes.TaxYearsJson,
    "A tax year": taxes.TaxYearJson,
    "`policy diff --json`": difference.PolicyDiffJson,
    "The differences of a rule": difference.DifferenceJson,
    "Records that fare otherwise": difference.MovedJson,
    "`status --json`": status.StatusJson,
    "A run as it is remembered": status.RunRowJson,
    "A sign of life": status.HeartbeatJson,
    "The state of a rule": status.RuleStateJson,
    "What a rule did last": status.RuleLastJson,
    "What persons have to do": duties.DutiesJson,
    "`request list --json`": requests.RequestsJson,
    "A request": requests.RequestJson,
    "`request show --json`": answer.AnswerJson,
    "What becomes of records": answer.ToldJson,
    "A recipient": answer.RecipientJson,
    "`review list --json`": reviews.ReviewsJson,
    "A review": reviews.ReviewJson,
    "`attest --list --json`": reviews.AttestationsJson,
    "An attestation": reviews.AttestationJson,
    "`task list --json`": tasks.TasksJson,
    "A task": tasks.TaskJson,
    "`audit list --json`": log.EntriesJson,
    "`audit show INDEX --json`": log.EntryJson,
    "`audit show --record … --json`": log.TracesJson,
    "`audit verify --json`": log.VerificationJson,
    "`audit prove --json`": proof.ProvenJson,
    "`audit prune --json`": proof.PrunableJson,
    "How far anchors reach": anchors.CoverageJson,
    "`audit anchor --json`": anchors.AnchoringJson,
    "What an anchor did": anchors.HandedJson,
    "`systems --json`": systems.SystemsJson,
    "A data set": systems.SystemJson,
    "`systems --live --json`": systems.SystemsLiveJson,
    "A system": systems.SurveyJson,
    "What a data set said": systems.SurveyedJson,
    "An action that is permitted or not": systems.PermittedJson,
    "A copy that survives": systems.CopyJson,
    "Evidence about a system": systems.EvidenceJson,
    "`connectors --json`": systems.ConnectorsJson,
    "A connector": systems.ConnectorJson,
}


def _tables() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    heading = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"#{2,3} (.+)", line):
            heading = match[1]
            found[heading] = []
        elif row := re.match(r"\| `(\w+)` \|", line):
            found[heading].append(row[1])
    return found


def test_every_shape_has_a_table_and_every_table_a_shape() -> None:
    assert set(_tables()) == set(SHAPES)


@pytest.mark.parametrize("heading", SHAPES)
def test_the_table_lists_the_fields_in_the_order_they_are_written(heading: str) -> None:
    assert _tables()[heading] == list(get_type_hints(SHAPES[heading]))


def test_every_shape_that_a_module_defines_is_documented() -> None:
    shapes = {value for module in MODULES for name, value in vars(module).items() if name.endswith("Json")}
    assert shapes == set(SHAPES.values())


def test_every_link_within_the_page_leads_to_a_heading() -> None:
    anchors = {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-").lower() for heading in _tables()}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE.read_text(encoding="utf-8"))) <= anchors
