"""Anchors as a user meets them: what is typed, what is said, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.program import OLD, Office, open_office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    (tmp_path / "auditor").mkdir()
    office = open_office(tmp_path / "office", [("a", OLD)])
    path = tmp_path / "auditor" / "checkpoints"
    office.settings.write_text(f"{office.settings.read_text()}anchors: [{{type: file, path: {path}}}]\n")
    return office


def foreign(office: Office) -> Path:
    return office.folder.parent / "auditor" / "checkpoints"


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def test_every_report_tells_how_far_the_log_is_anchored(office: Office) -> None:
    assert office.json("plan")["anchors"] is None
    office.run("approve", "rule", "letter", "--by", "staff-1")
    assert "anchored: nothing" in office.run("plan").stdout
    assert office.json("audit", "verify")["anchors"]["anchored"] is False
    assert "took no checkpoint yet" in office.run("status", status=1).stdout
    assert "by file; 1 entry since" in unwrapped(office.run("run").stdout)
    for words in (("plan",), ("status",), ("audit", "verify")):
        told = unwrapped(office.run(*words).stdout)
        assert "covered up to entry" in told
        assert "nobody changes unnoticed" in told
    reach = office.json("status")["log"]["anchors"]
    assert reach == office.json("plan")["anchors"] == office.json("audit", "verify")["anchors"]
    assert (reach["anchored"], reach["types"], reach["since"]) == (True, ["file"], 1)


def test_a_checkpoint_is_handed_over_by_hand(office: Office) -> None:
    office.run("approve", "rule", "letter", "--by", "staff-1")
    assert [one["taken"] for one in office.json("audit", "anchor")["handed"]] == [True]
    assert office.json("audit", "anchor")["handed"] == []
    assert len(office.json("audit", "anchor", "--now")["handed"]) == 1
    assert foreign(office).read_text().count("— ") == 2


def test_an_anchor_that_is_not_reached_ends_with_1_and_one_that_contradicts_with_5(office: Office) -> None:
    office.run("approve", "rule", "letter", "--by", "staff-1")
    foreign(office).parent.rename(office.folder / "unmounted")
    assert "did not take the checkpoint" in unwrapped(office.run("run", status=1).stdout)
    assert office.letters() == []
    (office.folder / "unmounted").rename(foreign(office).parent)
    office.run("audit", "anchor")
    foreign(office).write_text("something else")
    assert "is not as it was left" in unwrapped(office.run("audit", "anchor", "--now", status=5).stdout)
    assert "contradict each other" in office.run("run", status=5).stderr
    assert office.run("audit", "verify", status=5).stdout.startswith("The deletion log is NOT trustworthy")
    assert office.json("status", status=5)["trustworthy"] is False


def test_an_auditor_holds_the_log_against_what_was_kept_outside(office: Office, tmp_path: Path) -> None:
    office.run("approve", "rule", "letter", "--by", "staff-1")
    office.run("run")
    key = (office.state / "log.vkey").read_text().strip()
    kept = tmp_path / "kept"
    kept.write_bytes(foreign(office).read_bytes())
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_text("\n\n".join(kept.read_text().split("\n\n")[:2]) + "\n")
    assert "is in order" in office.run("audit", "verify", "--vkey", key, "--anchor", str(kept)).stdout
    assert "is in order" in office.run("audit", "verify", "--vkey", key, "--checkpoint", str(checkpoint)).stdout
    kept.write_text("nothing of ours")
    assert "there is no checkpoint" in office.run("audit", "verify", "--anchor", str(kept), status=2).stderr
    assert "cannot be read" in office.run("audit", "verify", "--anchor", str(tmp_path / "gone"), status=2).stderr


def test_settings_without_an_anchor_are_told(tmp_path: Path) -> None:
    office = open_office(tmp_path, [("a", OLD)])
    assert "name no anchor" in office.run("audit", "anchor", status=2).stderr
