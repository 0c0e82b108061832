"""The anchor `witness`: a C2SP witness cosigns each checkpoint, but only one that continues what it saw before."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from retentiond.anchor.cosignature import WitnessKey
from retentiond.anchor.handover import Handover
from retentiond.anchor.posting import Answer, post
from retentiond.audit.note import NoteError
from retentiond.errors import AuditError, ConfigurationError, ConnectorError, TransientConnectorError
from retentiond.settings import WitnessAnchor

OK, FORBIDDEN, UNKNOWN, CONFLICT, UNPROVABLE = 200, 403, 404, 409, 422
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,17})\n?")


def hand_over(anchor: WitnessAnchor, what: Handover) -> bytes:
    """Have the checkpoint cosigned; the receipt is the checkpoint with the witness's line below the log's own.

    Raises `AuditError` where the witness saw another history, `ConnectorError` where it refuses or its line does not hold,
    `TransientConnectorError` where it cannot be reached, `ConfigurationError` where its key is none.
    """
    try:
        key = WitnessKey.parse(anchor.key)
    except NoteError as error:
        raise ConfigurationError(f"The `key` of the anchor `witness` cannot be used. {error}") from None
    host = urlsplit(anchor.url).hostname or ""
    answer = _add(anchor, what, what.before)
    if answer.status == CONFLICT:
        # At the same size it may answer a conflict of roots just so, and then it need not name the size.
        seen = what.before if what.before == what.checkpoint.size else _seen(host, answer)
        if seen > what.checkpoint.size:
            raise AuditError(
                f"The witness {host} saw {seen} entries of the log, which has {what.checkpoint.size}: it was cut or rolled back."
            )
        answer = _add(anchor, what, seen)
        if answer.status == CONFLICT:
            if seen == what.checkpoint.size:
                raise AuditError(f"The witness {host} saw another history of the log's first {seen} entries: it was rewritten.")
            raise TransientConnectorError(f"The witness {host} was given another checkpoint at the same time.")
    _refuse(host, answer)
    return (what.note + _cosignature(host, answer, key, what.checkpoint.text())).encode()


def _add(anchor: WitnessAnchor, what: Handover, old: int) -> Answer:
    url = f"{anchor.url.removesuffix('/')}/add-checkpoint"
    return post(
        url, what.proof(min(old, what.checkpoint.size)).encode(), {"Content-Type": "text/plain; charset=utf-8"}, anchor.ca
    )


def _seen(host: str, answer: Answer) -> int:
    match = _SIZE.fullmatch(answer.body)
    if match is None:
        raise ConnectorError(f"The witness {host} says that it saw another size, but not which.")
    return int(match[1])


def _refuse(host: str, answer: Answer) -> None:
    match answer.status:
        case 200:
            return
        case 422:
            raise AuditError(
                f"The witness {host} says that the log does not continue what it saw before: the log was rewritten. "
                f"Keep everything as it is, and look whose the other history is."
            )
        case 403:
            raise ConnectorError(f"The witness {host} does not know the log's key. Give it the one in `log.vkey`.")
        case 404:
            raise ConnectorError(f"The witness {host} does not know a log of this `origin`. Have it added there.")
        case _:
            raise ConnectorError(f"The witness {host} refuses (HTTP {answer.status}). Look at the anchor's `url`.")


def _cosignature(host: str, answer: Answer, key: WitnessKey, text: str) -> str:
    """The one line of the answer that is by the configured witness; others, by keys nobody here knows, are left out."""
    try:
        lines = answer.body.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = []
    for line in lines:
        try:
            key.cosigned(line, text)
        except NoteError:
            continue
        return f"{line}\n"
    raise ConnectorError(f"The cosignature of the witness {host} does not hold, or is by another key than the anchor's `key`.")
