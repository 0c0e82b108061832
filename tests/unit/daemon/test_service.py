"""The loop, with a clock that stands still until the test moves it, and runs that do what the test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from support.notified import Ear, open_ear

from retentiond.anchor import Coverage
from retentiond.audit import read_log
from retentiond.daemon.notify import Notifier
from retentiond.daemon.service import Service
from retentiond.daemon.signals import Inbox, Word
from retentiond.daemon.work import Hooks
from retentiond.engine.anchoring import Anchoring, Handed
from retentiond.engine.evidence import log_place, open_evidence, open_store_of
from retentiond.engine.values import RunReport, Status
from retentiond.engine.workplace import Workplace
from retentiond.errors import AuditError, StateError
from retentiond.model.request import Request, RequestKind, RequestState
from retentiond.model.subject import Subject
from retentiond.settings import FileAnchor, load_settings

SETTINGS = """\
policies: policies
state: state
origin: example.org/test
systems:
  files:
    connector: files
    connection: {root: /nowhere}
    datasets: {logs: {}}
"""

Step = Callable[[], Word | None]


class Script(Inbox):
    """In place of waiting for signals, each wait does the next thing that the test wrote down."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.waits: list[float] = []
        self.ended = threading.Event()

    def wait(self, seconds: float) -> Word | None:
        self.waits.append(seconds)
        return self.steps.pop(0)() if self.steps else Word.STOP

    def look(self) -> Callable[[], None]:
        return self.ended.set

    def run_ends(self) -> Word:
        """A step: wait until a run has ended."""
        assert self.ended.wait(30)
        self.ended.clear()
        return Word.LOOK


class Runs:
    """Makes runs: counts them, and lets the test hold one up, or say how it goes."""

    def __init__(self) -> None:
        self.triggers: list[str] = []
        self.raises: list[BaseException | None] = []
        self.bugs: tuple[Exception, ...] = ()
        self.hooks: Hooks | None = None
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self, _workplace: Workplace, trigger: str, hooks: Hooks) -> RunReport:
        self.triggers.append(trigger)
        self.hooks = hooks
        self.begun.set()
        assert self.may_end.wait(30)
        error = self.raises.pop(0) if self.raises else None
        if error is not None:
            raise error
        now = datetime.now(UTC)
        return RunReport("r", trigger, now, now, now, Status.INTERRUPTED if hooks.stop() else Status.DONE, (), bugs=self.bugs)

    def held_up(self) -> Word | None:
        """A step: wait until the run is under way."""
        assert self.begun.wait(30)
        return None


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    with freeze_time("2026-11-24 12:00:00") as frozen:
        assert isinstance(frozen, FrozenDateTimeFactory)
        yield frozen


@pytest.fixture
def ear() -> Iterator[Ear]:
    with open_ear() as listening:
        yield listening


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """A workplace without rules; its last whole run was this morning."""
    (tmp_path / "retentiond.yaml").write_text(SETTINGS)
    settings = load_settings(tmp_path / "retentiond.yaml")
    morning = datetime(2026, 11, 24, 3, 17, tzinfo=UTC)
    with open_store_of(settings) as store:
        store.begin_run("morning", "schedule", "0" * 64, morning)
        store.end_run("morning", "done", {}, morning + timedelta(minutes=1))
    return Workplace(settings, (), (), {}, "0" * 64)


def service_of(workplace: Workplace, script: Script, runs: Runs, ear: Ear, stalled_after: float = 1800) -> Service:
    service = Service(workplace.settings.path, workplace, script, Notifier(ear.address, 60.0), stalled_after, runs)
    service.start()
    return service


def state_of(workplace: Workplace) -> str:
    with open_store_of(workplace.settings) as store:
        heartbeat = store.heartbeat()
    return "" if heartbeat is None else heartbeat.state


def later(clock: FrozenDateTimeFactory, **span: float) -> Step:
    def step() -> None:
        clock.tick(timedelta(**span))

    return step


def quietly(ear: Ear) -> Step:
    def step() -> None:
        ear.listen()

    return step


def test_it_reports_for_duty_once_it_has_looked_at_everything(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear
) -> None:
    assert clock() == datetime(2026, 11, 24, 12)  # noqa: DTZ001 - freezegun's own
    service = service_of(workplace, Script(), Runs(), ear)
    assert ear.listen() == ["READY=1", "STATUS=Idle until 2026-11-25 03:17 UTC."]
    assert state_of(workplace) == "idle"
    service.close()


@pytest.mark.usefixtures("clock")
def test_a_log_whose_public_key_is_gone_is_not_taken_for_one_that_never_was(workplace: Workplace, ear: Ear) -> None:
    settings = workplace.settings
    with open_evidence(settings, datetime(2026, 11, 24, 3, tzinfo=UTC)) as evidence:
        evidence.log.checkpoint(datetime(2026, 11, 24, 3, tzinfo=UTC))
    log_place(settings).public_key.unlink()
    with pytest.raises(AuditError, match=r"log\.vkey cannot be read"):
        service_of(workplace, Script(), Runs(), ear)
    log_place(settings).last_signed.unlink()
    with pytest.raises(AuditError, match=r"log\.vkey cannot be read"):
        service_of(workplace, Script(), Runs(), ear)


@pytest.mark.usefixtures("clock")
def test_asked_to_stop_it_stops_and_says_so(workplace: Workplace, ear: Ear) -> None:
    runs = Runs()
    assert service_of(workplace, Script(lambda: Word.STOP), runs, ear).loop() == 0
    assert "STOPPING=1" in ear.listen()
    assert state_of(workplace) == "stopping"  # a last word, by which silence afterwards is no alarm
    assert runs.triggers == []


def test_a_run_starts_at_its_time(clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear) -> None:
    runs = Runs()
    script = Script(later(clock, hours=15), later(clock, minutes=17))
    script.steps.append(script.run_ends)
    service_of(workplace, script, runs, ear).loop()
    assert runs.triggers == ["schedule"]


@pytest.mark.usefixtures("clock")
def test_a_run_that_was_missed_is_made_at_once(workplace: Workplace, ear: Ear) -> None:
    runs, script = Runs(), Script()
    script.steps.append(script.run_ends)
    with open_store_of(workplace.settings) as store:
        store.begin_run("cut off", "schedule", "0" * 64, datetime(2026, 11, 24, 3, 18, tzinfo=UTC))
        store.close_abandoned_runs(datetime(2026, 11, 24, 11, tzinfo=UTC))
    with open_store_of(workplace.settings) as store:
        assert store.runs()[0].status == "interrupted"
        store.begin_run("older", "schedule", "0" * 64, datetime(2026, 11, 22, 3, 17, tzinfo=UTC))
        store.end_run("older", "done", {}, datetime(2026, 11, 22, 3, 18, tzinfo=UTC))
    service_of(workplace, script, runs, ear).loop()
    assert runs.triggers == ["catch-up"]


def test_a_start_that_comes_while_a_run_is_under_way_is_made_up_for_once(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear
) -> None:
    runs = Runs()
    runs.may_end.clear()
    script = Script(later(clock, hours=16), runs.held_up, later(clock, days=1), later(clock, days=1))

    def let_go() -> Word:
        runs.may_end.set()
        return script.run_ends()

    script.steps += [let_go, script.run_ends]
    service_of(workplace, script, runs, ear, stalled_after=1e9).loop()
    assert runs.triggers == ["schedule", "schedule"]


def test_told_to_stop_it_waits_for_the_batch_in_hand(clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear) -> None:
    runs = Runs()
    runs.may_end.clear()

    def drained() -> Word:
        assert runs.hooks is not None
        assert runs.hooks.stop()
        assert state_of(workplace) == "stopping"
        assert "EXTEND_TIMEOUT_USEC" in "".join(ear.listen())
        runs.may_end.set()
        return script.run_ends()

    script = Script(later(clock, hours=16), runs.held_up, lambda: Word.STOP, later(clock, seconds=20), drained)
    assert service_of(workplace, script, runs, ear).loop() == 0
    assert any("Finishing the batch in hand" in line for line in ear.heard)


def test_a_run_that_cannot_be_made_is_told_and_tried_again_within_the_hour(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Runs()
    runs.raises = [StateError("The disk is full.")]
    script = Script(later(clock, hours=16))
    script.steps += [script.run_ends, later(clock, minutes=59), later(clock, minutes=2), script.run_ends]
    service_of(workplace, script, runs, ear).loop()
    assert runs.triggers == ["schedule", "catch-up"]
    assert "The disk is full." in capsys.readouterr().err
    assert any("could not be made" in line for line in ear.listen())


@pytest.mark.parametrize("error", [AuditError("The log was cut."), ZeroDivisionError("a bug")])
def test_a_log_that_cannot_be_trusted_and_a_bug_end_the_service(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, error: Exception
) -> None:
    runs = Runs()
    runs.raises = [error]
    script = Script(later(clock, hours=16))
    script.steps.append(script.run_ends)
    service = service_of(workplace, script, runs, ear)
    with pytest.raises(type(error)):
        service.loop()
    service.close()
    assert any(line.startswith("STATUS=Stopped by") for line in ear.listen())


def test_a_bug_in_a_step_ends_the_service_after_the_run_was_told(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Runs()
    runs.bugs = (ZeroDivisionError("a bug"),)
    script = Script(later(clock, hours=16))
    script.steps.append(script.run_ends)
    service = service_of(workplace, script, runs, ear)
    with pytest.raises(ZeroDivisionError):
        service.loop()
    service.close()
    told = capsys.readouterr().err
    assert told.index("run ended") < told.index("stopped")


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit()])
def test_a_run_that_a_library_ends_ends_the_service_as_a_bug(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, error: BaseException
) -> None:
    runs = Runs()
    runs.raises = [error]
    script = Script(later(clock, hours=16))
    script.steps.append(script.run_ends)
    service = service_of(workplace, script, runs, ear)
    with pytest.raises(RuntimeError, match=f"ended by {type(error).__name__}"):
        service.loop()
    service.close()


def test_a_run_that_hangs_is_no_longer_vouched_for(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Runs()
    runs.may_end.clear()
    fed: list[bool] = []

    def note() -> None:
        fed.append("WATCHDOG=1" in ear.listen())

    def gets_on() -> None:
        assert runs.hooks is not None
        runs.hooks.alive()

    def let_go() -> Word:
        assert state_of(workplace) == "running"
        runs.may_end.set()
        return script.run_ends()

    script = Script(later(clock, hours=16), runs.held_up, note)
    script.steps += [later(clock, minutes=29), note]
    script.steps += [later(clock, minutes=2), quietly(ear), note]  # what the round before said is put aside
    script.steps += [gets_on, note, let_go]
    service_of(workplace, script, runs, ear).loop()
    assert fed == [True, True, False, True]
    assert "run stalled" in capsys.readouterr().err


def test_the_watchdog_is_fed_often_enough(clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear) -> None:
    script = Script(later(clock, seconds=10), later(clock, seconds=10))
    service_of(workplace, script, Runs(), ear).loop()
    assert max(script.waits) <= 20
    assert ear.listen().count("WATCHDOG=1") >= 3


def test_a_sign_of_life_is_left_each_minute(clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear) -> None:
    beats: list[datetime] = []

    def look() -> None:
        with open_store_of(workplace.settings) as store:
            heartbeat = store.heartbeat()
        assert heartbeat is not None
        beats.append(heartbeat.at)

    steps: list[Step] = [step for _ in range(3) for step in (later(clock, seconds=61), look)]
    service_of(workplace, Script(*steps, look), Runs(), ear).loop()
    assert len(set(beats)) >= 3


def test_a_clock_that_was_set_back_does_not_put_off_the_next_run_for_years(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear
) -> None:
    clock.move_to("2040-01-01 12:00:00")
    runs = Runs()

    def set_right() -> None:
        clock.move_to("2026-11-24 12:00:00")

    script = Script()
    script.steps += [script.run_ends, set_right, later(clock, hours=16), script.run_ends]
    service_of(workplace, script, runs, ear).loop()
    assert runs.triggers == ["catch-up", "schedule"]


@pytest.mark.usefixtures("clock")
def test_a_reload_that_finds_something_wrong_changes_nothing(
    workplace: Workplace, ear: Ear, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.settings.path.write_text(SETTINGS + "schedule: at noon\n")
    service = service_of(workplace, Script(lambda: Word.RELOAD), Runs(), ear)
    service.loop()
    heard = ear.listen()
    assert heard.index("RELOADING=1") < len(heard) - 1 - heard[::-1].index("READY=1")
    assert any("the old ones stay in force" in line for line in heard)
    assert service.workplace is workplace
    assert "reload refused" in capsys.readouterr().err


@pytest.mark.usefixtures("clock")
def test_a_reload_takes_over_another_schedule(workplace: Workplace, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a workplace is made of is tested elsewhere; here it has no rules.
    monkeypatch.setattr("retentiond.daemon.service.read_workplace", lambda settings: Workplace(settings, (), (), {}, "1" * 64))
    workplace.settings.path.write_text(SETTINGS + 'schedule: "0 20 * * *"\n')
    service = service_of(workplace, Script(lambda: Word.RELOAD, lambda: None), Runs(), ear)
    service.loop()
    assert service.workplace.digest == "1" * 64
    assert "STATUS=Idle until 2026-11-24 20:00 UTC." in ear.listen()


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("line", ["state: elsewhere", "origin: example.org/other"])
def test_a_reload_cannot_move_the_state_to_another_place(
    workplace: Workplace, ear: Ear, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("retentiond.daemon.service.read_workplace", lambda settings: Workplace(settings, (), (), {}, "1" * 64))
    name = line.partition(":")[0]
    others = [kept for kept in SETTINGS.splitlines() if not kept.startswith(name)]
    workplace.settings.path.write_text("\n".join([line, *others]))
    service = service_of(workplace, Script(lambda: Word.RELOAD), Runs(), ear)
    service.loop()
    assert service.workplace is workplace
    assert "restart the daemon" in capsys.readouterr().err


def test_a_store_that_cannot_be_written_is_told_and_survived(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_it() -> None:
        (workplace.settings.state / "state.db").unlink()
        (workplace.settings.state / "state.db").mkdir()

    script = Script(break_it, later(clock, seconds=61), later(clock, seconds=61))
    assert service_of(workplace, script, Runs(), ear).loop() == 0
    assert "no sign of life" in capsys.readouterr().err


def demand(workplace: Workplace, name: str) -> Step:
    def step() -> None:
        person = frozenset({Subject("email", "ada@example.org")})
        made = Request(name, RequestKind.ERASURE, person, datetime.now(UTC), RequestState.OPEN, "staff-1", "case-1")
        with open_store_of(workplace.settings) as store:
            store.open_request(made)

    return step


def grant(workplace: Workplace, name: str) -> Step:
    def step() -> None:
        with open_store_of(workplace.settings) as store:
            store.decide_request(name, RequestState.GRANTED, datetime.now(UTC), "staff-1")

    return step


def test_what_a_person_demands_does_not_wait_for_the_schedule(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear
) -> None:
    runs = Runs()
    script = Script(demand(workplace, "r-1"), later(clock, minutes=2), lambda: None)
    script.steps += [script.run_ends, grant(workplace, "r-1"), later(clock, minutes=2), lambda: None, script.run_ends]
    script.steps += [later(clock, minutes=2), lambda: None]
    service_of(workplace, script, runs, ear).loop()
    assert runs.triggers == ["request", "request"]


@pytest.mark.usefixtures("clock")
def test_what_was_demanded_while_nobody_listened_is_done_first(workplace: Workplace, ear: Ear) -> None:
    demand(workplace, "r-1")()
    runs = Runs()
    script = Script()
    script.steps.append(script.run_ends)
    service_of(workplace, script, runs, ear).loop()
    assert runs.triggers == ["catch-up"]


def with_anchor(workplace: Workplace, path: Path) -> Workplace:
    """The same with a log, an anchor that is a file, and no run for months."""
    settings = workplace.settings.model_copy(update={"anchors": (FileAnchor(type="file", path=path),), "schedule": "0 0 1 1 *"})
    with open_evidence(settings, datetime(2026, 11, 24, 3, tzinfo=UTC)):
        pass
    return replace(workplace, settings=settings)


def anchored(workplace: Workplace) -> list[datetime | None]:
    """When the log was anchored, as it tells itself."""
    with read_log(log_place(workplace.settings)) as log:
        return [entry.at for entry in log.entries(kind="anchor")]


def test_an_idle_day_is_anchored_once(clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, tmp_path: Path) -> None:
    workplace = with_anchor(workplace, tmp_path / "foreign")
    begin, script = datetime(2026, 11, 24, 12, tzinfo=UTC), Script()
    script.steps = [script.run_ends, later(clock, hours=10), later(clock, hours=5), later(clock, hours=8, minutes=59)]
    script.steps += [later(clock, minutes=6), script.run_ends, later(clock, hours=1)]
    runs = Runs()
    service_of(workplace, script, runs, ear).loop()
    assert anchored(workplace) == [begin, begin + timedelta(hours=24, minutes=5)]


def test_an_anchor_that_fails_is_told_and_tried_again_within_the_hour(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace = with_anchor(workplace, tmp_path / "not mounted" / "foreign")
    said: list[str] = []

    def mount() -> None:
        said.extend(ear.listen())
        (tmp_path / "not mounted").mkdir()

    script = Script()
    script.steps = [script.run_ends, lambda: None, mount, later(clock, minutes=59), later(clock, minutes=2), script.run_ends]
    service_of(workplace, script, Runs(), ear).loop()
    assert len(anchored(workplace)) == 1
    assert "did not take the checkpoint" in capsys.readouterr().err
    assert any("Not anchored by file; see the journal." in line for line in said)
    assert "Not anchored" not in ear.listen()[-1]


def test_an_anchor_that_contradicts_the_log_ends_the_service_and_the_next_start(
    clock: FrozenDateTimeFactory, workplace: Workplace, ear: Ear, tmp_path: Path
) -> None:
    workplace = with_anchor(workplace, tmp_path / "foreign")

    def forge() -> None:
        (tmp_path / "foreign").write_text("forged")

    script = Script()
    script.steps = [script.run_ends, forge, later(clock, hours=24, minutes=5), script.run_ends]
    service = service_of(workplace, script, Runs(), ear)
    with pytest.raises(AuditError, match="is not as it was left"):
        service.loop()
    service.close()
    with pytest.raises(AuditError, match="contradict each other"):
        service_of(workplace, Script(), Runs(), ear)


@pytest.mark.usefixtures("clock")
def test_a_run_that_finds_a_contradiction_ends_the_service(workplace: Workplace, ear: Ear) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    handed = Handed("witness", 5, "The witness saw another history.", contradicts=True)
    report = RunReport("r", "schedule", now, now, now, Status.DONE, (), anchoring=Anchoring((handed,), Coverage(5, {})))
    script = Script()
    script.steps.append(script.run_ends)
    service = Service(
        workplace.settings.path, workplace, script, Notifier(ear.address, 60.0), 1800, lambda _workplace, _trigger, _hooks: report
    )
    service.start()
    service.wanted = "schedule"
    with pytest.raises(AuditError, match="another history"):
        service.loop()
    service.close()
