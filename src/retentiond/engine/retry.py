"""The only place that tries again, and the only one that knows tenacity."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

from retentiond.errors import TransientConnectorError
from retentiond.settings import Retry

T = TypeVar("T")

LONGEST_WAIT = 600.0
"""Seconds that a system may ask us to wait within a run."""


def patiently(act: Callable[[], T], retry: Retry, sleep: Callable[[float], None]) -> T:
    """Call `act` until it does not raise `TransientConnectorError`, at most `retry.attempts` times; then raise it.

    Only for what surely did not happen when it raises so. Waits longer each time, or as long as the system asked; where that
    is longer than `LONGEST_WAIT` it is left for the next run, so that one system cannot keep all others waiting.
    """
    return tenacity.Retrying(
        stop=lambda state: state.attempt_number >= retry.attempts or _asked_too_much(state),
        wait=_wait,
        retry=tenacity.retry_if_exception_type(TransientConnectorError),
        sleep=sleep,
        reraise=True,
    )(act)


_growing = tenacity.wait_exponential_jitter(multiplier=0.2, max=30, jitter=0.2)


def _wait(state: tenacity.RetryCallState) -> float:
    asked = _asked(state)
    return float(_growing(state)) if asked is None else max(0.0, asked)


def _asked_too_much(state: tenacity.RetryCallState) -> bool:
    asked = _asked(state)
    return asked is not None and not asked <= LONGEST_WAIT


def _asked(state: tenacity.RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after if isinstance(error, TransientConnectorError) else None
