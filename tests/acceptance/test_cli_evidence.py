"""What an auditor gets, on the command line: proofs, exports and checkpoints, and a log that goes by its own rule."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.program import NEW, OLD, Office, open_office

from retentiond.audit import LogPlace, read_log

LETTERS = [(f"letter {number}", OLD) for number in range(300)] + [("young", NEW)]

OWN_RULE = """
  - id: self.log
    data_kind: {de: Protokoll, en: log}
    categories: [staff]
    target: {system: itself, dataset: log}
    starts: written_at
    keep_at_least: none
    delete_after: {period: PT0S, counted: exact}
    holds: [legal-claim]
    action: delete
    limits: default
    approval: APPROVAL
"""

OWN_SYSTEM = """
  itself:
    connector: retentiond
    datasets:
      log: {}
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An office whose log has a run in it; shared, so that nothing is to be written to its log but checkpoints."""
    return with_a_run(tmp_path_factory.mktemp("office"))


@pytest.fixture
def fresh(tmp_path: Path) -> Office:
    """Another one, for a test that changes it."""
    return with_a_run(tmp_path)


def with_a_run(folder: Path) -> Office:
    place = open_office(folder, LETTERS)
    place.run("approve", "rule", "--all", "--by", "staff-1")
    place.run("run")
    assert place.letters() == ["young"]
    return place


def with_own_rule(place: Office, approval: str) -> None:
    place.settings.write_text(place.settings.read_text(encoding="utf-8") + OWN_SYSTEM, encoding="utf-8")
    rule = OWN_RULE.replace("APPROVAL", approval)
    place.policy.write_text(place.policy.read_text(encoding="utf-8") + rule, encoding="utf-8")
    place.run("approve", "rule", "self.log", "--by", "staff-2")


def vkey(place: Office) -> str:
    return (place.state / "log.vkey").read_text(encoding="utf-8").strip()


def read_size(place: Office) -> int:
    with read_log(LogPlace(place.state, None, "test.example/retentiond/cli")) as log:
        return log.size


def checked(export: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program in an export with nothing but Python."""
    alone = [sys.executable, "-I", "-S", str(export / "verify.py"), str(export), *words]
    return subprocess.run(alone, capture_output=True, text=True, check=False, timeout=120)


# --- proofs


def test_one_record_is_proven_to_who_has_nothing_but_the_files(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "proof"
    told = office.run("audit", "prove", "office/letters", "letter 7", "--out", str(folder), "--opening").stdout
    assert "confirmed" in told
    names = sorted(file.name for file in folder.iterdir())
    assert [name.partition(".")[2] for name in names] == ["tlog-proof", "tlog-proof", "opening.json", "vkey"] or len(names) == 4
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    opening = next(folder.glob("*.opening.json"))
    assert json.loads(opening.read_text(encoding="utf-8"))["key"] == ["letter 7"]
    for proof in folder.glob("*.tlog-proof"):
        assert "letter 7" not in proof.read_text(encoding="utf-8")
    export = tmp_path / "export"
    office.run("audit", "export", str(export))
    words = [word for proof in folder.glob("*.tlog-proof") for word in ("--proof", str(proof))]
    assert checked(export, "--vkey", vkey(office), *words).returncode == 0


def test_the_lines_in_the_docs_show_whose_entry_it_is(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "proof"
    office.run("audit", "prove", "office/letters", "letter 7", "--out", str(folder), "--opening")
    file = next(folder.glob("*.opening.json"))
    opening = json.loads(file.read_text(encoding="utf-8"))
    proof = (folder / file.name.replace("opening.json", "tlog-proof")).read_text(encoding="utf-8")
    leaf = json.loads(base64.b64decode(proof.split("\n")[1].removeprefix("extra ")))
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "deletion-log.md").read_text(encoding="utf-8")
    lines = page.split("```python\n", 1)[1].split("```", 1)[0]
    exec(lines, {"opening": opening, "leaf": leaf})  # noqa: S102 - of our own page
    with pytest.raises(AssertionError):
        exec(lines, {"opening": opening | {"key": ["letter 8"]}, "leaf": leaf})  # noqa: S102 - as above


def test_where_the_log_says_nothing_that_is_no_proof_of_anything(office: Office, tmp_path: Path) -> None:
    done = office.run("audit", "prove", "office/letters", "young", "--out", str(tmp_path / "none"), status=1)
    assert "no proof that there was no such record" in done.stdout
    assert not (tmp_path / "none").exists()
    found = office.run("audit", "prove", "office/letters", "young", "--json", status=1).stdout
    assert json.loads(found)["traces"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("audit", "prove", "office/nothing", "x"), "office/nothing"),
        (("audit", "prove", "office/letters", "letter 7", "--opening"), "--out"),
        (("audit", "checkpoint", "--since", "99999"), "99999"),
        (("audit", "verify", "--export", "nowhere"), "--vkey"),
        (("audit", "export", "state"), "exists already"),
        (("audit", "export", "new", "--since", "yesterday"), "--since"),
        (("audit", "export", "new", "--since", "2026-02-01", "--until", "2026-01-01"), "before it begins"),
        (("audit", "prune"), "connector: retentiond"),
        (("audit", "prune", "--plan", "00"), "--by"),
        (("audit", "shred", "2020-1", "--by", "s1"), "2020-1"),
        (("audit", "generation", "--by", "s1"), "second history"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_changes_nothing(
    office: Office, words: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(office.folder)
    before = read_size(office)
    done = office.run(*words, status=2)
    assert told in done.stderr
    assert read_size(office) - before in {0, 1}, "at most a word that was given is logged"


def test_a_proof_and_a_place_that_cannot_be_written_is_told(office: Office, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = office.run("audit", "prove", "office/letters", "letter 7", "--out", str(tmp_path / "file"), status=1)
    assert "cannot be written" in done.stderr


# --- checkpoints


def test_a_checkpoint_that_was_handed_out_is_found_again_and_a_forged_history_is_not(fresh: Office) -> None:
    kept = fresh.folder / "kept"
    fresh.run("audit", "checkpoint", "--out", str(kept))
    shutil.copytree(fresh.state, fresh.folder / "fork")
    fresh.run("approve", "rule", "--all", "--by", "staff-3")
    fresh.run("audit", "verify", "--checkpoint", str(kept))
    size = int(kept.read_text(encoding="utf-8").split("\n")[1])
    newer = fresh.run("audit", "checkpoint", "--since", str(size)).stdout
    assert newer.startswith(f"old {size}\n")
    later = fresh.folder / "later"
    fresh.run("audit", "checkpoint", "--out", str(later))
    # A fork: the state as it was, continued in another way under the same key.
    shutil.rmtree(fresh.state)
    (fresh.folder / "fork").rename(fresh.state)
    fresh.run("approve", "rule", "--all", "--by", "staff-4")
    fresh.run("approve", "rule", "--all", "--by", "staff-5")
    fresh.run("audit", "verify")
    done = fresh.run("audit", "verify", "--checkpoint", str(later), status=5)
    assert "later" in done.stdout


# --- exports


def test_an_export_is_checked_anywhere_and_refused_after_any_change(office: Office, tmp_path: Path) -> None:
    export = tmp_path / "export"
    office.run("audit", "export", str(export))
    assert checked(export, "--vkey", vkey(office)).returncode == 0
    office.run("audit", "verify", "--export", str(export), "--vkey", vkey(office))
    names = {file.relative_to(export).parts[0] for file in export.rglob("*")}
    assert {"README.txt", "verify.py", "log", "checkpoints", "policies", "words.json", "rules.json", "report.json"} <= names
    assert not any(b"letter 7" in file.read_bytes() for file in export.rglob("*") if file.is_file())
    entries = export / "log/tile/entries/000"
    whole = entries.read_bytes()
    for place in range(0, len(whole), 4999):
        entries.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert checked(export, "--vkey", vkey(office)).returncode == 1, place
    entries.write_bytes(whole)
    done = office.run("audit", "verify", "--export", str(export), "--vkey", vkey(office)[:-2] + "==", status=5)
    assert "Traceback" not in done.stdout + done.stderr


def test_an_export_of_a_period_says_which_entries_it_holds(office: Office, tmp_path: Path) -> None:
    export = tmp_path / "export"
    told = office.run("audit", "export", str(export), "--until", "2020-01-01").stdout
    assert " 0 of " in told
    assert checked(export, "--vkey", vkey(office)).returncode == 0
    assert not (export / "log/tile/entries").exists()


# --- the log's own rule


def test_the_log_goes_by_its_own_rule_at_a_persons_word(fresh: Office) -> None:
    with_own_rule(fresh, "plan")
    export = fresh.folder / "before"
    fresh.run("audit", "export", str(export))
    shown = fresh.json("audit", "prune")
    assert shown["entries"] == 256
    assert not shown["pruned"]
    done = fresh.run("audit", "prune", "--plan", "0" * 16, "--by", "staff-1", status=4)
    assert "not what would go" in done.stderr
    fresh.run("audit", "prune", "--plan", shown["digest"][:16], "--by", "staff-1")
    fresh.run("audit", "verify", "--full")
    again = fresh.json("audit", "prune")
    assert again["first"] == 256
    told = fresh.run("audit", "prove", "office/letters", "letter 7", status=1).stdout
    assert "pruned" in told
    after = fresh.folder / "after"
    fresh.run("audit", "export", str(after))
    assert checked(after, "--vkey", vkey(fresh), "--checkpoint", str(export / "log/checkpoint")).returncode == 0
    fresh.run("run")  # too little is due by now to go


def test_a_run_prunes_the_log_where_its_rule_says_so_and_a_hold_keeps_it(fresh: Office) -> None:
    with_own_rule(fresh, "rule")
    fresh.run(
        "hold",
        "place",
        "legal-claim",
        "--rule",
        "self.log",
        "--reason",
        "lawsuit",
        "--by",
        "staff-1",
        "--owner",
        "staff-1",
        "--review",
        "2099-01-01",
    )
    fresh.run("run")
    assert fresh.json("audit", "prune")["first"] == 0
    hold = fresh.json("hold", "list")["holds"][0]["hold"]
    fresh.run("hold", "lift", hold, "--by", "staff-1")
    fresh.run("run")
    fresh.run("audit", "verify", "--full")
    assert fresh.json("audit", "prune")["first"] == 256


def test_an_epoch_is_shredded_when_no_backup_needs_it(fresh: Office) -> None:
    fresh.run("audit", "rotate")
    epoch = min(file.name for file in (fresh.state / "keys").glob("epoch-*")).removeprefix("epoch-")
    fresh.run("audit", "shred", epoch, "--by", "s1")
    told = fresh.run("audit", "prove", "office/letters", "letter 7", status=1).stdout
    assert f"shredded for: {epoch}" in told
    fresh.run("audit", "verify", "--full")


def test_a_new_generation_follows_a_log_that_was_lost(fresh: Office) -> None:
    for file in fresh.state.glob("log.db*"):
        file.unlink()
    fresh.run("run", status=5)
    fresh.settings.write_text(
        fresh.settings.read_text(encoding="utf-8").replace("retentiond/cli", "retentiond/cli/2"), encoding="utf-8"
    )
    fresh.run("run", status=5)
    fresh.run("audit", "generation", "--by", "staff-1")
    fresh.run("audit", "verify")
    first = fresh.json("audit", "show", "0")["fields"]
    assert (first["generation"], first["prev_origin"]) == (2, "test.example/retentiond/cli")
    fresh.run("run", status=1)  # the new log knows of no word: nothing acts before it is approved anew
    fresh.run("approve", "rule", "--all", "--by", "staff-1")
    fresh.run("run")
