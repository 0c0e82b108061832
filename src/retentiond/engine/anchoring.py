"""Hands the log's newest checkpoint to the anchors, and tells how far they cover it. A failure is an alarm, and stops nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from pathlib import Path

from retentiond.anchor import Anchored, Coverage, Handover, check_receipts, check_shown, coverage, hand_over
from retentiond.anchor.receipts import CHECKPOINT, Kept, agree, contradict, contradictions, keep, kept
from retentiond.audit import DeletionLog, LogPlace, LogReader, read_log
from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note
from retentiond.engine.evidence import log_place
from retentiond.engine.retry import patiently
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, StateError
from retentiond.failpoint import failpoint
from retentiond.settings import AnchorSettings, Settings

A_DAY = timedelta(days=1)
MOST_TOLD = 20
"""So many things that speak against the log are told."""


@dataclass(frozen=True, slots=True)
class Handed:
    """What one anchor did."""

    type: str
    size: int
    """How many entries the checkpoint covers."""
    trouble: str | None = None
    """Why it did not take the checkpoint, as finished sentences; None where it took it."""
    contradicts: bool = False
    """True where that is because log and anchor tell different histories: nothing may run until that is cleared up."""


@dataclass(frozen=True, slots=True)
class Anchoring:
    """What became of one checkpoint."""

    handed: tuple[Handed, ...]
    coverage: Coverage

    @property
    def troubles(self) -> tuple[str, ...]:
        """What went wrong, as finished sentences."""
        return tuple(one.trouble for one in self.handed if one.trouble)

    @property
    def contradicted(self) -> bool:
        """True where an anchor tells another history than the log."""
        return any(one.contradicts for one in self.handed)


def anchor(
    settings: Settings,
    log: DeletionLog,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
    types: Collection[str] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Anchoring:
    """Sign the log as it is, and hand the checkpoint to each anchor; where `types` are given, to those alone.

    `stop` is asked before each attempt; who was not asked then is due again. What an anchor took is written into the log.
    Raises `AuditError` where the log cannot be signed or written.
    """
    place = log_place(settings)
    due = [one for one in settings.anchors if types is None or one.type in types]
    handed: list[Handed] = []
    if due:
        checkpoint = log.checkpoint(clock())
        note, key = _newest(place, checkpoint)
        for one in due:
            if stop():
                break
            # Opened for each anew: waiting for one anchor must not hold a view of the log open for all of them.
            handed.append(_hand_over(settings, one, log, note, key, checkpoint, clock, sleep, stop))
            failpoint("anchored")
        log.checkpoint(clock())
    return Anchoring(tuple(handed), coverage_of(settings))


def coverage_of(settings: Settings) -> Coverage:
    """How far anchors cover the log; raises `StateError` where there is none."""
    with read_log(log_place(settings)) as log:
        return coverage(settings.state, log)


def due_types(settings: Settings, now: datetime) -> list[str]:
    """The configured anchors that took nothing for a day, up to `now` (aware UTC); all of them before there is a log."""
    types: list[str] = [one.type for one in settings.anchors]
    try:
        return coverage_of(settings).late(types, now, A_DAY) if types else []
    except StateError:
        return types


def late_anchors(settings: Settings, found: Coverage, now: datetime) -> list[str]:
    """What to tell somebody about anchors that should have taken a checkpoint by now, as finished sentences."""
    late = found.late([one.type for one in settings.anchors], now)
    return [_late(kind, found.last.get(kind)) for kind in late]


def anchor_problems(
    settings: Settings, vkey: str | None = None, *, newest: bool = False, shown: Sequence[Path] = ()
) -> list[str]:
    """What anchors have against the log, as finished sentences: by the receipts in the state, and those that are `shown`.

    `vkey` takes the place of the log's own key. Raises `StateError` where log or receipts cannot be read, `ConfigurationError`
    where what is shown is no receipt.
    """
    place = log_place(settings)
    key = _key(place) if vkey is None else VerifierKey.parse(vkey)
    with read_log(place) as log:
        told = [check_receipts(settings.state, log, key, newest=newest)]
        told += [check_shown(file, settings.state, log, key) for file in shown]
        return list(islice(chain.from_iterable(told), MOST_TOLD))


def refuse_contradicted(settings: Settings) -> None:
    """Raise `AuditError` where an anchor contradicted the log, or the newest receipts do."""
    if not kept(settings.state) and not contradictions(settings.state):
        return
    if problems := anchor_problems(settings, newest=True):
        raise AuditError("\n".join(["The deletion log and its anchors contradict each other; nothing was done.", *problems]))


def _late(kind: str, last: Anchored | None) -> str:
    since = "took no checkpoint yet" if last is None else f"took no checkpoint since {last.at:%Y-%m-%d %H:%M} UTC"
    return f"The anchor {kind} {since}; whoever holds the keys could rewrite what came after. Try `retentiond audit anchor`."


def _key(place: LogPlace) -> VerifierKey:
    try:
        return VerifierKey.parse(place.public_key.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NoteError):
        raise AuditError(
            f"The log's key {place.public_key} cannot be read. Restore the state directory from its backup."
        ) from None


def _newest(place: LogPlace, checkpoint: Checkpoint) -> tuple[str, VerifierKey]:
    """The signed note of a checkpoint that was just made, and the log's key."""
    key = _key(place)
    try:
        note = place.last_signed.read_bytes().decode("utf-8")
        if Checkpoint.parse(open_note(note, key)) == checkpoint:
            return note, key
    except (OSError, UnicodeDecodeError, NoteError):
        pass
    raise AuditError(f"{place.last_signed} is not the checkpoint that was just signed; it was exchanged. Nothing was anchored.")


def _hand_over(
    settings: Settings,
    one: AnchorSettings,
    log: DeletionLog,
    note: str,
    key: VerifierKey,
    checkpoint: Checkpoint,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    stop: Callable[[], bool],
) -> Handed:
    state = settings.state
    try:
        with read_log(log_place(settings)) as reader:
            receipt = patiently(partial(_try, settings, one, reader, note, key, checkpoint, clock, stop), settings.retry, sleep)
        keep(state, Kept(checkpoint.size, CHECKPOINT).name, note.encode())
        keep(state, Kept(checkpoint.size, one.type).name, receipt)
        agree(state, one.type)
    except AuditError as error:
        with suppress(StateError):  # where it cannot be remembered, the anchor will say it again
            contradict(state, one.type, str(error))
        return Handed(one.type, checkpoint.size, str(error), contradicts=True)
    except (ConnectorError, ConfigurationError, StateError) as error:
        return Handed(one.type, checkpoint.size, f"The anchor {one.type} did not take the checkpoint. {error}")
    digest = hashlib.sha256(receipt).hexdigest()
    failpoint("receipt-kept")
    log.event("anchor", clock(), type=one.type, size=checkpoint.size, root=checkpoint.root.hex(), digest=digest)
    return Handed(one.type, checkpoint.size)


def _try(
    settings: Settings,
    one: AnchorSettings,
    log: LogReader,
    note: str,
    key: VerifierKey,
    checkpoint: Checkpoint,
    clock: Callable[[], datetime],
    stop: Callable[[], bool],
) -> bytes:
    if stop():
        raise ConnectorError("retentiond was told to stop.")
    before = max((known.size for known in kept(settings.state) if known.type == one.type), default=0)
    what = Handover(
        note=note,
        checkpoint=checkpoint,
        key=key,
        before=before,
        root_at=log.root_at,
        consistency=log.consistency,
        state=settings.state,
        now=clock(),
    )
    return hand_over(one, what)
