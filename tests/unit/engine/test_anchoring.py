"""Checkpoints reach the anchors after each run, the log says so, and what an anchor has against the log stops everything."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.certificates import Authority
from support.mailserver import mail_server
from support.objects import storage
from support.stamper import Stamper, stamping
from support.witness import Witness, serving
from support.workbench import Workbench

from retentiond import failpoint
from retentiond.anchor import receipts
from retentiond.anchor.reading import notes_of
from retentiond.audit import begin_generation
from retentiond.audit.note import VerifierKey
from retentiond.engine.anchoring import Anchoring, anchor, anchor_problems, coverage_of, due_types, late_anchors
from retentiond.engine.evidence import log_place, open_evidence
from retentiond.errors import AuditError

FILE = "anchors: [{type: file, path: foreign/checkpoints}]"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    (tmp_path / "foreign").mkdir()
    bench = Workbench(tmp_path, more=FILE)
    bench.lead("old", 800)
    bench.approve()
    return bench


def foreign(bench: Workbench) -> Path:
    return bench.folder / "foreign" / "checkpoints"


def anchored(bench: Workbench, *, only_due: bool = False) -> Anchoring:
    settings = bench.workplace().settings
    with open_evidence(settings, bench.now) as evidence:
        return anchor(
            settings, evidence.log, lambda: bench.now, bench.slept.append, due_types(settings, bench.now) if only_due else None
        )


def rewrite(bench: Workbench) -> None:
    """Another log under the same name, signed with the same key, as only whoever holds that can make it."""
    state = bench.folder / "state"
    for name in ("log.db", "log.db-wal", "log.db-shm", "last-signed"):
        (state / name).unlink(missing_ok=True)
    with open_evidence(bench.workplace().settings, bench.now) as evidence:
        for _ in range(20):
            evidence.log.event("approval", bench.now, subject="clock", digest="00", decision="allowed", by="x")
        evidence.log.checkpoint(bench.now)


def test_a_run_hands_its_checkpoint_over_and_the_log_tells_of_it(bench: Workbench) -> None:
    report = bench.run()
    assert report.exit_status == 0
    (entry,) = bench.entries("anchor")
    (note,) = notes_of(foreign(bench).read_bytes()) or ()
    assert note.split("\n")[1] == str(entry.fields["size"])
    assert entry.fields["digest"] == hashlib.sha256(note.encode()).hexdigest()
    assert report.anchoring is not None
    assert report.anchoring.coverage.types == ("file",)
    assert report.anchoring.coverage.at == bench.now
    assert report.anchoring.coverage.since == len(bench.entries()) - entry.fields["size"]


def test_the_receipt_and_the_checkpoint_are_kept_for_nobody_else_to_read(bench: Workbench) -> None:
    bench.run()
    state = bench.folder / "state"
    (entry,) = bench.entries("anchor")
    size = entry.fields["size"]
    kept = receipts(state)
    assert sorted(kept) == [f"{size}-checkpoint", f"{size}-file"]
    assert kept[f"{size}-checkpoint"] == kept[f"{size}-file"]
    assert {stat.S_IMODE((state / "anchors" / name).stat().st_mode) for name in kept} == {0o600}


def test_everything_is_signed_after_it_was_anchored(bench: Workbench) -> None:
    bench.run()
    assert bench.problems() == ()
    assert (bench.folder / "state" / "last-signed").read_text().split("\n")[1] == str(len(bench.entries()))


def test_an_anchor_that_fails_stops_no_deletion_and_is_told(bench: Workbench) -> None:
    (bench.folder / "foreign").rmdir()
    report = bench.run()
    assert bench.leads() == set()
    assert report.status == "done"
    assert report.exit_status == 1
    assert report.anchoring is not None
    (trouble,) = report.anchoring.troubles
    assert trouble.startswith("The anchor file did not take the checkpoint.")
    assert report.anchoring.coverage.covered == 0
    assert bench.entries("anchor") == []


def test_an_anchor_file_that_was_changed_stops_everything_until_it_is_restored(bench: Workbench) -> None:
    bench.run()
    whole = foreign(bench).read_bytes()
    foreign(bench).write_bytes(whole[:-5])
    bench.lead("older", 900)
    report = bench.run()
    assert report.exit_status == 5
    bench.lead("oldest", 1000)
    with pytest.raises(AuditError, match="contradict each other"):
        bench.run()
    assert bench.leads() == {"oldest"}
    foreign(bench).write_bytes(whole)
    assert anchored(bench).troubles == ()
    assert bench.run().exit_status == 0
    assert bench.leads() == set()


def test_a_log_that_was_rewritten_with_its_own_key_is_found_by_the_receipts(bench: Workbench) -> None:
    bench.run()
    rewrite(bench)
    assert bench.problems() == ()  # signed with the right key, it looks like any other
    assert "tells another history" in anchor_problems(bench.workplace().settings)[0]
    with pytest.raises(AuditError, match="another history"):
        bench.run()


def test_a_receipt_that_was_changed_is_found(bench: Workbench) -> None:
    bench.run()
    settings = bench.workplace().settings
    assert anchor_problems(settings) == []
    (receipt,) = (bench.folder / "state" / "anchors").glob("*-file")
    receipt.write_bytes(receipt.read_bytes()[:-3])
    assert "is not the one that the log tells of" in anchor_problems(settings)[0]


def test_what_the_auditor_kept_is_compared_with_the_log(bench: Workbench) -> None:
    bench.run()
    settings = bench.workplace().settings
    assert anchor_problems(settings, shown=[foreign(bench)]) == []
    with open_evidence(settings, bench.now):
        pass
    other = bench.folder / "elsewhere"
    other.write_bytes(foreign(bench).read_bytes().replace(b"bench.example", b"bank.example0"))
    assert "not signed with the log's key" in anchor_problems(settings, shown=[other])[0]


def test_only_what_is_due_is_anchored_again(bench: Workbench) -> None:
    bench.run()
    settings = bench.workplace().settings
    assert anchored(bench, only_due=True).handed == ()
    bench.later(timedelta(hours=24, seconds=1))
    assert due_types(settings, bench.now) == ["file"]
    assert [one.type for one in anchored(bench, only_due=True).handed] == ["file"]
    assert due_types(settings, bench.now) == []


def test_an_anchor_that_took_nothing_for_a_day_is_late(bench: Workbench) -> None:
    settings = bench.workplace().settings
    assert "took no checkpoint yet" in late_anchors(settings, coverage_of(settings), bench.now)[0]
    bench.run()
    assert late_anchors(settings, coverage_of(settings), bench.now + timedelta(hours=25)) == []
    (late,) = late_anchors(settings, coverage_of(settings), bench.now + timedelta(hours=25, seconds=1))
    assert f"since {bench.now:%Y-%m-%d %H:%M} UTC" in late


def test_a_receipt_without_an_entry_does_not_count(bench: Workbench) -> None:
    bench.run()
    state = bench.folder / "state" / "anchors"
    (receipt,) = state.glob("*-file")
    covered = coverage_of(bench.workplace().settings).covered
    receipt.rename(state / f"{covered + 1}-file")  # as if a crash had come between the two
    assert coverage_of(bench.workplace().settings).covered == 0


def test_without_anchors_the_coverage_is_nothing(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.approve()
    report = bench.run()
    assert report.anchoring is not None
    assert (report.anchoring.handed, report.anchoring.coverage.covered) == ((), 0)
    assert not (tmp_path / "state" / "anchors").exists()


def test_a_damaged_memory_is_told(bench: Workbench) -> None:
    bench.run()
    memory = bench.folder / "state" / "anchors" / "file.memory"
    assert json.loads(memory.read_text())["length"] == foreign(bench).stat().st_size
    memory.write_text("{")
    assert "is damaged" in anchored(bench).troubles[0]


class Everybody:
    """One of each kind of anchor, all of them real."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        authority = Authority(folder)
        tls = authority.server().server()
        self.mailbox = stack.enter_context(mail_server(tls))
        self.stamper = stack.enter_context(stamping(Stamper(folder, authority.stamper())))
        self.objects = stack.enter_context(storage())
        self.witness = stack.enter_context(serving(Witness(VerifierKey("nobody", bytes(32)))))
        (folder / "foreign").mkdir()
        (folder / "password").write_text("secret")
        self.settings = f"""
anchors:
  - {{type: file, path: foreign/checkpoints}}
  - {{type: mail, host: localhost, port: {self.mailbox.port}, ca: {authority.file}, sender: log@a.example, to: a@b.example}}
  - {{type: witness, url: "{self.witness.url}", key: "{self.witness.vkey}"}}
  - {{type: rfc3161, url: "{self.stamper.url}", roots: {authority.file}}}
  - type: s3
    bucket: {self.objects.bucket}
    endpoint: {self.objects.endpoint}
    access_key: {{file: password}}
    secret_key: {{file: password}}
"""


@pytest.fixture
def everybody(tmp_path: Path) -> Iterator[Everybody]:
    with ExitStack() as stack:
        yield Everybody(tmp_path, stack)


def test_all_kinds_of_anchors_cover_the_same_checkpoint_and_their_receipts_verify(everybody: Everybody, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, more=everybody.settings)
    bench.approve()
    everybody.witness.log = VerifierKey.parse((tmp_path / "state" / "log.vkey").read_text())
    for _ in range(3):
        report = bench.run()
        assert report.anchoring is not None
        assert report.anchoring.troubles == ()
        assert report.anchoring.coverage.types == ("file", "mail", "rfc3161", "s3", "witness")
        bench.later(timedelta(days=1))
    assert [entry.fields["type"] for entry in bench.entries("anchor")] == 3 * ["file", "mail", "witness", "rfc3161", "s3"]
    assert bench.problems() == ()
    assert len(receipts(tmp_path / "state")) == 3 * 6
    assert anchor_problems(bench.workplace().settings) == []
    shown = sorted((tmp_path / "state" / "anchors").glob("[0-9]*"))
    (tmp_path / "mail.eml").write_bytes(everybody.mailbox.mails[-1])
    assert anchor_problems(bench.workplace().settings, shown=[*shown, tmp_path / "mail.eml"]) == []


def test_each_kind_of_receipt_finds_a_log_that_was_rewritten(everybody: Everybody, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, more=everybody.settings)
    bench.approve()
    everybody.witness.log = VerifierKey.parse((tmp_path / "state" / "log.vkey").read_text())
    bench.run()
    kept = tmp_path / "kept by the auditor"
    (tmp_path / "state" / "anchors").rename(kept)
    rewrite(bench)
    settings = bench.workplace().settings
    for file in kept.glob("[0-9]*"):
        assert len(anchor_problems(settings, shown=[file])) == 1, file
    (stamp,) = kept.glob("*-rfc3161")
    (checkpoint,) = kept.glob("*-checkpoint")
    (tmp_path / "state" / "anchors").mkdir()
    (tmp_path / "state" / "anchors" / checkpoint.name).write_bytes(checkpoint.read_bytes())
    assert "stamps what tells another history" in anchor_problems(settings, shown=[stamp])[0]
    troubles = {one.type: one for one in anchored(bench).handed}
    assert {kind for kind, one in troubles.items() if one.contradicts} == {"file", "s3", "witness"}
    assert troubles["mail"].trouble is None  # only the auditor can tell, who has the mails
    assert troubles["rfc3161"].trouble is None  # two histories can both be stamped


@pytest.mark.parametrize("place", ["receipt-kept", "anchored"])
def test_a_crash_while_anchoring_leaves_nothing_that_the_next_run_trips_over(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def die(name: str) -> None:
        if name == place:
            raise KeyboardInterrupt

    monkeypatch.setattr(failpoint, "hook", die)
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    monkeypatch.undo()
    assert bench.leads() == set()
    assert bench.problems() == ()
    assert anchor_problems(bench.workplace().settings) == []
    report = bench.run()
    assert report.exit_status == 0
    assert report.anchoring is not None
    assert report.anchoring.coverage.types == ("file",)


def test_what_is_unavailable_for_a_moment_is_tried_again(everybody: Everybody, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, more=everybody.settings)
    bench.approve()
    everybody.witness.log = VerifierKey.parse((tmp_path / "state" / "log.vkey").read_text())
    everybody.witness.answers = [(503, b""), (503, b"")]
    assert anchored(bench).troubles == ()
    assert len(bench.slept) == 2
    assert len(everybody.mailbox.mails) == 1


def test_a_bug_in_an_anchor_is_told_after_the_run_was_made(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retentiond.anchor.file._append", lambda *_: 1 // 0)
    report = bench.run()
    assert bench.leads() == set()
    assert [type(bug) for bug in report.bugs] == [ZeroDivisionError]
    assert report.exit_status == 3


def test_a_log_that_is_begun_anew_is_anchored_anew_and_the_old_receipts_lie_with_the_old_log(bench: Workbench) -> None:
    bench.run()
    file = bench.folder / "settings.yaml"
    file.write_text(
        file.read_text().replace("retentiond/test", "retentiond/second").replace("foreign/checkpoints", "foreign/second")
    )
    folder = begin_generation(log_place(bench.workplace().settings))
    bench.approve()
    assert coverage_of(bench.workplace().settings).covered == 0
    report = bench.run()
    assert report.anchoring is not None
    assert (report.anchoring.troubles, report.anchoring.coverage.types) == ((), ("file",))
    assert len(list((folder / "anchors").glob("*-file"))) == 1


def test_told_to_stop_nobody_is_asked_any_more(everybody: Everybody, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, more=everybody.settings)
    bench.approve()
    everybody.witness.answers = 20 * [(503, b"")]
    settings = bench.workplace().settings
    with open_evidence(settings, bench.now) as evidence:
        # While the witness is waited for, somebody wants the process to end.
        done = anchor(settings, evidence.log, lambda: bench.now, bench.slept.append, stop=lambda: bool(bench.slept))
    assert [one.type for one in done.handed if one.trouble is None] == ["file", "mail"]
    assert [one.type for one in done.handed if one.trouble] == ["witness"]
    assert len(everybody.witness.asked) == 1


def test_a_log_in_postgresql_is_anchored_alike(tmp_path: Path, postgresql: sa.URL) -> None:
    (tmp_path / "foreign").mkdir()
    bench = Workbench(tmp_path, more=f"{FILE}\ndatabase: {postgresql.render_as_string()}")
    bench.lead("old", 800)
    bench.approve()
    for _ in range(2):
        report = bench.run()
        assert report.exit_status == 0
        assert report.anchoring is not None
        assert report.anchoring.coverage.types == ("file",)
    assert anchor_problems(bench.workplace().settings) == []
    rewritten = foreign(bench).read_bytes()
    foreign(bench).write_bytes(rewritten[:-4])
    assert bench.run().exit_status == 5
