"""The README shows what the program really writes: its lines are looked for in a demo that is played anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.demo import played

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
LEFT_OUT = "[…]"


def _shape(line: str) -> str:
    """The line without what differs from day to day: numbers, digests, and how many blanks and rules they need."""
    line = re.sub(r"\b[0-9a-f]{8,64}\b", "#", line)
    line = re.sub(r"\d[\d,.:]*", "#", line)
    return re.sub(r"─+", "─", re.sub(r"\s+", " ", line)).strip()


@pytest.fixture(scope="module")
def demo() -> str:
    demo = played()
    assert demo.status == 0, demo.stdout + demo.stderr
    return demo.stdout


def _shown() -> list[str]:
    (block,) = re.findall(r"^```text\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for line in block.splitlines() if line.strip()]


def test_every_line_of_the_screen_is_one_the_demo_writes_in_that_order(demo: str) -> None:
    written = iter([_shape(line) for line in demo.splitlines() if line.strip()])
    for line in _shown():
        if line != LEFT_OUT:
            assert any(_shape(line) == other for other in written), f"the demo does not write, at this place: {line}"


def test_what_is_not_left_out_is_shown_without_a_gap(demo: str) -> None:
    written = [_shape(line) for line in demo.splitlines() if line.strip()]
    text = "\n".join(written)
    for piece in "\n".join(_shape(line) if line != LEFT_OUT else LEFT_OUT for line in _shown()).split(LEFT_OUT):
        assert piece.strip("\n") in text


def test_the_screen_fits_on_a_screen() -> None:
    assert len(_shown()) <= 45
    assert max(map(len, _shown())) <= 120


def test_the_rule_that_is_shown_is_one_of_the_demos() -> None:
    text = README.read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    policy = (ROOT / "src/retentiond/cli/demo/policies/customer-relations.yaml").read_text(encoding="utf-8")
    assert all(line.strip() in policy for line in block.splitlines())


def test_the_readme_names_the_two_commands() -> None:
    text = README.read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
