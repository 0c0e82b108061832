"""Tables and indented lines that never cut off what they hold, however narrow the terminal is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Indented:
    """A text that goes on under its own indentation where the line is full."""

    text: str
    columns: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        margin = " " * self.columns
        for line in Text(self.text).wrap(console, max(options.max_width - self.columns, 20), overflow="fold"):
            yield Text(margin + line.plain.rstrip())


def table(*columns: str, right: Collection[int] = ()) -> Table:
    """An empty table; columns at the places in `right` hold numbers. A long cell goes on in the next line."""
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        numbers = place in right
        grid.add_column(column, justify="right" if numbers else "left", overflow="fold", no_wrap=numbers)
    return grid


def lines(text: str, *, depth: int = 1) -> Indented:
    """A text that wraps under its own indentation, two columns for each `depth`."""
    return Indented(text, 2 * depth)
