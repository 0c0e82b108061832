"""A changed period, from `policy diff` to the run that goes by it or does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.program import Office, open_office

DEMO = Path(__file__).parents[2] / "policies" / "demo"
INQUIRY = ("P6M", "2026-07-16T00:00:00+02:00", "2026-10-16T00:00:00+02:00")
SHORTER = ("P5M", "2026-06-16T00:00:00+02:00", "2026-09-16T00:00:00+02:00")
LONGER = ("P7M", "2026-08-16T00:00:00+02:00", "2026-11-16T00:00:00+01:00")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A letter that is due under the first version of the rule, one that is under a looser one, and one under a tighter one."""
    return open_office(tmp_path, [("old", 900), ("year", 400), ("months", 350), ("new", 10)])


def rewrite(office: Office, period: str) -> None:
    text = office.policy.read_text(encoding="utf-8")
    office.policy.write_text(text.replace("period: P1Y,", f"period: {period},"), encoding="utf-8")


@pytest.mark.parametrize(("to", "kind"), [(SHORTER, "looser"), (LONGER, "tighter")])
def test_another_period_in_a_shipped_policy_is_told_with_what_it_comes_to(
    office: Office, tmp_path: Path, to: tuple[str, str, str], kind: str
) -> None:
    new = tmp_path / "new"
    shutil.copytree(DEMO, new)
    file = new / "customer-relations.yaml"
    text = file.read_text(encoding="utf-8")
    for before, after in zip(INQUIRY, to, strict=True):
        assert before in text
        text = text.replace(before, after)
    file.write_text(text, encoding="utf-8")
    told = {one["rule"]: one for one in office.json("policy", "diff", str(DEMO), str(new), "--no-live")["rules"]}
    assert (told["mail.inquiry"]["kind"], told["mail.inquiry"]["what"]) == (
        kind,
        [f"`delete_after` was P6M day-end and is {to[0]} day-end."],
    )
    assert {one["kind"] for name, one in told.items() if name != "mail.inquiry"} == {"same"}
    assert f"mail.inquiry: {kind}" in office.run("policy", "diff", str(DEMO), str(new), "--no-live").stdout


def test_a_looser_period_is_told_by_records_and_refused_until_two_persons_and_the_cool_off(
    office: Office, tmp_path: Path
) -> None:
    office.run("approve", "rule", "letter", "--by", "staff-1")
    old = shutil.copytree(office.policy.parent, tmp_path / "old")
    rewrite(office, "P11M")
    (told,) = office.json("policy", "diff", str(old), str(office.policy.parent))["rules"]
    assert (told["kind"], told["moved"]["newly_due"], told["moved"]["earlier"]) == ("looser", 1, 3)
    assert "two persons have to approve that" in " ".join(office.run("run", status=4).stdout.split())
    first = " ".join(office.run("approve", "rule", "letter", "--by", "staff-1").stdout.split())
    assert "a second person beside staff-1" in first
    twice = office.run("approve", "rule", "letter", "--by", "staff-1", status=2)
    assert "already approved by staff-1" in " ".join(twice.stderr.split())
    second = " ".join(office.run("approve", "rule", "letter", "--by", "staff-2").stdout.split())
    assert "staff-1 and staff-2 have approved that, and it counts from" in second
    office.run("run", status=4)
    assert office.letters() == ["months", "new", "old", "year"]
    assert "cooling off" in office.run("status", status=1).stdout
    office.run("audit", "verify")


def test_a_longer_period_acts_at_once(office: Office) -> None:
    office.run("approve", "rule", "letter", "--by", "staff-1")
    rewrite(office, "P2Y")
    office.run("run")
    assert office.letters() == ["months", "new", "year"]
    assert "yes, tighter" in office.run("status").stdout


def test_a_rule_that_is_gone_stops_its_system_until_its_removal_is_approved(office: Office) -> None:
    office.run("approve", "rule", "letter", "--by", "staff-1")
    text = office.policy.read_text(encoding="utf-8")
    office.policy.write_text(text.replace("id: letter", "id: post"), encoding="utf-8")
    office.run("approve", "rule", "post", "--by", "staff-1")
    assert "Rule letter was removed" in " ".join(office.run("run", status=4).stdout.split())
    assert "approve removal letter" in " ".join(office.run("approve", "removal", "letter", "--by", "staff-1").stdout.split())
    again = office.run("approve", "removal", "letter", "--by", "staff-1", status=2)
    assert "already approved by staff-1" in " ".join(again.stderr.split())
    assert len(office.letters()) == 4


def test_a_plan_of_another_version_is_refused_in_one_sentence(office: Office, tmp_path: Path) -> None:
    plan = tmp_path / "letters.plan"
    office.run("plan", "-o", str(plan))
    rewrite(office, "P11M")
    refused = office.run("approve", "plan", str(plan), "--by", "staff-1", status=2)
    assert "was made for another version of rule letter" in " ".join(refused.stderr.split())
