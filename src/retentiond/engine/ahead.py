"""Makes the next item while the one before is worked on: for reading that has no effect."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")


class _End:
    """Stands for the end of the items."""


_END: Final = _End()


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items in the same order, each of them made in a thread of its own; at most one is made too early.

    What making an item raises is raised where the item would have come. Only one thread at a time uses `items`.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as worker:
        following = worker.submit(next, items, _END)
        while not isinstance(item := following.result(), _End):
            following = worker.submit(next, items, _END)
            yield item
