from __future__ import annotations

import io
import json
import sys

import pytest
from rich.table import Table

from retentiond.cli.terminal import note, progress_bars, say, say_json
from retentiond.engine.values import Progress
from retentiond.model.record import Action, Target
from retentiond.report.layout import lines, table

SOME = Progress("rule", Target("system", "dataset"), Action.DELETE, "plan", 1, 2)


def test_markup_in_foreign_names_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    grid: Table = table("name [red]x[/red]")
    grid.add_row("[bold]key[/bold] :smile:")
    say(["[link=https://x.example]word[/link]", grid, lines("[red]reason[/red]")])
    out = capsys.readouterr().out
    assert "[link=https://x.example]word[/link]" in out
    assert "[bold]key[/bold] :smile:" in out
    assert "[red]reason[/red]" in out


def test_a_pipe_gets_no_colours_and_no_cut_off_data(capsys: pytest.CaptureFixture[str]) -> None:
    grid = table("a", "b")
    grid.add_row("x" * 150, "y" * 150)
    say([grid])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "…" not in out
    assert (out.count("x"), out.count("y")) == (150, 150)
    assert max(map(len, out.splitlines())) <= 100


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_on_a_narrow_terminal_runs_over_and_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squeezed to fit, it would show figures without saying of which rule they are."""
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    grid = table("rule", "would", "records", "due", "past max", "kept", "undatable", "mode", right=(2, 3, 4, 5, 6))
    grid.add_row("letter", "delete", "1,200", "90", "0", "1,098", "12", "report only")
    say([grid, lines("word " * 20)])
    told = screen.getvalue().splitlines()
    (row,) = (line for line in told if "letter" in line)
    for cell in ("delete", "1,200", "90", "1,098", "12", "report"):
        assert cell in row
    assert max(len(line) for line in told if "word" in line) <= 30


def test_a_plain_line_is_never_broken_so_that_a_command_in_it_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    command = "retentiond approve rule " + " ".join(f"rule-{number}" for number in range(30))
    say([command])
    assert command in capsys.readouterr().out


def test_json_holds_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"name": "\x1b[31m\u202eé\ud800"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out) == {"name": "\x1b[31m\u202eé\ud800"}


def test_a_remark_goes_to_stderr_with_its_control_characters_shown(capsys: pytest.CaptureFixture[str]) -> None:
    note("first\nsecond \x1b[2J")
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == "first\nsecond \\x1b[2J\n"


def test_progress_is_silent_in_a_pipe() -> None:
    stream = io.StringIO()
    with progress_bars(stream) as show:
        show(SOME)
    assert stream.getvalue() == ""


def test_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with progress_bars(stream) as show:
        show(SOME)
        show(Progress("rule", SOME.target, SOME.action, "act", 1, None))
    assert "rule: planning" in stream.getvalue()
    assert "rule: delete" in stream.getvalue()
