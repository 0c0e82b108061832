"""The only place that tries again, and the only one that knows tenacity."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

from retentiond.errors import TransientConnectorError
from retentiond.settings import Retry

T = TypeVar("T")


def patiently(act: Callable[[], T], retry: Retry, sleep: Callable[[float], None]) -> T:
    """Call `act` until it does not raise `TransientConnectorError`, at most `retry.attempts` times; then raise it.

    Only for what surely did not happen when it raises so. Waits longer each time, or as long as the system asked.
    """
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retry.attempts),
        wait=_wait,
        retry=tenacity.retry_if_exception_type(TransientConnectorError),
        sleep=sleep,
        reraise=True,
    )(act)


_growing = tenacity.wait_exponential_jitter(multiplier=0.2, max=30, jitter=0.2)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, TransientConnectorError) and error.retry_after is not None:
        return error.retry_after
    return float(_growing(state))
