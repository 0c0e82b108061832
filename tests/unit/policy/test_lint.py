"""The lint: what is against the law stops every command, what is doubtful is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from retentiond.errors import ConfigurationError
from retentiond.model.law import CLASSES
from retentiond.policy.lint import Severity, lint
from retentiond.policy.load import load

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "policies/balanced-bytes").glob("*.yaml"))
HEAD = """
policy: sample
title: {de: Probe, en: sample}
purpose: a test
basis: ["%(basis)s"]
notice: "%(notice)s"
zone: Europe/Berlin
valid_from: "2025-01-01"
rules:
  - id: sample.rule
    data_kind: {de: "%(kind)s", en: thing}
    categories: [%(category)s]
    target: {system: one, dataset: things}
    starts: made_on
    keep_at_least: %(duty)s
    %(end)s
    holds: [%(holds)s]
    action: %(action)s
    limits: default
    approval: rule
"""
CASES = '    cases: [{starts: "2025-06-01", due: "%s"}]\n'
PLAIN = {
    "basis": "Art. 6(1)(f) GDPR",
    "notice": "nach 30 Tagen",
    "kind": "Ding",
    "category": "name",
    "duty": "none",
    "end": "delete_after: {period: P30D, counted: day-end}",
    "holds": "tax-hold",
    "action": "delete",
}
VOUCHER = {
    "basis": "Art. 6(1)(c) GDPR",
    "duty": "{class: voucher, period: P8Y, counted: calendar-year-end}",
    "end": "delete_after: keep_at_least",
}


def _text(**changes: str) -> str:
    due = "2034-01-01T00:00:00+01:00" if "duty" in changes else "2025-07-02T00:00:00+02:00"
    return HEAD % (PLAIN | changes) + CASES % due


def _found(text: str, folder: Path) -> list[str]:
    file = folder / "sample.yaml"
    file.write_text(text, encoding="utf-8")
    return [one.text for one in lint(load(file)[0].policy)]


def test_what_is_in_order_has_no_finding(tmp_path: Path) -> None:
    assert _found(_text(), tmp_path) == []
    assert _found(_text(**VOUCHER), tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"notice": "nach wenigen Tagen, kurzfristig"}, "the notice says only"),
        ({**VOUCHER, "notice": "nach 10 Jahren; 10 Jahre"}, "the notice promises 10 years"),
        ({"basis": "sec. 7 UWG"}, "no letter of Art. 6(1)"),
        ({**VOUCHER, "basis": "Art. 6(1)(b) GDPR"}, "the basis of a duty"),
        ({"kind": "Rechnung"}, "the kind of data speaks of 'Rechnung'"),
        ({**VOUCHER, "holds": "legal-claim"}, "`holds` leaves out tax-hold"),
        ({"kind": "anonymisierte Ergebnisse"}, "it is called anonymous"),
    ],
)
def test_what_is_doubtful_is_told(changes: dict[str, str], told: str, tmp_path: Path) -> None:
    found = _found(_text(**changes), tmp_path)
    assert len(found) == 1
    assert found[0].startswith(told)


def test_a_rule_without_a_case_is_told(tmp_path: Path) -> None:
    assert [one[:24] for one in _found(HEAD % PLAIN, tmp_path)] == ["the rule has no case, so"]


def test_a_recording_cannot_be_made_anonymous(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a recording of a voice or a face"):
        _found(_text(category="audio-recording", action="anonymize"), tmp_path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("cut", ["P1D", "P1M", "P1Y"])
def test_a_statutory_period_of_a_shipped_policy_cannot_be_shortened(path: Path, cut: str, tmp_path: Path) -> None:
    for number, rule in enumerate(load(path)[0].policy.rules):
        duty = rule.duty
        if duty is None or duty.statute is None:
            continue
        years = CLASSES[duty.class_].period.years
        shorter = {"P1D": f"P{years - 1}Y11M30D", "P1M": f"P{years - 1}Y11M", "P1Y": f"P{years - 1}Y"}[cut]
        text = path.read_text(encoding="utf-8").replace(f"period: P{years}Y", f"period: {shorter}")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=rf"rules\[{number}\]: {shorter} counted .* ends before the law's P{years}Y"):
            load(tmp_path / path.name)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_policy_loads_with_cases_on_every_rule_and_without_error(path: Path) -> None:
    policy = load(path)[0].policy
    assert all(rule.cases for rule in policy.rules)
    assert all(one.severity is Severity.FINDING for one in lint(policy))


def test_every_activity_and_every_recipient_of_the_notice_is_covered() -> None:
    policies = [one.policy for one in load(ROOT / "policies/balanced-bytes")]
    assert {one.policy for one in policies} == {
        *("web-hosting", "cdn", "email", "product-accounts", "accounting", "ai-support", "appointments", "crm"),
        *("payments", "surveys", "campaigns", "retentiond"),
    }
    assert {info.holder for one in policies for info in one.systems.values()} == {
        *("Hetzner Online GmbH", "bunny.net (bunnyWay d.o.o.)", "meetergo GmbH", "Proton AG", "OpenAI, L.L.C."),
        *("Frappe Technologies Private Limited", "Finom (PNL Fintech B.V.)", "Balanced Bytes UG (haftungsbeschränkt)"),
    }
