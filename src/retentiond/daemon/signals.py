"""Signals as messages: they are kept back and fetched by the loop, so none of them ever interrupts anything."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum


class Word(Enum):
    """What somebody wants of the loop."""

    STOP = "stop"
    RELOAD = "reload"
    LOOK = "look"
    """A run has ended."""


_MEANING = {signal.SIGTERM: Word.STOP, signal.SIGINT: Word.STOP, signal.SIGHUP: Word.RELOAD, signal.SIGUSR1: Word.LOOK}


class Inbox:
    """Where words arrive."""

    def wait(self, seconds: float) -> Word | None:
        """Wait for the next word; None where none came in time."""
        received = signal.sigtimedwait(_MEANING, max(0.0, seconds))
        return None if received is None else _MEANING[signal.Signals(received.si_signo)]

    def look(self) -> Callable[[], None]:
        """What another thread calls to send `Word.LOOK` to the thread that asks here."""
        reader = threading.get_ident()
        return lambda: signal.pthread_kill(reader, signal.SIGUSR1)


@contextmanager
def open_inbox() -> Iterator[Inbox]:
    """Keep SIGTERM, SIGINT, SIGHUP and SIGUSR1 back for the inbox, in this thread and those it starts, until it is closed.

    Threads that were there before are not covered: a signal would strike one of them, so open it first of all.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _MEANING)
    try:
        yield Inbox()
    finally:
        # What is still waiting would strike once it is let through, and SIGUSR1 would kill.
        while signal.sigtimedwait(_MEANING, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
