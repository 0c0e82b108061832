"""What is kept of a bug: where it happened, never what the data was."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from collections.abc import Iterator

from retentiond import __version__


def write_crash_report(error: BaseException, command: str | None) -> str:
    """Write a report readable by its owner only, and return the sentences that tell of it.

    It holds versions, the command's name and the places in the code. It leaves out the messages of exceptions,
    the values of variables and the command's arguments, for each of these may hold personal data.
    """
    lines = [
        f"retentiond {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"command: {command or 'unknown'}",
        *_places(error),
    ]
    told = f"This is a bug in retentiond ({type(error).__name__}); please report it."
    try:
        number, path = tempfile.mkstemp(prefix="retentiond-crash-", suffix=".txt")  # made with mode 0600
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except OSError:
        return f"{told} No report could be written to the temporary directory."
    return f"{told} Where it happened is in {path}; the report holds no record's data."


def _places(error: BaseException) -> Iterator[str]:
    """Each exception of the chain, the first cause first: its class, and where it passed through."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _places(earlier)
        yield "which led to:"
    kind = type(error)
    yield f"{kind.__module__}.{kind.__qualname__}"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line or ''}"
