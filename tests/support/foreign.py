"""Verifiers of other makers, and our own that stands alone, set on an export: they read its files and share no code with us."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import metamorphic_log

DEBIAN = Path("/usr/share/gocode")
"""Where Debian's package golang-golang-x-mod-dev has its sources."""
PROGRAM = Path(__file__).parents[1] / "data" / "foreign" / "verify.go"


@dataclass(frozen=True, slots=True)
class Verifier:
    """One of them."""

    name: str
    there: Callable[[Path], bool]
    """Whether it can be run here, given a folder for what has to be built."""
    look: Callable[[Path, Path, str, Sequence[Path]], str]
    """What it says against an export, given folder, export, key and checkpoints from before; empty where it accepts it."""
    blind: frozenset[str] = frozenset()
    """What it does not look at, of `TWINS` in the test."""


def _metamorphic(_folder: Path, export: Path, vkey: str, held: Sequence[Path]) -> str:
    """Checkpoints and proof files; it has nothing for tiles and bundles."""
    try:
        newest = (export / "log" / "checkpoint").read_text(encoding="utf-8")
        metamorphic_log.checkpoint_verify(newest, [vkey])
        for file in sorted((export / "checkpoints").iterdir()):
            metamorphic_log.checkpoint_verify(file.read_text(encoding="utf-8"), [vkey])
        for file in sorted((export / "proof").glob("*.tlog-proof")):
            head, note = file.read_text(encoding="utf-8").split("\n\n", 1)
            _, extra, index, *hashes = head.split("\n")
            leaf = hashlib.sha256(b"\x00" + base64.b64decode(extra.removeprefix("extra "))).digest()
            path = [base64.b64decode(one) for one in hashes]
            metamorphic_log.checkpoint_verify_inclusion(note, [vkey], int(index.removeprefix("index ")), leaf, path)
        for older in held:
            known = older.read_text(encoding="utf-8")
            size = metamorphic_log.checkpoint_verify(known, [vkey]).size
            proofs = list((export / "proof").glob(f"{size}-*.consistency"))
            if not proofs and known != newest:
                return f"nothing joins the state of {size} entries to the newest"
            for file in proofs:
                head, note = file.read_text(encoding="utf-8").split("\n\n", 1)
                path = [base64.b64decode(one) for one in head.split("\n")[1:]]
                metamorphic_log.checkpoint_verify_consistency(known, note, [vkey], path)
                if note != newest:
                    return "the consistency file leads to another state than the newest"
    except metamorphic_log.VerifyError as error:
        return f"refused: {error!r}"
    return ""


@cache
def _go(folder: Path) -> Path | None:
    """The program built with Debian's packages; None where there is no Go, or no golang.org/x/mod."""
    if not shutil.which("go") or not (DEBIAN / "src/golang.org/x/mod/sumdb/tlog").exists():
        return None
    built = folder / "verify-with-x-mod"
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": str(DEBIAN), "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    subprocess.run(["go", "build", "-o", built, PROGRAM], check=True, env=environment, timeout=300)
    return built


def _x_mod(folder: Path, export: Path, vkey: str, held: Sequence[Path]) -> str:
    """Everything but the arithmetic of batches."""
    return _said([_go(folder), export, vkey, *held])


def _aics_tlog(folder: Path, export: Path, vkey: str, held: Sequence[Path]) -> str:
    """Straight from the tiles: the checkpoint, the first entry of each bundle that is there, older checkpoints."""
    key = folder / "key-from-elsewhere"
    key.write_text(f"{vkey}\n", encoding="utf-8")
    log = ["--tiles", export / "log", "--vkey-file", key]
    said = [_said([AICS_TLOG, "verify-checkpoint", *log])]
    size = int((export / "log" / "checkpoint").read_text(encoding="utf-8").split("\n")[1])
    there = [n for n in range(-(-size // 256)) if any((export / "log/tile/entries").glob(f"{n:03}*"))]
    for index in [n * 256 for n in there]:
        said += [_said([AICS_TLOG, "verify-inclusion", *log, "--index", index, "--entry-out", folder / "entry"])]
    for older in [*sorted((export / "checkpoints").iterdir()), *held]:
        said += [_said([AICS_TLOG, "verify-consistency", *log, "--old-checkpoint", older])]
    return "\n".join(filter(None, said))


def _verify_py(_folder: Path, export: Path, vkey: str, held: Sequence[Path]) -> str:
    """The one file that is ours: it lies in the export, and Python's own library is all it has."""
    checkpoints = [word for file in held for word in ("--checkpoint", file)]
    return _said([sys.executable, "-I", "-S", export / "verify.py", export, "--vkey", vkey, *checkpoints])


def _said(words: Sequence[object]) -> str:
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True, timeout=120)
    return (done.stdout + done.stderr or "refused") if done.returncode else ""


AICS_TLOG = os.environ.get("AICS_TLOG") or shutil.which("aics-tlog")
"""It needs Python 3.12, so it comes from an environment of its own, where there is one."""

METAMORPHIC = Verifier(
    "metamorphic-log",
    lambda _folder: True,
    _metamorphic,
    frozenset(
        {
            "a bit of an entry",
            "an entry changed together with its hash",
            "a bit of a tile",
            "a bit of a higher tile",
            "a cut tile",
        }
    ),
)
X_MOD = Verifier("golang.org/x/mod", lambda folder: _go(folder) is not None, _x_mod)
AICS = Verifier(
    "aics-tlog",
    lambda _folder: True,
    _aics_tlog,
    frozenset({"a bit of a proof", "a bit of a proof's entry", "another index in a proof", "a proof of another entry"}),
)
VERIFY_PY = Verifier("verify.py", lambda _folder: True, _verify_py)
VERIFIERS = [VERIFY_PY, METAMORPHIC, X_MOD, *([AICS] if AICS_TLOG else [])]
