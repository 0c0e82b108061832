"""What the documentation tells a reader to type is typed here, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/tutorial.md")


def _blocks(page: str, info: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{info}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_shell_block_marked_run_succeeds(page: str, tmp_path: Path) -> None:
    blocks = _blocks(page, "sh run")
    if not blocks:
        assert page == "README.md"  # its two commands set up everything anew; `make demo` has a test of its own
        return
    script = "set -euo pipefail\n" + "\n".join(blocks)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RETENTIOND_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tutorial_is_typed_at_all() -> None:
    assert len(_blocks("docs/tutorial.md", "sh run")) >= 8


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_page_of_ours_leads_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (folder / link).exists()] == []
