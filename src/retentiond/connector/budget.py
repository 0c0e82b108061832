"""A budget of requests a minute, which is kept exactly and shared by all sessions of one account in this process."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WINDOW = 60.0
"""Seconds."""


class Budget:
    """At most `most` requests in any window of a minute, as the server counts them: a request counts from its answer on.

    Counting from the answer is what makes it exact: the server saw a request no later than it answered it.
    Not shared between processes: where several use one account, the account's budget has to be divided among them.
    """

    def __init__(
        self, most: int, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if most < 1:
            raise ValueError("a budget admits one request at the least")
        self._clock, self._sleep = clock, sleep
        self._free: deque[float] = deque([float("-inf")] * most)
        self._lock = threading.Lock()

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Wait until one more request is within the budget, and count what is done inside as that request; one at a time."""
        with self._lock:
            wait = self._free[0] - self._clock()
            while wait > 0:
                self._sleep(wait)
                wait = self._free[0] - self._clock()
            self._free.popleft()
            try:
                yield
            finally:
                self._free.append(self._clock() + WINDOW)


_budgets: dict[tuple[str, int], Budget] = {}
_guard = threading.Lock()


def shared_budget(account: str, most: int) -> Budget:
    """The one budget of this process for `account`, which tells the server and whose account it is, without a secret."""
    with _guard:
        return _budgets.setdefault((account, most), Budget(most))
