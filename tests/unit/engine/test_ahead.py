"""Working ahead changes nothing but the time it takes."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.engine.ahead import ahead


class BrokenError(Exception):
    """Raised by what makes the items."""


def making(number: int, breaks_at: int | None, made: list[int]) -> Iterator[int]:
    for item in range(number):
        if item == breaks_at:
            raise BrokenError
        made.append(item)
        yield item


@given(st.integers(0, 20), st.none() | st.integers(0, 20))
def test_the_same_items_come_and_what_breaks_breaks_in_its_place(number: int, breaks_at: int | None) -> None:
    def all_of(items: Iterator[int]) -> tuple[list[int], bool]:
        found: list[int] = []
        try:
            for item in items:
                found.append(item)  # noqa: PERF402 - an error in between must not lose them
        except BrokenError:
            return found, True
        return found, False

    assert all_of(ahead(making(number, breaks_at, []))) == all_of(making(number, breaks_at, []))


@given(st.integers(0, 10))
def test_no_more_than_one_item_is_made_too_early(taken: int) -> None:
    made: list[int] = []
    items = ahead(making(20, None, made))
    found = [next(items) for _ in range(taken)]
    assert isinstance(items, Generator)
    items.close()
    assert found == list(range(taken))
    assert made == list(range(taken + 1 if taken else 0))


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    items = ahead(making(20, None, []))
    next(items)
    del items
    assert threading.active_count() == before
    with pytest.raises(StopIteration):
        next(ahead(iter(())))
    assert threading.active_count() == before
