"""A vendor's settings are read in each run and attested like a person would; what is not known is never attested."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.workbench import START, Workbench

from retentiond.daemon.service import _log_report
from retentiond.engine.duties import Duties, duties_of
from retentiond.engine.reviewing import attest
from retentiond.engine.values import Asked
from retentiond.errors import ConfigurationError, ConnectorError, TransientConnectorError
from retentiond.logs.redaction import SAFE_FIELDS
from retentiond.report.duties import duties_problems
from retentiond.report.run import run_json, run_text
from retentiond.store import Attestation, AttestationResult

DAY = timedelta(days=1)
ATTESTED = (
    "attestations:\n  - {id: mail.provider, data_kind: {de: A, en: A}, categories: [], system: crm, every: P3M, "
    'expect: {storage: "off", retention: at most P3D}}\nsystems:\n  crm: {holder: H, role: processor, connector: memory}\nrules:'
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = Workbench(tmp_path)
    policy, settings = tmp_path / "policies" / "made-up.yaml", tmp_path / "settings.yaml"
    policy.write_text(policy.read_text().replace("rules:", ATTESTED))
    settings.write_text(settings.read_text().replace("leads: {", "leads: {attests: [storage, retention], "))
    made.crm.settings = {"storage": "off", "retention": "P2D"}
    return made


def asked(bench: Workbench) -> Asked:
    (one,) = bench.run().asked
    return one


def made(bench: Workbench) -> list[Attestation]:
    with bench.store() as store:
        return store.attestations()


def duties(bench: Workbench) -> Duties:
    with bench.store() as store:
        return duties_of(bench.workplace(), store, bench.now)


def approvals(bench: Workbench) -> list[dict[str, object]]:
    return [dict(entry.fields) for entry in bench.entries("approval")]


def test_a_run_attests_what_the_vendor_says_in_store_and_log(bench: Workbench) -> None:
    assert asked(bench) == Asked("mail.provider", "crm", AttestationResult.MET)
    (one,) = made(bench)
    assert (one.rule, one.result, one.by, one.at) == ("mail.provider", AttestationResult.MET, "connector:memory", START)
    (entry,) = approvals(bench)
    assert (entry["subject"], entry["decision"], entry["by"]) == ("attestation mail.provider", "met", "connector:memory")
    assert "P2D" not in json.dumps(entry)
    assert (duties(bench).attestations, bench.problems()) == (0, ())


def test_the_same_answer_is_recorded_once_a_day_however_many_runs_are_made(bench: Workbench) -> None:
    for _ in range(3):
        asked(bench)
        bench.later(timedelta(hours=6))
    assert len(approvals(bench)) == 1
    bench.later(timedelta(hours=6))
    asked(bench)
    assert len(approvals(bench)) == 2
    assert made(bench)[0].at == START + DAY


@pytest.mark.parametrize("drift", [{"storage": "on"}, {"storage": "OFFLINE"}, {}])
def test_a_drift_is_told_by_the_next_run_and_by_the_state(bench: Workbench, drift: dict[str, str]) -> None:
    asked(bench)
    bench.crm.settings = {"retention": "P2D", **drift}
    bench.later(timedelta(minutes=1))
    told = asked(bench)
    assert told.result is AttestationResult.NOT_MET
    assert all(one.startswith("mail.provider is not met: storage should be off") for one in told.problems)
    assert "OFFLINE" not in "".join(told.problems)
    assert (duties(bench).not_met, duties(bench).drifted) == (("mail.provider",), ("mail.provider",))
    assert any("is no longer as the policy expects" in one for one in duties_problems(duties(bench)))


def test_what_was_never_met_is_no_drift(bench: Workbench) -> None:
    bench.crm.settings = {}
    bench.run()
    assert (duties(bench).not_met, duties(bench).drifted) == ((), ())
    bench.crm.settings = {"storage": "on", "retention": "P9D"}
    assert len(asked(bench).problems) == 2
    assert (duties(bench).not_met, duties(bench).drifted) == (("mail.provider",), ())


@pytest.mark.parametrize("error", [ConnectorError("Key expired.", "forbidden"), TransientConnectorError("Busy.", "timeout")])
def test_a_vendor_out_of_reach_attests_nothing_and_stops_no_other(bench: Workbench, error: ConnectorError) -> None:
    before = asked(bench)
    assert before.result is AttestationResult.MET
    bench.later(DAY)
    bench.crm.unreachable = error
    report = bench.run()
    assert report.asked == (Asked("mail.provider", "crm", None, (f"mail.provider was not attested: {error}",)),)
    assert report.exit_status != 0
    assert made(bench)[0].at == START
    assert any("was not attested" in str(line) for line in run_json(report)["asked"][0]["problems"])
    bench.later(3 * DAY)
    assert duties(bench).unasked == ("mail.provider",)


def test_a_vendor_that_tells_nothing_attests_nothing(bench: Workbench) -> None:
    bench.crm.settings = {}
    assert asked(bench).result is None
    assert made(bench) == []


def test_each_data_set_that_offers_a_setting_has_to_tell_it_as_expected(bench: Workbench) -> None:
    settings = bench.folder / "settings.yaml"
    settings.write_text(settings.read_text().replace("letters: {", "letters: {attests: [storage, retention], "))
    assert asked(bench).result is AttestationResult.MET

    class Wavering(dict[str, str]):
        """Another answer for the second data set."""

        answers = iter(["P1D", "P3D", "P1D", "P4D"])

        def __getitem__(self, name: str) -> str:
            return next(self.answers) if name == "retention" else super().__getitem__(name)

    bench.crm.settings = Wavering({"storage": "off", "retention": ""})
    assert asked(bench).result is AttestationResult.MET
    assert asked(bench).problems == ("mail.provider is not met: retention should be at most P3D, and crm/letters tells P4D.",)


def test_a_part_that_is_as_expected_leaves_the_whole_to_a_person_and_one_that_is_not_is_told(bench: Workbench) -> None:
    settings = bench.folder / "settings.yaml"
    settings.write_text(settings.read_text().replace("attests: [storage, retention]", "attests: [storage]"))
    assert asked(bench) == Asked("mail.provider", "crm", None)
    assert made(bench) == []
    kept = by_hand(bench)
    bench.later(timedelta(hours=1))
    asked(bench)
    assert made(bench) == [kept]
    bench.crm.settings["storage"] = "on"
    assert asked(bench).result is AttestationResult.NOT_MET
    bench.later(4 * DAY)
    assert (duties(bench).drifted, duties(bench).unasked) == (("mail.provider",), ())


def test_another_expectation_is_attested_anew_at_once(bench: Workbench) -> None:
    asked(bench)
    policy = bench.folder / "policies" / "made-up.yaml"
    policy.write_text(policy.read_text().replace("at most P3D", "at most P1D"))
    assert asked(bench).result is AttestationResult.NOT_MET


def test_a_doubted_clock_attests_nothing(bench: Workbench) -> None:
    asked(bench)
    bench.now -= 30 * DAY
    assert bench.run().asked == ()


def test_a_run_of_single_rules_asks_no_vendor(bench: Workbench) -> None:
    assert bench.run("crm.leads").asked == ()


def test_the_report_counts_what_is_met_and_tells_what_is_not(bench: Workbench) -> None:
    bench.crm.settings["retention"] = "P9D"
    text = "\n".join(line for line in run_text(bench.run()) if isinstance(line, str))
    assert "Settings of vendors: 0 of 1 attestation met." in text


def by_hand(bench: Workbench, *, at: date | None = None, document: Path | None = None) -> Attestation:
    with bench.store() as store:
        return attest(
            bench.workplace(),
            store,
            "mail.provider",
            AttestationResult.MET,
            "C-1",
            "staff-1",
            bench.now,
            at=at,
            document=document,
        )


def test_of_a_document_the_digest_alone_is_kept(bench: Workbench) -> None:
    paper = bench.folder / "paper.pdf"
    paper.write_bytes(b"The vendor confirms.")
    done = by_hand(bench, document=paper)
    assert done.document is not None
    assert len(done.document) == 64
    assert made(bench) == [done]
    paper.write_bytes(b"The vendor confirms!")
    assert by_hand(bench, document=paper).document != done.document
    bench.run()
    assert {entry.get("document") for entry in approvals(bench)} >= {done.document}
    assert bench.problems() == ()


def test_a_confirmation_of_an_earlier_day_expires_earlier_and_gives_way_to_a_newer_one(bench: Workbench) -> None:
    now = by_hand(bench)
    earlier = by_hand(bench, at=date(2026, 1, 1))
    assert earlier.expires < now.expires
    assert made(bench) == [now]
    bench.now = earlier.expires
    assert duties(bench).expired == ()
    bench.now = now.expires
    assert duties(bench).expired == ("mail.provider",)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"at": date(2026, 3, 2)}, "yet to come"),
        ({"document": Path("/nonexistent/paper")}, r"cannot be read \(FileNotFoundError\)"),
        ({"document": Path("/")}, r"cannot be read \(IsADirectoryError\)"),
        ({"document": Path("/dev/null")}, "is no file, or is empty"),
    ],
)
def test_what_cannot_be_confirmed_is_refused(bench: Workbench, how: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        by_hand(bench, **how)  # type: ignore[arg-type]
    assert made(bench) == []


def test_the_journal_tells_every_answer_and_nothing_of_it_is_withheld(bench: Workbench) -> None:
    bench.crm.settings["retention"] = "P9D"
    with capture_logs() as told:
        _log_report(bench.run())
    (answer,) = [one for one in told if one["event"] == "attested"]
    assert answer.keys() - {"event", "log_level"} <= SAFE_FIELDS
    assert (answer["log_level"], answer["status"]) == ("warning", "not-met")
    assert "retention should be at most P3D, and crm/leads tells P9D" in answer["reason"]


def test_a_bug_of_a_connector_attests_nothing_and_is_told(bench: Workbench) -> None:
    class Broken(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            raise ZeroDivisionError(name)

    bench.crm.settings = Broken({"storage": "off"})
    report = bench.run()
    assert [type(bug) for bug in report.bugs] == [ZeroDivisionError]
    assert (report.asked[0].result, report.exit_status, made(bench)) == (None, 3, [])
    assert "A bug ended the question" in report.asked[0].problems[0]
