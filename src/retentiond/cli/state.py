"""Looks into the state without making it: reading commands work before the first run, and where nothing may be written."""

from __future__ import annotations

from datetime import datetime

from retentiond.anchor import Coverage
from retentiond.cli.terminal import note
from retentiond.cli.verification import never_begun
from retentiond.engine.anchoring import coverage_of
from retentiond.engine.clearance import Words, clearance, words_of
from retentiond.engine.evidence import existing_store
from retentiond.engine.registers import Registers, read_registers
from retentiond.engine.workplace import Workplace
from retentiond.errors import RetentiondError, StateError
from retentiond.settings import Settings


def registers_of(settings: Settings, workplace: Workplace) -> Registers:
    """What persons and registers say; nothing before the first entry. Raises `StateError` where it cannot be read."""
    with existing_store(settings) as store:
        return read_registers(store, [one.rule.id for one in workplace.assignments]) if store else Registers()


def approved_digests(settings: Settings, workplace: Workplace, now: datetime) -> frozenset[str] | None:
    """Digests of the rule versions that may act; None, and a remark on stderr, where the state cannot be asked.

    Only told beside a plan: whether a run acts is decided by the run.
    """
    try:
        with existing_store(settings) as store:
            words = words_of(store.approvals(), store.versions(), None) if store else Words(())
        assignments = workplace.at(now).assignments
        return frozenset(one.digest for one in assignments if clearance(words, one, now, settings.guards.cool_off).in_force)
    except StateError as error:
        note(f"Whether the rules are approved cannot be told. {error}")
        return None


def covered(settings: Settings) -> Coverage | None:
    """How far anchors cover the deletion log; None before it begins, and with a remark on stderr where it cannot be read."""
    try:
        return None if never_begun(settings) else coverage_of(settings)
    except RetentiondError as error:
        note(f"How far the deletion log is anchored cannot be told. {error}")
        return None
