"""Programs of other makers, and the one in it, accept an export of the deletion log, and refuse it when anything was changed.

They are handed the directory alone, with the key and the checkpoints that an auditor would have from before.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.deletion_log import NOW, ORIGIN, RUN, delete
from support.foreign import VERIFIERS, Verifier
from support.program import PROGRAM, SETTINGS

from retentiond.audit import LogPlace, open_log, read_log
from retentiond.audit.note import Signer

PROVEN = (0, 5, 300)
"""The entries that are proven in the export by files of their own."""


def exported(state: Path, folder: Path, older: int | None = None) -> Path:
    """Export the log whose state directory is `state`; proofs are put beside it, also of what was the state of `older` entries.

    Entries that stay though those around them were pruned are proven one by one.
    """
    settings = state.parent / f"{state.name}.yaml"
    (state.parent / "policies").mkdir(exist_ok=True)
    text = SETTINGS.format(folder=state.parent, batch_size=1000).replace("state: state", f"state: {state.name}")
    settings.write_text(text.replace("test.example/retentiond/cli", ORIGIN), encoding="utf-8")
    command = [*PROGRAM, "--settings", str(settings), "audit", "export", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "proof").mkdir(exist_ok=True)  # of what stayed alone when the rest was pruned, there is a proof already
    with read_log(LogPlace(state, None, ORIGIN)) as log:
        stayed = [entry.index for entry in itertools.takewhile(lambda entry: entry.index < log.first, log.entries())]
        for index in stayed or [index for index in PROVEN if index < log.newest.size]:
            (folder / f"proof/{index}.tlog-proof").write_text(log.proof(index), encoding="utf-8")
        if older is not None:
            name = f"proof/{older}-{log.newest.size}.consistency"
            (folder / name).write_text(log.consistency_file(older), encoding="utf-8")
    return folder


def vkey_of(state: Path) -> str:
    return (state / "log.vkey").read_text(encoding="utf-8").strip()


@dataclass(frozen=True, slots=True)
class Case:
    """What an auditor has in hand."""

    export: Path
    vkey: str
    held: tuple[Path, ...]
    """Checkpoints from before."""
    early: Path
    """The export of an earlier state, itself in order."""
    forged: Path
    """The export of another history under the same key, itself in order."""


def grown(state: Path, *batches: int, name: str = "record") -> None:
    """Some more batches of so many records each, and a checkpoint."""
    with open_log(LogPlace(state, None, ORIGIN), NOW, "retentiond 0") as log:
        log.checkpoint(NOW)
        log.event("run-start", NOW, run=RUN, trigger="command", policy_digest="", tzdata="2026a", clock="believed")
        for number, count in enumerate(batches):
            delete(log, *[f"{name} {number} {one}" for one in range(count)])
        log.event("run-end", NOW, run=RUN, status="done", counts={"due": sum(batches), "confirmed": sum(batches)})
        log.checkpoint(NOW)


def size_of(export: Path) -> int:
    return int((export / "log/checkpoint").read_text(encoding="utf-8").split("\n")[1])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Two histories under one key: of one there are an earlier and a later state, and the later one is in order."""
    folder = tmp_path_factory.mktemp("logs")
    state = folder / "state"
    state.mkdir(mode=0o700)
    with open_log(LogPlace(state, None, ORIGIN), NOW, "retentiond 0") as log:
        log.checkpoint(NOW)
    shutil.copytree(state, folder / "other")
    grown(state, 3, 300)
    early = exported(state, folder / "early")
    held = folder / "kept-by-the-auditor"
    shutil.copy(early / "log/checkpoint", held)
    grown(state, 100, 2, 250)
    export = exported(state, folder / "export", older=size_of(early))
    grown(folder / "other", 3, 300, name="somebody")
    grown(folder / "other", 100, 2, 250)
    forged = exported(folder / "other", folder / "forged", older=size_of(early))
    assert size_of(forged) == size_of(export) > 600
    return Case(export, vkey_of(state), (held,), early, forged)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what has to be built."""
    return tmp_path_factory.mktemp("foreign")


@pytest.fixture(params=VERIFIERS, ids=lambda verifier: verifier.name)
def verifier(request: pytest.FixtureRequest, workshop: Path) -> Verifier:
    """Each program that can be run here."""
    found: Verifier = request.param
    if not found.there(workshop):
        pytest.skip(f"{found.name} is not installed; `make services` tells what is missing")
    return found


@pytest.fixture
def case(original: Case, tmp_path: Path) -> Case:
    """A copy to tamper with."""
    return replace(original, export=Path(shutil.copytree(original.export, tmp_path / "export")))


def flipped(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-32])


def reworded(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def replaced(case: Case, other: Path) -> Case:
    return replace(case, export=other)


def foreign_key(case: Case) -> Case:
    stranger = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32))).verifier
    return replace(case, vkey=str(stranger))


def forged_together(case: Case) -> None:
    """The last entry of a bundle and its hash are changed to fit each other, where no older checkpoint looks."""
    bundle, tile = case.export / "log/tile/entries/001", case.export / "log/tile/0/001"
    flipped(bundle, -1)
    raw, place, last = bundle.read_bytes(), 0, b""
    while place < len(raw):
        end = place + 2 + int.from_bytes(raw[place : place + 2], "big")
        place, last = end, raw[place + 2 : end]
    tile.write_bytes(tile.read_bytes()[:-32] + hashlib.sha256(b"\x00" + last).digest())


TWINS: dict[str, Callable[[Case], Case | None]] = {
    "a bit of an entry": lambda case: flipped(case.export / "log/tile/entries/001", 2),
    "an entry changed together with its hash": forged_together,
    "a bit of a tile": lambda case: flipped(case.export / "log/tile/0/001", 40),
    "a bit of a higher tile": lambda case: flipped(case.export / "log/tile/1/000.p/2", 40),
    "a cut tile": lambda case: cut(case.export / "log/tile/0/001"),
    "a bit of a proof": lambda case: flipped(case.export / "proof/5.tlog-proof", 700),
    "a bit of a proof's entry": lambda case: flipped(case.export / "proof/5.tlog-proof", 40),
    "another index in a proof": lambda case: reworded(case.export / "proof/5.tlog-proof", "index 5\n", "index 4\n"),
    "another size": lambda case: reworded(
        case.export / "log/checkpoint", f"\n{size_of(case.export)}\n", f"\n{size_of(case.export) - 1}\n"
    ),
    "a bit of the signature": lambda case: flipped(case.export / "log/checkpoint", -20),
    "a bit of an older checkpoint": lambda case: flipped(case.export / "checkpoints/1", -20),
    "a foreign key": foreign_key,
    "a log that was cut": lambda case: replace(case, export=case.early, held=(case.export / "log/checkpoint",)),
    "a log that was rewritten and signed again": lambda case: replace(case, export=case.forged),
}


def test_it_accepts_an_export(verifier: Verifier, workshop: Path, original: Case) -> None:
    assert verifier.look(workshop, original.export, original.vkey, ()) == ""
    assert verifier.look(workshop, original.export, original.vkey, original.held) == ""
    assert verifier.look(workshop, original.early, original.vkey, ()) == ""


def test_without_a_checkpoint_from_before_a_rewritten_log_looks_as_good(
    verifier: Verifier, workshop: Path, original: Case
) -> None:
    assert verifier.look(workshop, original.forged, original.vkey, ()) == ""


@pytest.mark.parametrize("what", TWINS)
def test_it_refuses_as_far_as_it_looks(verifier: Verifier, workshop: Path, case: Case, what: str) -> None:
    broken = TWINS[what](case) or case
    said = verifier.look(workshop, broken.export, broken.vkey, broken.held)
    assert bool(said) == (what not in verifier.blind), said


@pytest.fixture(scope="module")
def pruned(original: Case, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The same log after its own rule let its first entries go."""
    folder = tmp_path_factory.mktemp("pruned")
    state = Path(shutil.copytree(original.export.parent / "state", folder / "state"))
    with open_log(LogPlace(state, None, ORIGIN), NOW, "retentiond 0") as log:
        log.prune("log@1", lambda _at: True, lambda _fields: True, NOW)
    export = exported(state, folder / "export", older=size_of(original.early))
    assert not (export / "log/tile/entries/000").exists()
    assert (export / "proof/0.tlog-proof").exists()
    shutil.copy(original.export / "proof/5.tlog-proof", export / "proof")
    return replace(original, export=export)


def test_after_pruning_it_accepts_the_export_and_proofs_from_before(verifier: Verifier, workshop: Path, pruned: Case) -> None:
    assert verifier.look(workshop, pruned.export, pruned.vkey, pruned.held) == ""
