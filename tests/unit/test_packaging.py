"""What is built, what is promised and what lies in the folders agree; and nothing in the tree names a machine or an index."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONNECTORS = sorted(folder.name for folder in (ROOT / "connectors").glob("retentiond_*"))
AGAIN = "run `make dev` (`pip install -e .`): an editable install does not see a new entry point by itself"


def declared() -> dict[str, str]:
    entries: dict[str, str] = PROJECT["project"]["entry-points"]["retentiond.connectors"]
    return entries


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~! ;]", line, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-") for line in requirements}


def locked(file: str) -> set[str]:
    return names([line for line in (ROOT / file).read_text().splitlines() if re.match(r"[a-z]", line)])


def tree() -> list[Path]:
    """Every text file that is in version control, or would be."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True) if shutil.which("git") else None
    if done is not None and done.returncode == 0:
        listed = [ROOT / line for line in done.stdout.splitlines()]
    else:  # a machine without git, or an unpacked archive
        ignored = {".git", *(line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines())}
        listed = [path for path in ROOT.rglob("*") if not ignored & set(path.relative_to(ROOT).parts)]
    return [path for path in listed if path.is_file() and b"\0" not in path.read_bytes()]


def test_each_connector_folder_has_an_entry_point_and_the_other_way_round() -> None:
    assert {f"{name.removeprefix('retentiond_')} = {name}:connector" for name in CONNECTORS} == {
        f"{name} = {place}" for name, place in declared().items() if not place.startswith("retentiond.connector.")
    }


def test_what_is_installed_knows_the_same_entry_points() -> None:
    installed = {point.name: point.value for point in entry_points(group="retentiond.connectors")}
    assert {name: installed.get(name) for name in declared()} == declared(), AGAIN


def test_each_connector_is_in_the_wheel_and_has_an_extra_of_its_name() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(["src/retentiond", *(f"connectors/{name}" for name in CONNECTORS)])
    extras = PROJECT["project"]["optional-dependencies"]
    assert {name.removeprefix("retentiond_") for name in CONNECTORS} <= set(extras)


def test_each_linter_looks_at_each_connector() -> None:
    assert PROJECT["tool"]["importlinter"]["root_packages"] == ["retentiond", *CONNECTORS]


@pytest.mark.parametrize("name", CONNECTORS)
def test_a_connector_can_be_imported_without_its_driver(name: str) -> None:
    script = (
        "import sys\n"
        "for driver in ('psycopg', 'psycopg_binary', 'pymysql'): sys.modules[driver] = None\n"
        f"import {name}\n"
        f"assert {name}.connector.name == {name.removeprefix('retentiond_')!r}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built by the locked build back end and without asking any index."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_holds_every_file_of_every_package(wheel: zipfile.ZipFile) -> None:
    sources = [(ROOT / "src", ROOT / "src" / "retentiond"), *((ROOT / "connectors", ROOT / "connectors" / n) for n in CONNECTORS)]
    wanted = {
        str(path.relative_to(base))
        for base, package in sources
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == wanted
    assert "retentiond/py.typed" in held
    for package in ("store", "audit"):
        assert any(re.match(rf"retentiond/{package}/migrations/.*\.py", name) for name in held)


def test_the_wheel_says_what_the_project_says(wheel: zipfile.ZipFile) -> None:
    (info,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    entries = wheel.read(f"{info}/entry_points.txt").decode()
    assert "retentiond = retentiond.cli.main:main" in entries
    for name, place in declared().items():
        assert f"{name} = {place}" in entries
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


LOCKS = ("requirements.lock", "requirements-dev.lock")


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_file_names_no_index_and_no_host(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", "\n".join(line for line in text.splitlines() if "--hash=sha256:" not in line), re.MULTILINE)


@pytest.mark.parametrize("file", LOCKS)
def test_each_pin_is_exact_and_hashed(file: str) -> None:
    entries = re.split(r"\n(?=[a-z])", (ROOT / file).read_text())[1:]
    assert [
        entry.split()[0] for entry in entries if not re.match(r"[a-z0-9-]+==\S+ .*\\\n    --hash=sha256:[0-9a-f]{64}", entry)
    ] == []


def test_the_locks_hold_all_that_the_project_asks_for() -> None:
    extras = [line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra]
    wanted = names(PROJECT["project"]["dependencies"] + extras)
    assert wanted <= locked("requirements.lock"), "run `make lock`"
    tools = names(PROJECT["dependency-groups"]["dev"] + PROJECT["build-system"]["requires"])
    assert wanted | tools <= locked("requirements-dev.lock"), "run `make lock`"


def test_both_locks_pin_the_same_versions() -> None:
    pins = [dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / file).read_text(), re.MULTILINE)) for file in LOCKS]
    assert pins[0].items() <= pins[1].items()


def test_the_scheduler_is_one_that_survives_summer_time() -> None:
    """Before 3.11.2 a start in the repeated hour came back for ever."""
    assert "apscheduler>=3.11.2,<4" in PROJECT["project"]["dependencies"]


# Written in pieces, so that this file does not name them either.
ELSEWHERE = re.compile(
    r"\.\./"
    r"shared\b|/wo"
    r"rk/(?:main|shared)|/ro"
    r"ot/|/opt/(?:py"
    r"pi|wheels)|files\.python"
    r"hosted|\bpyp"
    r"i\.org|[a-z]-index-url"
)


def test_nothing_in_the_tree_names_a_machine_or_an_index() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tree()
        if path.suffix != ".lock"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ELSEWHERE.search(line.replace("--no-emit-index-url", "").replace("[a-z]-index-url", ""))
    ]
    assert found == []
