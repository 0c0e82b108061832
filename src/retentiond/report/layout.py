"""Tables and indented lines that never cut off what they hold, however narrow the terminal is."""

from __future__ import annotations

from collections.abc import Collection

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def table(*columns: str, right: Collection[int] = (), title: str | None = None) -> Table:
    """An empty table; columns at the places in `right` hold numbers. A long cell goes on in the next line."""
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, title=title, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        numbers = place in right
        grid.add_column(column, justify="right" if numbers else "left", overflow="fold", no_wrap=numbers)
    return grid


def lines(text: str, *, depth: int = 1) -> Padding:
    """A text that wraps under its own indentation, two columns for each `depth`."""
    return Padding(Text(text, overflow="fold"), (0, 0, 0, 2 * depth))
