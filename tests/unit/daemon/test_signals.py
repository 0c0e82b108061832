"""Signals as messages."""

from __future__ import annotations

import signal
import threading

import pytest

from retentiond.daemon.signals import Word, open_inbox


@pytest.mark.parametrize(
    ("sent", "word"), [(signal.SIGTERM, Word.STOP), (signal.SIGINT, Word.STOP), (signal.SIGHUP, Word.RELOAD)]
)
def test_a_signal_waits_until_it_is_asked_for(sent: signal.Signals, word: Word) -> None:
    with open_inbox() as inbox:
        signal.pthread_kill(threading.get_ident(), sent)
        assert inbox.wait(5) is word
        assert inbox.wait(0) is None


def test_another_thread_can_say_that_there_is_something_to_look_at() -> None:
    with open_inbox() as inbox:
        thread = threading.Thread(target=inbox.look())
        thread.start()
        assert inbox.wait(5) is Word.LOOK
        thread.join()


def test_what_nobody_fetched_does_not_strike_later() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with open_inbox() as inbox:
        inbox.look()()
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
