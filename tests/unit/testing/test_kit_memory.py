"""The connector in memory keeps every promise."""

from __future__ import annotations

import inspect

import pytest

from retentiond.testing import ConformanceKit, MemoryWorld, World


@pytest.fixture
def world() -> World:
    return MemoryWorld()


class TestMemory(ConformanceKit):
    pass


def test_each_promise_is_a_sentence() -> None:
    assert len(ConformanceKit.promises()) >= 30
    for name in ConformanceKit.promises():
        assert (inspect.getdoc(getattr(ConformanceKit, name)) or "").endswith("."), name
