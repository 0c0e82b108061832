"""An export, and the program in it: what it accepts, and each of the many things that it must refuse."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.published import NOW, SIGNER, STRANGER, Memory, batch, event, leaf, three_runs

from retentiond.audit.export import write_export
from retentiond.audit.note import Checkpoint, Signer
from retentiond.audit.tile import full_bundle, split_bundle
from retentiond.audit.tree import Range, leaf_hash
from retentiond.errors import AuditError, ConfigurationError, StateError

VKEY = str(SIGNER.verifier)


def verified(export: Path, *words: object, vkey: str = VKEY) -> tuple[int, str]:
    """The exit status of the program in the export, and what it says; Python's own library is all it has."""
    command = [sys.executable, "-I", "-S", str(export / "verify.py"), str(export), "--vkey", vkey, *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={"PYTHONIOENCODING": "utf-8"}, timeout=120)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def log() -> Memory:
    """The log that most tests share; nobody changes it."""
    return three_runs()


@pytest.fixture(scope="module")
def original(log: Memory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export, which nobody changes either."""
    extra = {
        "proof/3.tlog-proof": log.proof(3).encode(),
        "proof/400.tlog-proof": log.proof(400, 600).encode() if 600 in log.sizes else log.proof(300).encode(),
        f"proof/{log.sizes[1]}-{log.size}.consistency": log.consistency(log.sizes[1]).encode(),
        "policies/crm.yaml": b"policy: crm\n",
    }
    return log.export(tmp_path_factory.mktemp("original") / "export", extra=extra)


@pytest.fixture
def export(original: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copytree(original, tmp_path / "export"))


def test_an_export_verifies_with_the_program_in_it(log: Memory, original: Path) -> None:
    status, said = verified(original)
    assert (status, said.splitlines()[-1]) == (0, "In order: everything here agrees with what was signed under this key.")
    assert f"{log.size} entries, {len(log.sizes)} signed states, 3 proofs." in said
    assert "596 × outcome" in said
    assert "not here" not in said


def test_an_export_lies_where_others_look_for_it(log: Memory, original: Path) -> None:
    found = {path.relative_to(original).as_posix() for path in original.rglob("*") if path.is_file()}
    width = log.size - 512
    assert {one for one in found if one.startswith("log/")} == {
        "log/checkpoint",
        "log/tile/0/000",
        "log/tile/0/001",
        f"log/tile/0/002.p/{width}",
        "log/tile/1/000.p/2",
        "log/tile/entries/000",
        "log/tile/entries/001",
        f"log/tile/entries/002.p/{width}",
    }
    assert {one for one in found if one.startswith("checkpoints/")} == {f"checkpoints/{size}" for size in log.sizes}
    assert (original / "log.vkey").read_text() == VKEY + "\n"
    assert (original / "policies" / "crm.yaml").read_bytes() == b"policy: crm\n"
    assert b"".join(split_bundle((original / "log/tile/entries/000").read_bytes())) == b"".join(log.leaves[:256])


def test_the_readme_says_what_it_is_worth(log: Memory, original: Path) -> None:
    said = (original / "README.txt").read_text(encoding="utf-8")
    assert f"signed at {log.size} entries" in said
    assert f"in this export: 0 to {log.size - 1}." in said
    assert "KEY IN THIS EXPORT PROVES NOTHING" in said
    assert "it WOULD VERIFY" in said
    assert "$" not in said


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 513])
def test_a_log_of_any_size_is_exported_and_verifies(size: int, tmp_path: Path) -> None:
    log = Memory()
    log.leaves += [
        event("hold", hold=f"{number}", type="claim", op="placed", scope_digest="", by="a") for number in range(1, size)
    ]
    status, said = verified(log.sign().export(tmp_path / "export"))
    assert (status, said.splitlines()[0]) == (0, f"{size} entries, 1 signed states, 0 proofs.")


def test_a_log_of_more_than_65536_entries_has_three_levels_of_tiles_and_verifies_fast(tmp_path: Path) -> None:
    log = Memory().run(*[1000] * 66)
    export = log.export(tmp_path / "export")
    assert (export / "log/tile/2/000.p/1").exists()
    assert verified(export)[0] == 0


def test_what_is_not_signed_yet_is_not_exported(tmp_path: Path) -> None:
    log = Memory().run(3)
    log.leaves.append(event("key", what="epoch", op="made", kid="2026-2"))
    export = log.export(tmp_path / "export")
    assert verified(export)[0] == 0
    assert not list(export.rglob(f"*.p/{log.size + 1}"))


def test_a_pruned_log_verifies_and_the_program_says_what_was_pruned(tmp_path: Path) -> None:
    log = three_runs()
    fields = {"rule": "log@0", "counts": {}, "size": 1, "root": ""}
    log.leaves.append(event("prune", level=2, to=512, **{"from": 0}, **fields))
    log.pruned = 512
    status, said = verified(log.sign().export(tmp_path / "export"))
    assert status == 0
    assert "Entries 0 to 511 are not here: pruned, as the log says." in said


def test_pruned_entries_that_no_entry_tells_of_are_said_to_be_left_out(tmp_path: Path) -> None:
    log = three_runs()
    log.pruned = 256
    status, said = verified(log.export(tmp_path / "export"))
    assert status == 0
    assert "Entries 0 to 255 are not here: LEFT OUT" in said


def test_an_export_of_a_period_has_all_hashes_and_only_its_entries(log: Memory, tmp_path: Path) -> None:
    export = log.export(tmp_path / "export", period=range(300, 310))
    status, said = verified(export, "--proof", _file(tmp_path / "proof", log.proof(7)))
    assert status == 0
    assert "Entries 0 to 255 are not here" in said
    assert f"Entries 512 to {log.size - 1} are not here" in said
    assert [path.name for path in (export / "log/tile/entries").iterdir()] == ["001"]
    assert "in this export: 256 to 511." in (export / "README.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("period", "there"), [(range(255, 257), ["000", "001"]), (range(256, 512), ["001"]), (range(5, 5), [])])
def test_a_period_takes_the_bundles_that_it_touches(log: Memory, tmp_path: Path, period: range, there: list[str]) -> None:
    entries = log.export(tmp_path / "export", period=period) / "log/tile/entries"
    assert sorted(path.name for path in entries.iterdir()) == there if there else not entries.exists()


def _file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _flipped(path: Path, place: int = 40) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


def _cut(path: Path, count: int = 1) -> None:
    path.write_bytes(path.read_bytes()[:-count])


def _partial(export: Path, below: str) -> Path:
    return next((export / "log/tile" / below).rglob("*.p/*"))


def _forged_together(export: Path) -> None:
    """Another entry, with the hash that fits it in its tile, where no older checkpoint looks: only the tile above tells."""
    bundle, tile = export / "log/tile/entries/001", export / "log/tile/0/001"
    entries = split_bundle(bundle.read_bytes())
    assert b"returning" in entries[-1]
    entries[-1] = entries[-1].replace(b"returning", b"rowcount")
    bundle.write_bytes(full_bundle(entries))
    tile.write_bytes(b"".join(map(leaf_hash, entries)))


BROKEN: dict[str, Callable[[Path], object]] = {
    "a bit of an entry": lambda export: _flipped(export / "log/tile/entries/001"),
    "a bit of the last bundle": lambda export: _flipped(_partial(export, "entries")),
    "an entry changed together with its hash": _forged_together,
    "a cut bundle": lambda export: _cut(export / "log/tile/entries/001"),
    "a bundle with an entry less": lambda export: (export / "log/tile/entries/000").write_bytes(
        full_bundle(split_bundle((export / "log/tile/entries/000").read_bytes())[:-1])
    ),
    "two bundles changed over": lambda export: shutil.copy(export / "log/tile/entries/001", export / "log/tile/entries/000"),
    "a bit of a tile": lambda export: _flipped(export / "log/tile/0/001"),
    "a bit of the last tile": lambda export: _flipped(_partial(export, "0")),
    "a bit of a higher tile": lambda export: _flipped(_partial(export, "1")),
    "a cut tile": lambda export: _cut(export / "log/tile/0/001", 32),
    "a missing tile": lambda export: (export / "log/tile/0/001").unlink(),
    "a missing higher tile": lambda export: _partial(export, "1").unlink(),
    "a bit of the checkpoint": lambda export: _flipped(export / "log/checkpoint"),
    "a bit of its signature": lambda export: _flipped(export / "log/checkpoint", -10),
    "no checkpoint": lambda export: (export / "log/checkpoint").unlink(),
    "a checkpoint that is no text": lambda export: (export / "log/checkpoint").write_bytes(b"\xff\n\n\xff\n"),
    "a bit of an older checkpoint": lambda export: _flipped(export / "checkpoints/1"),
    "an older checkpoint of another log": lambda export: _file(
        export / "checkpoints/2", SIGNER.sign(Checkpoint(SIGNER.name, 2, bytes(32)).text())
    ),
    "a checkpoint with one line more": lambda export: _file(
        export / "checkpoints/1", SIGNER.sign(three_runs().checkpoint(1).text() + "more\n")
    ),
    "a run before which nothing was signed": lambda export: sorted((export / "checkpoints").iterdir())[1].unlink(),
    "a cut log": lambda export: shutil.copy(export / "checkpoints/1", export / "log/checkpoint"),
    "a bit of a proof's entry": lambda export: _flipped(export / "proof/3.tlog-proof", 35),
    "a bit of a proof's hash": lambda export: _flipped(export / "proof/3.tlog-proof", -420),
    "another index in a proof": lambda export: _file(
        export / "proof/3.tlog-proof", (export / "proof/3.tlog-proof").read_text("utf-8").replace("index 3\n", "index 4\n")
    ),
    "no index in a proof": lambda export: _file(
        export / "proof/3.tlog-proof", (export / "proof/3.tlog-proof").read_text("utf-8").replace("index 3\n", "")
    ),
    "an index behind the end": lambda export: _file(
        export / "proof/3.tlog-proof", (export / "proof/3.tlog-proof").read_text("utf-8").replace("index 3\n", "index 3000\n")
    ),
    "another size in a consistency file": lambda export: _older(export, "old 1"),
    "a strange size in a consistency file": lambda export: _older(export, "old -1"),
    "an empty proof": lambda export: _file(export / "proof/5.tlog-proof", ""),
}


def _older(export: Path, first: str) -> None:
    file = next((export / "proof").glob("*.consistency"))
    _, rest = file.read_text("utf-8").split("\n", 1)
    _file(file, f"{first}\n{rest}")


@pytest.mark.parametrize("what", BROKEN)
def test_the_program_refuses_an_export_with(what: str, export: Path) -> None:
    BROKEN[what](export)
    status, said = verified(export)
    assert (status, said.splitlines()[-1]) == (1, "NOT IN ORDER."), said
    assert "Traceback" not in said


def test_the_program_refuses_a_foreign_key_and_what_is_none(original: Path) -> None:
    assert verified(original, vkey=str(STRANGER.verifier))[0] == 1
    assert verified(original, vkey="log.vkey")[0] == 1
    name, _, key = VKEY.split("+", 2)
    assert verified(original, vkey=f"{name}+00000000+{key}")[0] == 1
    assert verified(original, vkey=VKEY[:-2] + "AA")[0] == 1
    other = Signer("log.example.org/retentiond/other", SIGNER.key)
    assert verified(original, vkey=str(other.verifier))[0] == 1


def test_a_rewritten_log_verifies_but_not_against_a_checkpoint_from_before(log: Memory, tmp_path: Path) -> None:
    forged = three_runs()
    place = next(index for index, one in enumerate(forged.leaves) if b'"concluded"' in one)
    forged.leaves[place] = forged.leaves[place].replace(b"2026-11-22", b"2026-11-21")
    export = forged.export(tmp_path / "export")
    assert verified(export)[0] == 0
    for size in log.sizes:
        held = _file(tmp_path / str(size), log.note(size))
        status, said = verified(export, "--checkpoint", held)
        assert status == (size > place), said
        assert ("rewritten" in said) == (size > place)


def test_a_rolled_back_log_does_not_verify_against_a_newer_checkpoint(log: Memory, tmp_path: Path) -> None:
    earlier = three_runs()
    earlier.sizes = earlier.sizes[:3]
    export = earlier.export(tmp_path / "export")
    assert verified(export)[0] == 0
    status, said = verified(export, "--checkpoint", _file(tmp_path / "held", log.note()))
    assert (status, "was cut" in said) == (1, True)
    status, said = verified(export, "--proof", _file(tmp_path / "proof", log.proof(log.size - 1)))
    assert (status, "was cut" in said) == (1, True)


def test_a_checkpoint_or_a_proof_that_was_kept_is_accepted(log: Memory, original: Path, tmp_path: Path) -> None:
    held = [("--checkpoint", _file(tmp_path / f"{size}", log.note(size))) for size in log.sizes]
    proof = ("--proof", _file(tmp_path / "proof", log.proof(2, log.sizes[1])))
    status, said = verified(original, *[word for pair in [*held, proof] for word in pair])
    assert (status, "4 proofs." in said) == (0, True)


def test_a_checkpoint_of_the_empty_log_is_accepted(tmp_path: Path) -> None:
    log = three_runs()
    log.sizes.insert(0, 0)
    assert verified(log.export(tmp_path / "export"))[0] == 0


def test_the_program_asks_for_the_key(original: Path) -> None:
    done = subprocess.run([sys.executable, original / "verify.py", original], check=False, capture_output=True, text=True)
    assert (done.returncode, "--vkey" in done.stderr) == (2, True)


def test_the_program_refuses_what_it_cannot_find(original: Path, tmp_path: Path) -> None:
    assert verified(original, "--checkpoint", tmp_path / "nothing")[0] == 1
    assert verified(original, "--proof", tmp_path / "nothing")[0] == 1


def outcome(index: int, number: int, rc: str = "A" * 43, **fields: object) -> bytes:
    return leaf(**{"i": index, "n": number, "o": "confirmed", "how": "returning", "rc": rc, **fields})


def with_leaves(*leaves: bytes) -> Memory:
    log = Memory()
    log.leaves += leaves
    return log.sign()


BATCH, FAILED = batch(1, "b", 3), batch(1, "b", 1, ["failed"])
WRONG: dict[str, list[bytes]] = {
    "an outcome too few": [BATCH[0], *BATCH[1:3], BATCH[4]],
    "an outcome too many": [*BATCH[:4], outcome(1, 3), BATCH[4]],
    "outcomes out of order": [BATCH[0], BATCH[2], BATCH[1], *BATCH[3:]],
    "an outcome of another record": [BATCH[0], outcome(1, 0), *BATCH[2:]],
    "an outcome that nobody intended": [outcome(1, 0)],
    "an outcome that something later intends": [outcome(2, 0), *batch(2, "b", 1)],
    "a conclusion that nobody intended": [BATCH[4]],
    "outcomes and no conclusion": BATCH[:4],
    "a conclusion that counts otherwise": [*BATCH[:4], BATCH[4].replace(b'"confirmed":3', b'"confirmed":2,"failed":1')],
    "a conclusion of another count": [*BATCH[:4], BATCH[4].replace(b'"count":3', b'"count":2')],
    "a batch of nothing": batch(1, "b", 0),
    "a batch intended twice": [BATCH[0], BATCH[0]],
    "an outcome that claims too much": batch(1, "b", 3, how="probe"),
    "an outcome without a word how": batch(1, "b", 3, how="guessed"),
    "a failure without a reason": [FAILED[0], FAILED[1].replace(b'"code":"refused",', b""), FAILED[2]],
    "a field twice": [*BATCH[:3], BATCH[3].replace(b'{"how"', b'{"n":2,"how"'), BATCH[4]],
    "an entry that is no JSON": [b"{"],
    "an entry that is no object": [b"[]"],
    "an entry without what it needs": [b'{"v":1,"kind":"intent"}'],
    "a commitment that is cut": [*batch(1, "b", 1)[:1], outcome(1, 0, "AAAA"), *batch(1, "b", 1)[2:]],
    "a later outcome of another record": [*batch(1, "b", 1, how="returning"), outcome(1, 0, of=2)],
    "nesting without end": [b"[" * 60000],
}


@pytest.mark.parametrize("what", WRONG)
def test_the_program_refuses_a_validly_signed_log_with(what: str, tmp_path: Path) -> None:
    status, said = verified(with_leaves(*WRONG[what]).export(tmp_path / "export"))
    assert (status, said.splitlines()[-1]) == (1, "NOT IN ORDER."), said
    assert "Traceback" not in said


RIGHT: dict[str, tuple[list[bytes], str]] = {
    "a batch": (BATCH, "not known yet: 0"),
    "a batch whose outcome is open": ([BATCH[0]], "not known yet: 1"),
    "a batch with failures": (batch(1, "b", 3, ["failed", "held", "changed"]), "3 × outcome"),
    "two batches at once": ([BATCH[0], batch(2, "c", 1)[0], *BATCH[1:], *batch(2, "c", 1)[1:]], "4 × outcome"),
    "an entry of a later version": ([leaf(v=2, kind="intent", anything="else")], "1 × of a later version"),
    "an entry of a kind it does not know": ([event("greeting", to="all")], "1 × greeting"),
}


@pytest.mark.parametrize("what", RIGHT)
def test_the_program_accepts_a_log_with(what: str, tmp_path: Path) -> None:
    leaves, expected = RIGHT[what]
    status, said = verified(with_leaves(*leaves).export(tmp_path / "export"))
    assert (status, expected in said) == (0, True), said


def test_the_program_names_the_entry_and_at_most_twenty_problems(tmp_path: Path) -> None:
    _, said = verified(with_leaves(*[b"{"] * 30).export(tmp_path / "export"))
    assert "Entry 1 does not hold: it cannot be read" in said
    assert "… and 10 more." in said


def test_the_program_runs_on_python_3_9_and_later_and_imports_nothing_of_ours(original: Path) -> None:
    code = (original / "verify.py").read_text(encoding="utf-8")
    assert "import retentiond" not in code
    assert "from retentiond" not in code
    ast.parse(code, feature_version=(3, 9))
    older = shutil.which("python3.9")
    if older and subprocess.run([older, "-c", ""], check=False, capture_output=True).returncode == 0:
        done = subprocess.run(
            [older, str(original / "verify.py"), str(original), "--vkey", VKEY], check=False, capture_output=True
        )
        assert done.returncode == 0, done.stderr


def test_an_export_never_goes_over_what_is_there(log: Memory, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("there", "dangling"):
        with pytest.raises(ConfigurationError, match="exists already"):
            log.export(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "there"]


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../up", "a/../../up", "log/key", "verify.py", "README.txt", "checkpoints/9", "log.vkey"]
)
def test_a_file_that_does_not_belong_there_is_refused(name: str, log: Memory, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no place for a file"):
        log.export(tmp_path / "export", extra={name: b""})
    assert not list(tmp_path.iterdir())


class Breaking(Memory):
    """A log of which a bundle cannot be read when half of the export is written."""

    def bundle(self, n: int) -> bytes | None:
        if n:
            raise AuditError("It broke.")
        return super().bundle(n)


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    log = Breaking().run(300)
    with pytest.raises(AuditError, match="It broke"):
        log.export(tmp_path / "export")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bundle", [b"", b"\x00", full_bundle([b"x"] * 3)])
def test_a_bundle_that_is_not_whole_is_not_exported(bundle: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Memory().run(3)
    monkeypatch.setattr(log, "bundle", lambda _: bundle)
    with pytest.raises(AuditError, match="audit verify"):
        log.export(tmp_path / "export")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_does_not_take_it_is_told(log: Memory) -> None:
    with pytest.raises(StateError, match="cannot be written"):
        log.export(Path("/proc/export"))


def test_a_log_that_is_not_what_was_signed_is_not_exported(tmp_path: Path) -> None:
    log = three_runs()
    notes = log.newest
    log.leaves[5] = b"{}"
    broken = Memory()
    broken.leaves = log.leaves

    class Stale(Memory):
        @property
        def newest(self) -> object:  # type: ignore[override]
            return notes

    stale = Stale()
    stale.leaves, stale.sizes = log.leaves, log.sizes
    for key in (SIGNER.verifier, STRANGER.verifier):
        with pytest.raises(AuditError, match="Nothing was exported"):
            write_export(tmp_path / "export", stale, key, NOW)  # type: ignore[arg-type]
    assert Range().grown(log.leaves[: log.size]).root() != Checkpoint.parse(notes.note.partition("\n\n")[0] + "\n").root
    assert not list(tmp_path.iterdir())
