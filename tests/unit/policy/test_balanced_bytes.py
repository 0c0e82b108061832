"""The shipped policies: every activity and every recipient of the notice, and no statute cut short by whatever little."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retentiond.errors import ConfigurationError
from retentiond.model.bound import Duty
from retentiond.model.law import CLASSES
from retentiond.model.period import RetentionPeriod
from retentiond.policy.lint import Severity, lint
from retentiond.policy.load import load
from retentiond.policy.loaded import LoadedPolicy
from retentiond.report.notice import notice_markdown
from retentiond.report.phrases import Lang

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "policies/balanced-bytes"

ACTIVITIES = {
    "web-hosting",
    "cdn",
    "email",
    "product-accounts",
    "accounting",
    "ai-support",
    "appointments",
    "crm",
    "payments",
    "surveys",
    "campaigns",
}
SHORTER = ((10, "P3652D"), (10, "P119M"), (8, "P7Y11M30D"), (8, "P2921D"), (6, "P5Y"), (6, "P71M"), (5, "P1825D"))
RECIPIENTS = ("Hetzner", "bunny.net", "meetergo", "Proton", "OpenAI", "Frappe", "Finom")


@cache
def shipped() -> tuple[LoadedPolicy, ...]:
    return load(SHIPPED)


@pytest.fixture
def policies() -> tuple[LoadedPolicy, ...]:
    return shipped()


def test_every_activity_of_the_notice_has_rules(policies: tuple[LoadedPolicy, ...]) -> None:
    found = {one.policy.policy: one.policy for one in policies}
    assert found.keys() >= ACTIVITIES
    assert all(found[name].rules for name in ACTIVITIES)
    assert sum(len(one.rules) for one in found.values()) >= 38


def test_every_recipient_of_the_notice_is_named(policies: tuple[LoadedPolicy, ...]) -> None:
    holders = {info.holder for one in policies for info in one.policy.systems.values()}
    assert [name for name in RECIPIENTS if not any(name in holder for holder in holders)] == []


def test_every_rule_has_cases_a_basis_and_a_system_whose_holder_is_known(policies: tuple[LoadedPolicy, ...]) -> None:
    for one in policies:
        for rule in one.policy.rules:
            assert rule.cases, rule.id
            assert rule.lawful(one.policy.basis) or not rule.categories, rule.id
            assert rule.target.system in one.policy.systems, rule.id


def test_nothing_is_unlawful_and_the_notice_is_found_wanting(policies: tuple[LoadedPolicy, ...]) -> None:
    findings = [(one.policy.rules[found.rule].id, found) for one in policies for found in lint(one.policy)]
    assert [rule for rule, found in findings if found.severity is Severity.ERROR] == []
    told = {(rule, found.paragraph) for rule, found in findings}
    assert ("accounting.voucher", "Art. 97 sec. 19a EGAO") in told
    assert ("cdn.log-copy", "Art. 13(2)(a) GDPR") in told


def test_recordings_are_deleted_and_never_called_anonymous(policies: tuple[LoadedPolicy, ...], tmp_path: Path) -> None:
    text = (SHIPPED / "surveys.yaml").read_text(encoding="utf-8")
    recordings = text[text.index("  - id: survey.recording") : text.index("  - id: survey.aggregate")]
    wrong = tmp_path / "surveys.yaml"
    wrong.write_text(text.replace(recordings, recordings.replace("action: delete", "action: anonymize")), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(wrong)
    assert any("cannot be made anonymous" in str(problem) for problem in caught.value.problems)
    assert policies


def _duties() -> list[tuple[str, str]]:
    """File and rule of every duty that a statute lays on us."""
    return [
        (one.path.name, rule.id)
        for one in shipped()
        for rule in one.policy.rules
        if isinstance(rule.keep_at_least, Duty) and rule.keep_at_least.statute
    ]


@settings(max_examples=300)
@given(st.sampled_from(sorted(CLASSES)), st.integers(0, 14), st.integers(0, 40), st.integers(0, 4000))
def test_a_period_is_only_taken_for_long_enough_where_it_is(name: str, years: int, months: int, days: int) -> None:
    """Whatever the lint lets pass never ends before the law, whichever day it starts from."""
    (policy,) = [one.policy for one in shipped() if one.policy.policy == "accounting"]
    (rule,) = [rule for rule in policy.rules if rule.id == "accounting.books"]
    duty, law = rule.keep_at_least, CLASSES[name]
    assert isinstance(duty, Duty)
    period = RetentionPeriod(years=years, months=months, days=days)
    changed = duty.model_copy(update={"class_": name, "period": period, "counted": law.counted})
    tried = policy.model_copy(update={"rules": (rule.model_copy(update={"keep_at_least": changed}),)})
    errors = [one for one in lint(tried) if one.severity is Severity.ERROR]
    enough = period.whole_months >= law.period.whole_months and period.whole_days >= law.period.whole_days
    assert bool(errors) is not enough
    assert all(law.basis[0] in one.paragraph for one in errors)


@pytest.mark.parametrize(("file", "rule"), _duties(), ids=[rule for _, rule in _duties()])
def test_a_statute_cut_short_by_whatever_little_stops_every_command(file: str, rule: str, tmp_path: Path) -> None:
    text = (SHIPPED / file).read_text(encoding="utf-8")
    begin = text.index(f"- id: {rule}\n")
    head, tail = text[:begin], text[begin:]
    for years, shorter in (
        (10, "P3652D"),
        (10, "P119M"),
        (8, "P7Y11M30D"),
        (8, "P2921D"),
        (6, "P5Y"),
        (6, "P71M"),
        (5, "P1825D"),
    ):
        if f"period: P{years}Y" not in tail.split("\n  - id:")[0]:
            continue
        (tmp_path / file).write_text(head + tail.replace(f"period: P{years}Y", f"period: {shorter}", 1), encoding="utf-8")
        with pytest.raises(ConfigurationError) as caught:
            load(tmp_path / file)
        assert any("ends before the law's" in str(problem) for problem in caught.value.problems), shorter
    assert "derived_from" in tail or list(tmp_path.iterdir()), "nothing was tried"


def test_the_page_with_notice_and_rules_side_by_side_is_current(policies: tuple[LoadedPolicy, ...]) -> None:
    page = (ROOT / "docs/reference/balanced-bytes.md").read_text(encoding="utf-8")
    assert page.endswith("\n".join(notice_markdown(policies, Lang.DE)).rstrip() + "\n"), (
        "make it anew: `retentiond policy table policies/balanced-bytes --lang de`"
    )
    assert "\n".join(notice_markdown(policies, Lang.EN)).count("\n") == "\n".join(notice_markdown(policies, Lang.DE)).count("\n")
