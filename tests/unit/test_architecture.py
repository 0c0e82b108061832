"""The floors hold, and the linter that says so would notice if they did not."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "src" / "retentiond", ROOT / "connectors"]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of ours, with its path from the root."""
    for source in SOURCES:
        for path in sorted(source.rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree in `folder`, and on no other."""
    script = (
        f"import sys; sys.path[:0] = [{str(folder / 'src')!r}, {str(folder / 'connectors')!r}]; "
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    words = [sys.executable, "-c", script, str(folder / "pyproject.toml"), "--no-cache"]
    return subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)


def test_every_import_goes_down() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the sources in which something can be broken."""
    for name in ("src", "connectors"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("src/retentiond/attic.py", "", "attic"),
        ("src/retentiond/model/upward.py", "import retentiond.engine.runner", "Floors"),
        ("src/retentiond/store/sideways.py", "import retentiond.audit", "Floors"),
        ("src/retentiond/engine/again.py", "import tenacity", "Only engine/retry.py"),
        ("src/retentiond/cli/again.py", "import tenacity", "Only engine/retry.py"),
        ("src/retentiond/engine/ticking.py", "import apscheduler.triggers.cron", "Only daemon/scheduler.py"),
        ("src/retentiond/engine/rows.py", "import retentiond_sql", "The core never imports a connector"),
        ("connectors/retentiond_sql/friend.py", "import retentiond_files", "Connectors never import each other"),
        ("connectors/retentiond_files/deep.py", "import retentiond.model.record", "A connector imports"),
        ("connectors/retentiond_files/again.py", "import tenacity", "Only engine/retry.py"),
    ],
)
def test_an_import_that_is_not_allowed_is_found(copy: Path, file: str, line: str, told: str) -> None:
    (copy / file).write_text(f'"""Planted."""\n{line}\n')
    done = lint(copy)
    assert done.returncode != 0
    assert told in done.stdout


def test_each_floor_that_a_connector_must_not_know_is_named() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["name"].startswith("A connector imports")]
    floors = {path.stem for path in SOURCES[0].iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert {f"retentiond.{floor}" for floor in floors - {"__init__", "connector"}} == set(contract["forbidden_modules"])


CLOCKS = {"now", "today", "utcnow", "time", "time_ns", "monotonic", "monotonic_ns", "clock_gettime", "localtime", "gmtime"}
"""Names by which Python reads a clock: of datetime, date, and the module time."""

READS_THE_CLOCK = {"src/retentiond/daemon/clock.py"}

OTHER_CLOCKS = {
    "connectors/retentiond_sql/fence.py": {"monotonic"},  # waits for a bounded time
    "connectors/retentiond_files/session.py": {"time_ns"},  # the clock that stamped the files is the system's own
}
"""A connector may read a clock to wait, or as the clock of the system it reaches; never to decide what is due."""


def clock_reads(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name in {"datetime", "date", "time", "Instant", "ZonedDateTime"}:
                yield node.func.attr
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (alias.name for alias in node.names if alias.name in CLOCKS)


def test_one_place_reads_the_clock() -> None:
    found = {path: names for path, tree in modules() if (names := set(clock_reads(tree)) - OTHER_CLOCKS.get(path, set()))}
    assert set(found) == READS_THE_CLOCK, found


HANDLES_EVERYTHING = {"src/retentiond/cli/main.py", "src/retentiond/daemon/work.py", "src/retentiond/engine/isolation.py"}
"""One in the command line, one for the daemon's runs, and one that puts a bug aside until the other rules had their turn."""


def swallows(handler: ast.ExceptHandler) -> bool:
    """True where a handler takes in every error there is."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in kinds)
    # Tidying up on the way out swallows nothing.
    raises_on = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
    return broad and not raises_on


def test_three_places_catch_everything_and_no_others() -> None:
    found = {
        path for path, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and swallows(node)
    }
    assert found == HANDLES_EVERYTHING


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "helpers", "common", "base", "core", "manager", "misc"}
    assert [path for path, _tree in modules() if drawers & set(Path(path).with_suffix("").parts)] == []


def test_nobody_uses_the_arithmetic_that_takes_a_year_for_365_days() -> None:
    """pydantic reads `P3Y` into a timedelta as 1095 days; periods have a type of their own."""
    found = [
        path
        for path, tree in modules()
        if "/model/" in path or "/policy/" in path
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and "timedelta" in ast.unparse(node.annotation)
    ]
    assert found == []


def test_the_contributors_page_tells_what_each_module_is_for() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    told = Counter(re.findall(r"^\| `(?:[a-z/_]+/)?([a-z_]+\.py)` \|", page, re.MULTILINE))
    ours = Counter(name for path, _tree in modules() if "/migrations/" not in path and (name := Path(path).name) != "__init__.py")
    assert told == ours, "mend the tables in docs/explanation/architecture.md"
