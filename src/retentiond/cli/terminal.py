"""Where words go: the result to stdout, everything else to stderr, progress only where somebody watches."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from retentiond.engine.values import Progress
from retentiond.report.shown import shown

PIPE_WIDTH = 100
"""Columns where nobody's terminal tells; long text wraps there, nothing is cut off."""


TABLE_WIDTH = 80
"""Columns that a table has at the least."""


def console(stream: TextIO) -> Console:
    """A console that takes text as it is: no markup, no emoji names, colours only on a terminal and without NO_COLOR."""
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


def say(renderables: Iterable[RenderableType]) -> None:
    """Write a result for a person to stdout."""
    out = console(sys.stdout)
    width = out.width
    for renderable in renderables:
        # A plain line is left to the terminal to wrap, so that a command in it can be copied; the rest wraps by itself.
        with out.capture() as capture:
            # On a terminal too narrow for it a table runs over: squeezed further, it would leave out whole columns.
            out.width = max(width, TABLE_WIDTH) if isinstance(renderable, Table) else width
            out.print(renderable, soft_wrap=isinstance(renderable, str))
        text = capture.get()
        # Tables fill their last column up with blanks, which a terminal needs and a file does not.
        out.file.write(text if out.is_terminal else "".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def say_json(value: object) -> None:
    """Write a result for a program to stdout; ASCII only, so that no control character of a record gets through."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def note(text: str) -> None:
    """Write a remark to stderr, beside the result."""
    console(sys.stderr).print("\n".join(shown(line) for line in text.split("\n")), soft_wrap=True)


@contextmanager
def progress_bars(stream: TextIO | None = None) -> Iterator[Callable[[Progress], None]]:
    """Hand out a function that shows how far each step is; it shows nothing unless stderr is a terminal."""
    screen = console(stream or sys.stderr)
    if not screen.is_terminal:
        yield lambda _progress: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=screen) as bars:
        planning: list[TaskID] = []
        acting: dict[tuple[str, str], TaskID] = {}

        def forget_planning() -> None:
            while planning:
                bars.remove_task(planning.pop())

        def show(progress: Progress) -> None:
            """One bar while something is planned; those of what was done stay, as a record of the run."""
            step = (progress.rule, str(progress.action))
            if progress.phase == "plan":
                if progress.done == 0:
                    forget_planning()
                if not planning:
                    planning.append(bars.add_task(f"{shown(progress.rule)}: planning {progress.action}", total=progress.total))
                bars.update(planning[-1], completed=progress.done, total=progress.total)
                return
            forget_planning()
            if step not in acting:
                acting[step] = bars.add_task(f"{shown(progress.rule)}: {progress.action}", total=progress.total)
            bars.update(acting[step], completed=progress.done, total=progress.total)

        try:
            yield show
        finally:
            forget_planning()
