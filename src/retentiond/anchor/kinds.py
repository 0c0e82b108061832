"""Which anchor does what: from the settings of one to the module that knows how."""

from __future__ import annotations

from retentiond.anchor import bucket, file, mail, timestamp, witness
from retentiond.anchor.handover import Handover
from retentiond.settings import AnchorSettings, FileAnchor, MailAnchor, S3Anchor, TimestampAnchor, WitnessAnchor


def hand_over(anchor: AnchorSettings, what: Handover) -> bytes:
    """Hand a checkpoint to an anchor; the receipt that proves it.

    Raises `AuditError` where the anchor contradicts the log, `TransientConnectorError` where trying again may help,
    `ConnectorError` and `ConfigurationError` where it cannot be reached or used.
    """
    match anchor:
        case MailAnchor():
            return mail.hand_over(anchor, what)
        case FileAnchor():
            return file.hand_over(anchor, what)
        case S3Anchor():
            return bucket.hand_over(anchor, what)
        case TimestampAnchor():
            return timestamp.hand_over(anchor, what)
        case WitnessAnchor():
            return witness.hand_over(anchor, what)
